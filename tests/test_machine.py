"""Whatever happens, in whatever order: no row is made twice, none is told wrongly, nothing leaves without an intent.

A state machine over whole runs: real file, journal, planning, sending, asking and sign-in; the API is fake and time is
virtual. A run moves only while the machine waits for it, so an example goes the same way each time.
"""

import asyncio
import json
import math
import os
import queue
import selectors
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bulkload.connection import Connection
from bulkload.credential import Credential
from bulkload.document import Document
from bulkload.errors import DiskError, UnusableFile, UsageError
from bulkload.job import Job, Preview, Report
from bulkload.journal import GONE, Journal
from bulkload.models import Outcome, Status
from bulkload.openapi import read_api
from bulkload.pipeline import Import, Resolve, Resume
from bulkload.plan import Wishes
from bulkload.resource import Rate
from bulkload.run import Course, Start, World
from bulkload.threads import INTERRUPTED, Stoppable
from tests.fake_api import DEADLINE, FATES, KINDS, LATE, SETTLE, TROUBLES, FakeApi, Time, document
from tests.support import write_csv

API = read_api(Document(document(), "things.json"), "things")
CONNECTION = Connection(
    name="things",
    api="things",
    base_url="https://things.test",
    credentials={"secret": Credential.in_memory("secret", "s3cret")},
    rate=Rate(1000, 1.0),
    concurrency=3,
    deadline=DEADLINE,
)
# What a run must say of a row whose work it has done; a row in flight is unknown to whoever reads the journal.
MAY_BE_DONE = {Status.CREATED, Status.UPDATED, Status.UNKNOWN, Status.SENDING}
# Where the process can be killed beside those moments when requests wait: at the beginning of a phase, or of asking.
CUTS = ("Checking", "confirm", "Sending", "Asking", "Writing")
KILLED_AT = st.sampled_from([*[""] * 15, *CUTS])
# Which run goes on or is settled: most often the latest.
RUNS = st.sampled_from([0, 0, 0, 1, 2, 3])
# Seconds that pass before somebody begins.
PAUSES = st.sampled_from([1.0, 1.0, SETTLE, 900.0])
# What a person does to the file; `other` is another file of that name.
EDITS = ("change", "change", "change", "spoil", "delete", "add", "repeat", "reverse", "undo", "other", "other")
# Why a run may stop without a result: the file is another one, or the run had not begun to send.
REFUSED = ("has changed", "changed while", "cut off before anything was sent")
# Seconds of virtual time that may pass before the machine is asked what happens next: while requests wait, and else.
_SHORT, _LONG = 0.1, 20.0
# Real seconds after which a run that doesn't come to rest hangs.
_HANGS = 60.0

Order = Callable[[], object]


class Killed(BaseException):
    """The process is gone, in the middle of whatever it did."""


class _Selector(selectors.DefaultSelector):
    """Instead of waiting lets `rest` decide how long nothing happens, in seconds."""

    def __init__(self, rest: Callable[[float], None]) -> None:
        super().__init__()
        self._rest = rest

    def select(self, timeout: float | None = None) -> Any:
        # Whether a thread that reads is done must be known before looking for its news.
        reading = any(thread.name in ("reading", "committing") for thread in threading.enumerate())
        ready = super().select(0.001 if reading else 0)
        if not ready and not reading and timeout != 0:
            self._rest(math.inf if timeout is None else timeout)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    """A loop in virtual time."""

    def __init__(self, time: Time, rest: Callable[[float], None]) -> None:
        self._virtual = time
        super().__init__(_Selector(rest))

    def time(self) -> float:
        return self._virtual.passed


