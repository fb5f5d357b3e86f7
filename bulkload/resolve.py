"""Unknown rows → Outcomes: ask the API what became of them, once it can no longer be working on them.

"Not found" proves nothing before `settle` has passed since the try, and only where the document says what proves it.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from operator import itemgetter
from typing import Any

from bulkload.answer import Meaning, Verdict, judge
from bulkload.errors import SettingsError, SignInError
from bulkload.journal import Journal
from bulkload.lookup import Ask, Found, Record, find, read, same
from bulkload.models import UPDATE, Lost, Outcome, Reply, Status
from bulkload.pace import REAL, Clock, Pace
from bulkload.redact import redact
from bulkload.resource import Operation, Rate, Resource
from bulkload.system import as_typed
from bulkload.threads import INTERRUPTED
from bulkload.wire import Carrier, Signer

# A look-up changes nothing, so it may be asked again.
TRIES = 3
ADOPTED = "Found by its key."
# Seconds: a shorter wait needs no words.
_WORTH_TELLING = 5.0
_LONGEST_TROUBLE = 500
# Records that a message names.
_LISTED = 10


@dataclass(frozen=True, slots=True)
class Open:
    """A row to ask about: what the journal says of it, what was to be done, and its values as the file has them.

    `values` are by column name, None where the row is no longer in the file. A row that was created without an ID is
    one of them.
    """

    outcome: Outcome
    action: str
    resource: Resource
    values: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Manners:
    """How to ask: requests per time, how many at once, and which statuses may mean an old token.

    `settle` are the seconds in which the API may still be at work on a row. With `wait` such a row is waited for,
    without it it is left.
    """

    rate: Rate
    concurrency: int
    settle: float
    wait: bool
    renew_on: frozenset[int] = frozenset({401})


@dataclass(frozen=True, slots=True)
class Line:
    """What leads to the API: the connection's settings and headers, the wire, and who signs."""

    settings: Mapping[str, str]
    headers: Mapping[str, str]
    wire: Carrier
    signer: Signer


