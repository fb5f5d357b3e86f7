"""The journal as the sending uses it: intents and outcomes of many rows in one transaction."""

import asyncio

from bulkload.journal import Journal
from bulkload.models import Outcome, Request


class Recorder:
    """Commits intents and outcomes: those of all workers that wait at the same moment together."""

    def __init__(self, run: str, journal: Journal) -> None:
        self._run = run
        self._journal = journal
        self._intents: list[tuple[str, int]] = []
        self._outcomes: list[Outcome] = []
        self._committed: asyncio.Future[None] | None = None

    async def intend(self, request: Request) -> None:
        """Return once the journal durably says that this row is about to be sent. Raises DiskError."""
        self._intents.append((request.sheet, request.row))
        await self._commit()

    async def record(self, outcome: Outcome) -> None:
        """Return once the journal durably holds the outcome. Raises DiskError."""
        self._outcomes.append(outcome)
        await self._commit()

    async def _commit(self) -> None:
        if self._committed is None:
            loop = asyncio.get_running_loop()
            self._committed = loop.create_future()
            loop.call_soon(self._write, self._committed)
        # One worker that is cancelled must not take the others' commit with it.
        await asyncio.shield(self._committed)

    def _write(self, committed: "asyncio.Future[None]") -> None:
        intents, outcomes = self._intents, self._outcomes
        self._intents, self._outcomes, self._committed = [], [], None
        try:
            self._journal.write(self._run, intents, outcomes)
        except Exception as trouble:
            committed.set_exception(trouble)
        else:
            committed.set_result(None)