class Process:
    """A run on its way, in a thread that takes turns with the machine.

    `killed_at` is the phase with whose beginning the process is gone, "" for none. `trouble` is what the run ended
    with, and `report` what it told if it came to its end.
    """

    def __init__(self, time: Time, api: FakeApi, journal: Journal, killed_at: str) -> None:
        self.report: Report | None = None
        self.trouble: BaseException | None = None
        self.dead = False
        self._time = time
        self._api = api
        self._journal = journal
        self._killed_at = killed_at
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._rests: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._sleep = 0.0
        self._ctrl_c: list[Order] = []

    # For the machine: each gives whether the run is still on its way

    def begin(self, course: Course) -> bool:
        """Let a run begin, and move until it rests."""
        threading.Thread(target=self._run, args=(course,), daemon=True).start()
        return self._rests.get(timeout=_HANGS)

    def go_on(self, order: Order) -> bool:
        """Let this happen in the run's own thread, and the run move until it rests."""
        self._orders.put(order)
        return self._rests.get(timeout=_HANGS)

    def sleep(self, seconds: float) -> bool:
        """Let time pass, in which the run does what it likes."""
        return self.go_on(lambda: setattr(self, "_sleep", seconds))

    def interrupt(self) -> bool:
        """Ctrl-C: the first time a wish, the second time an end."""
        return self.go_on(lambda: self._ctrl_c.pop(0)())

    def kill(self, fates: Sequence[str]) -> bool:
        """End the process as far as journal and API can tell. `fates` say what becomes of the requests in flight."""

        def order() -> None:
            self._api.hang_up(fates)
            self._die()

        return self.go_on(order)

    # What the run is handed

    def phase(self, name: str, total: int | None) -> None:
        if self._killed_at and name.startswith(self._killed_at):
            self._die()

    def step(self, rows: int) -> None: ...

    def outcome(self, outcome: Outcome) -> None: ...

    def close(self) -> None: ...

    def confirm(self, preview: Preview) -> bool:
        """Say yes, if there is time."""
        self.phase("confirm", None)
        return True

    def listen(self, start: Start, work: Stoppable) -> Iterator[Outcome]:
        """What threads.listen does, in virtual time."""
        told: list[Outcome] = []
        self._ctrl_c = [partial(work.stop, INTERRUPTED), work.abandon]

        async def tell() -> None:
            await start(told.append)

        with asyncio.Runner(loop_factory=lambda: _Loop(self._time, self._rest)) as runner:
            runner.run(tell())
        if not self._ctrl_c:
            raise KeyboardInterrupt
        yield from told

    # In the run's own thread

    def _run(self, course: Course) -> None:
        try:
            for _ in course.outcomes():
                pass
            self.report = course.report
        except BaseException as trouble:
            self.trouble = trouble
        self._journal.__exit__()
        self._rests.put(False)

    def _rest(self, seconds: float) -> None:
        """Let at most so much time pass. The machine is asked first where requests wait or much time would pass."""
        if self.dead:
            return
        assert seconds < math.inf, "nobody will ever wake this run up"
        if not self._sleep and seconds >= (_SHORT if self._api.waiting else _LONG):
            self._rests.put(True)
            self._orders.get()()
            return
        passes = min(seconds, self._sleep or seconds)
        self._sleep = max(self._sleep - passes, 0.0)
        self._time.passed += passes

    def _die(self) -> None:
        # With its journal shut nothing can be written on the way out.
        self._journal.__exit__()
        self.dead = True
        raise Killed


def under_way(machine: "Machine") -> bool:
    """Whether a run is on its way."""
    return machine.process is not None


def waits(machine: "Machine") -> bool:
    """Whether requests wait for an answer."""
    return bool(machine.api.waiting)


