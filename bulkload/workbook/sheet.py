"""The rows of a sheet, from one pass over its XML: what each cell holds, and what the sheet hides or has spoilt."""

import re
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import IO, Any

from bulkload.cells import Kind, Line, Spoilt, Table
from bulkload.errors import UnusableFile
from bulkload.workbook.markup import CHUNK, Attributes, Damaged, Parser
from bulkload.workbook.meaning import Shown, Values
from bulkload.workbook.plain import COLUMNS, PLACES, ROW, plain_row
from bulkload.workbook.words import EXTENSIONS, LOOKS, check_attributes, flag

_ROWS = 1_048_576
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")
_TEXT, _FORMULA = int(Kind.TEXT), int(Kind.FORMULA)
# How far into a sheet its rows are looked for, to read them by their spelling.
_HEAD = 1 << 20

_DATA, _ROW, _C, _F, _V, _T, _AID = "<sheetData>", "<row>", "<c>", "<f>", "<v>", "<t>", "<rPh>"
_COLS, _COL, _MERGES, _MERGE = "<cols>", "<col>", "<mergeCells>", "<mergeCell>"
_NAMES = (_DATA, _ROW, _C, _F, _V, _T, _AID, _COLS, _COL, _MERGES, _MERGE, EXTENSIONS, *LOOKS)
_LOOKS = frozenset(LOOKS)
# What alone may stand in these.
_INSIDE = {_DATA: _ROW, _COLS: _COL, _MERGES: _MERGE}
_VALUE_BEGINS, _FORMULA_BEGINS, _AID_BEGINS = None, 1, 2
_BEGIN = b"<sheetData>"
AGAIN = "Fetch it again, or open it in Excel and save it as a new .xlsx"


def _listen(parser: Any, found: list[Any]) -> None:
    """Tell what begins: a cell as its attributes, what is no part of one as a tuple; all text; the names of what ends.

    What only says how a text looks isn't told.
    """
    append = found.append

    def start(tag: str, attributes: Attributes) -> None:
        if tag is _C:
            append(attributes)
        elif tag is _V or tag is _T:
            append(_VALUE_BEGINS)
        elif tag is _F:
            append(_FORMULA_BEGINS)
        elif tag is _AID:
            append(_AID_BEGINS)
        elif tag not in _LOOKS:
            append((tag, attributes))

    parser.StartElementHandler = start
    parser.CharacterDataHandler = parser.EndElementHandler = append


class Reading:
    """One reading of a sheet. Its plain rows are read by their spelling, all else through the parser."""

    def __init__(self, stream: IO[bytes], part: str, table: Table, values: Values) -> None:
        self._stream = stream
        self._parser = Parser(part, _NAMES, _listen)
        self._table = table
        self._values = values
        self._last = 0
        self._begun = False
        # What the parser is inside of, of what may hold one kind of element alone.
        self._inside = ""
        self._unended: list[Any] = []

    def lines(self) -> Iterator[Line]:
        """The rows that the sheet has, blank ones too. Fills the lists of the table. Raises UnusableFile, Damaged."""
        head, data = self._head()
        if data is not None:
            yield from self._parsed(head)
            head = yield from self._spelled(data)
        yield from self._parsed(chain(head, self._parser.rest(self._stream)))
        if not self._begun:
            raise Damaged("no rows")

    def _head(self) -> tuple[list[Any], bytes | None]:
        """What stands before the rows, and the bytes after `<sheetData>`; None if all has to be parsed."""
        data, place = b"", -1
        while place < 0 and len(data) < _HEAD and (chunk := self._stream.read(CHUNK)):
            data += chunk
            place = data.find(_BEGIN)
        place = place + len(_BEGIN) if place >= 0 else len(data)
        head = [*self._parser.feed(data[:place])]
        if self._parser.is_utf8 and head and type(head[-1]) is tuple and head[-1][0] is _DATA:
            return head, data[place:]
        return [*head, *self._parser.feed(data[place:])], None

    # Rows by their spelling

    def _spelled(self, data: bytes) -> Generator[Line, None, list[Any]]:
        """The rows from `data` on, as long as they begin as rows do. Returns what the parser makes of what follows."""
        while len(data) < _HEAD:
            end = data.rfind(b">") + 1
            try:
                text = data[:end].decode()
            except UnicodeDecodeError:
                break
            place, whole = yield from self._rows_of(text)
            data = text[place:].encode() + data[end:]
            if not whole or (place < len(text) and not ROW.match(text, place)):
                break
            chunk = self._stream.read(CHUNK)
            if not chunk:
                break
            data += chunk
        return [*self._unended, *self._parser.feed(data)]

    def _rows_of(self, text: str) -> Generator[Line, None, tuple[int, bool]]:
        """The whole rows that `text` begins with. Returns where they end, and whether the parser is between rows."""
        place = 0
        while row := ROW.match(text, place):
            number, hidden, closed = row[1], row[2] is not None, row[3]
            end = row.end() if closed else text.find("</row>", row.end())
            if end < 0:
                break
            after = end if closed else end + len("</row>")
            plain = plain_row(number, text[row.end() : end])
            if plain:
                self._last = _row_number(int(number), self._last)
                cells = self._values.plain(plain, self._last)
                yield Line(self._last, *cells, hidden)
            else:
                found = [*self._parser.feed(text[place:after].encode())]
                if found[-1] is not _ROW:
                    self._unended = found
                    return after, False
                yield from self._parsed(found)
            place = after
        return place, True

    # Rows through the parser

    def _parsed(self, events: Iterable[Any]) -> Iterator[Line]:
        items = iter(events)
        for item in items:
            if type(item) is dict or item is _VALUE_BEGINS:
                raise Damaged("a cell outside of rows")
            if type(item) is tuple:
                tag, attributes = item
                if self._inside and tag is not _INSIDE[self._inside]:
                    raise Damaged("an element among rows, columns or merged cells that is none")
                if tag is _ROW:
                    yield self._row(attributes, items)
                elif tag in _INSIDE:
                    self._inside = tag
                    self._begun = self._begun or tag is _DATA
                else:
                    _note(tag, attributes, self._table)
            elif item is self._inside:  # ends
                self._inside = ""
            elif self._inside is _DATA:
                _refuse_text(item)

    def _row(self, row: Attributes, items: Iterator[Any]) -> Line:
        check_attributes("row", row)
        self._last = _row_number(int(row.get("r", self._last + 1)), self._last)
        return self._line(items, hidden=flag(row, "hidden"))

    def _line(self, items: Iterator[Any], *, hidden: bool) -> Line:
        texts: list[str] = []
        kinds = bytearray()
        spoilt: list[Spoilt] = []
        for item in items:
            if item is _ROW:  # ends
                break
            if type(item) is not dict:
                _skip(item, items)
                continue
            place = _place(item.get("r"), self._last, len(texts))
            kinds += bytes(place - len(texts))
            texts += [""] * (place - len(texts))
            text, code, fault = self._cell(item, items)
            texts.append(text)
            kinds.append(code)
            if fault:
                spoilt.append(Spoilt(self._last, place + 1, fault, text or "a formula"))
        return Line(self._last, texts, kinds, spoilt, hidden)

    def _cell(self, cell: Attributes, items: Iterator[Any]) -> Shown:
        check_attributes("c", cell)
        kind = cell.get("t", "n")
        text, formula, valued = _read(items)
        if formula and not text.strip() and not (valued and kind == "str"):
            return "", _TEXT, "formula without value"
        text, code, fault = self._values.shown(kind, cell.get("s"), text)
        return text, _FORMULA if formula and text and code == _TEXT and not fault else code, fault


