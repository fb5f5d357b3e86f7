"""Sheet → typed rows and Findings: every problem of every row, whole columns at a time, through the pandera schema."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs
import pandas as pd
import pandera.pandas as pa

from bulkload import schema
from bulkload.models import CLEAR, MASK, RESULT_COLUMNS, Claim, Finding, Frame, Row, Severity, Spoilt
from bulkload.recognise import Assigned
from bulkload.resource import Column, Operation, Resource
from bulkload.values import empty_value, typed

_SPOILT = {
    "rounded number": (
        "is a number of more than 15 digits: the spreadsheet has rounded it. "
        "Format the cell as Text and type the whole number again."
    ),
    "error cell": "is an error of the spreadsheet. Correct the formula, or type the value.",
    "formula without value": (
        "is a formula whose value the file doesn't hold. Open the file in Excel, save it, and import it again."
    ),
}
_SHOWN = 60
# Characters that a CSV result guards with an apostrophe, so that a spreadsheet program runs nothing.
GUARDED = "=+-@\t\r＝＋－＠"


@dataclass(slots=True)
class Seen:
    """What has to be unique in a file, over all its frames and sheets: value → the place where it stood first."""

    keys: dict[tuple[Any, ...], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a frame holds: `rows` may be sent, `done` are of an earlier run, the `invalid` row numbers are neither."""

    rows: tuple[Row, ...]
    done: tuple[Row, ...]
    invalid: frozenset[int]
    findings: tuple[Finding, ...]


