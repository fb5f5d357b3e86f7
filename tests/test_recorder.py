"""Intents and outcomes on their way into the journal: together, in order; who waits is released by their own commit."""

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bulkload.errors import DiskError
from bulkload.journal import Intent, Journal, NewRow
from bulkload.models import Outcome, Request, Status
from bulkload.recorder import LATEST, Recorder
from tests.virtual import now, run

SHEET = "Things"


class Watched(Journal):
    """A journal that keeps the size of each commit, and fails when told to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.commits: list[tuple[int, int]] = []
        self.fail = 0

    def write(self, run: str, intents: Sequence[Intent], outcomes: Sequence[Outcome]) -> None:
        if self.fail:
            self.fail -= 1
            raise DiskError("The disk is full.")
        super().write(run, intents, outcomes)
        self.commits.append((len(intents), len(outcomes)))


def request(row: int) -> Request:
    return Request(SHEET, row, "create", "POST", "/things", (), {}, None)


def made(row: int) -> Outcome:
    return Outcome(SHEET, row, Status.CREATED, id=f"ID{row}")


def recorded(folder: Path, work: Any) -> tuple[Watched, dict[int, Status]]:
    """What the journal holds once `work(recorder, journal)` is over, of rows 1 to 20."""
    with Watched(folder / "journal.sqlite") as journal:
        name = journal.begin(file="f", sha256="", connection="c", target="t").id
        journal.add(name, "t", [NewRow(SHEET, row, "things", "create", Status.NOT_SENT) for row in range(1, 21)])

        async def main() -> None:
            recorder = Recorder(name, journal)
            coroutine: Coroutine[Any, Any, None] = work(recorder, journal)
            await coroutine

        run(main())
        return journal, {row: one.status for row, one in journal.outcomes(name, SHEET, 1, 20).items()}


def test_all_who_come_together_are_committed_together(tmp_path: Path) -> None:
    async def work(recorder: Recorder, _: Watched) -> None:
        await asyncio.gather(*(recorder.intend(request(row)) for row in range(1, 17)))
        recorder.flush()

    journal, _ = recorded(tmp_path, work)
    assert journal.commits == [(16, 0)]


def test_an_outcome_is_committed_with_the_next_intents(tmp_path: Path) -> None:
    async def work(recorder: Recorder, journal: Watched) -> None:
        await recorder.intend(request(1))
        recorder.record_soon(made(1), lambda _: None)
        await asyncio.gather(*(recorder.intend(request(row)) for row in range(2, 9)))
        recorder.flush()

    journal, status = recorded(tmp_path, work)
    assert journal.commits == [(1, 0), (7, 1)]
    assert status[1] is Status.CREATED


def test_an_outcome_waits_for_no_intent_longer_than_it_may(tmp_path: Path) -> None:
    told: list[float] = []

    async def work(recorder: Recorder, _: Watched) -> None:
        await recorder.intend(request(1))
        recorder.record_soon(made(1), lambda _: told.append(now()))
        await asyncio.sleep(1.0)
        recorder.flush()

    recorded(tmp_path, work)
    assert told == [pytest.approx(LATEST)]


def test_nothing_is_told_before_it_is_committed(tmp_path: Path) -> None:
    async def work(recorder: Recorder, journal: Watched) -> None:
        await recorder.intend(request(1))
        recorder.record_soon(made(1), lambda one: seen.append(len(journal.commits)))
        await recorder.record(made(1))
        recorder.flush()

    seen: list[int] = []
    recorded(tmp_path, work)
    assert seen == [2]


def test_trouble_reaches_all_who_wait_and_an_outcome_is_kept_for_the_next_commit(tmp_path: Path) -> None:
    told: list[Outcome] = []
    failed: list[BaseException | None] = []

    async def work(recorder: Recorder, journal: Watched) -> None:
        await recorder.intend(request(1))
        journal.fail = 1
        recorder.record_soon(made(1), told.append)
        failed.extend(
            await asyncio.gather(*(recorder.intend(request(row)) for row in range(2, 6)), return_exceptions=True)
        )
        assert told == []
        recorder.flush()

    _, status = recorded(tmp_path, work)
    assert [type(one) for one in failed] == [DiskError] * 4
    assert ([one.row for one in told], status[1], status[2]) == ([1], Status.CREATED, Status.NOT_SENT)


def test_trouble_that_nobody_waits_for_is_raised_at_the_end(tmp_path: Path) -> None:
    async def work(recorder: Recorder, journal: Watched) -> None:
        await recorder.intend(request(1))
        journal.fail = 2
        recorder.record_soon(made(1), lambda _: None)
        await asyncio.sleep(1.0)
        with pytest.raises(DiskError, match="full"):
            recorder.flush()

    recorded(tmp_path, work)


def test_whoever_is_cancelled_takes_nothing_away_from_the_others(tmp_path: Path) -> None:
    async def work(recorder: Recorder, _: Watched) -> None:
        waiting = [asyncio.ensure_future(recorder.intend(request(row))) for row in range(1, 5)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError, *[type(None)] * 3]
        recorder.flush()

    _, status = recorded(tmp_path, work)
    # The first may have gone out, as far as the journal knows.
    assert [status[row] for row in range(1, 6)] == [Status.UNKNOWN] * 4 + [Status.NOT_SENT]


def test_an_end_commits_outcomes_and_drops_intents_that_nobody_waits_for(tmp_path: Path) -> None:
    told: list[Outcome] = []

    async def work(recorder: Recorder, journal: Watched) -> None:
        await recorder.intend(request(1))
        recorder.record_soon(made(1), told.append)
        late = asyncio.ensure_future(recorder.intend(request(2)))
        await asyncio.sleep(0)
        late.cancel()
        recorder.flush()
        await asyncio.gather(late, return_exceptions=True)

    _, status = recorded(tmp_path, work)
    assert ([one.row for one in told], status[1], status[2]) == ([1], Status.CREATED, Status.NOT_SENT)


def test_others_read_the_journal_while_it_is_written(tmp_path: Path) -> None:
    """Each reader sees whole commits, of all rows: a row that is under way never waits again."""
    rows = range(1, 1001)
    stop, seen, troubles = threading.Event(), Counter[str](), list[BaseException]()
    with Journal(tmp_path / "journal.sqlite") as journal:
        name = journal.begin(file="f", sha256="", connection="c", target="t").id
        journal.add(name, "t", [NewRow(SHEET, row, "things", "create", Status.NOT_SENT) for row in rows])

        def read(reader: Callable[[], set[int]]) -> None:
            waiting = set(rows)
            try:
                while not stop.is_set():
                    before, waiting = waiting, reader()
                    assert waiting <= before
                    seen[threading.current_thread().name] += 1
            except BaseException as trouble:
                troubles.append(trouble)

        def waiting() -> set[int]:
            assert sum(journal.counts(name).values()) == len(rows)
            return set(journal.waiting(name, SHEET, 1, len(rows)))

        def not_sent() -> set[int]:
            """The same, by a connection of its own, as another process has."""
            with closing(sqlite3.connect(f"{journal.path.as_uri()}?mode=ro", uri=True, timeout=0)) as other:
                return {row for (row,) in other.execute("SELECT row FROM rows WHERE status = 'not sent'")}

        async def send(recorder: Recorder, some: Iterator[int]) -> None:
            for row in some:
                await recorder.intend(request(row))
                recorder.record_soon(made(row), lambda _: None)

        async def main() -> None:
            recorder, left = Recorder(name, journal), iter(rows)
            await asyncio.gather(*(send(recorder, left) for _ in range(16)))
            recorder.flush()

        readers = [threading.Thread(target=read, args=(way,)) for way in (waiting, waiting, not_sent)]
        for reader in readers:
            reader.start()
        asyncio.run(main())
        stop.set()
        for reader in readers:
            reader.join()
        outcomes = journal.outcomes(name, SHEET, 1, len(rows))
    assert troubles == []
    assert {row: (str(one.status), one.id) for row, one in outcomes.items()} == {r: ("created", f"ID{r}") for r in rows}
    assert len(seen) == 3
