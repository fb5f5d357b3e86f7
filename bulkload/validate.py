"""Sheet → typed rows and Findings: every problem of every row, whole columns at a time, through the pandera schema."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import pandas as pd
import pandera.pandas as pa

from bulkload import schema
from bulkload.models import CLEAR, MASK, Claim, Finding, Frame, Row, Severity, Spoilt, column_letter
from bulkload.recognise import Assigned
from bulkload.resource import Column, Operation
from bulkload.schema import Key
from bulkload.totals import total_rows
from bulkload.values import empty_value, typed

_SPOILT = {
    "rounded number": (
        "is a number of more than 15 digits: the spreadsheet has rounded it. "
        "Format the cell as Text and type the whole number again."
    ),
    "no date": "is shown as a date, but no calendar has that day. Correct it, or format the cell as Text.",
    "error cell": "is an error of the spreadsheet. Correct the formula, or type the value.",
    "formula without value": (
        "is a formula whose value the file doesn't hold. Open the file in Excel, save it, and import it again."
    ),
}
_HIDDEN = "The value was hidden when the result was written. Type it again."
_NOT_UPDATED = f"{CLEAR} empties a field of a record that is updated, but this row creates one. Leave the cell empty."
_CUT = re.compile(r"… \[cut, [0-9]+ characters\]$")
_CUT_SAYS = "The text was cut when the result was written. Copy it from the file that was imported first."
# How much of a value a message quotes.
_SHOWN = 60
_ROW = re.compile(r"[0-9]{1,7}")
# What a CSV result guards with an apostrophe more, so that a spreadsheet program runs nothing.
_GUARDED = r"^'(?='*[=+\-@\t\r＝＋－＠])"


@dataclass(slots=True)
class Seen:
    """What has to be unique in a file, over all frames and sheets of a resource: key → the cell where it stood first.

    A key is a digest of its values, so that a large file takes little memory and no secret is kept.
    """

    cells: dict[bytes, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a frame holds: `rows` may be sent, `done` are of an earlier run, the `invalid` row numbers are neither."""

    rows: tuple[Row, ...]
    done: tuple[Row, ...]
    invalid: frozenset[int]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Typed:
    """A frame as values. `settled` are the rows of each column whose cell is done with: faulty and told, or emptied.

    `text` and `values` are by column name and row; `emptied` holds what `(clear)` sends, by row and column name.
    """

    text: pd.DataFrame
    values: pd.DataFrame
    emptied: Mapping[int, Mapping[str, Any]]
    settled: Mapping[str, AbstractSet[int]]
    findings: Sequence[Finding]

    def rows(self) -> Iterator[Row]:
        for number, values in zip(self.values.index.tolist(), schema.records(self.values), strict=True):
            yield Row(number, {**values, **self.emptied.get(number, {})})


