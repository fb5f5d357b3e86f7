"""The journal as the sending uses it: intents and outcomes of many rows in one transaction."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from bulkload.journal import Intent, Journal
from bulkload.models import Once, Outcome, Request

# Seconds that an outcome waits at most for an intent to be committed with: nothing depends on it, but a crash before
# makes a question of what was known.
LATEST = 0.05


@dataclass(slots=True)
class _Batch:
    """What is committed together, who waits for it, and what is to be told afterwards."""

    intents: list[Intent] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    tellings: list[Callable[[], None]] = field(default_factory=list)


class Recorder:
    """Commits what all workers have to say: what comes in one turn of the event loop, together.

    The loop waits for the disk meanwhile. A thread for it costs more than it saves, also where the disk takes
    milliseconds: the interpreter would go back and forth between the two for each commit. Made on an event loop, and
    used there alone.
    """

    def __init__(self, run: str, journal: Journal) -> None:
        self._run = run
        self._journal = journal
        self._gathered = _Batch()
        self._timer: asyncio.TimerHandle | None = None
        self._due = False

    async def intend(self, request: Request, once: Once | None = None) -> None:
        """Return once the journal durably says that this row is about to be sent, with this key. Raises DiskError."""
        place = (request.sheet, request.row)
        self._gathered.intents.append((*place, once) if once else place)
        await self._committed()

    async def record(self, outcome: Outcome) -> None:
        """Return once the journal durably holds the outcome. Raises DiskError."""
        self._gathered.outcomes.append(outcome)
        await self._committed()

    def record_soon(self, outcome: Outcome, tell: Callable[[Outcome], None]) -> None:
        """Commit the outcome with the next intent, or within LATEST seconds; only then it is told.

        That it can't be committed is raised to the next who waits for a commit.
        """
        self._gathered.outcomes.append(outcome)
        self._gathered.tellings.append(lambda: tell(outcome))
        if self._timer is None and not self._due:
            self._timer = asyncio.get_running_loop().call_later(LATEST, self._commit)

    def flush(self) -> None:
        """Commit at once the outcomes that still wait, and end. Raises DiskError.

        An intent that nobody waits for any more is dropped: not a byte of its row has left.
        """
        self._stop_timer()
        batch, self._gathered = self._gathered, _Batch()
        if batch.outcomes:
            self._journal.write(self._run, (), batch.outcomes)
            self._tell(batch)

    async def _committed(self) -> None:
        """Wait for the commit of what has gathered; whoever is cancelled meanwhile takes nothing away from others."""
        loop = asyncio.get_running_loop()
        committed = loop.create_future()
        self._gathered.waiting.append(committed)
        if not self._due:
            # Not at once: others are about to gather.
            self._due = True
            loop.call_soon(self._commit)
        await committed

    def _commit(self) -> None:
        """Commit what has gathered, and release those who wait for it."""
        self._stop_timer()
        self._due = False
        batch, self._gathered = self._gathered, _Batch()
        if not (batch.intents or batch.outcomes):
            return
        trouble: Exception | None = None
        try:
            self._journal.write(self._run, batch.intents, batch.outcomes)
        except Exception as error:
            trouble = error
            # Who has to know of a disk that fails waits, or will find it failing.
            self._gathered.outcomes, self._gathered.tellings = batch.outcomes, batch.tellings
        else:
            self._tell(batch)
        for waiter in batch.waiting:
            if waiter.done():
                continue
            if trouble is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(trouble)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self, batch: _Batch) -> None:
        for tell in batch.tellings:
            tell()
