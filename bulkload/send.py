"""Requests → Outcomes: the intent in the journal first, then the request, then the outcome in the journal.

A row whose answer was lost is never sent again, unless the API knows idempotency keys: then with the same key, while
that lives. All other retries happen only where the API provably did nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from pydantic_core import to_json

from bulkload.answer import Meaning, Verdict, judge
from bulkload.auth import Signed
from bulkload.errors import DiskError, SettingsError, SignInError, UnusableFile
from bulkload.journal import Journal
from bulkload.models import Outcome, Reply, Status
from bulkload.pace import PATIENCE, REAL, Clock, Pace
from bulkload.recorder import Recorder
from bulkload.redact import redact
from bulkload.resource import Rate
from bulkload.underway import SENT_BEFORE, Feed, Outgoing, Row
from bulkload.wire import Carrier, Signer

log = logging.getLogger(__name__)

TRIES = 3
# Seconds that the rows in flight have to come to their end once the run was told to stop.
LAST_CHANCE = 30.0
_LONGEST_MESSAGE = 500
# A shorter secret may stand in an ID by chance, and the ID must stay what it is.
_SHORTEST_SECRET_IN_ID = 8
# What keeps further rows from being sent, but says nothing against those that were.
_REASONS = (SignInError, SettingsError, UnusableFile)


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast: requests per time, and how many at once. `limit` rows are sent at most; None: all.

    `stop_after` rejected rows stop the run; 0: never. `wait_for_api` are the seconds that an API may be down before the
    run stops. `renew_on` are the statuses that may mean an old token. `deadline` is how long a request may
    take, in seconds.
    """

    rate: Rate
    concurrency: int
    limit: int | None = None
    stop_after: int = 0
    renew_on: frozenset[int] = frozenset({401})
    wait_for_api: float = 600.0
    deadline: float = 60.0


