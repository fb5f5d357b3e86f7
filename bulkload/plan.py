"""Typed rows → what is to be done with each, against what the journal knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bulkload.counted import Counted
from bulkload.distinct import Table
from bulkload.doors import Doors
from bulkload.fingerprint import Names
from bulkload.journal import Journal, Known, NewRow
from bulkload.models import CREATE, DONE, MASK, UPDATE, Row, Status
from bulkload.resource import Resource

_NO_ID = "(not known)"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person wants of rows that are known already: `again` sends them anyway, `update` changes the record."""

    again: bool = False
    update: bool = False


PLAIN = Wishes()


class _Facts(NamedTuple):
    """What is known of one row; there is one for each, and a frozen dataclass would take three times as long to make.

    `open_fingerprint` leaves the secrets out. `same` is the journal's row of the same content, `namesake` the last one
    of the same natural key or record, and `origin` the row that it was before it was edited in a result; None where
    there is none that is done or may be.
    """

    fingerprint: str
    open_fingerprint: str
    ordinal: int
    key: str
    same: Known | None
    namesake: Known | None
    origin: Known | None


class _Verdict(NamedTuple):
    """What is to be done with a row; `record` is the ID of the record that it changes, or that it became earlier.

    `because` is the run that has to be settled before it can go out.
    """

    status: Status
    action: str
    record: str = ""
    error: str = ""
    because: str = ""


