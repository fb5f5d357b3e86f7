"""The sheets of a result that are about the rows: `Summary` and `Problems`."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from bulkload.dress import NEXT_STEPS, STATUS_LOOKS, Dress, Look, row_height
from bulkload.models import RESULT_STATUSES, Severity, Status
from bulkload.page import Page
from bulkload.spool import Spool

# At most so many lines of problems and causes: beyond that nobody reads them, and Excel chokes.
_LINES = 100_000
_CAUSES = 10_000
# Lines that are made into text at a time.
_BLOCK = 5_000
# At most so many characters of a value or a message, and of them all: the rest stands in the rows themselves.
_LENGTH = 2_000
_CHARACTERS = 30_000_000


@dataclass(frozen=True, slots=True)
class Summary:
    """What the sheet `Summary` says: `pairs` of label and text, counts by sheet and status, notes to read.

    `read` gives the lines of what was read, once all rows are written.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    counts: Mapping[str, Mapping[Status, int]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    read: Callable[[], Sequence[str]] = tuple


class Problem(NamedTuple):
    """One line of the sheet `Problems`, and of the CSV of problems. `kind` is a severity or a row's status."""

    sheet: str
    cell: str
    column: str
    value: str
    problem: str
    kind: str


PROBLEM_TITLES = ("Sheet", "Cell", "Column", "Value", "Problem", "Kind")
_CAUSE_TITLES = ("First sheet", "First cell", "Column", "How many", "Problem", "Kind")
_KIND_LOOKS: Mapping[str, Look] = {
    Severity.WARNING: Look.WARNED,
    Severity.NOTE: Look.CELL,
    Status.UNKNOWN: Look.AMBER,
    "": Look.CELL,
}
_TO_CORRECT = (
    "Each cell filled red has a note that says what is wrong. Correct these cells, save this file, and import it.",
    "A cell filled yellow is worth a look; its row is sent as it is.",
)


class Problems:
    """The problems of all sheets: the first ones line by line, how many there are, and how many of each cause."""

    def __init__(self) -> None:
        self.count = 0
        self._room = _CHARACTERS
        self._lines: list[Problem] = []
        self._causes: Counter[tuple[str, str, str]] = Counter()
        self._first: dict[tuple[str, str, str], Problem] = {}

    def add(self, problem: Problem, cause: str) -> None:
        """Take a problem in; `cause` says what it has in common with others of its column."""
        self.count += 1
        problem = problem._replace(value=_cut(problem.value), problem=_cut(problem.problem))
        if len(self._lines) < _LINES and self._room > 0:
            self._room -= sum(map(len, problem))
            self._lines.append(problem)
        key = (problem.kind, problem.column, _cut(cause))
        if key in self._first or len(self._first) < _CAUSES:
            self._first.setdefault(key, problem)
            self._causes[key] += 1

    def lines(self) -> Iterator[tuple[str, ...]]:
        """The problems under PROBLEM_TITLES, and how many have no line."""
        yield from self._lines
        if self.count > len(self._lines):
            yield ("", "", "", "", f"... and {self.count - len(self._lines):,} more.", "")

    def by_cause(self) -> Iterator[tuple[str | int, ...]]:
        """The causes under their titles, the most frequent first, and how many problems have other causes."""
        for (kind, column, cause), count in self._causes.most_common():
            first = self._first[kind, column, cause]
            yield (first.sheet, first.cell, column, count, cause, kind)
        if self.count > self._causes.total():
            yield ("", "", "", self.count - self._causes.total(), "... of other causes.", "")


def _cut(text: str) -> str:
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}…"


