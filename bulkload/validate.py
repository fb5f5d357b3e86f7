"""Sheet → typed rows and Findings: every problem of every row, whole columns at a time, through the pandera schema."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any
from unicodedata import is_normalized

import numpy as np
import pandas as pd
import pandera.pandas as pa

from bulkload import damage, schema
from bulkload.distinct import Codes, Flags, Table
from bulkload.finding import Said, of_cell, of_value, quoted
from bulkload.hashes import Hashed, mixed
from bulkload.header import unguarded
from bulkload.keys import Key, comparing, keys, same
from bulkload.models import MASK, Claim, Finding, Frame, Row, Severity
from bulkload.reading import Reader
from bulkload.recognise import Assigned
from bulkload.resource import Column
from bulkload.schema import RowCheck
from bulkload.seen import Seen
from bulkload.totals import total_rows
from bulkload.typed import TypedColumn, TypedFrame

_ROW = re.compile(r"[0-9]{1,7}")
# The rules that zeros in front may mend.
_TOO_SHORT = frozenset({"pattern", "minLength"})
_APART = "A letter and its accent are two characters here."


@dataclass(frozen=True, slots=True)
class Checked:
    """What a frame holds: `rows` may be sent, `done` are of an earlier run, the `invalid` row numbers are neither.

    `by_column` has the values of the `rows` once more.
    """

    rows: tuple[Row, ...]
    by_column: Table
    done: tuple[Row, ...]
    invalid: frozenset[int]
    findings: tuple[Finding, ...]


class Validator:
    """Checks the frames of one sheet, one after the other. `seen` is shared by the sheets of one resource."""

    def __init__(self, assigned: Assigned, seen: Seen) -> None:
        self.assigned = assigned
        self._resource = assigned.resource
        self._seen = seen
        self._reader = Reader(assigned)
        self._places = self._reader.places
        self._lists = {column.name: schema.list_checks(column) for column in self._resource.columns}
        self._values = {column.name: schema.value_checks(column) for column in self._resource.columns}
        self._rows = schema.row_checks(self._resource)
        self._keys = keys(self._resource)
        self._bodies = {
            operation.id: schema.validator(operation.body, f"the body of {operation.id}")
            for operation in (self._resource.create, self._resource.update)
            if operation and operation.body
        }

    def check(self, frame: Frame, done: AbstractSet[int] = frozenset()) -> Checked:
        """Check every row of a frame. The rows in `done` are only read: they are not sent again."""
        cells = self._reader.read(frame)
        is_done = np.isin(cells.numbers, list(done)) if done else np.zeros(len(cells.numbers), dtype=np.bool_)
        findings = [*cells.findings, *self._cell_findings(cells), *self._row_findings(cells)]
        findings += self._repeated(cells, is_done)
        findings += total_rows(self.assigned.sheet.name, frame, self.assigned.columns)
        if done:
            findings = [finding for finding in findings if finding.row not in done]
        faulty = _faulty(findings)
        places = np.flatnonzero(~(is_done | np.isin(cells.numbers, list(faulty))))
        good = cells.rows(places)
        if wrong := list(self._body_findings(good)):
            findings += wrong
            refused = _faulty(wrong)
            faulty |= refused
            good = [row for row in good if row.number not in refused]
            places = places[~np.isin(cells.numbers[places], list(refused))]
        findings.sort(key=lambda finding: (finding.row, finding.column or 0))
        rows_done = tuple(cells.rows(np.flatnonzero(is_done))) if done else ()
        return Checked(tuple(good), cells.by_column(places), rows_done, faulty, tuple(findings))

    def read(self, frame: Frame) -> Iterator[Row]:
        """The typed rows of a frame that was checked before."""
        return iter(self._reader.read(frame).rows())

    # The rules

    def _cell_findings(self, cells: TypedFrame) -> Iterator[Finding]:
        for column in self._resource.columns:
            one = cells.columns[column.name]
            if schema.always_required(self._resource, column):
                required = of_cell(column, "required", schema.REQUIRED, "")
                missing = np.flatnonzero(~(one.filled | one.settled))
                yield from (self._places.finding(row, column, required) for row in cells.numbers[missing].tolist())
            for place, code in one.cells.places(said := self._failures(one)):
                number = int(cells.numbers[place])
                yield from (self._places.finding(number, column, of_cell) for of_cell in said[code])
            yield from self._decomposed(cells, one)

    def _failures(self, one: TypedColumn) -> Mapping[int, list[Said]]:
        """What fails the checks, by the code of the text; a member that stands twice in a list is told once."""
        column, values = one.column, one.typed
        text = pd.Series(one.cells.texts, dtype=object).loc[values.index]
        told: dict[int, list[Said]] = {}
        self._failing(column, self._lists[column.name], values, text, told)
        if column.many and self._values[column.name]:
            values = schema.members(values)
            text = values.map(str)
        self._failing(column, self._values[column.name], values, text, told)
        return told

    def _failing(
        self,
        column: Column,
        checks: Iterable[pa.Check],
        values: pd.Series,
        text: pd.Series,
        told: dict[int, list[Said]],
    ) -> None:
        for check in checks:
            passed = schema.passes(check, values).to_numpy()
            if passed.all():
                continue
            failed = text[~passed]
            for code, value in dict.fromkeys(zip(failed.index.tolist(), failed.tolist(), strict=True)):
                told.setdefault(code, []).append(self._failure(column, check, value))

    def _failure(self, column: Column, check: pa.Check, value: str) -> Said:
        rule, says = str(check.name), str(check.error)
        said = of_value(column, rule, value, says)
        meant = "" if rule not in _TOO_SHORT or column.secret else damage.zeros_lost(value, self._reader.fits(column))
        return replace(said, message=said.message + meant) if meant else said

    def _decomposed(self, cells: TypedFrame, one: TypedColumn) -> Iterator[Finding]:
        """Keys whose letters and accents are typed apart are compared as those that are typed together."""
        column = one.column
        if column.type != "string" or not any(column in key.own for key in self._keys if not key.whole_row):
            return
        apart = {code: text for code, text in enumerate(one.cells.texts) if not is_normalized("NFC", text)}
        for place, code in one.cells.places(apart):
            text = apart[code]
            says = of_cell(column, "composed", _composed(column, text), text, Severity.NOTE)
            yield self._places.finding(int(cells.numbers[place]), column, replace(says, cause=_APART))

    def _row_findings(self, cells: TypedFrame) -> Iterator[Finding]:
        for one in self._rows:
            first, alike = _alike(one, cells)
            names = [column.name for column in one.columns or self._resource.columns[:1]]
            passed = schema.passes(one.check, cells.table(names, first)).to_numpy()
            if passed.all():
                continue
            failed = ~passed[alike]
            for column in one.columns:
                failed &= ~cells.columns[column.name].settled
            rows = np.flatnonzero(failed)
            shown = cells.columns[one.marked.name].shown if one.marked else None
            text = shown.spread(shown.texts, rows) if shown else [""] * len(rows)
            for row, value in zip(cells.numbers[rows].tolist(), text, strict=True):
                said = of_cell(one.marked, str(one.check.name), str(one.check.error), value, one.severity)
                yield self._places.finding(row, one.marked, said)

    def _repeated(self, cells: TypedFrame, done: Flags) -> Iterator[Finding]:
        """Rows with the key of an earlier row of the file, whichever frame or sheet of the resource that stood in."""
        for key in self._keys:
            marked = None if key.whole_row else key.own[0]
            places, hashes = self._hashed(key, cells, done)
            seen = self._seen.of(key, self._places.sheet, self._places.named(0, marked)[:-1])
            for place, first in seen.repeated(hashes, cells.numbers[places]):
                row = int(places[place])
                said = [self._shown(cells, column, row) for column in key.columns]
                message = _repetition(key, said, first)
                value = said[0] if marked else ""
                told = replace(of_cell(marked, "unique", message, value, key.severity), cause=key.says)
                yield self._places.finding(int(cells.numbers[row]), marked, told)

    def _shown(self, cells: TypedFrame, column: Column, place: int) -> str:
        shown = cells.columns[column.name].shown
        return shown.texts[int(shown.codes[place])]

    def _hashed(self, key: Key, cells: TypedFrame, done: Flags) -> tuple[Codes, Hashed]:
        """The places of the rows that have the key, and the hash of what each has in it."""
        id_column = self._resource.id_column
        chosen = ~done & np.logical_or.reduce([cells.columns[column.name].filled for column in key.own])
        if id_column is not None:
            chosen &= cells.columns[id_column.name].filled == key.updates
        for column in key.columns:
            chosen &= ~cells.columns[column.name].settled
        places = np.flatnonzero(chosen)
        hashes = np.zeros(len(places), dtype=np.uint64)
        for column in key.columns:
            of_column = cells.columns[column.name]
            values = map(comparing(column), of_column.values)
            hashes += _key_hashes(column.name, values)[of_column.cells.codes[places]]
        for one in key.given:
            hashes += _key_hashes(one.name, [comparing(one)(self._seen.accounts.get(one.name, ""))])
        return places, hashes

    def _body_findings(self, rows: Sequence[Row]) -> Iterator[Finding]:
        """Hold each finished body against the API's own JSON Schema, for what no check of columns could say."""
        id_column, update, create = self._resource.id_column, self._resource.update, self._resource.create
        id_name = id_column.name if id_column else ""
        of_create, of_update = self._bodies.get(create.id), self._bodies.get(update.id) if update else None
        made = self._resource.bodies()
        for row in rows:
            judge = of_update if update and id_name in row.values else of_create
            body = made(row.values)
            if judge is None or judge.is_valid(body):
                continue
            found = {self._column_at(error.instance_path): error.message for error in judge.iter_errors(body)}
            for name, message in found.items():
                column = self._resource.column(name) if name else None
                says = f"The API's document doesn't allow this: {message}. Change it."
                yield self._places.finding(row.number, column, of_cell(column, "schema", says, ""))

    def _column_at(self, path: Sequence[str | int]) -> str:
        """The name of the column whose value stands at or above a place in the body, "" where there is none."""
        pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
        columns = (column for column in self._resource.columns if column.place == "body")
        return next((column.name for column in columns if f"{pointer}/".startswith(f"{column.pointer}/")), "")


