"""Unknown rows → Outcomes: ask the API what became of them, once it can no longer be working on them.

"Not found" proves nothing before `settle` has passed since the try, and only where the document says what proves it.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bulkload.answer import Meaning, judge
from bulkload.journal import Journal
from bulkload.lookup import Ask, Found, Record, find, read, same
from bulkload.models import UPDATE, Answer, Lost, NotSent, Outcome, Reply, Status
from bulkload.pace import Clock, Pace
from bulkload.redact import redact
from bulkload.resource import Operation, Rate, Resource
from bulkload.threads import INTERRUPTED
from bulkload.wire import Carrier, Signer

# A look-up changes nothing, so it may be asked again.
TRIES = 3
ADOPTED = "Found by its key."


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


class Resolver:
    """Asks one API about rows of one run, as many at once as requests may be in flight.

    `settle` is in seconds; with `wait` the rows whose time has not come are waited for, without it they are left.
    """

    def __init__(
        self,
        run: str,
        journal: Journal,
        rate: Rate,
        concurrency: int,
        settle: float,
        *,
        wait: bool,
        told: Callable[[str], None],
        clock: Clock = Clock(),  # noqa: B008  # frozen
    ) -> None:
        self._run = run
        self._journal = journal
        self._concurrency = concurrency
        self._settle = settle
        self._wait = wait
        self._clock = clock
        self._pace = Pace(rate, 0.0, clock, told)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def stopped(self) -> str:
        """Why the asking stopped before its last row, "" if it did not."""
        return self._pace.stopped

    def stop(self, why: str) -> None:
        """Ask no further; may be called from any thread."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._pace.stop, why)

    def abandon(self) -> None:
        """A question that is under way changes nothing: there is no more to leave than to stop."""
        self.stop(INTERRUPTED)

    async def resolve(
        self,
        rows: Sequence[Open],
        settings: Mapping[str, str],
        headers: Mapping[str, str],
        wire: Carrier,
        signer: Signer,
        tell: Callable[[Outcome], None],
    ) -> None:
        """Ask about every row, and tell each outcome that is news, once it is in the journal."""
        self._loop = asyncio.get_running_loop()
        ask = self._asker(wire, signer, headers)
        left = iter(sorted(rows, key=self._rest))
        await asyncio.gather(*(self._work(left, settings, ask, signer, tell) for _ in range(self._concurrency)))

    async def _work(
        self,
        left: Iterator[Open],
        settings: Mapping[str, str],
        ask: Ask,
        signer: Signer,
        tell: Callable[[Outcome], None],
    ) -> None:
        for row in left:
            while (rest := self._rest(row)) > 0 and self._wait and not self.stopped:
                await self._pace.rest(rest)
            if self.stopped or rest > 0:
                continue
            outcome = _fit_to_show(await resolve(row, settings, ask), row, signer)
            if outcome != row.outcome and not self.stopped:
                self._journal.write(self._run, (), [outcome])
                tell(outcome)

    def _rest(self, row: Open) -> float:
        """Seconds until the API can no longer be working on a row; the journal heard of it no earlier than it was sent.

        Of a row that was created only the ID is asked, which needs no waiting.
        """
        if row.outcome.status is Status.CREATED or row.outcome.time is None:
            return 0.0
        return self._settle - (self._clock.now() - row.outcome.time).total_seconds()

    def _asker(self, wire: Carrier, signer: Signer, more: Mapping[str, str]) -> Ask:
        async def ask(
            operation: Operation, path: str, query: tuple[tuple[str, str], ...], headers: Mapping[str, str], body: Any
        ) -> Reply:
            content = {} if body is None else {"Content-Type": "application/json"}
            reply: Reply = Lost("nothing was asked")
            for number in range(TRIES):
                signed = await self._pace.turn(partial(signer.sign, operation), retry=number > 0)
                if signed is None:
                    return NotSent(self.stopped)
                reply = await wire.send(
                    operation.method,
                    path,
                    query=[*query, *signed.query],
                    headers={"Accept": "application/json", **content, **more, **headers, **signed.headers},
                    body=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
                )
                verdict = judge(operation, reply)
                if verdict.meaning is Meaning.CREDENTIALS and await signer.renew(signed.generation):
                    continue
                if isinstance(reply, Answer) and reply.status < 500 and verdict.meaning is not Meaning.NOT_PROCESSED:
                    break
                self._pace.hear(verdict)
            return reply

        return ask


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
        return _open(row, f"{found.trouble}. Run: bulkload resolve")
    return _settle_create(resource, row, row.values, found)