class Sender:
    """Sends the rows of one run to one connection; made for a single sending.

    `told` hears, in the sending's own thread, what a person should know while nothing moves.
    """

    def __init__(
        self,
        run: str,
        journal: Journal,
        limits: Limits,
        *,
        told: Callable[[str], None] = log.info,
        clock: Clock = REAL,
    ) -> None:
        self._run = run
        self._limits = limits
        self._clock = clock
        self._pace = Pace(limits.rate, limits.wait_for_api, clock, told)
        self._recorder = Recorder(run, journal)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = asyncio.Event()
        self._sending: asyncio.Future[list[None]]
        self._abandoned = False
        self._trouble: Exception | None = None
        self._worked = 0
        self._taken = self._answered = self._rejected = self._not_found = self._no_access = 0

    @property
    def stopped(self) -> str:
        """Why the sending stopped before its last row, "" if it did not."""
        return self._pace.stopped

    def stop(self, why: str) -> None:
        """Send no further row; those in flight have LAST_CHANCE seconds to end. May be called from any thread."""
        self._pace.stopped = self._pace.stopped or why
        self._call(self._asked.set)
        self._call(self._pace.wake)

    def abandon(self) -> None:
        """Leave the rows in flight as they are, which is unknown. May be called from any thread."""
        self._call(self._abandon)

    async def send(
        self, batches: Iterator[Sequence[Outgoing]], wire: Carrier, signer: Signer, tell: Callable[[Outcome], None]
    ) -> None:
        """Send every row of the batches, `concurrency` at a time, and tell each outcome once it is in the journal.

        The batches are read in a thread, so that answers are not kept waiting. Raises DiskError, and whatever kept the
        very first rows from being sent: SignInError, SettingsError, UnusableFile. Later it is a reason to stop.
        """
        self._loop = asyncio.get_running_loop()
        feed = Feed(batches)
        self._sending = asyncio.gather(*(self._work(feed, wire, signer, tell) for _ in range(self._limits.concurrency)))
        patience = asyncio.create_task(self._lose_patience())
        try:
            await self._sending
        except asyncio.CancelledError:
            if not self._abandoned:
                raise
        finally:
            patience.cancel()
            await feed.close(LAST_CHANCE)
            try:
                self._recorder.flush()
            except DiskError as trouble:
                self._give_in(trouble)
        if self._trouble and not (self._answered and isinstance(self._trouble, _REASONS)):
            raise self._trouble
        if self._answered and self._answered == self._not_found:
            self._pace.stop(_NOT_FOUND)

    def _call(self, what: Callable[[], object]) -> None:
        """Call in the sending's thread. Before it began or after it ended there is nothing to tell."""
        if self._loop:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(what)

    def _abandon(self) -> None:
        self._abandoned = True
        self._sending.cancel()

    async def _lose_patience(self) -> None:
        await self._asked.wait()
        await self._clock.sleep(LAST_CHANCE)
        self._abandon()

    async def _work(self, feed: "Feed", wire: Carrier, signer: Signer, tell: Callable[[Outcome], None]) -> None:
        while not self.stopped and (self._limits.limit is None or self._taken < self._limits.limit):
            self._taken += 1
            try:
                outgoing = await feed.next()
                if outgoing is None:
                    return
                row = Row.begun(outgoing, self._clock, self._limits.deadline)
                if not await self._send_row(row, wire, signer, tell):
                    return
            except Exception as trouble:
                # The other workers bring their rows to an end and find the run stopped.
                self._give_in(trouble)
                return

    def _give_in(self, trouble: Exception) -> None:
        # What keeps a stopped run from going on is no news: Ctrl-C reaches whoever reads the file, too.
        if not (self.stopped and isinstance(trouble, _REASONS)):
            self._trouble = trouble if isinstance(trouble, DiskError) else self._trouble or trouble
            self._pace.stop(str(trouble))

    # One row

    async def _send_row(self, row: Row, wire: Carrier, signer: Signer, tell: Callable[[Outcome], None]) -> bool:
        """Send one row until there is an outcome to tell; False if the run stopped before the row went out."""
        request, operation = row.outgoing.request, row.outgoing.operation
        body = None if request.body is None else to_json(request.body)
        verdict = Verdict(Meaning.UNKNOWN, message=SENT_BEFORE) if row.unsure else Verdict(Meaning.NOT_PROCESSED)
        while signed := await self._pace.turn(partial(signer.sign, operation), retry=row.failures > 0):
            key = row.key_header(self._clock)
            if row.unsure and not key:
                break
            await self._recorder.intend(request, row.once)
            if self._pace.shut:
                # While the intent was written, somebody learned that nothing may go out: not a byte has.
                await self._put_back(row, verdict)
                continue
            row.attempts += 1
            reply = await wire.send(
                request.method,
                request.path,
                query=[*request.query, *signed.query],
                headers={**request.headers, **key, **signed.headers},
                body=body,
            )
            verdict = self._judge(row.outgoing, reply, signer)
            self._pace.hear(verdict)
            if not await self._once_more(row, verdict, signed, signer):
                outcome = self._outcome(row, verdict, row.status(verdict, _STATUS[verdict.meaning]))
                self._recorder.record_soon(outcome, tell)
                self._watch(verdict, outcome, request.action)
                return True
        if row.left:
            tell(row.left)
        return not self.stopped

    def _judge(self, outgoing: Outgoing, reply: Reply, signer: Signer) -> Verdict:
        """What the reply means, in words that are fit to be written and shown."""
        request = outgoing.request
        verdict = judge(outgoing.operation, reply, self._limits.renew_on, self._clock.now)
        secrets = signer.secrets().union(request.secrets)
        in_id = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET_IN_ID or secret == verdict.id}
        verdict = Verdict(
            verdict.meaning,
            verdict.status,
            redact(verdict.id, in_id),
            _shown(verdict.message, secrets),
            _shown(verdict.note, secrets),
            verdict.wait,
            _shown(verdict.request_id, secrets),
        )
        if log.isEnabledFor(logging.DEBUG):
            path = redact(request.path, secrets)
            said = f"{verdict.meaning} ({verdict.status or '-'}, {verdict.message})"
            log.debug("%s row %d: %s %s: %s", request.sheet, request.row, request.method, path, said)
        return verdict

    async def _once_more(self, row: Row, verdict: Verdict, signed: Signed, signer: Signer) -> bool:
        """Whether the row is to be sent again; then what must come before that has been done."""
        if verdict.meaning is Meaning.CREDENTIALS:
            row.refusals += 1
            # A token that served others has run out since; one that never did will not do so now.
            most = TRIES if signed.generation <= self._worked else 2
            if row.refusals >= most:
                return False
            await self._put_back(row, verdict)
            return bool(self.stopped) or await signer.renew(signed.generation)
        row.refusals = 0
        row.unsure = row.unsure or (verdict.meaning is Meaning.UNKNOWN and row.once is not None)
        # With its key a row whose answer was lost may go again; what was accepted is under way already.
        repeats = verdict.meaning is Meaning.UNKNOWN and row.once is not None and verdict.status != 202
        if verdict.meaning is not Meaning.NOT_PROCESSED and not repeats:
            if verdict.meaning in (Meaning.DONE, Meaning.REFUSED):
                self._worked = max(self._worked, signed.generation)
            return False
        # What the API asked for costs no tries, nor does trying whether it is up again.
        costs = verdict.wait is None and not self._pace.down
        row.failures += costs
        if row.failures >= TRIES:
            return False
        await self._put_back(row, verdict)
        if costs:
            await self._pace.back_off(row.failures)
        return True

    async def _put_back(self, row: Row, verdict: Verdict) -> None:
        """Nothing is under way: the journal must not call the row in flight while it waits."""
        outcome = self._outcome(row, verdict, row.status(verdict, Status.NOT_SENT))
        await self._recorder.record(outcome)
        row.left = outcome if row.unsure else None

    def _outcome(self, row: Row, verdict: Verdict, status: Status) -> Outcome:
        request, record = row.outgoing.request, row.outgoing.record
        update = request.action == "update"
        error = verdict.message
        match status:
            case Status.CREATED:
                status, error = Status.UPDATED if update else status, ""
            case Status.UNKNOWN:
                error = f"{error.rstrip('.')}. It may {'have been done' if update else 'exist'}."
        return Outcome(
            sheet=request.sheet,
            row=request.row,
            status=status,
            id=record or verdict.id,
            error=error,
            note="" if record else verdict.note,
            http_status=verdict.status,
            attempts=row.attempts,
            request_id=verdict.request_id,
            run=self._run,
        )

    # The run

    def _watch(self, verdict: Verdict, outcome: Outcome, action: str) -> None:
        """Stop the run where sending on would only repeat the same failure."""
        rejected = outcome.status is Status.REJECTED
        self._answered += 1
        self._rejected += rejected
        self._not_found += rejected and verdict.status == 404 and action == "create"
        self._no_access = self._no_access + 1 if verdict.meaning is Meaning.NOT_ALLOWED else 0
        said = verdict.message.rstrip(".")
        if verdict.meaning is Meaning.WRONG_ADDRESS:
            self._pace.stop(f"The API is not at this address: {said}. Correct base_url.")
        elif verdict.meaning is Meaning.CREDENTIALS:
            self._pace.stop(f"The credentials are refused: {said}. Correct them.")
        elif self._no_access >= PATIENCE:
            self._pace.stop(f"Access was refused for {PATIENCE} rows in a row: {said}. Correct the permissions.")
        elif self._answered == PATIENCE == self._not_found:
            self._pace.stop(_NOT_FOUND)
        elif self._limits.stop_after and self._rejected >= self._limits.stop_after:
            self._pace.stop(f"{self._rejected} rows were rejected, as many as --stop-after allows.")


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


def _shown(text: str, secrets: frozenset[str]) -> str:
    """A text on one line of bearable length. Secrets go first: half a secret would not be found."""
    if not text:
        return ""
    text = redact(text, secrets)
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