def claims(assigned: Assigned, frame: Frame) -> dict[int, Claim]:
    """What the rows of a result workbook say of themselves, by row number; empty for any other sheet."""
    if not assigned.is_result:
        return {}
    titles = ("Import run", "Source row", "Import status", "Import ID")
    columns = [frame.text[assigned.own[title]].tolist() for title in titles]
    if assigned.sheet.from_text:
        columns = [list(map(unguarded, texts)) for texts in columns]
    return {
        row: Claim(run, int(source) if _ROW.fullmatch(source) else 0, status, record)
        for row, run, source, status, record in zip(frame.text.index.tolist(), *columns, strict=True)
        if run
    }


def _key_hashes(name: str, values: Iterable[Any]) -> Hashed:
    """A hash of each value of a key's column of this name."""
    hashes = [hash((name, value if type(value) is str else repr(value))) for value in values]
    return mixed(np.array(hashes, dtype=np.int64).view(np.uint64))


def _faulty(findings: Iterable[Finding]) -> frozenset[int]:
    return frozenset(finding.row for finding in findings if finding.severity is Severity.ERROR)


def _alike(one: RowCheck, cells: TypedFrame) -> tuple[Codes, Codes]:
    """The first of all rows that are alike to a check, and for each row which of these it is like."""
    alike = np.zeros(len(cells.numbers), dtype=np.intp)
    for column in one.columns:
        of_column = cells.columns[column.name]
        part = of_column.cells.codes if column in one.valued else of_column.filled.astype(np.intp)
        alike = _numbered(alike * (int(part.max(initial=0)) + 1) + part)[1]
    return _numbered(alike)


def _numbered(kinds: Codes) -> tuple[Codes, Codes]:
    """The place where each kind stands first, and for each place which of these it is."""
    _, first, alike = np.unique(kinds, return_index=True, return_inverse=True)
    return first, alike


def _composed(column: Column, text: str) -> str:
    shown = MASK if column.secret else same(text)
    return f"{_APART} It was compared as {quoted(shown)}."


def _repetition(key: Key, said: Sequence[str], first: str) -> str:
    """`Account ID "12345" stands in Kazoo PBXs!D2 already. Take one of the two rows out.`"""
    if key.whole_row:
        return f"This row is the same as {first}. Both will be sent."
    parts = [
        f"{column.title} {quoted(MASK if column.secret else text)}" if text else f"no {column.title}"
        for column, text in zip(key.columns, said, strict=True)
    ]
    what = f"{' and '.join(parts)} {'stands' if len(parts) == 1 else 'stand'} in {first} already."
    if key.updates:
        return f"{what} Both rows would update the same record: take one of them out."
    return f"{what} {'Take one of the two rows out.' if key.severity is Severity.ERROR else 'Both rows will be sent.'}"
