"""Sheet + Outcomes → result workbook or CSV."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from xlsxwriter.worksheet import Worksheet

from bulkload.causes import cause_of
from bulkload.dress import (
    SHEET_ROWS,
    STATUS_LOOKS,
    Dress,
    Look,
    free_name,
    new_workbook,
    number_format,
    row_height,
    shown,
)
from bulkload.errors import UsageError
from bulkload.models import MASK, RESULT_COLUMNS, Finding, Outcome, Severity, Status
from bulkload.report import PROBLEM_TITLES, Problem, Problems, write_check, write_problems, write_summary
from bulkload.report import Summary as Summary
from bulkload.resource import Column, Resource
from bulkload.system import write_whole

# At most so many notes on cells: beyond that Excel takes minutes to open the file.
_NOTES = 10_000

_WIDTHS = dict(zip(RESULT_COLUMNS, (14, 26, 60, 13, 13, 27, 24, 12), strict=True))
_ERROR = RESULT_COLUMNS.index("Import error")
# What a spreadsheet would run as a formula out of a CSV, with the apostrophes that already stand before it.
_RISKY = re.compile(r"'*[=+\-@\t\r＝＋－＠]")


@dataclass(frozen=True, slots=True)
class ResultFrame:
    """At most FRAME_ROWS rows of the input, what was found in them and what became of them.

    `text` is that of `models.Frame` without the tool's own columns; its labels stay the positions in the input, which
    the findings name. `outcomes` is by row number; a row without one has a blank status.
    """

    text: pd.DataFrame
    findings: Sequence[Finding] = ()
    outcomes: Mapping[int, Outcome] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResultSheet:
    """One sheet of the input: its headings as they stand, without the tool's own, and what each means.

    `columns` is as long as `headings`, None where one is no column of the resource. `resource` None: a sheet that is
    none's. `frames` may be read once only.
    """

    name: str
    headings: tuple[str, ...]
    columns: tuple[Column | None, ...]
    resource: Resource | None
    frames: Iterable[ResultFrame]


def write_result(
    path: Path,
    sheets: Iterable[ResultSheet],
    summary: Summary,
    *,
    outcomes: bool = True,
    sheet_rows: int = SHEET_ROWS,
) -> tuple[Path, ...]:
    """Write the result beside or over an earlier one, whole or not at all; the ending of `path` decides on its kind.

    A CSV holds one sheet: several become `NAME.SHEET.csv`; the problems go to `NAME.problems.csv`. `outcomes` False
    leaves the tool's own columns out: a checked copy. A sheet goes on in the next after `sheet_rows` rows, the header
    included. Returns the files written. Raises UsageError for another ending, and DiskError.
    """
    results = tuple(sheets)
    problems = Problems()
    if path.suffix.lower() == ".xlsx":

        def fill(temporary: Path) -> None:
            with new_workbook(temporary) as book:
                _Workbook(Dress(book), problems, outcomes, sheet_rows).fill(results, summary)

        return (write_whole(path, fill),)
    if path.suffix.lower() == ".csv":
        return _write_csv(path, results, problems, outcomes=outcomes)
    raise UsageError(f'"{path}": a result is written as .xlsx or .csv. Choose one of these endings.')


@dataclass(frozen=True, slots=True)
class _Row:
    """A row to write. `marks` are what hangs on its cells, by place: messages, and the look of a cell at fault."""

    cells: tuple[str, ...]
    look: Look
    marks: Mapping[int, "_Mark"]


@dataclass(slots=True)
class _Mark:
    look: Look | None = None
    messages: list[str] = field(default_factory=list)


def _rows(result: ResultSheet, frame: ResultFrame, problems: Problems, *, outcomes: bool) -> Iterator[_Row]:
    """The rows of a frame in their order, and their problems on the way."""
    places = {int(label): place for place, label in enumerate(frame.text.columns)}
    secret = {label for label, column in zip(places, result.columns, strict=True) if column and column.secret}
    text = _masked(frame.text, secret)
    findings: dict[int, list[Finding]] = {}
    for finding in sorted(frame.findings, key=lambda one: (one.row, one.column or 0)):
        findings.setdefault(finding.row, []).append(finding)
        value = MASK if finding.column in secret and finding.value else finding.value
        problem = Problem(finding.sheet, finding.cell, finding.title, value, finding.message, finding.severity)
        problems.add(problem, cause_of(finding))
    for number, *own in text.itertuples(name=None):
        cells = tuple(own)
        here = findings.get(number, [])
        outcome = frame.outcomes.get(number)
        marks = _marks(here, places)
        if outcome and outcomes:
            _tell_outcome(outcome, result.name, number, problems)
            if outcome.note:
                marks.setdefault(len(cells), _Mark()).messages.append(outcome.note)
            cells = (*cells, *_own_cells(outcome, here, number))
        elif outcomes:
            cells = (*cells, "", "", _errors(here), "", "", "", "", str(number))
        yield _Row(cells, _row_look(outcome, here), marks)


def _masked(text: pd.DataFrame, secret: Iterable[int]) -> pd.DataFrame:
    text = text.copy()
    for label in secret:
        text[label] = text[label].where(text[label] == "", MASK)
    return text


def _marks(findings: Sequence[Finding], places: Mapping[int, int]) -> dict[int, _Mark]:
    """What hangs on the cells of a row; what concerns the whole row hangs on its first cell."""
    marks: dict[int, _Mark] = {}
    for finding in findings:
        mark = marks.setdefault(places.get(finding.column or 0, 0), _Mark())
        mark.messages.append(finding.message)
        if finding.column in places and mark.look is not Look.FAULT:
            mark.look = Look.FAULT if finding.severity is Severity.ERROR else Look.WARNED
    return marks


def _row_look(outcome: Outcome | None, findings: Sequence[Finding]) -> Look:
    if outcome is not None:
        return STATUS_LOOKS.get(outcome.status, Look.PLAIN)
    return Look.RED if any(finding.severity is Severity.ERROR for finding in findings) else Look.PLAIN


def _own_cells(outcome: Outcome, findings: Sequence[Finding], number: int) -> tuple[str, ...]:
    """The cells under RESULT_COLUMNS; times are local with offset."""
    return (
        outcome.status,
        outcome.id,
        outcome.error or (_errors(findings) if outcome.status is Status.INVALID else ""),
        str(outcome.http_status or ""),
        str(outcome.attempts or ""),
        outcome.time.astimezone().isoformat(timespec="seconds") if outcome.time else "",
        outcome.run,
        str(number),
    )


def _errors(findings: Sequence[Finding]) -> str:
    """What is wrong with a row, with the title of each cell at fault."""
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    return "; ".join(f"{error.title}: {error.message}" if error.title else error.message for error in errors)


def _tell_outcome(outcome: Outcome, sheet: str, number: int, problems: Problems) -> None:
    """A row that the API refused, or that failed on the way, is a problem too."""
    if outcome.status in (Status.REJECTED, Status.FAILED, Status.UNKNOWN) and outcome.error:
        problems.add(Problem(sheet, f"row {number}", "", "", outcome.error, outcome.status), outcome.error)


class _Workbook:
    """The result as a workbook: the input's sheets, then `Summary`, `Problems` and the hidden stamp."""

    def __init__(self, dress: Dress, problems: Problems, outcomes: bool, sheet_rows: int) -> None:
        self._dress = dress
        self._problems = problems
        self._outcomes = outcomes
        self._sheet_rows = sheet_rows
        self._notes = 0
        self._stamped: list[tuple[str, Resource]] = []

    def fill(self, results: Sequence[ResultSheet], summary: Summary) -> None:
        names = [self._dress.sheet_name(result.name) for result in results]
        checked = [self._write_sheet(name, result) for name, result in zip(names, results, strict=True)]
        read = list(summary.read())
        if self._dress.altered:
            read.append(f"Cells with what no workbook can hold, written out (\\x0b) or cut: {self._dress.altered:,}")
        if self._notes > _NOTES:
            read.append(f"Only the first {_NOTES:,} cells bear a note; the sheet Problems tells of all.")
        if self._outcomes:
            write_summary(self._dress, summary, read)
        else:
            write_check(self._dress, summary, read, dict(zip(names, checked, strict=True)))
        write_problems(self._dress, self._problems)
        self._dress.close(self._stamped)

    def _write_sheet(self, name: str, result: ResultSheet) -> Counter[str]:
        """Write a sheet, and its continuations where it is too long; counts rows, with errors, with warnings."""
        checked: Counter[str] = Counter()
        sheet = self._begin(name, result)
        written = 1
        for frame in result.frames:
            for row in _rows(result, frame, self._problems, outcomes=self._outcomes):
                if written == self._sheet_rows:
                    self._end(sheet, result, written)
                    sheet = self._begin(self._dress.sheet_name(result.name), result)
                    written = 1
                self._write_row(sheet, written, row, result)
                written += 1
                looks = {mark.look for mark in row.marks.values()}
                checked.update(rows=1, errors=row.look is Look.RED, warnings=Look.WARNED in looks)
        self._end(sheet, result, written)
        return checked

    def _begin(self, name: str, result: ResultSheet) -> Worksheet:
        sheet = self._dress.sheet(name)
        own = RESULT_COLUMNS if self._outcomes else ()
        headings, columns = (*result.headings, *own), (*result.columns, *([None] * len(own)))
        self._dress.header(sheet, headings, columns, _WIDTHS)
        if result.resource is not None:
            self._stamped.append((name, result.resource))
        return sheet

    def _end(self, sheet: Worksheet, result: ResultSheet, written: int) -> None:
        last = len(result.headings) + (len(RESULT_COLUMNS) if self._outcomes else 0) - 1
        sheet.autofilter(0, 0, written - 1, last)
        # Numbers stand as text, as they were read; Excel needn't mark each one.
        sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})

    def _write_row(self, sheet: Worksheet, at: int, row: _Row, result: ResultSheet) -> None:
        error = len(result.headings) + _ERROR if self._outcomes else -1
        if error > 0 and len(row.cells[error]) > _WIDTHS["Import error"]:
            sheet.set_row(at, row_height([row.cells[error]], [_WIDTHS["Import error"]]))
        for place, text in enumerate(row.cells):
            mark = row.marks.get(place)
            look = mark.look if mark and mark.look else row.look
            if text or look is not Look.PLAIN or mark:
                column = result.columns[place] if place < len(result.columns) else None
                style = self._dress.format(look, number_format(column), wrap=place == error)
                self._dress.text(sheet, at, place, text, style)
            if mark:
                self._notes += 1
                if self._notes <= _NOTES:
                    self._dress.note(sheet, at, place, "\n".join(mark.messages))


