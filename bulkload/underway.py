"""The rows on their way: from the batches to whoever sends them, and what is known of one while it is sent."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Self
from uuid import uuid4

from bulkload.answer import Meaning, Verdict
from bulkload.models import Once, Outcome, Request, Status
from bulkload.pace import Clock
from bulkload.resource import Operation
from bulkload.threads import aside

SENT_BEFORE = "Sent before, and no usable answer came"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A row to send. `record` is the ID of the record that it updates, "" where it makes a new one.

    `once` is the idempotency key that it was sent with before, if it was. An `unsure` row may have been done: it goes
    out with that key or not at all.
    """

    request: Request
    operation: Operation
    record: str = ""
    once: Once | None = None
    unsure: bool = False


@dataclass(slots=True)
class Row:
    """A row on its way: how often it was sent, how many tries failed, how often its token was refused in a row.

    `once` is its idempotency key, which lives for `life` seconds and `dies` at that moment of the monotonic clock: so
    early that the API still knows it when a request arrives that was sent before.
    `unsure` says that a try may have been done; `left` is what the journal says of it meanwhile.
    """

    outgoing: Outgoing
    attempts: int = 0
    failures: int = 0
    refusals: int = 0
    once: Once | None = None
    life: float = 0.0
    dies: float = 0.0
    unsure: bool = False
    left: Outcome | None = None

    @classmethod
    def begun(cls, outgoing: Outgoing, clock: Clock, deadline: float) -> Self:
        """A row at its beginning; a key that it was sent with before lives no longer than a new one would."""
        row = cls(outgoing, once=outgoing.once, unsure=outgoing.unsure)
        if outgoing.operation.idempotency:
            row.life = outgoing.operation.idempotency.life - deadline
        if row.once:
            row.dies = clock.monotonic() + min((row.once.until - clock.now()).total_seconds(), row.life)
        return row

    def key_header(self, clock: Clock) -> dict[str, str]:
        """The header with the row's idempotency key: a new one where the old is dead and nothing was done with it.

        Empty where the API knows none, or where the row is unsure and its key dead.
        """
        idempotency = self.outgoing.operation.idempotency
        if idempotency is None:
            return {}
        if self.once is None or clock.monotonic() >= self.dies:
            if self.unsure:
                return {}
            self.once = Once(uuid4().hex, clock.now() + timedelta(seconds=self.life))
            self.dies = clock.monotonic() + self.life
        return {idempotency.header: self.once.key}

    def status(self, verdict: Verdict, status: Status) -> Status:
        """This status, unless an earlier try may have been done: then only «done» says what became of the row."""
        return Status.UNKNOWN if self.unsure and verdict.meaning is not Meaning.DONE else status


class Feed:
    """Hands out the rows of batches one by one to many workers; each batch is read in a thread, ahead of its turn."""

    def __init__(self, batches: Iterator[Sequence[Outgoing]]) -> None:
        self._batches = batches
        self._rows: Iterator[Outgoing] = iter(())
        self._lock = asyncio.Lock()
        self._ahead: asyncio.Task[Sequence[Outgoing] | None] | None = None

    async def next(self) -> Outgoing | None:
        """The next row, None after the last. Raises what the reading raises, when its batch is due."""
        if (row := next(self._rows, None)) is not None:
            return row
        async with self._lock:
            # Whoever had the lock before may have read on.
            while (row := next(self._rows, None)) is None:
                batch = await (self._ahead or self._read())
                if batch is None:
                    return None
                self._rows = iter(batch)
                self._ahead = asyncio.create_task(self._read())
            return row

    async def _read(self) -> Sequence[Outgoing] | None:
        return await aside(lambda: next(self._batches, None))

    async def close(self, patience: float) -> None:
        """Let what is being read ahead come to its end, for so many seconds: its thread has file and journal in hand.

        Nobody needs it any more, nor what it raises.
        """
        if self._ahead is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await asyncio.gather(self._ahead, return_exceptions=True)
