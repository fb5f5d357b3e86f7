"""The rows of a sheet of an .ods, from one pass over the content: what cells hold, and what is hidden or spoilt."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import IO, Any

from bulkload.cells import LONGEST, Kind, Line, Spoilt, Table
from bulkload.errors import UnusableFile
from bulkload.formats import NO_DATE, show
from bulkload.opendocument.markup import CALC, OFFICE, SHEET, SUB_TABLE, TABLE, TEXT, Attributes, events
from bulkload.opendocument.styles import BOOLEAN, Styles
from bulkload.workbook.markup import Damaged
from bulkload.workbook.sheet import AGAIN

# What the programs that write .ods have room for, and the cells of a file that are read at most, repeated ones too.
_ROWS, _COLUMNS, _CELLS = 1_048_576, 16_384, 20_000_000
_COLUMN, _ROW = f"{TABLE} table-column", f"{TABLE} table-row"
_CELL, _COVERED = f"{TABLE} table-cell", f"{TABLE} covered-table-cell"
_PARAGRAPH, _BLANKS, _TAB, _BREAK = f"{TEXT} p", f"{TEXT} s", f"{TEXT} tab", f"{TEXT} line-break"
_STYLE, _DEFAULT_STYLE = f"{TABLE} style-name", f"{TABLE} default-cell-style-name"
_COLUMN_TIMES, _ROW_TIMES = f"{TABLE} number-columns-repeated", f"{TABLE} number-rows-repeated"
_SPAN_COLUMNS, _SPAN_ROWS = f"{TABLE} number-columns-spanned", f"{TABLE} number-rows-spanned"
_FORMULA, _VISIBILITY, _TYPE = f"{TABLE} formula", f"{TABLE} visibility", f"{OFFICE} value-type"
_ERROR_TYPE = f"{CALC} value-type"
_VALUE, _STRING_VALUE = f"{OFFICE} value", f"{OFFICE} string-value"
_ERROR = re.compile(r"#(?:REF!|N/A|NAME\?|DIV/0!|VALUE!|NUM!|NULL!)|Err:[0-9]{3}")
_DURATION = re.compile(r"(-?)PT([0-9]{1,7})H([0-9]{1,2})M([0-9]{1,2}(?:[.,][0-9]+)?)S")
_RUN = re.compile(r"[ \t\r\n]+")

Shown = tuple[str, Kind, str]  # text, kind, what has spoilt it


def lines(stream: IO[bytes], part: str, place: int, styles: Styles, table: Table) -> Iterator[Line]:
    """The rows of the sheet at this place, from 0, that hold anything; fills the lists of `table`.

    Raises UnusableFile, Damaged and others for damage.
    """

    def listen(parser: Any, found: list[Any]) -> None:
        reader = _Reader(place, styles, table, found)
        parser.StartElementHandler = reader.start
        parser.EndElementHandler = reader.end
        parser.CharacterDataHandler = reader.text

    for line, times in events(stream, part, listen):
        yield line
        for number in range(line.number + 1, line.number + times):
            spoilt = [Spoilt(number, cell.column, cell.kind, cell.found) for cell in line.spoilt]
            yield Line(number, line.texts, line.kinds, spoilt, line.hidden)


class _Reader:
    """Takes the elements of the content as they come, and gives `found` each row with how many times it stands."""

    def __init__(self, place: int, styles: Styles, table: Table, found: list[tuple[Line, int]]) -> None:
        self._to_come = place + 1
        self._styles, self._table, self._found = styles, table, found
        self._column_styles: list[str] = []
        self._number = self._cells = 0
        # The row, from its beginning on, and the place of its next cell.
        self._row: Attributes | None = None
        self._texts: list[str] = []
        self._kinds = bytearray()
        self._spoilt: list[Spoilt] = []
        self._column = 0
        # The cell, how deep an element is in it, and its paragraphs.
        self._cell: Attributes | None = None
        self._level = 0
        self._paragraphs: list[str] = []
        self._pieces: list[str] | None = None

    # What expat calls

    def start(self, tag: str, said: Attributes) -> None:
        if self._cell is not None:
            self._level += 1
            self._start_text(tag, said)
        elif tag == SHEET and SUB_TABLE not in said:
            self._to_come -= 1
        elif self._to_come:
            return
        elif tag in (_CELL, _COVERED):
            self._cell, self._level, self._paragraphs = said, 0, []
        elif tag == _ROW:
            self._row, self._texts, self._kinds, self._spoilt, self._column = said, [], bytearray(), [], 0
        elif tag == _COLUMN:
            self._start_column(said)

    def end(self, tag: str) -> None:
        if self._cell is not None:
            if self._level == 0:
                self._end_cell(self._cell)
                self._cell = None
            else:
                if self._level == 1 and self._pieces is not None:
                    self._paragraphs.append("".join(self._pieces))
                    self._pieces = None
                self._level -= 1
        elif tag == _ROW and self._row is not None:
            self._end_row(self._row)
            self._row = None
        elif tag == SHEET and not self._to_come:
            self._to_come = -1

    def text(self, text: str) -> None:
        pieces = self._pieces
        if pieces is not None:
            if "  " in text or not text.isprintable():
                text = _RUN.sub(" ", text)
            pieces.append(text if pieces or text[0] != " " else text.lstrip(" "))

    # Columns and rows

    def _start_column(self, said: Attributes) -> None:
        times = min(int(said.get(_COLUMN_TIMES, 1)), _COLUMNS - len(self._column_styles))
        if said.get(_VISIBILITY, "visible") != "visible" and times:
            first = len(self._column_styles) + 1
            self._table.hidden_columns.append((first, first + times - 1))
        self._column_styles += [said.get(_DEFAULT_STYLE, "")] * times

    def _end_row(self, said: Attributes) -> None:
        first, times = self._number + 1, int(said.get(_ROW_TIMES, 1))
        self._number += times
        if not self._texts:
            return
        if self._number > _ROWS:
            raise UnusableFile(f"is damaged: row {self._number:,} is outside a sheet's {_ROWS:,} rows. {AGAIN}")
        self._cells += len(self._texts) * times
        if self._cells > _CELLS:
            raise UnusableFile(
                f"has too many cells: more than {_CELLS:,} up to row {self._number:,}. Clear what was filled in by "
                "accident below and beside the table, or split it into several files"
            )
        hidden = said.get(_VISIBILITY, "visible") != "visible"
        self._found.append((Line(first, self._texts, self._kinds, self._spoilt, hidden), times))

    # Cells

    def _start_text(self, tag: str, said: Attributes) -> None:
        """Only the cell's own paragraphs are its text: those of a note or of a drawing stand deeper."""
        if tag == _PARAGRAPH and self._level == 1:
            self._pieces = []
        elif self._pieces is not None:
            if tag == _BLANKS:
                self._pieces.append(" " * min(int(said.get(f"{TEXT} c", 1)), LONGEST))
            elif tag == _TAB:
                self._pieces.append("\t")
            elif tag == _BREAK:
                self._pieces.append("\n")

    def _end_cell(self, said: Attributes) -> None:
        paragraphs, column = self._paragraphs, self._column
        times = int(said[_COLUMN_TIMES]) if _COLUMN_TIMES in said else 1
        self._column += times
        if _SPAN_ROWS in said or _SPAN_COLUMNS in said:
            self._merge(int(said.get(_SPAN_ROWS, 1)), int(said.get(_SPAN_COLUMNS, 1)), column + 1)
        if len(paragraphs) == 1 and said.get(_ERROR_TYPE, said.get(_TYPE)) == "string" and _FORMULA not in said:
            text, kind, fault = paragraphs[0], Kind.TEXT, ""  # as most cells
        elif paragraphs or _TYPE in said or _FORMULA in said:
            text, kind, fault = self._shown(said, column)
        else:
            return
        if not text and not fault:
            return
        if self._column > _COLUMNS:
            raise UnusableFile(
                f"is damaged: row {self._number + 1:,} is longer than a sheet's {_COLUMNS:,} columns. {AGAIN}"
            )
        if times == 1 and column == len(self._texts):
            self._texts.append(text)
            self._kinds.append(kind)
        else:
            blank = column - len(self._texts)
            self._texts += [""] * blank + [text] * times
            self._kinds += bytes(blank) + bytes((kind,)) * times
        if fault:
            row, found = self._number + 1, text or "a formula"
            self._spoilt += [Spoilt(row, column + place, fault, found) for place in range(1, times + 1)]

    def _merge(self, rows: int, columns: int, column: int) -> None:
        if rows > 1 or columns > 1:
            row = self._number + 1
            self._table.merged.append((row, column, row + rows - 1, column + columns - 1))

    def _shown(self, said: Attributes, column: int) -> Shown:
        """The text of a cell that holds anything. Raises Damaged, ValueError, LookupError."""
        kind, formula, shown = said.get(_TYPE, ""), _FORMULA in said, "\n".join(self._paragraphs)
        if said.get(_ERROR_TYPE) == "error" or (formula and _ERROR.fullmatch(shown)):
            return shown or "#VALUE!", Kind.TEXT, "error cell"
        if formula and not shown and not {_STRING_VALUE, _VALUE, *_OWN_VALUES.values()} & said.keys():
            return "", Kind.TEXT, "formula without value"
        if kind in ("", "void", "string"):
            text = shown if self._paragraphs else said.get(_STRING_VALUE, "")
            return text, Kind.FORMULA if formula and text else Kind.TEXT, ""
        code = self._styles.format(self._style(said, column))
        value = said[_OWN_VALUES.get(kind, _VALUE)]
        match kind:
            case "boolean":
                return _boolean(value == "true")
            case "date":
                return _date(value, code)
            case "time":
                return _duration(value, code)
            case "float" | "currency" if code == BOOLEAN or (formula and shown in ("TRUE", "FALSE")):
                return _boolean(float(value) != 0)
            case "float" | "currency" | "percentage":
                return show(_whole(value), "0%" if kind == "percentage" else code)
        raise Damaged(f"a cell of type {kind[:10]}")

    def _style(self, said: Attributes, column: int) -> str:
        """The style of a cell: its own, that of its row, or that of its column."""
        of_column = self._column_styles[column] if column < len(self._column_styles) else ""
        return said.get(_STYLE) or (self._row or {}).get(_DEFAULT_STYLE) or of_column


