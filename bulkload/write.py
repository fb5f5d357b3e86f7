"""Sheet + Outcomes → result workbook or CSV."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from xlsxwriter import Workbook
from xlsxwriter.format import Format

from bulkload.account import Block, ResultFrame, ResultSheet, blocks
from bulkload.dress import (
    IMPOSSIBLE,
    SHEET_ROWS,
    Dress,
    Look,
    free_name,
    new_workbook,
    number_format,
    row_height,
    shown,
)
from bulkload.errors import UsageError
from bulkload.models import RESULT_COLUMNS
from bulkload.report import PROBLEM_TITLES, Problems, Summary, write_check, write_problems, write_summary
from bulkload.resource import Resource
from bulkload.spool import Rows, Spool
from bulkload.system import write_whole

__all__ = ["ResultFrame", "ResultSheet", "Summary", "foresee", "refuse_ending", "write_result"]

# At most so many notes on cells: beyond that Excel takes minutes to open the file.
_NOTES = 10_000

_WIDTHS = dict(zip(RESULT_COLUMNS, (14, 26, 60, 13, 13, 27, 24, 12), strict=True))
_ERROR = RESULT_COLUMNS.index("Import error")
# What a spreadsheet would run as a formula, or as `'` is told that something is text, when it is typed into a cell.
_RISKY = frozenset("=+-@\t\r＝＋－＠'")
# What a spreadsheet would run as a formula out of a CSV, with the apostrophes that already stand before it.
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")


def write_result(
    path: Path,
    sheets: Iterable[ResultSheet],
    summary: Summary,
    *,
    outcomes: bool = True,
    sheet_rows: int = SHEET_ROWS,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Path, ...]:
    """Write the result beside or over an earlier one, whole or not at all; the ending of `path` decides on its kind.

    A CSV holds one sheet: several become `NAME.SHEET.csv`; the problems go to `NAME.problems.csv`. `outcomes` False
    leaves the tool's own columns out: a checked copy. A sheet goes on in the next after `sheet_rows` rows, the header
    included. `tell` hears of a file that had to take another name. Returns the files written. Raises UsageError for
    another ending, and DiskError.
    """
    results = tuple(sheets)
    problems = Problems()
    if path.suffix.lower() == ".xlsx":

        def fill(temporary: Path) -> None:
            with TemporaryDirectory(prefix="bulkload-", ignore_cleanup_errors=True) as folder:
                made, spool = Path(folder, "made.xlsx"), Spool(Path(folder))
                with new_workbook(made) as book:
                    _Workbook(book, spool, problems, outcomes, sheet_rows).fill(results, summary)
                spool.put_in(made, temporary)

        return (_put(path, fill, tell),)
    refuse_ending(path)
    return _write_csv(path, results, problems, outcomes, tell)


def refuse_ending(path: Path) -> None:
    """Raise UsageError for a file that is no kind of result."""
    if path.suffix.lower() not in (".xlsx", ".csv"):
        raise UsageError(f'"{path}": a result is written as .xlsx or .csv. Choose one of these endings.')


def foresee(path: Path, rows: Mapping[str, int]) -> tuple[str, ...]:
    """What a person must know before a run of the result that it will write: which sheets are too long for one."""
    room = SHEET_ROWS - 1
    says = (
        "the result goes on in a sheet of its own for each so many."
        if path.suffix.lower() == ".xlsx"
        else "a spreadsheet program shows no more of the CSV. Take -o NAME.xlsx for a result in several sheets."
    )
    return tuple(
        f"{name} has {count:,} rows, and a sheet holds {room:,} below its header: {says}"
        for name, count in rows.items()
        if count > room
    )


class _Workbook:
    """The result as a workbook: the input's sheets, then `Summary`, `Problems` and the hidden stamp."""

    def __init__(self, book: Workbook, spool: Spool, problems: Problems, outcomes: bool, sheet_rows: int) -> None:
        self._spool = spool
        self._dress = Dress(book)
        self._problems = problems
        self._outcomes = outcomes
        self._room = sheet_rows - 1
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
        write_problems(self._dress, self._spool, self._problems)
        self._dress.close(self._stamped)

    def _write_sheet(self, name: str, result: ResultSheet) -> Counter[str]:
        """Write a sheet, and its continuations where it is too long; counts rows, with errors, with warnings."""
        checked: Counter[str] = Counter()
        rows = self._begin(name, result)
        for block in _blocks(result, self._problems, self._outcomes):
            for part in block.parts(self._room - rows.written or self._room, self._room):
                if rows.written == self._room:
                    self._end(rows)
                    rows = self._begin(self._dress.sheet_name(result.name), result)
                self._write_rows(rows, part, result)
            checked.update(_counted(block))
        self._end(rows)
        return checked

    def _begin(self, name: str, result: ResultSheet) -> Rows:
        sheet = self._dress.sheet(name)
        own = RESULT_COLUMNS if self._outcomes else ()
        headings, columns = (*result.headings, *own), (*result.columns, *([None] * len(own)))
        self._dress.header(sheet, headings, columns, _WIDTHS)
        if result.resource is not None:
            self._stamped.append((name, result.resource))
        return self._spool.rows(self._dress, sheet, len(headings))

    def _end(self, rows: Rows) -> None:
        rows.end()
        self._dress.altered += rows.altered
        rows.sheet.autofilter(0, 0, rows.written, rows.width - 1)
        # Numbers stand as text, as they were read; Excel needn't mark each one.
        rows.sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})

    def _write_rows(self, rows: Rows, block: Block, result: ResultSheet) -> None:
        error = len(result.headings) + _ERROR if self._outcomes else -1
        heights = _heights(block.columns[error]) if self._outcomes else {}
        self._hang_notes(rows, block, heights)
        columns = []
        for place, texts in enumerate(block.columns):
            column = result.columns[place] if place < len(result.columns) else None
            style = partial(self._dress.format, number_format=number_format(column), wrap=place == error)
            looks = _looks(block, place, style, quote=not number_format(column))
            columns.append(rows.cells(place, texts, looks, style(Look.PLAIN)))
        rows.add(columns, heights)

    def _hang_notes(self, rows: Rows, block: Block, heights: Mapping[int, float]) -> None:
        first = rows.written + 1
        for row, marks in block.marks.items():
            if row in heights and self._notes < _NOTES:
                rows.sheet.set_row(first + row, heights[row])  # by which XlsxWriter finds the note's place
            for place, mark in marks.items():
                self._notes += 1
                if self._notes <= _NOTES:
                    self._dress.note(rows.sheet, first + row, place, "\n".join(mark.messages))