class Validator:
    """Checks the frames of one sheet, one after the other. `seen` is shared by the sheets of one resource."""

    def __init__(self, assigned: Assigned, seen: Seen) -> None:
        self.assigned = assigned
        self._resource = assigned.resource
        self._seen = seen
        self._positions = {column.name: position for position, column in assigned.columns.items()}
        self._lists = {column.name: schema.list_checks(column) for column in self._resource.columns}
        self._values = {column.name: schema.value_checks(column) for column in self._resource.columns}
        self._rows = schema.row_checks(self._resource)
        self._keys = schema.keys(self._resource)
        self._bodies = {
            operation.id: schema.validator(operation.body, f"the body of {operation.id}")
            for operation in (self._resource.create, self._resource.update)
            if operation and operation.body
        }

    def check(self, frame: Frame, done: AbstractSet[int] = frozenset()) -> Checked:
        """Check every row of a frame. The rows in `done` are only read: they are not sent again."""
        cells = self._type(frame)
        findings = [*cells.findings, *self._cell_findings(cells), *self._row_findings(cells)]
        findings += self._repeated(cells, done)
        findings += total_rows(self.assigned.sheet.name, frame, self.assigned.columns)
        findings = [finding for finding in findings if finding.row not in done]
        rows = list(cells.rows())
        faulty = _faulty(findings) | done
        findings += self._body_findings([row for row in rows if row.number not in faulty])
        invalid = _faulty(findings)
        return Checked(
            rows=tuple(row for row in rows if row.number not in invalid and row.number not in done),
            done=tuple(row for row in rows if row.number in done),
            invalid=invalid,
            findings=tuple(sorted(findings, key=lambda finding: (finding.row, finding.column or 0))),
        )

    def read(self, frame: Frame) -> Iterator[Row]:
        """The typed rows of a frame that was checked before."""
        return self._type(frame).rows()

    # From text to values

    def _type(self, frame: Frame) -> _Typed:
        text = pd.DataFrame({column.name: self._text(column, frame) for column in self._resource.columns})
        spoilt: dict[str, list[Spoilt]] = {}
        for cell in frame.spoilt:
            if column := self.assigned.columns.get(cell.column):
                spoilt.setdefault(column.name, []).append(cell)
        id_column = self._resource.id_column
        updates: set[int] = set()
        if id_column:
            updates = set(text.index[text[id_column.name] != ""].tolist())
            updates |= {cell.row for cell in spoilt.get(id_column.name, ())}
        values: dict[str, pd.Series] = {}
        settled: dict[str, AbstractSet[int]] = {}
        emptied: dict[int, dict[str, Any]] = {}
        findings: list[Finding] = []
        for column in self._resource.columns:
            cells = text[column.name]
            found = list(self._unusable(column, cells, spoilt.get(column.name, ())))
            cleared, wrong = self._cleared(column, cells, updates)
            for row in cleared:
                emptied.setdefault(row, {})[column.name] = empty_value(column)
            found += wrong
            unread = {finding.row for finding in found} | cleared
            values[column.name], faults = typed(column, cells.mask(cells.index.isin(list(unread)), ""))
            for row, of_cell in faults.items():
                found += [self._value_finding(row, column, one.rule, one.value, one.says) for one in of_cell]
            settled[column.name] = unread | faults.keys()
            findings += found
        return _Typed(text, pd.DataFrame(values, index=text.index), emptied, settled, findings)

    def _text(self, column: Column, frame: Frame) -> pd.Series:
        """The text of a column's cells, "" where blank or where the sheet lacks the column."""
        if column.name not in self._positions:
            return pd.Series("", index=frame.text.index, dtype="str")
        text = frame.text[self._positions[column.name]]
        if self.assigned.is_result and self.assigned.sheet.from_text:
            text = text.str.replace(_GUARDED, "", regex=True)
        stripped = text.str.strip()
        # Blanks around a password may be part of it.
        return text.where(stripped != "", "") if column.secret else stripped

    def _unusable(self, column: Column, cells: pd.Series, spoilt: Iterable[Spoilt]) -> Iterator[Finding]:
        """The cells that don't hold what a person typed: spoilt by the file, hidden or cut by an earlier result."""
        for cell in spoilt:
            # 0.1 + 0.2 has 17 digits, and a column of numbers takes it.
            if not (cell.kind == "rounded number" and column.type == "number" and "." in cell.found):
                yield self._value_finding(cell.row, column, cell.kind, cell.found, _SPOILT[cell.kind])
        if column.secret:
            for row in cells.index[cells == MASK]:
                yield self._finding(row, column, "masked", _HIDDEN, MASK)
        if self.assigned.is_result:
            for row, text in cells[cells.str.contains(_CUT)].items():
                yield self._finding(int(str(row)), column, "cut", _CUT_SAYS, text)

    def _cleared(
        self, column: Column, cells: pd.Series, updates: AbstractSet[int]
    ) -> tuple[AbstractSet[int], list[Finding]]:
        """The rows whose cell says `(clear)` and may, and what is wrong with the others that say it."""
        rows = set(cells.index[cells.str.casefold() == CLEAR].tolist())
        allowed = rows & updates if column.place == "body" else set()
        wrong = [self._finding(row, column, "clear", _NOT_UPDATED, CLEAR) for row in rows - allowed]
        try:
            empty_value(column)
        except ValueError as error:
            wrong += [self._finding(row, column, "clear", str(error), CLEAR) for row in allowed]
            allowed = set()
        return allowed, wrong

    # The rules

    def _cell_findings(self, cells: _Typed) -> Iterator[Finding]:
        for column in self._resource.columns:
            values = cells.values[column.name]
            if schema.always_required(self._resource, column):
                missing = values.index[values.isna()].difference(list(cells.settled[column.name]), sort=False)
                yield from (self._finding(row, column, "required", schema.REQUIRED, "") for row in missing)
            filled = values.dropna()
            text = cells.text[column.name].loc[filled.index]
            yield from self._failures(column, self._lists[column.name], filled, text)
            if column.many:
                filled = schema.members(filled)
                text = filled.map(str)
            yield from self._failures(column, self._values[column.name], filled, text)

    def _failures(
        self, column: Column, checks: Iterable[pa.Check], values: pd.Series, text: pd.Series
    ) -> Iterator[Finding]:
        """What fails the checks; a member that stands twice in a list is told once. `text` is what a person reads."""
        for check in checks:
            failed = text[~schema.passes(check, values).to_numpy()]
            for row, value in dict.fromkeys(zip(failed.index.tolist(), failed.tolist(), strict=True)):
                yield self._value_finding(row, column, str(check.name), value, str(check.error))

    def _row_findings(self, cells: _Typed) -> Iterator[Finding]:
        for one in self._rows:
            settled = set[int]().union(*(cells.settled[column.name] for column in one.columns))
            failed = ~schema.passes(one.check, cells.values) & ~cells.values.index.isin(list(settled))
            text = cells.text.loc[failed, one.marked.name].tolist() if one.marked else [""] * int(failed.sum())
            for row, value in zip(failed.index[failed].tolist(), text, strict=True):
                yield self._finding(row, one.marked, str(one.check.name), str(one.check.error), value, one.severity)

    def _repeated(self, cells: _Typed, done: AbstractSet[int]) -> Iterator[Finding]:
        """Rows with the key of an earlier row of the file, whichever frame or sheet of the resource that stood in."""
        for key in self._keys:
            unsure = set(done).union(*(cells.settled[column.name] for column in key.columns))
            identities = schema.identities(self._resource, key, cells.values.drop(index=list(unsure)))
            marked = None if key.whole_row else key.own[0]
            for row, identity in zip(identities.index.tolist(), identities.tolist(), strict=True):
                digest = blake2b(f"{key.updates}{identity}".encode(), digest_size=16).digest()
                place = self._place(row, marked)
                first = self._seen.cells.setdefault(digest, place)
                if first != place:
                    said = [str(cells.text.at[row, column.name]) for column in key.columns]
                    message = _repetition(key, said, first)
                    value = said[0] if marked else ""
                    yield self._finding(row, marked, "unique", message, value, key.severity, cause=key.says)

    def _place(self, row: int, column: Column | None) -> str:
        position = self._positions.get(column.name) if column else None
        sheet = self.assigned.sheet.name
        return f"{sheet}!{column_letter(position)}{row}" if position else f"{sheet} row {row}"

    def _body_findings(self, rows: Sequence[Row]) -> Iterator[Finding]:
        """Hold each finished body against the API's own JSON Schema, for what no check of columns could say."""
        id_column = self._resource.id_column
        for row in rows:
            update = self._resource.update if id_column and id_column.name in row.values else None
            operation: Operation = update or self._resource.create
            judge = self._bodies.get(operation.id)
            body = self._resource.body(row.values)
            if judge is None or judge.is_valid(body):
                continue
            found = {self._column_at(error.instance_path): error.message for error in judge.iter_errors(body)}
            for name, message in found.items():
                column = self._resource.column(name) if name else None
                says = f"The API's document doesn't allow this: {message}. Change it."
                yield self._finding(row.number, column, "schema", says, "")

    def _column_at(self, path: Sequence[str | int]) -> str:
        """The name of the column whose value stands at or above a place in the body, "" where there is none."""
        pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
        columns = (column for column in self._resource.columns if column.place == "body")
        return next((column.name for column in columns if f"{pointer}/".startswith(f"{column.pointer}/")), "")

    # Findings

    def _value_finding(self, row: int, column: Column, rule: str, value: str, says: str) -> Finding:
        """A finding whose message quotes the value. One of a value not allowed is a cause of its own."""
        shown = MASK if column.secret and value else value
        message = f"{_quoted(shown)} {says}"
        return self._finding(row, column, rule, message, value, cause=message if rule == "enum" else says)

    def _finding(
        self,
        row: int,
        column: Column | None,
        rule: str,
        message: str,
        value: str,
        severity: Severity = Severity.ERROR,
        *,
        cause: str = "",
    ) -> Finding:
        position = self._positions.get(column.name) if column else None
        if column and position is None:
            message = f"{column.title}: {message} The sheet has no such column: add it."
        return Finding(
            sheet=self.assigned.sheet.name,
            row=row,
            column=position,
            title=column.title if column else "",
            value=MASK if column and column.secret and value else value,
            rule=rule,
            message=message,
            severity=severity,
            cause=cause,
        )