_OWN_VALUES = {kind: f"{OFFICE} {kind}-value" for kind in ("boolean", "date", "time")}


def _boolean(value: bool) -> Shown:
    return "TRUE" if value else "FALSE", Kind.BOOLEAN, ""


def _whole(value: str) -> str:
    """A number as the file writes it, a whole one by its digits: LibreOffice writes `1E+021`."""
    if value.lstrip("-").isdigit() or len(value) > 30:
        return value
    number = Decimal(value)
    return f"{number:.0f}" if number == number.to_integral_value() else value


def _date(value: str, code: str) -> Shown:
    """A day, and a time of day if there is one and the format shows one; to the millisecond."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value, Kind.DATE, NO_DATE
    moment = _to_the_millisecond(moment)
    if moment.time() == datetime.min.time() or (code and "h" not in code and "s" not in code):
        return moment.date().isoformat(), Kind.DATE, ""
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds"), Kind.MOMENT, ""


def _to_the_millisecond(moment: datetime) -> datetime:
    return moment + timedelta(microseconds=round(moment.microsecond, -3) - moment.microsecond)


def _duration(value: str, code: str) -> Shown:
    """A time, which a format may show as that of a day."""
    found = _DURATION.fullmatch(value)
    if not found:
        raise Damaged("a time that is none")
    sign, hours, minutes, seconds = found.groups()
    days = (int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))) / 86_400
    return show(-days if sign else days, code or ("[h]:mm:ss" if days >= 1 else "hh:mm:ss"))