def _blocks(result: ResultSheet, problems: Problems, outcomes: bool) -> Iterator[Block]:
    """The rows of a sheet to write; no frame is held while the next is made."""
    return chain.from_iterable(map(partial(blocks, result, problems=problems, outcomes=outcomes), result.frames))


def _looks(block: Block, place: int, style: Callable[..., Format], *, quote: bool) -> list[Format]:
    """The look of each cell of a column, at fault or as its row is.

    `quote`: one that begins like a formula stays text when a person edits it. Cells in text format do so by themselves.
    """
    looks = [*block.looks]
    for row, marks in block.marks.items():
        if place in marks:
            looks[row] = marks[place].look or looks[row]
    of = {look: style(look) for look in dict.fromkeys(looks)}
    styles = [of[look] for look in looks]
    if quote:
        for row, text in enumerate(block.columns[place]):
            if text[:1] in _RISKY:
                styles[row] = style(looks[row], quoted=True)
    return styles


def _counted(block: Block) -> Mapping[str, int]:
    warned = sum(any(mark.look is Look.WARNED for mark in marks.values()) for marks in block.marks.values())
    return {"rows": len(block.looks), "errors": block.looks.count(Look.RED), "warnings": warned}


def _heights(errors: Sequence[str]) -> dict[int, float]:
    """The heights of the rows whose error takes more than a line, by place."""
    width = _WIDTHS["Import error"]
    return {row: row_height([text], [width]) for row, text in enumerate(errors) if len(text) > width}


def _put(path: Path, fill: Callable[[Path], None], tell: Callable[[str], None]) -> Path:
    """Write a file whole, and tell if it stands under another name than it should."""
    written = write_whole(path, fill)
    if written != path:
        tell(f"{path.name} can't be replaced, as when it is open elsewhere: {written.name} was written instead.")
    return written


def _write_csv(
    path: Path, results: Sequence[ResultSheet], problems: Problems, outcomes: bool, tell: Callable[[str], None]
) -> tuple[Path, ...]:
    own = RESULT_COLUMNS if outcomes else ()
    taken = {"problems"}
    written = []
    altered: Counter[str] = Counter()
    for result in results:
        name = free_name(re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", shown(result.name)).strip(" .") or "Sheet", taken, 100)
        taken.add(name.casefold())
        target = path if len(results) == 1 else path.with_name(f"{path.stem}.{name}{path.suffix}")
        made = _blocks(result, problems, outcomes)
        columns = ([_possible(texts, altered) for texts in block.columns] for block in made)
        written.append(_put(target, _csv((*result.headings, *own), columns), tell))
    lines = ([[shown(cell)] for cell in line] for line in chain(problems.lines(), _altered(altered.total())))
    target = path.with_name(f"{path.stem}.problems{path.suffix}")
    written.append(_put(target, _csv(PROBLEM_TITLES, lines), tell))
    return tuple(written)


def _csv(header: Sequence[str], blocks: Iterable[Sequence[Sequence[str]]]) -> Callable[[Path], None]:
    """Writes a header, and `blocks` of some rows each, as the texts of their columns."""

    def fill(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_disarmed([shown(title) for title in header]))
            for columns in blocks:
                writer.writerows(zip(*map(_disarmed, columns), strict=True))

    return fill


def _possible(texts: Sequence[str], altered: Counter[str]) -> Sequence[str]:
    """Texts that can be read again, by us and by spreadsheets; those that couldn't are written out, and counted."""
    if not IMPOSSIBLE.search("".join(texts)):
        return texts
    altered["cells"] += sum(IMPOSSIBLE.search(text) is not None for text in texts)
    return [shown(text) for text in texts]


def _altered(count: int) -> Iterator[tuple[str, ...]]:
    """The line that tells of them among the problems, if there are any."""
    if count:
        yield ("", "", "", "", f"Cells with what no spreadsheet can hold, written out (\\x0b): {count:,}", "")


def _disarmed(texts: Sequence[str]) -> Sequence[str]:
    """Texts that no spreadsheet runs: an apostrophe before what looks like a formula, to be taken off on reading."""
    if _RISKY.isdisjoint({text[:1] for text in texts}):
        return texts
    return [f"'{text}" if _FORMULA.match(text) else text for text in texts]
