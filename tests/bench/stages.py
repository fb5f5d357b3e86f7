"""What the stages of a run take: seconds by the clock and of the processor, and the memory at its highest."""

import resource
import time
from dataclasses import asdict, dataclass

_KIB = 1024


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: seconds by the clock, and of the processor with the child processes that have ended."""

    name: str
    wall: float
    cpu: float


class Stages:
    """Looks at the clock where one stage ends and the next begins."""

    def __init__(self) -> None:
        self._name = ""
        self._found: list[Stage] = []
        self._wall, self._cpu = _now()

    def begin(self, name: str) -> None:
        """End the stage before, and begin this one."""
        wall, cpu = _now()
        if self._name:
            self._found.append(Stage(self._name, wall - self._wall, cpu - self._cpu))
        self._name, self._wall, self._cpu = name, wall, cpu

    def ended(self) -> list[dict[str, object]]:
        """All stages, for JSON."""
        self.begin("")
        return [asdict(stage) for stage in self._found]


def peak() -> int:
    """The most memory, in bytes, that this process held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB


def peak_of_children() -> int:
    """The most memory, in bytes, that one of the child processes held that have ended."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _KIB


def _now() -> tuple[float, float]:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), time.process_time() + children.ru_utime + children.ru_stime