class Validator:
    """Checks the frames of one sheet, one after the other."""

    def __init__(self, assigned: Assigned, seen: Seen) -> None:
        self.assigned = assigned
        self._resource = assigned.resource
        self._seen = seen
        self._positions = {column.name: position for position, column in assigned.columns.items()}
        built = schema.build(self._resource)
        self._checks: dict[str, list[pa.Check]] = {name: column.checks for name, column in built.columns.items()}
        self._rules = [
            (rule, check, severity)
            for severity in Severity
            for rule, check in schema.rule_checks(self._resource, severity)
        ]
        self._bodies = {
            operation.id: jsonschema_rs.Draft202012Validator(dict(operation.body), validate_formats=True)
            for operation in (self._resource.create, self._resource.update)
            if operation and operation.body
        }

    def check(self, frame: Frame, done: AbstractSet[int] = frozenset()) -> Checked:
        """Check every row of a frame. The rows in `done` are only read: they are not sent again."""
        cells = self._cells(frame)
        findings = self._spoilt_cells(frame.spoilt, cells)
        cleared = self._take_cleared(cells, findings)
        values = pd.DataFrame(index=cells.index)
        for column in self._resource.columns:
            values[column.name] = self._column_values(column, cells, findings, done)
        faulty = {(finding.row, finding.column) for finding in findings}
        for column in self._resource.columns:
            findings += self._column_findings(column, values[column.name], cells, cleared, faulty)
        findings += self._rule_findings(values, faulty)
        findings += self._repeated(values.drop(index=list(done)))
        findings = [finding for finding in findings if finding.row not in done]
        invalid = {finding.row for finding in findings if finding.severity is Severity.ERROR}
        rows = list(self._rows(values, cleared))
        findings += self._body_findings([row for row in rows if row.number not in invalid | done])
        invalid |= {finding.row for finding in findings if finding.severity is Severity.ERROR}
        return Checked(
            rows=tuple(row for row in rows if row.number not in invalid | done),
            done=tuple(row for row in rows if row.number in done),
            invalid=frozenset(invalid),
            findings=tuple(sorted(findings, key=lambda finding: (finding.row, finding.column or 0))),
        )

    def read(self, frame: Frame) -> Iterator[Row]:
        """The typed rows of a frame that was checked before."""
        cells = self._cells(frame)
        cleared = self._take_cleared(cells, [])
        values = pd.DataFrame(index=cells.index)
        for column in self._resource.columns:
            values[column.name] = self._column_values(column, cells, [], frozenset())
        yield from self._rows(values, cleared)

    # From text to values

    def _cells(self, frame: Frame) -> pd.DataFrame:
        """The text of each column by name, "" where blank or where the sheet lacks the column."""
        cells = pd.DataFrame(index=frame.text.index)
        for column in self._resource.columns:
            if column.name not in self._positions:
                cells[column.name] = pd.Series("", index=frame.text.index, dtype="str")
                continue
            text = frame.text[self._positions[column.name]]
            if self.assigned.is_result and self.assigned.sheet.from_text:
                text = text.str.replace(rf"^'(?=[{GUARDED}])", "", regex=True)
            stripped = text.str.strip()
            # Blanks around a password may be part of it.
            cells[column.name] = text.where(stripped != "", "") if column.secret else stripped
        return cells

    def _spoilt_cells(self, spoilt: Sequence[Spoilt], cells: pd.DataFrame) -> list[Finding]:
        findings = []
        for cell in spoilt:
            column = self.assigned.columns.get(cell.column)
            if column is not None:
                cells.loc[cell.row, column.name] = ""
                findings.append(self._finding(cell.row, column, cell.kind, _SPOILT[cell.kind], cell.found))
        return findings

    def _take_cleared(self, cells: pd.DataFrame, findings: list[Finding]) -> dict[tuple[int, str], Any]:
        """Take the cells that say `(clear)` out of the text: (row, column name) → the value that empties the field."""
        cleared: dict[tuple[int, str], Any] = {}
        id_column = self._resource.id_column
        for column in self._resource.columns:
            for row in cells.index[cells[column.name] == CLEAR]:
                cells.loc[row, column.name] = ""
                try:
                    if id_column is None or column.place == "path" or cells.loc[row, id_column.name] == "":
                        raise ValueError(f"{CLEAR} empties a field of a record that is updated; here none is.")
                    cleared[row, column.name] = empty_value(column)
                except ValueError as error:
                    findings.append(self._finding(row, column, "clear", str(error), CLEAR, sentence=True))
        return cleared

    def _column_values(
        self,
        column: Column,
        cells: pd.DataFrame,
        findings: list[Finding],
        done: AbstractSet[int],
    ) -> pd.Series:
        text = cells[column.name]
        masked = text.index[text == MASK] if column.secret else text.index[:0]
        for row in masked:
            if row not in done:
                message = "The value was hidden in the result. Type it again."
                findings.append(self._finding(row, column, "masked", message, MASK, sentence=True))
        values, faults = typed(column, text.where(~text.index.isin(masked), ""))
        findings += [self._finding(row, column, "type", says, text[row]) for row, says in faults.items()]
        return values

    def _rows(self, values: pd.DataFrame, cleared: dict[tuple[int, str], Any]) -> Iterator[Row]:
        by_column = {name: _plain_values(values[name]) for name in values.columns}
        emptied: dict[int, dict[str, Any]] = {}
        for (row, name), value in cleared.items():
            emptied.setdefault(row, {})[name] = value
        for position, number in enumerate(values.index):
            filled = {name: cells[position] for name, cells in by_column.items() if cells[position] is not None}
            yield Row(int(number), {**filled, **emptied.get(number, {})})

    # The rules

    def _column_findings(
        self,
        column: Column,
        values: pd.Series,
        cells: pd.DataFrame,
        cleared: AbstractSet[tuple[int, str]] | dict[tuple[int, str], Any],
        faulty: AbstractSet[tuple[int, int | None]],
    ) -> Iterator[Finding]:
        position = self._positions.get(column.name)
        missing = values.index[values.isna()] if column.required else values.index[:0]
        for row in missing:
            update = self._resource.update if self._is_update(cells, row) else None
            needed = column.name in update.required if update and column.place == "body" else True
            if needed and (row, position) not in faulty and (row, column.name) not in cleared:
                yield self._finding(row, column, "required", "Required, but empty. Fill it in.", "", sentence=True)
        filled = values.dropna()
        for check in self._checks[column.name]:
            failed = filled[~schema.passes(check, filled)]
            for row in failed.index:
                value = cells[column.name][row]
                yield self._finding(row, column, str(check.name), f"{check.error}.", value)

    def _is_update(self, cells: pd.DataFrame, row: int) -> bool:
        id_column = self._resource.id_column
        return id_column is not None and cells[id_column.name][row] != ""

    def _rule_findings(self, values: pd.DataFrame, faulty: AbstractSet[tuple[int, int | None]]) -> Iterator[Finding]:
        for rule, check, severity in self._rules:
            failed = values.index[~schema.frame_passes(check, values)]
            name = next(iter([*schema.rule_names(rule.then), *schema.rule_names(rule.when)]), None)
            column = self._resource.column(name) if name else None
            for row in failed:
                if column and (row, self._positions.get(column.name)) in faulty:
                    continue
                message = rule.message or f"The API's document asks for another value here: {dict(rule.then)}"
                yield self._finding(row, column, "rule", message, "", severity, sentence=True)

    def _repeated(self, values: pd.DataFrame) -> Iterator[Finding]:
        """Rows with the natural key of an earlier row are errors; where there is none, alike rows are warnings."""
        resource = self._resource
        scope = [column.name for column in resource.columns if column.place == "path"]
        if resource.id_column is not None:
            updates = values[values[resource.id_column.name].notna()]
            yield from self._repeats(updates, scope, Severity.ERROR, "updates the same record")
            values = values[values[resource.id_column.name].isna()]
        if resource.key:
            yield from self._repeats(values, [*scope, *resource.key], Severity.ERROR, self._same(resource.key))
        elif resource.alike:
            yield from self._repeats(values, [*scope, *resource.alike], Severity.WARNING, self._same(resource.alike))
        else:
            yield from self._repeats(values, list(values.columns), Severity.WARNING, "is the same")

    def _same(self, names: Sequence[str]) -> str:
        return f"has the same {' and '.join(self._resource.column(name).title for name in names)}"

    def _repeats(self, values: pd.DataFrame, names: list[str], severity: Severity, says: str) -> Iterator[Finding]:
        body = [name for name in names if self._resource.column(name).place == "body"] or names
        filled = values[values[body].notna().any(axis=1)]
        shown = self._resource.column(body[0])
        columns = [_plain_values(filled[name]) for name in names]
        for row, *key in zip(filled.index, *columns, strict=True):
            place = f"{self.assigned.sheet.name} row {row}"
            identity = (self._resource.full_name, says, *(str(part) if part is not None else None for part in key))
            first = self._seen.keys.setdefault(identity, place)
            if first != place:
                after = "Take one of the two out." if severity is Severity.ERROR else "Both will be sent."
                message = f"{first} {says}. {after}"
                cause = f"another row {says}"
                yield self._finding(int(row), shown, "repeated", message, "", severity, sentence=True, cause=cause)

    def _body_findings(self, rows: Sequence[Row]) -> Iterator[Finding]:
        """Hold each finished body against the API's own JSON Schema: what no column rule could say slips through."""
        id_column = self._resource.id_column
        for row in rows:
            update = self._resource.update if id_column and id_column.name in row.values else None
            operation: Operation = update or self._resource.create
            validator = self._bodies.get(operation.id)
            body = self._resource.body(row.values)
            if validator is None or validator.is_valid(body):
                continue
            for error in validator.iter_errors(body):
                column = _column_at(self._resource, error.instance_path)
                said = "The value doesn't fit" if column and column.secret else error.message
                message = f"{said} (the API's document asks for it)."
                yield self._finding(row.number, column, "schema", message, "", sentence=True)

    def _finding(
        self,
        row: int,
        column: Column | None,
        rule: str,
        says: str,
        value: str,
        severity: Severity = Severity.ERROR,
        *,
        sentence: bool = False,
        cause: str = "",
    ) -> Finding:
        """A finding at a cell. `says` goes on after the quoted value, unless it is a sentence of its own."""
        shown = MASK if column and column.secret and value else value
        quoted = f'"{shown[:_SHOWN]}…"' if len(shown) > _SHOWN else f'"{shown}"'
        return Finding(
            sheet=self.assigned.sheet.name,
            row=int(row),
            column=self._positions.get(column.name) if column else None,
            title=column.title if column else "",
            value=shown,
            rule=rule,
            message=says if sentence else f"{quoted} {says}",
            severity=severity,
            cause=cause,
        )


