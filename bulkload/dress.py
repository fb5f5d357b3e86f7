"""How sheets look: what templates and results have in common, and the one way by which text goes into a cell."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum, auto
from itertools import count
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from bulkload import stamp as stamps
from bulkload.cells import LONGEST
from bulkload.models import Status, column_letter
from bulkload.resource import Column, Resource
from bulkload.wording import allowed_text, choices, example_text, note_text

# Points.
LINE_HEIGHT = 15.0

# What Excel's sheets can hold.
SHEET_ROWS = 1_048_576
_SHEET_COLUMNS = 16_384
_NAME_LENGTH = 31
_LIST_LENGTH = 255
_LARGEST = 10**15
_TALLEST_ROW = 400.0

_LISTS = "_lists"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

# What no workbook can hold: control characters but tab and line ends, halves of surrogate pairs, U+FFFE, U+FFFF.
IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# This would pass through XlsxWriter as XML of its own, and damage the file.
_MARKUP = re.compile("<(?=r>.*</r>\\Z)", re.DOTALL)

NEXT_STEPS: Mapping[Status, str] = {
    Status.CREATED: "Made; its ID stands beside the row. Nothing to do.",
    Status.UPDATED: "Changed as the row says. Nothing to do.",
    Status.UNCHANGED: "An earlier run did this very row; nothing was sent. Nothing to do.",
    Status.INVALID: "Never sent. Correct the cells that are marked, then import the file again.",
    Status.REJECTED: "The API refused it, nothing was made. Read its words, correct the row, import the file again.",
    Status.FAILED: "Not done, may be sent again: bulkload resume",
    Status.UNKNOWN: "Sent, but no clear answer came: it may exist. It is not sent again by itself: bulkload resolve",
    Status.NOT_SENT: "The run stopped before this row: bulkload resume",
}


class Look(StrEnum):
    """What a cell is, told by its colours."""

    REQUIRED = auto()
    OPTIONAL = auto()
    OWN = auto()
    PLAIN = auto()
    RED = auto()
    AMBER = auto()
    FAULT = auto()
    WARNED = auto()
    TITLE = auto()
    SECTION = auto()
    STRONG = auto()
    CELL = auto()
    STRONG_CELL = auto()


_HEADER = {"bold": True, "text_wrap": True, "valign": "vcenter", "border": 1, "border_color": "#A6A6A6"}
_CELL = {"text_wrap": True, "border": 1, "border_color": "#D0D0D0"}
_STYLES: Mapping[Look, Mapping[str, Any]] = {
    Look.REQUIRED: {**_HEADER, "font_color": "#FFFFFF", "bg_color": "#1F3864"},
    Look.OPTIONAL: {**_HEADER, "font_color": "#1F3864", "bg_color": "#D9E2F3"},
    Look.OWN: {**_HEADER, "italic": True, "font_color": "#404040", "bg_color": "#E2E2E2"},
    Look.RED: {"bg_color": "#FBDDDD", "border": 1, "border_color": "#D9B8B8"},
    Look.AMBER: {"bg_color": "#FFE8A6", "border": 1, "border_color": "#D9C48A"},
    Look.FAULT: {"bg_color": "#F28B82", "border": 1, "border_color": "#B3261E", "bold": True},
    Look.WARNED: {"bg_color": "#FFF6D6", "border": 1, "border_color": "#D9C48A"},
    Look.TITLE: {"bold": True, "font_size": 16, "font_color": "#1F3864"},
    Look.SECTION: {"bold": True, "font_size": 13, "font_color": "#1F3864"},
    Look.STRONG: {"bold": True},
    Look.CELL: _CELL,
    Look.STRONG_CELL: {**_CELL, "bold": True},
}
# The rows that need a person.
STATUS_LOOKS: Mapping[Status, Look] = {
    Status.INVALID: Look.RED,
    Status.REJECTED: Look.RED,
    Status.FAILED: Look.RED,
    Status.UNKNOWN: Look.AMBER,
}


class Dress:
    """The dress of one workbook. Text goes through `text`, which keeps it text; `close` adds the hidden sheets.

    `altered` counts the cells whose text a workbook can't hold as it is.
    """

    def __init__(self, book: Workbook) -> None:
        self.altered = 0
        self._book = book
        self._formats: dict[tuple[Look, str, bool, bool], Format] = {}
        self._lists: dict[tuple[str, ...], int] = {}
        self._taken: set[str] = {"history", _LISTS, stamps.SHEET}

    def sheet_name(self, wanted: str) -> str:
        """A name that Excel takes and no sheet has yet, as near to the one wanted as can be."""
        plain = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", shown(wanted)).strip("' ") or "Sheet"
        name = free_name(plain, self._taken, _NAME_LENGTH)
        self._taken.add(name.casefold())
        return name

    @property
    def sheets(self) -> int:
        """How many sheets there are by now."""
        return len(self._book.worksheets())

    def sheet(self, name: str) -> Worksheet:
        """Add a sheet of a name that `sheet_name` gave."""
        return self._book.add_worksheet(name)

    def format(self, look: Look, number_format: str = "", *, wrap: bool = False, quoted: bool = False) -> Format:
        """The format of that look, made once; `@` as number format keeps what a person types as text.

        `quoted` keeps what stands there as text when a person edits it, as an apostrophe before it would.
        """
        key = (look, number_format, wrap, quoted)
        if key not in self._formats:
            said = {"valign": "top", **_STYLES.get(look, {})}
            if number_format:
                said["num_format"] = number_format
            if wrap:
                said["text_wrap"] = True
            if quoted:
                said["quote_prefix"] = True
            self._formats[key] = self._book.add_format(said)
        return self._formats[key]

    def text(self, sheet: Worksheet, row: int, column: int, text: str, style: Format) -> None:
        """Write text that stays text: never a formula, number, link or error. `row` and `column` count from 0."""
        if not text:
            sheet.write_blank(row, column, None, style)
            return
        safe = _MARKUP.sub(r"\\x3c", cell_text(text), count=1) if text[0] == "<" else cell_text(text)
        self.altered += safe != text
        sheet.write_string(row, column, safe, style)

    def note(self, sheet: Worksheet, row: int, column: int, text: str) -> None:
        """Hang a note on a cell, as large as its text."""
        text = shown(text)[:1_500]
        lines = sum(len(line) // 46 + 1 for line in text.split("\n"))
        size = {"width": 300, "height": 16 * lines + 12, "font_size": 9, "author": "bulkload"}
        sheet.write_comment(row, column, text, size)

    def header(
        self,
        sheet: Worksheet,
        headings: Sequence[str],
        columns: Sequence[Column | None],
        own_widths: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Lay out a sheet from its header row: titles, notes, widths, text format, drop-downs and checks.

        `headings` are the titles, `columns` what they mean, None where one is no column of the resource; `own_widths`
        are those of the tool's own headings, in characters.
        """
        pairs = list(zip(headings, columns, strict=True))
        widths = [own_widths.get(heading) or _width(heading, column) for heading, column in pairs]
        sheet.set_row(0, row_height(headings, (width - 4 for width in widths)) + 6)
        sheet.freeze_panes(1, 0)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        for place, (heading, column) in enumerate(pairs):
            sheet.set_column(place, place, widths[place], self.format(Look.PLAIN, number_format(column)))
            look = Look.OWN if column is None else Look.REQUIRED if column.required else Look.OPTIONAL
            self.text(sheet, 0, place, heading, self.format(look))
            if column is not None:
                self.note(sheet, 0, place, note_text(column))
                if validation := self._validation(column):
                    sheet.data_validation(1, place, SHEET_ROWS - 1, place, validation)

    def close(self, sheets: Iterable[tuple[str, Resource]]) -> None:
        """Add the hidden sheets: the long lists of the drop-downs, and the stamp of the sheets named."""
        if self._lists:
            lists = self.sheet(_LISTS)
            lists.hide()
            for entries, row in self._lists.items():
                for place, entry in enumerate(entries):
                    self.text(lists, row, place, entry, self.format(Look.PLAIN))
        stamp = self.sheet(stamps.SHEET)
        stamp.very_hidden()
        for row, cells in enumerate(stamps.rows(sheets)):
            for place, cell in enumerate(cells):
                self.text(stamp, row, place, cell, self.format(Look.PLAIN))

    def _validation(self, column: Column) -> dict[str, Any] | None:
        """What Excel checks while a person types. It only warns, so that a bare code goes in as well.

        A list in one cell can't be checked, and a number can't where cells are text.
        """
        rule = None if column.many else self._rule(column)
        if rule is None:
            return None
        return {
            **rule,
            "error_type": "warning",
            "error_title": column.title[:_NAME_LENGTH],
            "error_message": f"This cell wants: {allowed_text(column)}"[:225],
        }

    def _rule(self, column: Column) -> dict[str, Any] | None:
        if entries := choices(column):
            return self._list_rule(entries)
        schema = column.schema
        if column.type == "string":
            return _between("length", schema.get("minLength"), schema.get("maxLength"))
        kind = "integer" if column.type == "integer" else "decimal"
        low = schema.get("minimum", schema.get("exclusiveMinimum", -_LARGEST))
        high = schema.get("maximum", schema.get("exclusiveMaximum", _LARGEST))
        return _between(kind, low, high)

    def _list_rule(self, entries: tuple[str, ...]) -> dict[str, Any] | None:
        simple = all(re.fullmatch(r'[^\s,"=][^,"\n]*', entry) and entry == entry.strip() for entry in entries)
        if simple and len(",".join(entries)) <= _LIST_LENGTH:
            return {"validate": "list", "source": list(entries)}
        if len(entries) > _SHEET_COLUMNS:
            return None
        row = self._lists.setdefault(entries, len(self._lists))
        return {"validate": "list", "source": f"={_LISTS}!$A${row + 1}:${column_letter(len(entries))}${row + 1}"}


