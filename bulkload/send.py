"""Requests → Outcomes: the intent in the journal first, then the request, then the outcome in the journal.

A row whose answer was lost is never sent again here. Retries happen only where the API provably did nothing.
"""

import asyncio
import contextlib
import json
import logging
import queue
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pyrate_limiter import Limiter
from pyrate_limiter import Rate as LimiterRate

from bulkload.answer import Meaning, Verdict, judge
from bulkload.auth import Signed
from bulkload.errors import BulkloadError, DiskError
from bulkload.journal import Journal
from bulkload.models import Outcome, Reply, Request, Status
from bulkload.redact import redact
from bulkload.resource import Operation, Rate

log = logging.getLogger(__name__)

TRIES = 3
INTERRUPTED = "Interrupted."
# The waits that an API may ask for before a run stops and says when to go on, in seconds.
LONGEST_STANDSTILL = 15 * 60.0
# So many rows in a row without the API doing anything, or refusing access, and the run stops.
PATIENCE = 20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0


class Wire(Protocol):
    """What carries requests: see transport.py."""

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Reply: ...


class Signer(Protocol):
    """What signs requests: see auth.py."""

    async def sign(self, operation: Operation) -> Signed: ...

    async def renew(self, seen: int) -> bool: ...

    def secrets(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A row to send. `record` is the ID of the record that it updates, "" where it makes a new one."""

    request: Request
    operation: Operation
    record: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast: requests per time, and how many at once. `stop_after` rejected rows stop the run; 0: never."""

    rate: Rate
    concurrency: int
    limit: int | None = None
    stop_after: int = 0
    renew_on: frozenset[int] = frozenset({401})


class Sender:
    """Sends the rows of one run to one connection. `stopped` says why it stopped before the last row, if it did."""

    def __init__(
        self,
        run: str,
        journal: Journal,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.stopped = ""
        self._run = run
        self._journal = journal
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._limiter = Limiter(LimiterRate(limits.rate.count, round(limits.rate.seconds * 1000)))
        self._recorder = _Recorder(run, journal)
        self._not_before = 0.0
        self._standstill = 0.0
        self._taken = 0
        self._rejected = 0
        self._unreached = 0
        self._no_access = 0
        self._answered = 0
        self._not_found = 0
        self._trouble: BulkloadError | None = None

    def stop(self, why: str) -> None:
        """Send no further row; those in flight come to their end."""
        self.stopped = self.stopped or why

    async def send(
        self, batches: Iterator[Sequence[Outgoing]], wire: Wire, signer: Signer, tell: Callable[[Outcome], None]
    ) -> None:
        """Send every row of the batches, `concurrency` at a time, and tell each outcome once it is in the journal.

        The batches are read in a thread, so that answers are not kept waiting. Raises DiskError, and whatever kept the
        very first rows from being sent: SignInError, SettingsError, UnusableFile. Later it is a reason to stop.
        """
        feed = _Feed(batches)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._limits.concurrency):
                group.create_task(self._work(feed, wire, signer, tell))
        if self._trouble and (isinstance(self._trouble, DiskError) or not self._answered):
            raise self._trouble
        if not self.stopped and self._answered and self._answered == self._not_found:
            self.stop(_NOT_FOUND)

    async def _work(self, feed: "_Feed", wire: Wire, signer: Signer, tell: Callable[[Outcome], None]) -> None:
        while not self.stopped and (self._limits.limit is None or self._taken < self._limits.limit):
            self._taken += 1
            try:
                outgoing = await feed.next()
                outcome = await self._send_row(outgoing, wire, signer) if outgoing else None
            except BulkloadError as trouble:
                # The other workers bring their rows to an end and find the run stopped.
                self._trouble = self._trouble or trouble
                self.stop(str(trouble))
                return
            if outgoing is None or outcome is None:
                return
            self._watch(outcome, outgoing)
            tell(outcome)

    # One row

    async def _send_row(self, outgoing: Outgoing, wire: Wire, signer: Signer) -> Outcome | None:
        """Send one row until there is an outcome; None if the run stopped before the row went out."""
        tries, renewed, attempts = 0, False, 0
        while True:
            await self._turn()
            if self.stopped:
                return None
            signed = await signer.sign(outgoing.operation)
            await self._recorder.intend(outgoing.request)
            attempts += 1
            reply = await self._exchange(outgoing.request, signed, wire)
            verdict = judge(outgoing.operation, reply, self._limits.renew_on)
            self._log(outgoing.request, verdict, signer)
            if verdict.meaning is Meaning.CREDENTIALS and not renewed:
                await self._put_back(outgoing, verdict, attempts, signer)
                renewed = True
                if await signer.renew(signed.generation):
                    continue
            if verdict.meaning is Meaning.NOT_PROCESSED:
                asked = verdict.wait is not None
                tries += not asked
                if tries < TRIES and not self.stopped:
                    await self._put_back(outgoing, verdict, attempts, signer)
                    await self._pause(verdict, tries)
                    continue
            outcome = self._outcome(outgoing, verdict, attempts, signer)
            await self._recorder.record(outcome)
            return outcome

    async def _exchange(self, request: Request, signed: Signed, wire: Wire) -> Reply:
        body = None if request.body is None else json.dumps(request.body, ensure_ascii=False).encode()
        return await wire.send(
            request.method,
            request.path,
            query=[*request.query, *signed.query],
            headers={**request.headers, **signed.headers},
            body=body,
        )

    async def _turn(self) -> None:
        """Wait until a request may go out: no wait that the API asked for is running, and the rate has room."""
        while True:
            while not self.stopped and (rest := self._not_before - self._clock()) > 0:
                await self._sleep(min(rest, 1.0))
            if self.stopped:
                return
            await self._limiter.try_acquire_async(self._run)
            if self._not_before <= self._clock():
                return

    async def _pause(self, verdict: Verdict, tries: int) -> None:
        """Wait before the next try: for everyone where the API said how long, else for this row alone."""
        if verdict.wait is None:
            longest = min(_FIRST_PAUSE * 2 ** (tries - 1), _LONGEST_PAUSE)
            await self._sleep(self._jitter(0, longest))
            return
        until = self._clock() + verdict.wait
        if until <= self._not_before:
            return
        self._standstill += until - max(self._not_before, self._clock())
        self._not_before = until
        if self._standstill > LONGEST_STANDSTILL:
            minutes = round(verdict.wait / 60)
            self.stop(f"The API asks to wait {minutes} minutes more. Go on after that.")

    async def _put_back(self, outgoing: Outgoing, verdict: Verdict, attempts: int, signer: Signer) -> None:
        """The API did nothing with this try: the journal must not call the row in flight while it waits."""
        outcome = self._outcome(outgoing, verdict, attempts, signer)
        await self._recorder.record(replace(outcome, status=Status.NOT_SENT))

    def _outcome(self, outgoing: Outgoing, verdict: Verdict, attempts: int, signer: Signer) -> Outcome:
        request = outgoing.request
        status = _STATUS[verdict.meaning]
        if status is Status.CREATED and request.action == "update":
            status = Status.UPDATED
        secrets = signer.secrets().union(request.secrets)
        done = status in (Status.CREATED, Status.UPDATED)
        return Outcome(
            sheet=request.sheet,
            row=request.row,
            status=status,
            id=redact(outgoing.record or verdict.id, secrets),
            error="" if done else redact(verdict.message, secrets),
            note=redact(verdict.note, secrets) if done and not outgoing.record else "",
            http_status=verdict.status,
            attempts=attempts,
            request_id=redact(verdict.request_id, secrets),
            run=self._run,
        )

    def _log(self, request: Request, verdict: Verdict, signer: Signer) -> None:
        message = redact(verdict.message, signer.secrets().union(request.secrets))
        log.debug(
            "%s row %d: %s %s: %s (%s, %s)",
            request.sheet, request.row, request.method, request.path, verdict.meaning, verdict.status or "-", message,
        )  # fmt: skip

    # The run

    def _watch(self, outcome: Outcome, outgoing: Outgoing) -> None:
        """Stop the run where sending on would only repeat the same failure."""
        status = outcome.http_status
        self._rejected += outcome.status is Status.REJECTED
        self._answered += 1
        self._not_found += status == 404 and outgoing.request.action == "create"
        self._unreached = self._unreached + 1 if outcome.status is Status.FAILED else 0
        self._no_access = self._no_access + 1 if status in (402, 403, 407) else 0
        if outcome.status is Status.FAILED and 300 <= status < 400:
            self.stop(f"The API is not at this address: {outcome.error}. Correct base_url.")
        elif outcome.status is Status.FAILED and status in self._limits.renew_on:
            self.stop(f"The credentials are refused: {outcome.error}. Correct them.")
        elif self._unreached >= PATIENCE:
            self.stop(f"The API could not be reached for {PATIENCE} rows in a row: {outcome.error}.")
        elif self._no_access >= PATIENCE:
            self.stop(f"Access was refused for {PATIENCE} rows in a row: {outcome.error}. Correct the permissions.")
        elif self._answered == PATIENCE == self._not_found:
            self.stop(_NOT_FOUND)
        elif self._limits.stop_after and self._rejected >= self._limits.stop_after:
            self.stop(f"{self._rejected} rows were rejected, as many as --stop-after allows.")


_NOT_FOUND = "The API answered «404 Not Found» to every row: base_url or a setting is wrong. Correct it."

_STATUS = {
    Meaning.DONE: Status.CREATED,
    Meaning.REFUSED: Status.REJECTED,
    Meaning.NOT_ALLOWED: Status.REJECTED,
    Meaning.NOT_PROCESSED: Status.FAILED,
    Meaning.CREDENTIALS: Status.FAILED,
    Meaning.WRONG_ADDRESS: Status.FAILED,
    Meaning.UNKNOWN: Status.UNKNOWN,
}


class _Feed:
    """Hands out the rows of batches one by one to many workers; the next batch is read in a thread."""

    def __init__(self, batches: Iterator[Sequence[Outgoing]]) -> None:
        self._batches = batches
        self._rows: Iterator[Outgoing] = iter(())
        self._lock = asyncio.Lock()

    async def next(self) -> Outgoing | None:
        async with self._lock:
            while True:
                row = next(self._rows, None)
                if row is not None:
                    return row
                batch = await asyncio.to_thread(next, self._batches, None)
                if batch is None:
                    return None
                self._rows = iter(batch)


class _Recorder:
    """Commits intents and outcomes: those of all workers that wait at the same moment in one transaction."""

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
        await asyncio.shield(self._committed)

    def _write(self, committed: "asyncio.Future[None]") -> None:
        intents, outcomes = self._intents, self._outcomes
        self._intents, self._outcomes, self._committed = [], [], None
        try:
            self._journal.write(self._run, intents, outcomes)
        except BaseException as trouble:
            committed.set_exception(trouble)
        else:
            committed.set_result(None)


def outcomes(start: Callable[[Callable[[Outcome], None]], Awaitable[None]], sender: Sender) -> Iterator[Outcome]:
    """The outcomes of a sending, as they become known: the sending runs in a thread of its own.

    The first Ctrl-C sends no further row and waits for those in flight; the second leaves at once.
    """
    done = object()
    told: queue.SimpleQueue[object] = queue.SimpleQueue()
    trouble: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(_awaited(start(told.put)))
        except BaseException as error:
            trouble.append(error)
        finally:
            told.put(done)

    thread = threading.Thread(target=work, name="sending", daemon=True)
    thread.start()
    try:
        while (outcome := _next(told, sender)) is not done:
            assert isinstance(outcome, Outcome)
            yield outcome
    except BaseException:
        sender.stop("The import was given up.")
        raise
    thread.join()
    if trouble:
        raise trouble[0]


async def _awaited(what: Awaitable[None]) -> None:
    await what


def _next(told: "queue.SimpleQueue[object]", sender: Sender) -> object:
    while True:
        with contextlib.suppress(queue.Empty):
            try:
                return told.get(timeout=0.1)
            except KeyboardInterrupt:
                if sender.stopped:
                    raise
                sender.stop(INTERRUPTED)