def claims(assigned: Assigned, frame: Frame) -> dict[int, Claim]:
    """What the rows of a result workbook say of themselves, by row number; empty for any other sheet."""
    if not assigned.is_result:
        return {}
    titles = ("Import run", "Source row", "Import status", "Import ID")
    columns = [frame.text[assigned.own[title]].str.lstrip("'").tolist() for title in titles]
    return {
        row: Claim(run, int(source) if _ROW.fullmatch(source) else 0, status, record)
        for row, run, source, status, record in zip(frame.text.index.tolist(), *columns, strict=True)
        if run
    }


def _faulty(findings: Iterable[Finding]) -> frozenset[int]:
    return frozenset(finding.row for finding in findings if finding.severity is Severity.ERROR)


def _quoted(value: str) -> str:
    """A value in quotes, short and on one line: control characters are written out."""
    shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
    plain = (one if one.isprintable() else one.encode("unicode_escape").decode() for one in shown)
    return f'"{shown if shown.isprintable() else "".join(plain)}"'


def _repetition(key: Key, said: Sequence[str], first: str) -> str:
    """`Account ID "12345" stands in Kazoo PBXs!D2 already. Take one of the two rows out.`"""
    if key.whole_row:
        return f"This row is the same as {first}. Both will be sent."
    parts = [
        f"{column.title} {_quoted(MASK if column.secret else text)}" if text else f"no {column.title}"
        for column, text in zip(key.columns, said, strict=True)
    ]
    what = f"{' and '.join(parts)} {'stands' if len(parts) == 1 else 'stand'} in {first} already."
    if key.updates:
        return f"{what} Both rows would update the same record: take one of them out."
    return f"{what} {'Take one of the two rows out.' if key.severity is Severity.ERROR else 'Both rows will be sent.'}"