@contextmanager
def new_workbook(path: Path) -> Iterator[Workbook]:
    """A workbook that is written row by row, each sheet from top to bottom, and is whole when the block ends.

    It bears no time of day, so that the same content is the same file. Raises OSError.
    """
    with TemporaryDirectory(prefix="bulkload-", ignore_cleanup_errors=True) as folder:
        try:
            with Workbook(path, {"constant_memory": True, "tmpdir": folder}) as book:
                book.set_properties({"created": _EPOCH, "author": "bulkload"})
                book.use_zip64()
                yield book
        except FileCreateError as error:
            raise error.args[0] from error


def shown(text: str) -> str:
    """The text with what no workbook can hold written out: `\\x0b`, `\\ud800`."""
    return IMPOSSIBLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def cell_text(text: str) -> str:
    """The text as a cell can hold it: `shown`, and cut with a mark where it is longer than Excel allows."""
    safe = shown(text)
    if len(safe) <= LONGEST // 2:
        return safe
    units = safe.encode("utf-16-le")
    if len(units) <= 2 * LONGEST:
        return safe
    mark = f"… [cut, {len(text)} characters]"
    return units[: 2 * (LONGEST - len(mark))].decode("utf-16-le", "ignore") + mark


def row_height(texts: Iterable[str], widths: Iterable[float]) -> float:
    """The height in points of a row of wrapped cells; LibreOffice doesn't find it by itself."""
    lines = (
        sum(max(1, ceil(len(line) * 1.1 / width)) for line in text.split("\n"))
        for text, width in zip(texts, widths, strict=False)
    )
    return min(LINE_HEIGHT * max(lines, default=1), _TALLEST_ROW)