def _write_csv(path: Path, results: Sequence[ResultSheet], problems: Problems, *, outcomes: bool) -> tuple[Path, ...]:
    own = RESULT_COLUMNS if outcomes else ()
    taken = {"problems"}
    written = []
    for result in results:
        name = free_name(re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", shown(result.name)).strip(" .") or "Sheet", taken, 100)
        taken.add(name.casefold())
        target = path if len(results) == 1 else path.with_name(f"{path.stem}.{name}{path.suffix}")
        frames = (_rows(result, frame, problems, outcomes=outcomes) for frame in result.frames)
        rows = (row.cells for frame in frames for row in frame)
        written.append(_write_csv_file(target, (*result.headings, *own), rows))
    target = path.with_name(f"{path.stem}.problems{path.suffix}")
    written.append(_write_csv_file(target, PROBLEM_TITLES, problems.lines()))
    return tuple(written)


def _write_csv_file(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    def fill(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([_disarmed(title) for title in header])
            writer.writerows([_disarmed(text) for text in row] for row in rows)

    return write_whole(path, fill)


def _disarmed(text: str) -> str:
    """Text that no spreadsheet runs: an apostrophe before what looks like a formula, to be taken off on reading."""
    safe = shown(text)
    return f"'{safe}" if _RISKY.match(safe) else safe
