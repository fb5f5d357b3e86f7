"""Typed rows → what is to be done with each, against what the journal knows, and the Requests of those to send."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from bulkload.journal import Journal, Known, NewRow
from bulkload.models import DONE, MASK, Request, Row, Status
from bulkload.resource import Operation, Resource

# Rises when the same row would be hashed otherwise; rows hashed before are then no longer recognised by content.
FINGERPRINT = 1
CREATE, UPDATE = "create", "update"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person wants of rows that are known already: `again` sends them anyway, `update` changes the record."""

    again: bool = False
    update: bool = False


@dataclass(slots=True)
class Counted:
    """How many equal rows of a resource the file has had so far, by fingerprint."""

    rows: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Planner:
    """Decides for the rows of one sheet. `counted` is shared by the sheets of one resource."""

    resource: Resource
    sheet: str
    target: str
    journal: Journal
    counted: Counted
    wishes: Wishes = Wishes()

    def decide(self, rows: Sequence[Row], claims: Mapping[int, Known]) -> list[NewRow]:
        """What is to be done with each row that may be sent; `claims` are the journal's rows that the sheet names."""
        prints = {row.number: self.fingerprint(row.values) for row in rows}
        keys = {row.number: self._key(row.values) for row in rows}
        name = self.resource.full_name
        by_print = self.journal.known(self.target, name, list(prints.values()))
        by_key = self.journal.known_keys(self.target, name, [key for key in keys.values() if key])
        planned = []
        for row in rows:
            content = prints[row.number]
            ordinal = self._ordinal(content, claims.get(row.number))
            known = by_print.get((content, ordinal))
            planned.append(self._decide(row, content, ordinal, known, keys[row.number], by_key.get(keys[row.number])))
        return planned

    def done(self, rows: Sequence[Row], known: Mapping[int, Known]) -> list[NewRow]:
        """Rows that an earlier run made, as a result of it says: unchanged, or refused where a person edited one."""
        planned = []
        for row in rows:
            earlier = known[row.number]
            self.counted.rows[earlier.fingerprint] += 1
            edited = (
                earlier.open_fingerprint
                and not _can_not_tell(row.values)
                and self.fingerprint(row.values, with_secrets=False) != earlier.open_fingerprint
            )
            error = (
                f"Already {_verb(earlier.status)} as ID {earlier.id or '(not known)'} in run {earlier.run}, and edited "
                "since: the edit is not sent. Undo it, or make the change in the system itself."
            )
            planned.append(
                NewRow(
                    sheet=self.sheet,
                    row=row.number,
                    resource=self.resource.full_name,
                    action=CREATE,
                    status=Status.INVALID if edited else Status.UNCHANGED,
                    id=earlier.id,
                    error=error if edited else "",
                )
            )
        return planned

    def fingerprint(self, values: Mapping[str, Any], *, with_secrets: bool = True) -> str:
        """The keyed hash of a row's canonical values by place, blanks left out."""
        placed = {
            f"{column.place}{column.pointer}": values[column.name]
            for column in self.resource.columns
            if column.name in values and (with_secrets or not column.secret)
        }
        content = json.dumps([FINGERPRINT, self.resource.full_name, placed], sort_keys=True, ensure_ascii=False)
        return self.journal.keyed_hash(content)

    def _ordinal(self, content: str, claim: Known | None) -> int:
        """Which of its file's equal rows this is; a row of a result is the one that it was."""
        self.counted.rows[content] += 1
        return claim.ordinal if claim and claim.fingerprint == content else self.counted.rows[content]

    def _key(self, values: Mapping[str, Any]) -> str:
        id_column = self.resource.id_column
        if id_column and id_column.name in values:
            return f"id:{values[id_column.name]}"
        if not any(name in values for name in self.resource.key):
            return ""
        columns = [c for c in self.resource.columns if c.place == "path" or c.name in self.resource.key]
        text = json.dumps({column.name: values.get(column.name) for column in columns}, ensure_ascii=False)
        return self.journal.keyed_hash(text) if any(column.secret for column in columns) else text

    def _decide(
        self, row: Row, content: str, ordinal: int, known: Known | None, key: str, namesake: Known | None
    ) -> NewRow:
        updates = key.startswith("id:")
        # The record may have been changed and changed back: what counts is the last update of this record.
        known = namesake if updates and namesake else known
        status, error, action = Status.NOT_SENT, "", UPDATE if updates else CREATE
        record = str(row.values[self.resource.id_column.name]) if updates and self.resource.id_column else ""
        open_one = next((one for one in (known, namesake) if one and one.status not in DONE), None)
        if open_one:
            status, error = Status.UNKNOWN, _may_exist(open_one)
        elif known and known.fingerprint == content and not self.wishes.again:
            status, record = Status.UNCHANGED, known.id
        elif namesake and not updates and not self.wishes.again:
            if self.wishes.update and self.resource.update and namesake.id:
                action, record = UPDATE, namesake.id
            else:
                status, error, record = Status.INVALID, self._other_values(namesake), namesake.id
        return NewRow(
            sheet=self.sheet,
            row=row.number,
            resource=self.resource.full_name,
            action=action,
            status=status,
            fingerprint=content,
            ordinal=ordinal,
            open_fingerprint=self.fingerprint(row.values, with_secrets=False),
            key=key,
            id=record,
            error=error,
        )

    def _other_values(self, namesake: Known) -> str:
        how = "--update changes it, --again" if self.resource.update else "--again"
        return (
            f"Already created as ID {namesake.id or '(not known)'} in run {namesake.run} (row {namesake.row}), "
            f"with other values. {how} sends this row as a new record."
        )


