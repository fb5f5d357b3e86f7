"""Whatever happens, in whatever order: no row is made twice, none is told wrongly, nothing leaves without an intent.

A state machine over whole runs: real file, journal, planning, sending, asking and sign-in; the API is fake and time is
virtual. A run moves only while the machine waits for it, so each example is the same each time.
"""

import asyncio
import json
import os
import queue
import selectors
import sqlite3
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bulkload.connection import Connection
from bulkload.credential import Credential
from bulkload.errors import BulkloadError, UsageError
from bulkload.job import Job, Preview, Report
from bulkload.journal import Journal
from bulkload.models import Outcome, Status
from bulkload.openapi import read_api
from bulkload.pipeline import Import, Resolve, Resume
from bulkload.plan import Wishes
from bulkload.resource import Rate
from bulkload.run import World
from tests.fake_api import DEADLINE, FATES, KINDS, SETTLE, TROUBLES, FakeApi, Time, document
from tests.support import write_csv

API = read_api(document(), "things")
CONCURRENCY = 3
# What the journal must say of a row whose work is done; a row in flight is unknown to whoever asks.
MAY_BE_DONE = {Status.CREATED, Status.UPDATED, Status.UNKNOWN, Status.SENDING}
# Seconds of virtual time without a request after which the machine is asked what happens next.
_LONG = 5.0
# Real seconds after which a run that doesn't come to rest hangs.
_HANGS = 30.0

Order = Callable[[], None]


class Killed(BaseException):
    """The process is gone, in the middle of whatever it did."""


class _Selector(selectors.DefaultSelector):
    """Instead of waiting lets `rest` decide how long nothing happens, in seconds."""

    def __init__(self, rest: Callable[[float], float]) -> None:
        super().__init__()
        self._rest = rest

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout is not None and timeout <= 0:
            return ready
        if any(thread.name == "reading" for thread in threading.enumerate()):
            return super().select(0.001)
        self._rest(_HANGS if timeout is None else timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    """A loop in virtual time."""

    def __init__(self, time: Time, rest: Callable[[float], float]) -> None:
        self._time = time
        super().__init__(_Selector(rest))

    def time(self) -> float:
        return self._time.passed


@dataclass
class Stage:
    """One run on its way, in a thread of its own that takes turns with the machine.

    `cut` is the phase at whose beginning, or `confirm`, at which the process is killed. `trouble` is what the run ended
    with; `report` what it told if it came to its end.
    """

    time: Time
    api: FakeApi
    journal: Journal
    cut: str = ""
    trouble: BaseException | None = None
    report: Report | None = None
    interrupted: Order | None = None
    abandon: Order | None = None

    def __post_init__(self) -> None:
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._rests: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._left = 0.0
        self._leaving = False
        self._thread: threading.Thread | None = None

    # For the machine

    def begin(self, course: Import | Resume | Resolve) -> bool:
        """Let a run begin, and move until it rests; False if it has ended."""
        self._thread = threading.Thread(target=self._work, args=(course,), daemon=True)
        self._thread.start()
        return self._rested()

    def go_on(self, order: Order) -> bool:
        """Do that in the run's own thread, and let it move until it rests; False if it has ended."""
        self._orders.put(order)
        return self._rested()

    def kill(self, fates: Sequence[str]) -> None:
        """End the process, as far as the journal and the API can tell."""
        assert not self.go_on(lambda: self._die(fates))

    def sleep(self, seconds: float) -> bool:
        """Let time pass; the run may do what it likes meanwhile."""

        def order() -> None:
            self._left = seconds

        return self.go_on(order)

    def interrupt(self) -> bool:
        """The first Ctrl-C, or the second, which ends the run as soon as it can."""

        def order() -> None:
            if self._interrupted:
                self._leaving = True
                self.abandon()
            else:
                self._interrupted = True
                self.interrupted()

        return self.go_on(order)

    def _rested(self) -> bool:
        return self._rests.get(timeout=_HANGS)

    # In the run's own thread

    def _work(self, course: Import | Resume | Resolve) -> None:
        try:
            for _ in course.outcomes():
                pass
            self.report = course.report
        except BaseException as trouble:
            self.trouble = trouble
        self.journal.__exit__()
        self._rests.put(False)

    def stream(
        self,
        start: Callable[[Callable[[Outcome], None]], Awaitable[None]],
        *,
        interrupted: Order,
        given_up: Order,
        abandon: Order,
    ) -> Iterator[Outcome]:
        """What threads.stream does, in this thread and with signals of our own."""
        told: list[Outcome] = []
        self.interrupted, self.abandon = interrupted, abandon
        self._interrupted = False

        async def work() -> None:
            await start(told.append)

        with asyncio.Runner(loop_factory=lambda: _Loop(self.time, self._rest)) as runner:
            runner.run(work())
        if self._leaving:
            raise KeyboardInterrupt
        yield from told

    def _rest(self, seconds: float) -> None:
        """Let at most so much time pass; the machine is asked first where requests wait, or much time would pass."""
        if self._dead:
            return
        if not self._left and (self.api.waiting or seconds >= _LONG):
            self._rests.put(True)
            self._orders.get()()
        ...
