"""The journal as the sending uses it: intents and outcomes of many rows in one transaction."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from bulkload.journal import Journal
from bulkload.models import Outcome, Request

# Seconds that an outcome waits at most for an intent to be committed with: nothing depends on it, but a crash before
# makes a question of what was known.
LATEST = 0.05


class Recorder:
    """Commits the intents of all workers that wait at the same moment together, and the outcomes with them."""

    def __init__(self, run: str, journal: Journal) -> None:
        self._run = run
        self._journal = journal
        self._intents: list[tuple[str, int]] = []
        self._outcomes: list[Outcome] = []
        self._listeners: list[Callable[[], None]] = []
        self._committed: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def intend(self, request: Request) -> None:
        """Return once the journal durably says that this row is about to be sent. Raises DiskError."""
        self._intents.append((request.sheet, request.row))
        await self._commit()

    async def record(self, outcome: Outcome) -> None:
        """Return once the journal durably holds the outcome. Raises DiskError."""
        self._outcomes.append(outcome)
        await self._commit()

    def record_soon(self, outcome: Outcome, tell: Callable[[Outcome], None]) -> None:
        """Commit the outcome with the next intent, or within LATEST seconds; only then it is told.

        That it can't be committed is raised to the next who waits for a commit.
        """
        self._outcomes.append(outcome)
        self._listeners.append(lambda: tell(outcome))
        if self._committed is None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LATEST, self._in_time)

    def flush(self) -> None:
        """Commit at once what still waits. Raises DiskError."""
        if self._outcomes or self._intents:
            self._write()

    def _in_time(self) -> None:
        # Who has to know of a disk that fails will find it failing.
        with suppress(Exception):
            self._write()

    async def _commit(self) -> None:
        if self._committed is None:
            loop = asyncio.get_running_loop()
            self._committed = loop.create_future()
            loop.call_soon(self._write_for, self._committed)
        # One worker that is cancelled must not take the others' commit with it.
        await asyncio.shield(self._committed)

    def _write_for(self, committed: "asyncio.Future[None]") -> None:
        self._committed = None
        try:
            self._write()
        except Exception as trouble:
            committed.set_exception(trouble)
        else:
            committed.set_result(None)

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        intents, self._intents = self._intents, []
        self._journal.write(self._run, intents, self._outcomes)
        self._outcomes, listeners, self._listeners = [], self._listeners, []
        for tell in listeners:
            tell()