def made_already(known: Mapping[int, Known]) -> dict[int, Known]:
    """Of the rows that a result names, those that were made."""
    return {row: one for row, one in known.items() if one.status in DONE}


def request(
    resource: Resource,
    sheet: str,
    row: Row,
    action: str,
    record: str,
    settings: Mapping[str, str],
    headers: Mapping[str, str],
) -> Request:
    """The call that a row becomes. `record` is the ID of the record to update, "" for a new one."""
    operation = resource.update if action == UPDATE and resource.update else resource.create
    path_values = {
        c.name: str(row.values[c.name]) for c in resource.columns if c.place == "path" and c.name in row.values
    }
    if record and resource.id_column:
        path_values[resource.id_column.name] = record
    given = {**_settings(operation, settings), **path_values}
    return Request(
        sheet=sheet,
        row=row.number,
        action=action,
        method=operation.method,
        path=_path(operation, given),
        query=tuple((p.name, given[p.name]) for p in operation.parameters if p.place == "query" and p.name in given),
        headers={
            "Content-Type": "application/json",
            "Accept": "application/json",
            **headers,
            **{p.name: given[p.name] for p in operation.parameters if p.place == "header" and p.name in given},
        },
        body=resource.body(row.values),
        secrets=_secrets(resource, row.values),
    )


def _settings(operation: Operation, settings: Mapping[str, str]) -> dict[str, str]:
    """The operation's parameters as the connection sets them; a required one that it doesn't set has its default."""
    given = {p.name: p.default for p in operation.parameters if p.required and p.default is not None}
    return {**given, **{p.name: settings[p.name] for p in operation.parameters if p.name in settings}}


def _path(operation: Operation, given: Mapping[str, str]) -> str:
    path = operation.path
    for parameter in operation.parameters:
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", quote(given[parameter.name], safe=""))
    return path


def _secrets(resource: Resource, values: Mapping[str, Any]) -> tuple[str, ...]:
    found: list[str] = []
    for column in resource.columns:
        if column.secret and column.name in values:
            value = values[column.name]
            found += [str(part) for part in (value if isinstance(value, list) else [value])]
    return tuple(found)


def _can_not_tell(values: Mapping[str, Any]) -> bool:
    """A cell that a result had to cut can't be compared with what was sent."""
    return any("… [cut, " in str(value) or value == MASK for value in values.values())


def _may_exist(known: Known) -> str:
    return (
        f"Not sent: this row went out in run {known.run} (row {known.row}) and what became of it is unknown: it may "
        f"exist. Look it up; see: bulkload result {known.run}"
    )


def _verb(status: Status) -> str:
    return "updated" if status is Status.UPDATED else "created"