class Resolver:
    """Asks one API about rows of one run, as many at once as requests may be in flight; made for a single asking."""

    def __init__(
        self, run: str, journal: Journal, manners: Manners, *, told: Callable[[str], None], clock: Clock = REAL
    ) -> None:
        self._run = run
        self._journal = journal
        self._manners = manners
        self._told = told
        self._clock = clock
        # An API that is down is not waited for: the rows can be asked about at any time.
        self._pace = Pace(manners.rate, 0.0, clock, told)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._trouble: Exception | None = None

    @property
    def stopped(self) -> str:
        """Why the asking stopped before its last row, "" if it did not."""
        return self._pace.stopped

    def stop(self, why: str) -> None:
        """Ask no further; may be called from any thread."""
        self._pace.stopped = self._pace.stopped or why
        if self._loop:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._pace.wake)

    def abandon(self) -> None:
        """A question that is under way changes nothing: there is no more to leave than to stop."""
        self.stop(INTERRUPTED)

    async def resolve(self, rows: Sequence[Open], line: Line, tell: Callable[[Outcome], None]) -> None:
        """Ask about every row, and tell each outcome that is news, once it is in the journal.

        Credentials that are refused are a reason to stop. Raises DiskError.
        """
        self._loop = asyncio.get_running_loop()
        waits = sorted(((self._rest(row), row) for row in rows), key=itemgetter(0))
        if waits and self._manners.wait and waits[-1][0] >= _WORTH_TELLING:
            until = self._clock.now() + timedelta(seconds=waits[-1][0])
            self._told(f"The API may still be at work on some rows: asking about the last of them at {until:%H:%M:%S}.")
        begun = self._clock.monotonic()
        left = iter([(begun + rest, row) for rest, row in waits])
        await asyncio.gather(*(self._work(left, line, tell) for _ in range(self._manners.concurrency)))
        if self._trouble:
            raise self._trouble

    async def _work(self, left: Iterator[tuple[float, Open]], line: Line, tell: Callable[[Outcome], None]) -> None:
        try:
            for due, row in left:
                if not await self._is_due(due):
                    continue
                outcome = _fit_to_show(await resolve(row, line.settings, self._asker(row, line)), row, line.signer)
                if outcome != row.outcome and not self.stopped:
                    self._journal.write(self._run, (), [outcome])
                    tell(outcome)
        except (SignInError, SettingsError) as trouble:
            self._pace.stop(str(trouble))
        except Exception as trouble:
            # The other workers bring their questions to an end and find the asking stopped.
            self._trouble = self._trouble or trouble
            self._pace.stop(str(trouble))

    async def _is_due(self, due: float) -> bool:
        """Whether a row may be asked about that may from this moment on, once that has been waited for if it is to be.

        The moment is one of the monotonic clock: nobody puts that forward.
        """
        while (rest := due - self._clock.monotonic()) > 0 and self._manners.wait and not self.stopped:
            await self._pace.rest(rest)
        return rest <= 0 and not self.stopped

    def _rest(self, row: Open) -> float:
        """Seconds until the API can no longer be working on a row; the journal heard of it no earlier than it was sent.

        Of a row that was created only the ID is asked, which needs no waiting.
        """
        if row.outcome.status is Status.CREATED:
            return 0.0
        return max(self._manners.settle - self._journal.age(row.outcome), 0.0)

    def _asker(self, row: Open, line: Line) -> Ask:
        """What asks the API about this row, again while it has no time for it."""

        async def ask(
            operation: Operation, path: str, query: tuple[tuple[str, str], ...], headers: Mapping[str, str], body: Any
        ) -> tuple[Reply, Verdict]:
            content = {} if body is None else {"Content-Type": operation.media_type}
            reply: Reply = Lost("nothing was asked")
            verdict, tries = Verdict(Meaning.UNKNOWN, message=self.stopped), 0
            while signed := await self._pace.turn(partial(line.signer.sign, operation), retry=tries > 0):
                reply = await line.wire.send(
                    operation.method,
                    path,
                    query=[*query, *signed.query],
                    headers={"Accept": "application/json", **content, **line.headers, **headers, **signed.headers},
                    body=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
                )
                verdict = judge(operation, reply, self._manners.renew_on, self._clock.now)
                verdict = verdict._replace(message=_shown(verdict.message, _secrets(row, line.signer)))
                self._pace.hear(verdict)
                # What the API asked to wait for costs no tries.
                tries += verdict.wait is None
                if tries >= TRIES or verdict.meaning not in _AGAIN:
                    break
                if verdict.meaning is Meaning.CREDENTIALS:
                    if not await line.signer.renew(signed.generation):
                        break
                elif verdict.wait is None:
                    await self._pace.back_off(tries)
            if verdict.meaning is Meaning.CREDENTIALS:
                self._pace.stop(f"The credentials are refused: {verdict.message.rstrip('.')}. Correct them.")
            return reply, verdict

        return ask


_AGAIN = {Meaning.CREDENTIALS, Meaning.NOT_PROCESSED, Meaning.UNKNOWN}


async def resolve(row: Open, settings: Mapping[str, str], ask: Ask) -> Outcome:
    """Ask the API about one row, and say what became of it."""
    resource = row.resource
    if row.outcome.status is Status.CREATED:
        return await _fill_in(resource, row, settings, ask)
    if row.values is None:
        return _open(row, "Its row is no longer in the file, so there is nothing to compare with. " + _by_hand(row))
    if row.action == UPDATE:
        return await _settle_update(resource, row, row.values, settings, ask)
    if resource.find is None:
        return _open(row, f"Look for {_described(resource, row.values)}: the API documents no look-up. {_by_hand(row)}")
    found = await find(resource, row.values, settings, ask)
    if found.trouble:
        return _open(row, f"{found.trouble}. {_ask_again(row)}")
    return _settle_create(resource, row, row.values, found)


async def _fill_in(resource: Resource, row: Open, settings: Mapping[str, str], ask: Ask) -> Outcome:
    """Find the ID of a row that was created, where the API's answer gave none."""
    if row.values is None:
        return row.outcome
    found = await find(resource, row.values, settings, ask)
    mine = [record for record in found.records if same(resource, row.values, record)]
    return row.outcome._replace(id=mine[0].id, note="") if len(mine) == 1 == len(found.records) else row.outcome


