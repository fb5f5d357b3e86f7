"""The rows of a sheet, from one pass over its XML: what each cell holds, and what the sheet hides or has spoilt."""

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import date, time
from itertools import chain
from typing import IO, Any

from bulkload.cells import Kind, Line, Spoilt, Table
from bulkload.errors import UnusableFile
from bulkload.formats import NO_DATE, is_plain, is_shortest, show
from bulkload.workbook.markup import CHUNK, Attributes, Damaged, Parser
from bulkload.workbook.plain import COLUMNS, PLACES, ROW, PlainRow, meant, plain_row
from bulkload.workbook.strings import unescaped

_ROWS = 1_048_576
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")
_TEXT, _NUMBER, _BOOLEAN, _FORMULA = int(Kind.TEXT), int(Kind.NUMBER), int(Kind.BOOLEAN), int(Kind.FORMULA)
_BOOLEANS = {"1": "TRUE", "true": "TRUE", "0": "FALSE", "false": "FALSE"}
_YES = frozenset({"1", "true"})
# Numbers whose text is known are not worked out again; no more than these are kept.
_KNOWN = 20_000
# How far into a sheet its rows are looked for, to read them by their spelling.
_HEAD = 1 << 20

_DATA, _ROW, _C, _F, _V, _T, _AID = "<sheetData>", "<row>", "<c>", "<f>", "<v>", "<t>", "<rPh>"
_MERGE, _COL = "<mergeCell>", "<col>"
_NAMES = (_DATA, _ROW, _C, _F, _V, _T, _AID, _MERGE, _COL)
_AROUND_CELLS = frozenset({_DATA, _ROW, _MERGE, _COL})
_VALUE_BEGINS, _FORMULA_BEGINS, _AID_BEGINS = None, 1, 2
# Cells whose text stands in the sheet itself: there every blank counts.
_OWN_TEXT = frozenset({"str", "inlineStr"})
_BEGIN = b"<sheetData>"
AGAIN = "Fetch it again, or open it in Excel and save it as a new .xlsx"

Shown = tuple[str, int, str]  # text, Kind, what has spoilt it


def _listen(parser: Any, found: list[Any]) -> None:
    """Tell what begins: a cell as its attributes, what is around cells as a tuple; all text; the names of what ends."""
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
        elif tag in _AROUND_CELLS:
            append((tag, attributes))

    parser.StartElementHandler = start
    parser.CharacterDataHandler = parser.EndElementHandler = append


class Values:
    """What the cells of a workbook mean that has these shared strings, and these formats by style."""

    def __init__(self, strings: Sequence[str], formats: Sequence[str], *, date1904: bool) -> None:
        self._strings = strings
        self._formats: dict[str | None, str] = {str(number): code for number, code in enumerate(formats or [""])}
        self._formats[None] = self._formats["0"]
        self._plain = {style: is_plain(code) for style, code in self._formats.items()}
        self._known: dict[tuple[str | None, str], Shown] = {}
        self._date1904 = date1904

    def plain(self, row: PlainRow, number: int) -> tuple[list[str], bytearray, list[Spoilt]]:
        """Texts, kinds and spoilt cells of a plain row. In one piece, since here the time of reading goes."""
        strings, is_plain, known = self._strings, self._plain, self._known
        texts: list[str] = []
        kinds = bytearray()
        spoilt: list[Spoilt] = []
        for place, style, kind, value, inline in zip(
            row.places, row.styles, row.types, row.values, row.inline, strict=True
        ):
            if place != len(texts):
                kinds += bytes(place - len(texts))
                texts += [""] * (place - len(texts))
            fault = ""
            if kind == "s" and value and value.isdigit():
                text, code = strings[int(value)], _TEXT
            elif value is None and inline is None:
                text, code = "", _TEXT
            elif kind is None and value and is_plain[style] and is_shortest(value):
                text, code = value, _NUMBER
            elif kind is None and value and (style, value) in known:
                text, code, fault = known[style, value]
            else:
                said = meant(inline or "") if value is None else value
                text, code, fault = self.shown(kind or "n", style, said)
            texts.append(text)
            kinds.append(code)
            if fault:
                spoilt.append(Spoilt(number, place + 1, fault, text))
        return texts, kinds, spoilt

    def shown(self, kind: str, style: str | None, text: str) -> Shown:
        """A cell of that type as text. Raises Damaged, ValueError, LookupError."""
        if kind in _OWN_TEXT:
            return unescaped(text), _TEXT, ""
        text = text.strip()
        match kind:
            case _ if not text:
                return "", _TEXT, ""
            case "s":
                return self._strings[_whole(text)], _TEXT, ""
            case "n":
                return self._number(style, text)
            case "b" if text in _BOOLEANS:
                return _BOOLEANS[text], _BOOLEAN, ""
            case "e":
                return text, _TEXT, "error cell"
            case "d":
                return _iso(text)
        raise Damaged(f"a cell of type {kind[:10]}")

    def _number(self, style: str | None, text: str) -> Shown:
        shown, kind, fault = show(text, self._formats[style], date1904=self._date1904)
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[style, text] = shown, int(kind), fault
        return shown, int(kind), fault


