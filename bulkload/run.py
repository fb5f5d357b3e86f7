"""What every run does once its rows are planned: send them, ask about the unknown ones, write the result."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial

from bulkload import auth
from bulkload.auth import SignIn
from bulkload.batches import outgoing, values_of
from bulkload.connection import Connection, base_url
from bulkload.errors import DiskError, UnusableFile
from bulkload.job import Job, Part, Preview, Progress, Report
from bulkload.journal import Journal, OpenRow
from bulkload.models import Outcome, Run, Status
from bulkload.pace import REAL, Clock
from bulkload.recognise import Recognised
from bulkload.resolve import Line, Manners, Open, Resolver
from bulkload.result import write_result
from bulkload.send import Sender
from bulkload.threads import INTERRUPTED, Stoppable, listen
from bulkload.transport import Transport, Wire

Tell = Callable[[Outcome], None]
Start = Callable[[Tell], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class World:
    """What a run talks to, what it waits by and where it runs, so that a test can hand in its own."""

    transport: Callable[[Wire], AbstractAsyncContextManager[auth.Sender]] = Transport
    clock: Clock = REAL
    listen: Callable[[Start, Stoppable], Iterator[Outcome]] = listen


_REAL = World()


class Course(ABC):
    """One run with its journal and those who listen. `report` tells of it at the end.

    `confirm` tells a person what is about to happen, and asks if there is a row to send. `told` hears what a person
    should know while nothing moves.
    """

    run: Run
    # Rows that are asked about at a time, so that no more of them are held; for the next the file is read again.
    asked_about = 50_000

    def __init__(
        self,
        job: Job,
        journal: Journal,
        progress: Progress,
        confirm: Callable[[Preview], bool],
        told: Callable[[str], None],
        world: World = _REAL,
    ) -> None:
        self.job = job
        self.journal = journal
        self.report = Report()
        self.progress = progress
        self.confirm = confirm
        self.told = told
        self.world = world
        self._sent = 0

    @abstractmethod
    def outcomes(self) -> Iterator[Outcome]:
        """Make the run happen: each outcome is yielded once it is in the journal."""

    def send_all(self, parts: Sequence[Part]) -> Iterator[Outcome]:
        """Send the rows of each API in turn, then ask about those that can already be asked about."""
        for part in parts:
            yield from self.send(part)
        if self.job.resolve:
            for part in parts:
                yield from self.settle(part, wait=False)

    def send(self, part: Part) -> Iterator[Outcome]:
        """Send the rows of one API that are still to be sent, and tell each outcome."""
        waiting = sum(self.journal.to_send(self.run.id).values())
        limits = part.limits(self.job)
        if limits.limit is not None:
            limits = replace(limits, limit=limits.limit - self._sent)
        if INTERRUPTED in self.report.stopped or limits.limit == 0 or not waiting:
            return
        sender = Sender(self.run.id, self.journal, limits, told=self.told, clock=self.world.clock)
        self.progress.phase(f"Sending to {part.connection.name}", min(waiting, limits.limit or waiting))

        async def start(tell: Tell) -> None:
            sign_in = self._sign_in(part)
            async with self._transport(part, base_url(part.connection, part.api)) as wire:
                await sender.send(outgoing(part, self.journal, self.run.id), wire, sign_in, tell)
            self.report.notes += sign_in.notes

        for outcome in self._told(start, sender):
            self._sent += 1
            yield outcome

    def settle(self, part: Part, *, wait: bool) -> Iterator[Outcome]:
        """Ask the API about the unknown rows, and for the IDs that it did not give; `wait` until it can know."""
        if INTERRUPTED in self.report.stopped:
            return
        place = ("", 0)
        while some := self.journal.open_rows(self.run.id, part.target, place, self.asked_about):
            last = some[-1].outcome
            place = (last.sheet, last.row)
            if not (yield from self._ask(part, self._with_values(part, some), wait=wait)):
                return

    def _ask(self, part: Part, rows: Sequence[Open], *, wait: bool) -> Generator[Outcome, None, bool]:
        """Ask the API about some rows; gives whether it came to the last of them."""
        if not rows:
            return True
        limits = part.limits(self.job)
        manners = Manners(limits.rate, limits.concurrency, part.settle, wait, limits.renew_on)
        resolver = Resolver(self.run.id, self.journal, manners, told=self.told, clock=self.world.clock)
        self.progress.phase("Asking what became of unknown rows", len(rows))

        async def start(tell: Tell) -> None:
            sign_in = self._sign_in(part)
            async with self._transport(part, base_url(part.connection, part.api)) as wire:
                line = Line(part.connection.settings, part.connection.headers, wire, sign_in)
                await resolver.resolve(rows, line, tell)

        yield from self._told(start, resolver)
        return not resolver.stopped

    def write(self, found: Recognised) -> None:
        """Write the result and bring the run to its end."""
        self.journal.end(self.run.id)
        counts = self.journal.counts(self.run.id)
        self.progress.phase("Writing the result", sum(counts.values()))
        self.report.limited = bool(self.job.limit) and not self.report.stopped
        self.report.hear(self.journal)
        try:
            write_result(self.job, self.journal, self.run, found, self.report, self.progress)
        except UnusableFile as trouble:
            # Rows were sent: this is no longer a file of which nothing came.
            raise DiskError(
                f"{trouble} What became of its rows is recorded; for the result, put the file back and take: "
                f"bulkload result {self.run.id}"
            ) from trouble

    def _told(self, start: Start, work: Sender | Resolver) -> Iterator[Outcome]:
        """The outcomes of work in a thread of its own, which an interrupt brings to an end."""
        for outcome in self.world.listen(start, work):
            self.progress.outcome(outcome)
            yield outcome
        if work.stopped:
            self.report.stopped.append(work.stopped)

    def _with_values(self, part: Part, some: Sequence[OpenRow]) -> list[Open]:
        """Those of the rows that can be asked about, with the values that the file has for them."""
        resources = {assigned.resource.full_name: assigned.resource for assigned in part.sheets}
        rows = [row for row in some if row.resource in resources]
        values = values_of(part, self.journal, {row.fingerprint for row in rows}) if rows else {}
        return [
            Open(row.outcome, row.action, resources[row.resource], values.get(row.fingerprint))
            for row in rows
            if row.outcome.status is Status.UNKNOWN or resources[row.resource].find
        ]

    def _sign_in(self, part: Part) -> SignIn:
        clock = self.world.clock
        transport = partial(self._transport, part)
        return SignIn(part.api, part.connection, transport, clock=clock.monotonic, sleep=clock.sleep)

    def _transport(self, part: Part, url: str) -> AbstractAsyncContextManager[auth.Sender]:
        wire = replace(_wire(part.connection), base_url=url, in_flight=part.limits(self.job).concurrency)
        return self.world.transport(wire)


def _wire(connection: Connection) -> Wire:
    certificate = [*connection.client_cert, None, None]
    return Wire(
        base_url="",
        deadline=connection.deadline,
        proxy=connection.proxy.read() if connection.proxy else None,
        ca_file=connection.ca_file,
        client_cert=certificate[0],
        client_key=certificate[1],
    )