def by_word(row: Outcome, action: str, *, made: bool, record: str = "") -> Outcome:
    """A person's word for what became of an unknown row; of one that changes a record the ID is known."""
    if not made:
        return row._replace(status=Status.FAILED, error="A person said that it was not made. It may be sent again.")
    status = Status.UPDATED if action == UPDATE else Status.CREATED
    return row._replace(status=status, id=record or row.id, error="", note="A person said that it was made.")


def _settle_create(resource: Resource, row: Open, values: Mapping[str, Any], found: Found) -> Outcome:
    if found.absent:
        error = "Not made: the API has no such record. It may be sent again."
        return row.outcome._replace(status=Status.FAILED, error=error)
    if not found.records:
        what = _described(resource, values)
        return _open(row, f"The look-up shows no {what}, which by its document proves nothing. {_by_hand(row)}")
    if len(found.records) > 1:
        shown = ", ".join(record.id for record in found.records[:_LISTED])
        more = f" and {len(found.records) - _LISTED:,} more" if len(found.records) > _LISTED else ""
        return _open(row, f"Several records have this key: {shown}{more}. {_by_hand(row)}")
    (record,) = found.records
    if same(resource, values, record):
        return row.outcome._replace(status=Status.CREATED, id=record.id, error="", note=ADOPTED)
    return _open(row, f"Exists as ID {record.id} with other values. Yours? {_by_hand(row, record)}")


async def _settle_update(
    resource: Resource, row: Open, values: Mapping[str, Any], settings: Mapping[str, str], ask: Ask
) -> Outcome:
    """Read the record back: what stands there now is what counts, if all that was sent can be seen there."""
    found = Found()
    if resource.read is not None:
        found = await read(resource.read, row.outcome.id, values, settings, ask)
        if any(same(resource, values, record, whole=True) for record in found.records):
            return row.outcome._replace(status=Status.UPDATED, error="", note="Read back: the change is there.")
    if resource.update is not None and resource.update.idempotent:
        error = "Perhaps not done; this update may be sent again without harm."
        return row.outcome._replace(status=Status.FAILED, error=error)
    if found.trouble:
        return _open(row, f"{found.trouble}. {_ask_again(row)}")
    return _open(row, f"Look at the record {row.outcome.id}: the update may be there or not. {_by_hand(row)}")


def _fit_to_show(outcome: Outcome, row: Open, signer: Signer) -> Outcome:
    """What the API holds may be named in a message, and a secret be part of it."""
    secrets = _secrets(row, signer)
    return outcome._replace(error=redact(outcome.error, secrets), note=redact(outcome.note, secrets))


def _secrets(row: Open, signer: Signer) -> frozenset[str]:
    return signer.secrets().union(row.resource.secrets(row.values or {}))


def _shown(text: str, secrets: frozenset[str]) -> str:
    """A text on one line of bearable length. Secrets go first: half a secret would not be found."""
    text = " ".join(redact(text, secrets).split())
    return text if len(text) <= _LONGEST_TROUBLE else text[: _LONGEST_TROUBLE - 1] + "…"


def _open(row: Open, why: str) -> Outcome:
    return row.outcome._replace(status=Status.UNKNOWN, error=why)


def _ask_again(row: Open) -> str:
    return f"Ask again: bulkload resolve {row.outcome.run}"


def _by_hand(row: Open, record: Record | None = None) -> str:
    """The command that takes a person's word; quoted, since a sheet's name may have spaces and shells read `!`."""
    place = f"{row.outcome.sheet}!{row.outcome.row}"
    made = as_typed(["bulkload", "resolve", row.outcome.run, "--made", f"{place}={record.id if record else 'ID'}"])
    return f"Then: {made}, or {as_typed(['--not-made', place])}"


def _described(resource: Resource, values: Mapping[str, Any]) -> str:
    """What to look for: the natural key, else the first columns that are filled in; never a secret."""
    shown = [c for c in resource.columns if c.place == "body" and not c.secret and values.get(c.name) not in (None, "")]
    keys = [column for column in shown if column.name in resource.key]
    said = [f"{column.title} {_words(values[column.name])}" for column in keys or shown[:2]]
    return ", ".join(said) or f"the record of this row in {resource.title}"


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
