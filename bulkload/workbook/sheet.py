"""The rows of a sheet, from one pass over its XML: what each cell holds, and what the sheet hides or has spoilt."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, time
from typing import IO, Any

from bulkload.cells import Kind, Line, Spoilt, Table, column_letter
from bulkload.errors import UnusableFile
from bulkload.formats import NO_DATE, is_plain, is_shortest, show
from bulkload.workbook.markup import Attributes, Damaged, events
from bulkload.workbook.strings import LONGEST, too_long, unescaped

_ROWS, _COLUMNS = 1_048_576, 16_384
_LETTERS = [column_letter(position) for position in range(1, _COLUMNS + 1)]
_PLACES = {letters: place for place, letters in enumerate(_LETTERS)}
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")
_TEXT, _NUMBER, _BOOLEAN, _FORMULA = int(Kind.TEXT), int(Kind.NUMBER), int(Kind.BOOLEAN), int(Kind.FORMULA)
_BOOLEANS = {"1": "TRUE", "true": "TRUE", "0": "FALSE", "false": "FALSE"}
_YES = frozenset({"1", "true"})
# Numbers whose text is known are not worked out again; no more than these are kept.
_KNOWN = 20_000

_DATA, _ROW, _C, _F, _V, _T, _AID = "<sheetData>", "<row>", "<c>", "<f>", "<v>", "<t>", "<rPh>"
_MERGE, _COL = "<mergeCell>", "<col>"
_NAMES = (_DATA, _ROW, _C, _F, _V, _T, _AID, _MERGE, _COL)
_OUTSIDE_CELLS = frozenset({_DATA, _ROW, _MERGE, _COL})
# Cells whose text stands in the sheet itself: there every blank counts.
_OWN_TEXT = frozenset({"str", "inlineStr"})
# What `_listen` tells: a cell is its attributes, what stands outside cells a tuple, the rest belongs to the cell.
_NEXT = frozenset({dict, tuple})
_END: tuple[str, Attributes] = ("", {})
_BEYOND_ROW = frozenset({"", *_OUTSIDE_CELLS})
_VALUE_BEGINS, _FORMULA_BEGINS, _AID_BEGINS = None, 1, 2
_AGAIN = "Fetch it again, or open it in Excel and save it as a new .xlsx"

Shown = tuple[str, int, str]  # text, Kind, what has spoilt it


def _listen(parser: Any, found: list[Any]) -> None:
    """Tell the text of every cell, and what begins. What ends is told of cells with a text of their own alone.

    Telling every end would take long. Without it, text belongs to a cell until anything else begins.
    """
    append = found.append
    exact = False

    def start(tag: str, attributes: Attributes) -> None:
        nonlocal exact
        if tag is _C:
            append(attributes)
            if attributes.get("t") in _OWN_TEXT:
                if not exact:
                    exact, parser.EndElementHandler = True, append
            elif exact:
                exact, parser.EndElementHandler = False, None
        elif tag is _V or tag is _T:
            append(_VALUE_BEGINS)
        elif tag is _F:
            append(_FORMULA_BEGINS)
        elif tag is _AID:
            append(_AID_BEGINS)
        elif tag in _OUTSIDE_CELLS or not exact:
            append((tag, attributes))

    parser.StartElementHandler = start
    parser.CharacterDataHandler = append


class Rows:
    """Reads the sheets of the workbook that has these shared strings, and these formats by style."""

    def __init__(self, strings: Sequence[str], formats: Sequence[str], *, date1904: bool) -> None:
        self._strings = strings
        self._formats: dict[str | None, str] = {str(number): code for number, code in enumerate(formats or [""])}
        self._formats[None] = self._formats["0"]
        self._plain = {style: is_plain(code) for style, code in self._formats.items()}
        self._known: dict[tuple[str | None, str], Shown] = {}
        self._date1904 = date1904

    def lines(self, stream: IO[bytes], part: str, table: Table) -> Iterator[Line]:
        """The rows that the sheet has, blank ones too. Fills the lists of `table`. Raises UnusableFile, Damaged."""
        items = events(stream, part, _NAMES, _listen)
        item, number, begun = next(items, _END), 0, False
        while item is not _END:
            if type(item) is tuple and item[0] is _ROW:
                number = _row_number(item[1], number)
                line, item = self._line(number, item[1], items, table)
                yield line
                continue
            if type(item) is dict:
                raise Damaged("a cell outside of rows")
            if type(item) is tuple:
                begun = begun or item[0] is _DATA
                _note(item[0], item[1], table)
            item = next(items, _END)
        if not begun:
            raise Damaged(f"no rows in {part}")

    def _line(self, number: int, row: Attributes, items: Iterator[Any], table: Table) -> tuple[Line, Any]:
        """A row, and the item that comes after it. In one piece, since here the time of reading goes."""
        strings, plain, known, digits = self._strings, self._plain, self._known, str(number)
        texts: list[str] = []
        kinds = bytearray()
        spoilt: list[Spoilt] = []
        item = next(items, _END)
        while type(item) is not tuple or item[0] not in _BEYOND_ROW:
            if type(item) is not dict:
                if item is _VALUE_BEGINS:
                    raise Damaged("a value outside of cells")
                item = next(items, _END)  # blanks between cells, and what no cell needs
                continue
            cell, column = item, len(texts)
            reference, kind, style = cell.get("r"), cell.get("t"), cell.get("s")
            if reference != _LETTERS[min(column, _COLUMNS - 1)] + digits:
                column = _column(reference, number, column)
                kinds += bytes(column - len(texts))
                texts += [""] * (column - len(texts))
            parts = []
            item = next(items, _END)
            while type(item) not in _NEXT:
                parts.append(item)
                item = next(items, _END)
            fault = ""
            value = parts[1] if len(parts) == 2 and parts[0] is _VALUE_BEGINS else None
            if not parts:
                text, code = "", _TEXT
            elif type(value) is not str:
                text, code, fault = self._shown(cell, parts, table)
            elif kind == "s" and value.isdigit():
                text, code = strings[int(value)], _TEXT
            elif kind is None and plain[style] and is_shortest(value):
                text, code = value, _NUMBER
            elif kind is None and (style, value) in known:
                text, code, fault = known[style, value]
            else:
                text, code, fault = self._shown(cell, parts, table)
            texts.append(text)
            kinds.append(code)
            if fault:
                spoilt.append(Spoilt(number, column + 1, fault, text or "a formula"))
        return Line(number, texts, kinds, spoilt, row.get("hidden") in _YES), item

    def _shown(self, cell: Attributes, parts: Sequence[Any], table: Table) -> Shown:
        """The text of any cell. Raises Damaged, ValueError, LookupError."""
        kind = cell.get("t", "n")
        text, formula, valued = _read(parts, exact=kind in _OWN_TEXT)
        if formula and not text.strip() and not (valued and kind == "str"):
            return "", _TEXT, "formula without value"
        if kind in _OWN_TEXT:
            if len(text) > LONGEST:
                table.facts.append(too_long(text))
            return unescaped(text), _FORMULA if formula and text else _TEXT, ""
        text = text.strip()
        match kind:
            case _ if not text:
                return "", _TEXT, ""
            case "s":
                return self._strings[_whole(text)], _FORMULA if formula else _TEXT, ""
            case "n":
                return self._number(cell.get("s"), text)
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


def _read(parts: Sequence[Any], *, exact: bool) -> tuple[str, bool, bool]:
    """The text of a cell, whether it has a formula, and whether it has a value, be it empty."""
    pieces: list[str] = []
    opened = formula = valued = False
    aids = 0
    for part in parts:
        if part is _VALUE_BEGINS:
            opened, valued = not aids, True
        elif part == _FORMULA_BEGINS:
            opened, formula = False, True
        elif part == _AID_BEGINS:
            opened, aids = False, aids + 1
        elif exact and (part is _V or part is _T):  # ends
            opened = False
        elif exact and part is _AID:  # ends
            aids -= 1
        elif opened:
            pieces.append(part)
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


def _row_number(row: Attributes, last: int) -> int:
    number = int(row.get("r", last + 1))
    if number <= last:
        raise _out_of_order(number)
    if number > _ROWS:
        raise _outside(f"row {number}")
    return number


def _column(reference: str | None, row: int, least: int) -> int:
    """The place of a cell, from 0; without a reference it is the next one. Cells come from left to right."""
    if reference is None:
        place: int | None = least
    else:
        found = _REFERENCE.fullmatch(reference)
        if found is None or int(found[2]) != row:
            raise _out_of_order(row)
        place = _PLACES.get(found[1].upper())
        if place is not None and place < least:
            raise _out_of_order(row)
    if place is None or place >= _COLUMNS:
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
        left, right = (_PLACES[corner[1].upper()] + 1 for corner in (top, bottom))
        table.merged.append((int(top[2]), left, int(bottom[2]), right))


def _out_of_order(row: int) -> UnusableFile:
    return UnusableFile(f"is damaged near row {row}: rows or cells are out of order. {_AGAIN}")


def _outside(what: str) -> UnusableFile:
    return UnusableFile(f"is damaged: {what} is outside Excel's {_ROWS} rows or XFD columns. {_AGAIN}")