async def _fill_in(resource: Resource, row: Open, settings: Mapping[str, str], ask: Ask) -> Outcome:
    """Find the ID of a row that was created, where the API's answer gave none."""
    if row.values is None:
        return row.outcome
    found = await find(resource, row.values, settings, ask)
    mine = [record for record in found.records if same(resource, row.values, record)]
    return replace(row.outcome, id=mine[0].id, note="") if len(mine) == 1 == len(found.records) else row.outcome


def by_word(row: Outcome, *, made: bool, record: str = "") -> Outcome:
    """A person's word for what became of an unknown row."""
    if made:
        return replace(row, status=Status.CREATED, id=record, error="", note="A person said that it was made.")
    return replace(row, status=Status.FAILED, error="A person said that it was not made. It may be sent again.")


def _settle_create(resource: Resource, row: Open, values: Mapping[str, Any], found: Found) -> Outcome:
    if found.absent:
        error = "Not made: the API has no such record. It may be sent again."
        return replace(row.outcome, status=Status.FAILED, error=error)
    if not found.records:
        what = _described(resource, values)
        return _open(row, f"The API shows no {what}, which proves nothing by its document. {_by_hand(row)}")
    if len(found.records) > 1:
        ids = ", ".join(record.id for record in found.records)
        return _open(row, f"Several records have this key: {ids}. {_by_hand(row)}")
    (record,) = found.records
    if same(resource, values, record):
        return replace(row.outcome, status=Status.CREATED, id=record.id, error="", note=ADOPTED)
    return _open(row, f"Exists as ID {record.id} with other values. Yours? {_by_hand(row, record)}")


async def _settle_update(
    resource: Resource, row: Open, values: Mapping[str, Any], settings: Mapping[str, str], ask: Ask
) -> Outcome:
    """Read the record back: what stands there now is what counts."""
    again = resource.update is not None and resource.update.idempotent
    if resource.read is not None:
        found = await read(resource.read, row.outcome.id, settings, ask)
        if found.records and same(resource, values, found.records[0]):
            return replace(row.outcome, status=Status.UPDATED, error="", note="Read back: the change is there.")
    if again:
        error = "Perhaps not done; this update may be sent again without harm."
        return replace(row.outcome, status=Status.FAILED, error=error)
    return _open(row, f"Look at the record {row.outcome.id}: the update may be there or not. {_by_hand(row)}")


def _fit_to_show(outcome: Outcome, row: Open, signer: Signer) -> Outcome:
    """The API's words may hold what was sent."""
    secrets = signer.secrets().union(row.resource.secrets(row.values or {}))
    return replace(outcome, error=redact(outcome.error, secrets), note=redact(outcome.note, secrets))


def _open(row: Open, why: str) -> Outcome:
    return replace(row.outcome, status=Status.UNKNOWN, error=why)


def _by_hand(row: Open, record: Record | None = None) -> str:
    place = f'"{row.outcome.sheet}!{row.outcome.row}"'
    return f"Then: bulkload resolve --made {place}={record.id if record else 'ID'}, or --not-made {place}"


def _described(resource: Resource, values: Mapping[str, Any]) -> str:
    """What to look for: the natural key, else the first columns that are filled in; never a secret."""
    names = resource.key or tuple(column.name for column in resource.columns if column.place == "body")[:2]
    shown = [column for column in resource.columns if column.name in names and column.name in values]
    said = [f"{column.title} {values[column.name]}" for column in shown if not column.secret]
    return ", ".join(said) or f"the record of this row in {resource.title}"