class Planner:
    """Decides for the rows of one sheet. `counted` is shared by the sheets of one resource."""

    def __init__(
        self,
        resource: Resource,
        sheet: str,
        target: str,
        journal: Journal,
        counted: Counted,
        wishes: Wishes = PLAIN,
    ) -> None:
        self.resource = resource
        self.sheet = sheet
        self.target = target
        self.journal = journal
        self.counted = counted
        self.wishes = wishes
        self.names = Names(resource, journal.keyed_hash)
        self.prints = self.names.prints
        self.doors = Doors(resource, target, journal)
        self._paths = [column for column in resource.columns if column.place == "path"]
        self._secrets = [column.name for column in resource.columns if column.secret]
        self._id_name = resource.id_column.name if resource.id_column else ""

    def decide(self, rows: Sequence[Row], table: Table, claims: Mapping[int, Known]) -> list[NewRow]:
        """What is to be done with each row that may be sent; `claims` are the journal's rows that the sheet names.

        `table` has the same values as the `rows`.
        """
        numbers = [row.number for row in rows]
        prints = dict(zip(numbers, self.prints.each(rows, table), strict=True))
        opens = prints
        if self._secrets:
            opens = dict(zip(numbers, self.prints.each_without_secrets(rows, table), strict=True))
        keys = dict(zip(numbers, self.names.keys(rows, table), strict=True))
        origins = {number: claims[number] for number in numbers if number in claims}
        name = self.resource.full_name
        wanted = [*prints.values(), *(origin.fingerprint for origin in origins.values())]
        elsewhere = self.doors.others(rows, prints, keys)
        by_print = self.journal.known(self.target, name, filter(None, wanted), elsewhere.prints)
        by_key = elsewhere.translated(
            self.journal.known_keys(self.target, name, filter(None, keys.values()), elsewhere.keys)
        )
        ordinals = self._ordinals(prints, by_print, origins)
        planned = []
        for row in rows:
            content, ordinal, key = prints[row.number], ordinals[row.number], keys[row.number]
            same = by_print[content].get(ordinal) if content in by_print else None
            was = origins.get(row.number)
            edited = was if was and was.fingerprint != content else None
            origin = by_print.get(edited.fingerprint, {}).get(edited.ordinal) if edited else None
            facts = _Facts(content, opens[row.number], ordinal, key, same, by_key.get(key), origin)
            planned.append(self._planned(row, facts))
        return planned

    def done(self, rows: Sequence[Row], known: Mapping[int, Known]) -> list[NewRow]:
        """Rows that an earlier run made, as a result of it says: unchanged, or refused where a person edited one."""
        earlier_rows = [known[row.number] for row in rows]
        self.counted.claim((one.fingerprint, one.ordinal) for one in earlier_rows if one.fingerprint)
        planned = []
        for row, earlier in zip(rows, earlier_rows, strict=True):
            edited = self._edited(row.values, earlier)
            # What a result of this run will be held against. A row taken on trust has nothing yet.
            open_fingerprint = earlier.open_fingerprint
            if not open_fingerprint and not _cut(row.values):
                open_fingerprint = self.prints.without_secrets(row.values)
            planned.append(
                NewRow(
                    sheet=self.sheet,
                    row=row.number,
                    resource=self.resource.full_name,
                    action=CREATE,
                    status=Status.INVALID if edited else Status.UNCHANGED,
                    fingerprint=earlier.fingerprint,
                    ordinal=earlier.ordinal,
                    open_fingerprint=open_fingerprint,
                    key=earlier.key,
                    id=earlier.id,
                    error=_edited_since(earlier) if edited else "",
                )
            )
        return planned

    def _ordinals(
        self,
        prints: Mapping[int, str],
        by_print: Mapping[str, Mapping[int, Known]],
        origins: Mapping[int, Known],
    ) -> dict[int, int]:
        """Which of its equals each row is. A row of a result is the one that it was, so those are served first."""
        orders = {content: self._order(known) for content, known in by_print.items()}
        counts = self.counted.counts(prints.values())
        ordinals = {}
        for number, origin in origins.items():
            content = prints[number]
            if origin.fingerprint == content and counts.claim(content, origin.ordinal, orders.get(content, ())):
                ordinals[number] = origin.ordinal
        for number, content in prints.items():
            if number not in ordinals:
                ordinals[number] = counts.next(content, orders.get(content, ()))
        self.counted.keep(counts)
        return ordinals

    def _order(self, known: Mapping[int, Known]) -> list[int]:
        """The ordinals in the order in which equal rows get them, up to where the two are the same."""
        # With --again those that are done are sent once more in their turn; those that may be come first even then.
        first = sorted(n for n, one in known.items() if one.status not in DONE or not self.wishes.again)
        return [*first, *sorted(set(range(1, max(first, default=0))).difference(first))]

    def _planned(self, row: Row, facts: _Facts) -> NewRow:
        verdict = self._verdict(row, facts)
        return NewRow(
            sheet=self.sheet,
            row=row.number,
            resource=self.resource.full_name,
            action=verdict.action,
            status=verdict.status,
            fingerprint=facts.fingerprint,
            ordinal=facts.ordinal,
            open_fingerprint=facts.open_fingerprint,
            key=facts.key,
            id=verdict.record,
            error=verdict.error,
            because=verdict.because,
        )

    def _verdict(self, row: Row, facts: _Facts) -> _Verdict:
        """What is to be done with a row: the first rule that holds."""
        namesake, again = facts.namesake, self.wishes.again
        record = str(row.values[self._id_name]) if self._id_name in row.values else ""
        action = UPDATE if record else CREATE
        # The record may have been changed and changed back: then what counts is the last that was done to it.
        same = namesake if namesake and (record or self.wishes.update) else facts.same
        if wrong := self._wrong_path(row.values):
            return _Verdict(Status.INVALID, action, record, wrong)
        for one in (facts.origin, facts.same, namesake):
            if one and one.status not in DONE:
                return _Verdict(Status.UNKNOWN, action, record, _may_exist(one), one.run)
        if facts.origin:
            return _Verdict(Status.INVALID, action, facts.origin.id, _edited_since(facts.origin))
        if same and same.fingerprint == facts.fingerprint and not again:
            return _Verdict(Status.UNCHANGED, action, same.id)
        if record or namesake is None or again:
            return _Verdict(Status.NOT_SENT, action, record)
        if self.wishes.update and self.resource.update and namesake.id:
            return _Verdict(Status.NOT_SENT, UPDATE, namesake.id)
        if namesake.fingerprint == facts.fingerprint:
            return _Verdict(Status.INVALID, action, namesake.id, _twice(namesake))
        return _Verdict(Status.INVALID, action, namesake.id, self._other_values(namesake))

    def _wrong_path(self, values: Mapping[str, Any]) -> str:
        """A step up or none at all would lead the request to another address; no quoting prevents it."""
        for column in self._paths:
            if str(values.get(column.name)) in (".", ".."):
                return f'{column.title}: "{values[column.name]}" can\'t stand in an address. Correct it.'
        return ""

    def _edited(self, values: Mapping[str, Any], earlier: Known) -> bool:
        """Whether a row that is done says something else now; secrets, which a result hides, only if typed again."""
        if not earlier.open_fingerprint or _cut(values):
            return False
        if self.prints.without_secrets(values) != earlier.open_fingerprint:
            return True
        typed = any(name in values for name in self._secrets)
        return typed and bool(earlier.fingerprint) and self.prints.whole(values) != earlier.fingerprint

    def _other_values(self, namesake: Known) -> str:
        how = "--update changes it, --again" if self.resource.update and namesake.id else "--again"
        return (
            f"Already created as ID {namesake.id or _NO_ID} in run {namesake.run} (row {namesake.row}), "
            f"with other values. {how} sends this row as a new record."
        )


def made_already(known: Mapping[int, Known]) -> dict[int, Known]:
    """Of the rows that a result names, those that were made."""
    return {row: one for row, one in known.items() if one.status in DONE}


def _cut(values: Mapping[str, Any]) -> bool:
    """A cell that a result had to cut can't be compared with what was sent."""
    return any("… [cut, " in str(value) or value == MASK for value in values.values())


def _edited_since(earlier: Known) -> str:
    done = "updated" if earlier.status is Status.UPDATED else "created"
    return (
        f"Already {done} as ID {earlier.id or _NO_ID} in run {earlier.run}, and edited since: the edit is not sent. "
        "Undo it, or make the change in the system itself."
    )


def _twice(namesake: Known) -> str:
    return (
        f"The same as row {namesake.row} of run {namesake.run}, which was created as ID {namesake.id or _NO_ID}. "
        "Take one of the two rows out."
    )


def _may_exist(known: Known) -> str:
    return (
        f"Not sent: this row went out in run {known.run} (row {known.row}) and what became of it is unknown: it may "
        f"exist. Settle it first: bulkload resolve {known.run}"
    )
