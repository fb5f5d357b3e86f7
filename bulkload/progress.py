"""How far a run is: bars on a terminal, a line every ten seconds elsewhere. It only listens."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tqdm import tqdm

from bulkload.models import Outcome, Status, rows_in_words

_EVERY = 10.0
# The counts that stand behind the bar; writing them for each row would cost more than sending it.
_COUNTED = (Status.CREATED, Status.UPDATED, Status.REJECTED, Status.FAILED, Status.UNKNOWN)
_POSTFIX_EVERY = 0.2


@contextmanager
def between_bars(out: TextIO) -> Iterator[None]:
    """Bars are out of the way while this is entered, so that a line can be written; from any thread."""
    with tqdm.external_write_mode(file=out):
        yield


class Bars:
    """A bar per phase."""

    def __init__(self, out: TextIO = sys.stderr) -> None:
        self._out = out
        self._bar: tqdm[Any] | None = None
        self._counts: Counter[Status] = Counter()
        self._shown = 0.0

    def phase(self, name: str, total: int | None) -> None:
        """Begin a phase of `total` rows; None where that isn't known yet."""
        self.close()
        self._counts.clear()
        self._bar = tqdm(total=total, desc=name, unit=" rows", file=self._out, leave=False, dynamic_ncols=True)

    def step(self, rows: int) -> None:
        """So many rows more are done."""
        if self._bar is not None:
            self._bar.update(rows)

    def outcome(self, outcome: Outcome) -> None:
        """One more row is sent."""
        self._counts[outcome.status] += 1
        self.step(1)
        if self._bar is not None and time.monotonic() - self._shown > _POSTFIX_EVERY:
            self._shown = time.monotonic()
            self._bar.set_postfix_str(_counts(self._counts), refresh=False)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Lines:
    """A line every ten seconds, for logs and pipes. `clock` counts seconds."""

    def __init__(self, out: TextIO = sys.stderr, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._name = ""
        self._total: int | None = None
        self._rows = 0
        self._counts: Counter[Status] = Counter()
        self._told = clock()

    def phase(self, name: str, total: int | None) -> None:
        """Begin a phase of `total` rows; None where that isn't known yet."""
        self._name, self._total, self._rows = name, total, 0
        self._counts.clear()

    def step(self, rows: int) -> None:
        """So many rows more are done."""
        self._rows += rows
        if self._clock() - self._told >= _EVERY:
            self._told = self._clock()
            done = f"{self._rows:,} of {rows_in_words(self._total)}" if self._total else rows_in_words(self._rows)
            self._out.write(", ".join(filter(None, (f"{self._name}: {done}", _counts(self._counts)))) + "\n")
            self._out.flush()

    def outcome(self, outcome: Outcome) -> None:
        """One more row is sent."""
        self._counts[outcome.status] += 1
        self.step(1)

    def close(self) -> None:
        """Nothing is left to take away."""


def _counts(counts: Counter[Status]) -> str:
    return ", ".join(f"{counts[status]:,} {status}" for status in _COUNTED if counts[status])