class Machine(RuleBasedStateMachine):
    """One person, one file, one journal and one API that they import into, again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.file = folder / "things.csv"
        self.path = folder / "journal.sqlite"
        self.time = Time()
        self.api = FakeApi(self.time, self.path)
        self.rows: list[dict[str, Any]] = []
        self.versions: list[list[dict[str, Any]]] = []
        self.process: Process | None = None
        self.course: Course | None = None
        self.put_forward = False
        with self.journal():
            self.db = self.stack.enter_context(closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)))

    def teardown(self) -> None:
        if self.process:
            self.process.kill(["never"])
        self.stack.close()

    def journal(self) -> Journal:
        return Journal(self.path, clock=self.time.now, monotonic=self.time.clock().monotonic)

    # The file

    @initialize(rows=st.integers(4, 8))
    def first(self, rows: int) -> None:
        self.save(self.fresh(rows))

    @precondition(lambda self: not self.process)
    @rule(what=st.sampled_from(EDITS), place=st.integers(0, 7))
    def edit(self, what: str, place: int) -> None:
        self.change(what, place)

    def change(self, what: str, place: int) -> None:
        """Change the file in one place, or for another of its name."""
        rows = [dict(row) for row in self.rows]
        row = rows[place % len(rows)]
        match what:
            case "change":
                row["amount"] += 1
            case "spoil":
                row["name"] = "" if row["name"] else "a"
            case "delete" if len(rows) > 1:
                rows.remove(row)
            case "add":
                rows = [*rows[-7:], *self.fresh(1)]
            case "repeat":
                rows = [*rows[-7:], dict(row)]
            case "reverse":
                rows.reverse()
            case "undo":
                rows = self.versions[-2:][0]
            case "other":
                rows = self.fresh(1 + place)
        self.save(rows)

    def fresh(self, count: int) -> list[dict[str, Any]]:
        """Rows that no file has had."""
        return [{"sku": f"S{len(self.versions)}-{number}", "name": "a", "amount": 0} for number in range(count)]

    def save(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.versions.append(rows)
        write_csv(self.file, rows)
        # A person takes longer than a file system's clock to tick.
        os.utime(self.file, ns=(len(self.versions) * 10**9,) * 2)

    # Runs

    @precondition(lambda self: not self.process)
    @rule(pause=PAUSES, killed_at=KILLED_AT, update=st.booleans(), limit=st.sampled_from([None, None, 2]))
    def start(self, pause: float, killed_at: str, update: bool, limit: int | None) -> None:
        self.begin(Import, pause, killed_at, wishes=Wishes(update=update), limit=limit)

    @precondition(lambda self: not self.process and self.runs())
    @rule(pause=PAUSES, killed_at=KILLED_AT, run=RUNS, as_new=st.booleans())
    def resume(self, pause: float, killed_at: str, run: int, as_new: bool) -> None:
        self.begin(Resume, pause, killed_at, run, as_new=as_new)

    @precondition(lambda self: not self.process and self.runs())
    @rule(pause=PAUSES, killed_at=KILLED_AT, run=RUNS)
    def resolve(self, pause: float, killed_at: str, run: int) -> None:
        self.begin(Resolve, pause, killed_at, run)

    def runs(self) -> list[str]:
        """The runs in the journal, the latest first."""
        return [run for (run,) in self.db.execute("SELECT id FROM runs ORDER BY started DESC, id")]

    def begin(
        self, kind: type[Import | Resume | Resolve], pause: float, killed_at: str, run: int = 0, **options: Any
    ) -> None:
        self.time.passed += pause
        journal = self.journal()
        self.process = Process(self.time, self.api, journal, killed_at)
        self.course = self.made(kind, journal, self.process, **options)
        if isinstance(self.course, Resume | Resolve):
            self.course.of(journal.run(self.runs()[run % len(self.runs())]))
        self.moved(self.process.begin(self.course))

    def made(self, kind: type[Import | Resume | Resolve], journal: Journal, process: Process, **options: Any) -> Course:
        job = Job(self.file, {"things": API}, lambda api: CONNECTION, **options)
        world = World(lambda wire: self.api, self.time.clock(), process.listen)
        return kind(job, journal, process, process.confirm, lambda line: None, world)

    def moved(self, alive: bool) -> None:
        """Look at a run that has ended: why it did, and whether what it told adds up."""
        process, course = self.process, self.course
        assert process and course
        if alive:
            return
        self.process = None
        if self.put_forward:
            # Of the time that the API had, a later process knows only what the clock shows.
            self.put_forward = False
            self.api.hurry()
        # Whoever still waited was let go with the run.
        assert not self.api.waiting
        if process.dead or isinstance(process.trouble, KeyboardInterrupt):
            return
        if isinstance(process.trouble, UsageError | UnusableFile | DiskError):
            assert any(words in str(process.trouble) for words in REFUSED), process.trouble
            return
        if process.trouble:
            raise process.trouble
        assert process.report
        held = self.db.execute("SELECT sheet FROM rows WHERE run = ?", (course.run.id,)).fetchall()
        gone = sum(sheet.endswith(GONE) for (sheet,) in held)
        assert process.report.rows == process.report.total(*Status) == len(held) == len(self.rows) + gone

    # What happens to a run

    @precondition(waits)
    @rule(kind=st.sampled_from(sorted(KINDS)), place=st.integers(0, 2))
    def answer(self, kind: str, place: int) -> None:
        self.go_on(lambda: self.api.answer(self.api.waiting[place % len(self.api.waiting)], KINDS[kind]))

    @precondition(waits)
    @rule()
    def step(self) -> None:
        """All who wait get what they want."""

        def order() -> None:
            for one in self.api.waiting:
                self.api.answer(one, KINDS["done"])

        self.go_on(order)

    @precondition(under_way)
    @rule(after=st.sampled_from([0.0, 0.9 * DEADLINE]), fates=st.lists(st.sampled_from(FATES), min_size=3, max_size=3))
    def crash(self, after: float, fates: list[str]) -> None:
        """Kill the process, at once or shortly before it would have given up what is in flight."""
        if after:
            self.wait(after)
        if self.process:
            self.moved(self.process.kill(fates))

    @precondition(under_way)
    @rule()
    def ctrl_c(self) -> None:
        assert self.process
        self.moved(self.process.interrupt())

    @precondition(under_way)
    @rule(seconds=st.sampled_from([1.0, DEADLINE, SETTLE, 900.0]))
    def sleep(self, seconds: float) -> None:
        self.wait(seconds)

    def wait(self, seconds: float) -> None:
        assert self.process
        self.moved(self.process.sleep(seconds))

    def go_on(self, order: Order) -> None:
        assert self.process
        self.moved(self.process.go_on(order))

    # What happens beside it

    @rule(what=st.sampled_from(["tokens", "clock", "look-ups", "second run", "edit", *FATES]), some=st.integers(0, 7))
    def happen(self, what: str, some: int) -> None:
        """Tokens expire, the clock is set, look-ups fail, another run begins, the file changes, requests get stuck."""
        match what:
            case "tokens":
                self.api.tokens.clear()
            case "clock":
                self.set_the_clock(hours=some - 4)
            case "look-ups":
                self.api.troubles = [*sorted(TROUBLES), *sorted(TROUBLES)][some : some + 4]
            case "second run" if self.process:
                self.second_run()
            case "edit":
                self.change(EDITS[some], some)
            case fate if fate in FATES:
                self.api.fate = fate

    def set_the_clock(self, hours: int) -> None:
        # A run must not be misled while it lasts. But a clock that is put forward between two processes lets the API's
        # time for its work pass at once, and the second could not know: so no work is left then.
        self.put_forward = self.put_forward or (hours > 0 and self.process is not None)
        if hours > 0 and not self.process:
            self.api.hurry()
        self.time.off += 3600.0 * hours

    def second_run(self) -> None:
        """Whoever begins another run meanwhile is told to wait, and leaves no trace."""
        before = self.runs()
        with self.journal() as journal:
            other = self.made(Import, journal, Process(self.time, self.api, journal, ""))
            with pytest.raises(UsageError, match="Another run is at work"):
                list(other.outcomes())
        assert self.runs() == before

    # What always holds

    @invariant()
    def every_arrival_was_expected(self) -> None:
        """The intent was committed, and no other run had sent that row without learning what became of it."""
        assert self.api.complaints == []

    @invariant()
    def nothing_is_made_twice(self) -> None:
        assert {sku: ids for sku, ids in self.api.made().items() if len(ids) > 1} == {}

    @invariant()
    def the_journal_tells_the_truth(self) -> None:
        """What is done may be done by its run's word, and what is done by a run's word is done, under that ID."""
        self.api.catch_up()
        last = {(one.run, one.sku): one for one in self.api.tries}
        done = {(one.run, one.sku): one for one in self.api.tries if one.record}
        told = {}
        query = "SELECT run, key, status, id FROM rows WHERE key != '' AND action != ''"
        for run, key, status, record in self.db.execute(query):
            one = (run, json.loads(key)["sku"])
            told[one] = status
            if status in (Status.CREATED, Status.UPDATED):
                assert one in done, f"{one} is {status} and was not done"
                assert record in ("", done[one].record)
            if status == Status.UNKNOWN:
                assert one in last and not last[one].clean, f"{one} is unknown, and nothing speaks against knowing"
        assert {one: told.get(one) for one in done if told.get(one) not in MAY_BE_DONE} == {}


Machine.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestMachine = Machine.TestCase


def test_what_was_cut_off_late_is_not_asked_about_too_early() -> None:
    """A way that is rarely found by chance: the API works on from the kill, not from the arrival."""
    machine = Machine()
    machine.first(rows=4)
    machine.start(pause=1.0, killed_at="", update=False, limit=None)
    machine.crash(after=0.9 * DEADLINE, fates=[LATE])
    machine.resolve(pause=1.0, killed_at="", run=0)
    machine.time.passed += 2 * SETTLE
    machine.nothing_is_made_twice()
    machine.the_journal_tells_the_truth()
    machine.teardown()


def test_a_clock_put_forward_while_rows_are_sent_lets_nobody_ask_too_early() -> None:
    """The answer is lost before it, and the run asks at its end; the API works on by its own time."""
    machine = Machine()
    machine.first(rows=4)
    machine.start(pause=1.0, killed_at="", update=False, limit=None)
    machine.answer(f"lost, work {LATE}", place=0)
    machine.set_the_clock(hours=3)
    while machine.process:
        machine.step()
    machine.nothing_is_made_twice()
    machine.the_journal_tells_the_truth()
    machine.teardown()