def write_problems(dress: Dress, spool: Spool, problems: Problems) -> None:
    """Add the sheet `Problems`."""
    page = Page(dress, "Problems", (18, 12, 24, 30, 80, 12))
    page.line("Problems", Look.TITLE)
    if not problems.count:
        page.line("None.")
        return
    page.line("By cause, the most frequent first", Look.SECTION)
    _table(page, _CAUSE_TITLES, problems.by_cause())
    page.space()
    page.line("One by one; the cells are those of the file that was read", Look.SECTION)
    page.cells(PROBLEM_TITLES, [Look.OPTIONAL] * len(PROBLEM_TITLES))
    rows = spool.rows(dress, page.sheet, len(PROBLEM_TITLES), page.row + 1)
    lines = problems.lines()
    while some := list(islice(lines, _BLOCK)):
        styles = [dress.format(Look.CELL)] * len(some)
        columns = [rows.cells(place, texts, styles) for place, texts in enumerate(zip(*some, strict=True))]
        rows.add(columns, {place: row_height(line, page.widths) for place, line in enumerate(some)})
    rows.end()


def _table(page: Page, titles: Sequence[str], rows: Iterator[tuple[str | int, ...]]) -> None:
    """A table whose last column, the kind of each problem, shows how grave it is."""
    page.cells(titles, [Look.OPTIONAL] * len(titles))
    for row in rows:
        look = _KIND_LOOKS.get(str(row[-1]), Look.RED)
        page.cells(row, [*[Look.CELL] * (len(titles) - 1), look])


def write_summary(dress: Dress, summary: Summary, read: Sequence[str]) -> None:
    """Add the sheet `Summary` of a run; `read` are lines of what was read and how it is shown."""
    sheets = list(summary.counts)
    total = ["All sheets"] if len(sheets) > 1 else []
    page = Page(dress, "Summary", (16, *[16] * (len(sheets) + len(total)), 100))
    page.line("What became of the rows", Look.TITLE)
    page.cells(["Status", *sheets, *total, "What to do"], [Look.OPTIONAL] * (len(sheets) + len(total) + 2))
    for status in RESULT_STATUSES:
        numbers = _with_sum([counts.get(status, 0) for counts in summary.counts.values()])
        look = STATUS_LOOKS.get(status, Look.CELL) if any(numbers) else Look.CELL
        step = NEXT_STEPS[status] if any(numbers) else ""
        page.cells([status, *numbers, step], [*[look] * (len(numbers) + 1), Look.PLAIN])
    sums = _with_sum([sum(counts.values()) for counts in summary.counts.values()])
    page.cells(["Rows read", *sums], [Look.STRONG_CELL] * (len(sums) + 1))
    _write_lines(page, "The run", summary, read)


def write_check(dress: Dress, summary: Summary, read: Sequence[str], found: Mapping[str, Counter[str]]) -> None:
    """Add the sheet `Summary` of a check; `found` counts each sheet's rows, with `errors` and with `warnings`."""
    page = Page(dress, "Summary", (30, 14, 14, 14))
    page.line("What the check found", Look.TITLE)
    page.cells(["Sheet", "Rows read", "With errors", "With warnings"], [Look.OPTIONAL] * 4)
    for name, counts in found.items():
        page.cells([name, counts["rows"], counts["errors"], counts["warnings"]], [Look.CELL] * 4)
    page.space()
    wrong = any(counts["errors"] for counts in found.values())
    for line in _TO_CORRECT if wrong else _TO_CORRECT[1:]:
        page.line(line)
    _write_lines(page, "The check", summary, read)


def _with_sum(numbers: list[int]) -> list[int]:
    return [*numbers, sum(numbers)] if len(numbers) > 1 else numbers


def _write_lines(page: Page, title: str, summary: Summary, read: Sequence[str]) -> None:
    if summary.pairs:
        page.space()
        page.line(title, Look.SECTION)
        for label, text in summary.pairs:
            page.cells([label, text], [Look.STRONG, Look.PLAIN])
    for heading, lines in (("Good to know", summary.notes), ("What was read", read)):
        if lines:
            page.space()
            page.line(heading, Look.SECTION)
            for line in lines:
                page.line(line)