class Reading:
    """One reading of a sheet. Its plain rows are read by their spelling, all else through the parser."""

    def __init__(self, stream: IO[bytes], part: str, table: Table, values: Values) -> None:
        self._stream = stream
        self._parser = Parser(part, _NAMES, _listen)
        self._table = table
        self._values = values
        self._last = 0
        self._begun = False
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
            if type(item) is tuple and item[0] is _ROW:
                row = item[1]
                self._last = _row_number(int(row.get("r", self._last + 1)), self._last)
                yield self._line(items, hidden=row.get("hidden") in _YES)
            elif type(item) is tuple:
                self._begun = self._begun or item[0] is _DATA
                _note(item[0], item[1], self._table)

    def _line(self, items: Iterator[Any], *, hidden: bool) -> Line:
        texts: list[str] = []
        kinds = bytearray()
        spoilt: list[Spoilt] = []
        for item in items:
            if item is _ROW:  # ends
                break
            if item is _VALUE_BEGINS:
                raise Damaged("a value outside of cells")
            if type(item) is not dict:
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
        kind = cell.get("t", "n")
        text, formula, valued = _read(items)
        if formula and not text.strip() and not (valued and kind == "str"):
            return "", _TEXT, "formula without value"
        text, code, fault = self._values.shown(kind, cell.get("s"), text)
        return text, _FORMULA if formula and text and code == _TEXT and not fault else code, fault


def _read(items: Iterator[Any]) -> tuple[str, bool, bool]:
    """The text of a cell to its end, whether it has a formula, and whether it has a value, be it empty."""
    pieces: list[str] = []
    opened = formula = valued = False
    aids = 0
    for item in items:
        if item is _C:  # ends
            break
        if item is _VALUE_BEGINS:
            opened, valued = not aids, True
        elif item is _V or item is _T:  # ends
            opened = False
        elif item is _AID:  # ends
            aids -= 1
        elif item == _FORMULA_BEGINS:
            formula = True
        elif item == _AID_BEGINS:
            aids += 1
        elif opened:
            pieces.append(item)
    return "".join(pieces), formula, valued


def _whole(text: str) -> int:
    if not text.isdigit():
        raise Damaged("an index that is none")
    return int(text)


def _iso(text: str) -> Shown:
    """A date, a time or both as ISO 8601, which a cell may hold itself instead of a number."""
    day, _, clock = text.removesuffix("Z").rpartition("T") if "T" in text else (text, "", "")
    if (not day and not clock) or ":" in day:
        day, clock = "", clock or day
    try:
        moment = time.fromisoformat(clock) if clock else time()
        if not day:
            return moment.isoformat(), int(Kind.TIME), ""
        shown = date.fromisoformat(day).isoformat()
    except ValueError:
        return text, int(Kind.DATE), NO_DATE
    return (f"{shown}T{moment.isoformat()}", int(Kind.MOMENT), "") if moment != time() else (shown, int(Kind.DATE), "")


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
    if tag is _COL and attributes.get("hidden") in _YES:
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