def claims(assigned: Assigned, frame: Frame) -> dict[int, Claim]:
    """What the rows of a result workbook say of themselves, by row number; empty for any other sheet."""
    if not assigned.is_result:
        return {}
    text = {title: frame.text[assigned.own[title]] for title in RESULT_COLUMNS if title in assigned.own}
    blank = pd.Series("", index=frame.text.index)
    said = {title: text.get(title, blank).str.lstrip("'") for title in RESULT_COLUMNS}
    return {
        int(row): Claim(run, int(source) if source.isascii() and source.isdigit() else 0, status, record)
        for row, run, source, status, record in zip(
            frame.text.index,
            said["Import run"],
            said["Source row"],
            said["Import status"],
            said["Import ID"],
            strict=True,
        )
        if run
    }


def _plain_values(values: pd.Series) -> list[Any]:
    """The cells as Python's own values, None where blank; a whole number stays one in a column of numbers."""
    plain = values.astype(object).where(values.notna(), None).tolist()
    return [int(value) if isinstance(value, float) and value.is_integer() else value for value in plain]


def _column_at(resource: Resource, path: Sequence[Any]) -> Column | None:
    pointer = "".join(f"/{part}" for part in path)
    return next((c for c in resource.columns if c.place == "body" and f"{pointer}/".startswith(f"{c.pointer}/")), None)
