"""An event loop whose time stands still while anything happens and jumps while all are asleep: waits cost nothing."""

import asyncio
import selectors
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from bulkload.pace import Clock

NOON = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)
T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting for a timeout, moves the time on by as much."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            return super().select(None)
        # What is read aside takes no time; whether it is done must be known before looking for its news.
        reading = any(thread.name == "reading" for thread in threading.enumerate())
        ready = super().select(min(timeout, 0.01) if reading else 0)
        if not ready and not reading:
            self.passed += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Begins at 0 s."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed


def now() -> float:
    """The seconds since the running virtual loop began."""
    return asyncio.get_running_loop().time()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def clock(share: float = 1.0) -> Clock:
    """Virtual time from NOON on; of what is left to chance, `share` is taken."""
    return Clock(
        monotonic=now,
        now=lambda: NOON + timedelta(seconds=now()),
        sleep=asyncio.sleep,
        jitter=lambda least, most: least + (most - least) * share,
    )