def free_name(wanted: str, taken: Container[str], length: int) -> str:
    """`wanted`, or `wanted (2)` and so on, the first whose lower case isn't taken, cut to `length` characters."""
    name = wanted[:length]
    for number in count(2):
        if name.casefold() not in taken:
            break
        name = f"{wanted[: length - len(f' ({number})')]} ({number})"
    return name


def number_format(column: Column | None) -> str:
    """`@` where cells must stay the text that was typed; none for numbers and for TRUE and FALSE."""
    return "@" if column is None or column.many or column.type == "string" else ""


def _between(kind: str, low: Any, high: Any) -> dict[str, Any] | None:
    """The rule that a length or number lies between two bounds, None standing for no bound."""
    if high is not None and low is not None:
        return {"validate": kind, "criteria": "between", "minimum": low, "maximum": high}
    if high is not None:
        return {"validate": kind, "criteria": "<=", "value": high}
    if low is not None and low > 1:
        return {"validate": kind, "criteria": ">=", "value": low}
    return None


def _width(heading: str, column: Column | None) -> int:
    """A column's width in characters: room for title, example, choices and the longest text, within bounds."""
    texts = [] if column is None else [example_text(column), *choices(column)]
    wanted = max([len(heading) + 3, *(len(text) + 3 for text in texts)])
    if column is not None and column.type == "string" and not choices(column):
        wanted = max(wanted, min(24, int(column.schema.get("maxLength", 24))))
    return max(14, min(wanted, 40))