def _read(items: Iterator[Any]) -> tuple[str, bool, bool]:
    """The text of a cell to its end, whether it has a formula, and whether it has a value, be it empty."""
    pieces: list[str] = []
    formula = valued = False
    aids = 0
    into: list[str] | None = None
    for item in items:
        if item is _C:  # ends
            break
        if item is _VALUE_BEGINS:
            into = [] if aids else pieces
            valued = valued or not aids
        elif item is _V or item is _T or item is _F:  # ends
            into = None
        elif item is _AID:  # ends
            aids -= 1
        elif item == _FORMULA_BEGINS:
            formula, into = True, []
        elif item == _AID_BEGINS:
            aids += 1
        elif into is not None and type(item) is str:
            into.append(item)
        else:
            _skip(item, items)
    return "".join(pieces), formula, valued


def _skip(item: Any, items: Iterator[Any]) -> None:
    """Pass over what says nothing of a cell. Raises Damaged where it might."""
    if type(item) is tuple and item[0] is EXTENSIONS:
        for inner in items:
            if inner is EXTENSIONS:  # ends
                return
    elif type(item) is not str or item not in _LOOKS:
        _refuse_text(item)


def _refuse_text(item: Any) -> None:
    """Where only elements can stand: `<c r="A2"> t="s"><v>5</v></c>` isn't the number 5."""
    if type(item) is not str or item.strip():
        raise Damaged("something within a row that is no cell, or within a cell that is no value")


# --- places -----------------------------------------------------------------------------------------------------------


def _row_number(number: int, last: int) -> int:
    if number <= last:
        raise _out_of_order(number)
    if number > _ROWS:
        raise _outside(f"row {number}")
    return number


def _place(reference: str | None, row: int, least: int) -> int:
    """The place of a cell, from 0; without a reference it is the next one. Cells come from left to right."""
    if reference is None:
        place: int | None = least
    else:
        found = _REFERENCE.fullmatch(reference)
        if found is None or int(found[2]) != row:
            raise _out_of_order(row)
        place = PLACES.get(found[1].upper())
        if place is not None and place < least:
            raise _out_of_order(row)
    if place is None or place >= COLUMNS:
        raise _outside(f"the cell {reference}" if reference else f"row {row}")
    return place


def _note(tag: str, attributes: Attributes, table: Table) -> None:
    """What stands before and after the rows: hidden columns, merged cells."""
    if tag is _COL:
        check_attributes("col", attributes)
        if flag(attributes, "hidden"):
            table.hidden_columns.append((int(attributes["min"]), int(attributes["max"])))
    elif tag is _MERGE:
        first, _, last = attributes["ref"].partition(":")
        top, bottom = (_REFERENCE.fullmatch(corner) for corner in (first, last or first))
        if top is None or bottom is None:
            raise Damaged("a merged range that is none")
        left, right = (PLACES[corner[1].upper()] + 1 for corner in (top, bottom))
        table.merged.append((int(top[2]), left, int(bottom[2]), right))


def _out_of_order(row: int) -> UnusableFile:
    return UnusableFile(f"is damaged near row {row}: rows or cells are out of order. {AGAIN}")


def _outside(what: str) -> UnusableFile:
    return UnusableFile(f"is damaged: {what} is outside Excel's {_ROWS:,} rows or its last column, XFD. {AGAIN}")
