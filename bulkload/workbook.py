"""What an .xlsx holds, row by row as text: openpyxl reads the cells, one more pass over the XML finds what it hides."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import IO, Any, BinaryIO
from xml.parsers import expat
from zipfile import ZipFile

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils import column_index_from_string
from openpyxl.utils.escape import unescape
from openpyxl.xml.constants import (
    ARC_CONTENT_TYPES,
    MAX_COLUMN,
    MAX_ROW,
    SHARED_STRINGS,
    SHEET_MAIN_NS,
    XLSM,
    XLSX,
    XLTM,
    XLTX,
)

from bulkload import stamp
from bulkload.errors import UnusableFile
from bulkload.models import Spoilt

# Rows asked of openpyxl at a time: its warnings are silenced around each such call, never across a `yield`.
_BATCH = 100
_CHUNK = 1 << 16
_SURROGATES = frozenset(map(chr, range(0xD800, 0xE000)))
# What a date cell holds that shows a time alone: serial 0.
_DAY_ZERO = date(1899, 12, 30)
# More digits than these a spreadsheet rounds.
_DIGITS = 15
# Formulas without a value that are told one by one; a sheet with more is refused when it is read.
_UNVALUED = 100_000

Opened = Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, slots=True)
class TextRow:
    """A row as the file has it: `texts` from the first column on, "" where empty, as far as its last cell."""

    number: int
    texts: list[str]
    spoilt: tuple[Spoilt, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet as the file has it. `header` is the text of the header row's cells; `hidden_rows` counts those below it.

    `rows()` reads the sheet anew, blank rows and the header included, and raises UnusableFile.
    """

    name: str
    header: list[str]
    rows: Callable[[], Iterator[TextRow]]
    hidden: bool = False
    hidden_rows: int = 0


@dataclass(frozen=True, slots=True)
class Workbook:
    """The sheets from left to right, and the rows of the stamp sheet."""

    sheets: tuple[Table, ...]
    stamp: tuple[tuple[str, ...], ...]


def open_workbook(file: str, opened: Opened, *, sheet: str | None, header_row: int) -> Workbook:
    """Look through a workbook: only `sheet` if one is named. `file` is its name for messages. Raises UnusableFile."""
    with _loaded(file, opened) as parts:
        data = [part for part in parts if not part.name.startswith("_")]  # those are for programs
        chosen = [part for part in data if sheet in (None, part.name)]
        if sheet is not None and not chosen:
            there = ", ".join(part.name for part in data)
            raise UnusableFile(f'{file} has no sheet "{sheet}": its sheets are {there}')
        stamps = [part for part in parts if part.name == stamp.SHEET]
        return Workbook(
            sheets=tuple(_table(file, opened, part, header_row) for part in chosen),
            stamp=tuple(trimmed(row.texts) for part in stamps for row in _rows(file, part, {})),
        )


def trimmed(texts: list[str]) -> tuple[str, ...]:
    """The texts as far as the last that is not blank."""
    end = max((position for position, text in enumerate(texts, 1) if text.strip()), default=0)
    return tuple(texts[:end])


# --- openpyxl ---------------------------------------------------------------------------------------------------------


class _Reader(ExcelReader):
    """openpyxl's reader, kept to what values need: odd properties, themes or print areas can't make a file unusable."""

    def read(self) -> None:
        self.read_manifest()
        self.read_strings()
        self.read_workbook()
        apply_stylesheet(self.archive, self.wb)
        self.read_worksheets()

    def read_strings(self) -> None:
        """Text as it stands in the file: openpyxl would take `x005F_` out, and with it the sense of `_x005F_x000D_`."""
        part = self.package.find(SHARED_STRINGS)  # type: ignore[no-untyped-call]
        if part is not None:
            with self.archive.open(part.PartName[1:]) as stream:
                self.shared_strings = _strings(stream)

    def read_chartsheet(self, sheet: object, rel: object) -> None:
        """A chart on a sheet of its own has no rows."""


@dataclass(frozen=True, slots=True)
class _Part:
    """An open sheet: `cells` is openpyxl's read-only sheet, `xml` opens the part of the zip that it is read from."""

    position: int
    name: str
    hidden: bool
    cells: Any
    xml: Callable[[], IO[bytes]]


@contextmanager
def _loaded(file: str, opened: Opened) -> Iterator[list[_Part]]:
    """The sheets of the workbook, to be read while it is open."""
    with opened() as stream:
        with _guarded(file):
            reader = _Reader(stream, read_only=True, data_only=True, keep_links=False)
            _refuse_strange_zip(file, reader.archive)
            reader.read()
        with closing(reader.wb):
            with _guarded(file):
                parts = _parts(reader)
            if not parts:
                raise UnusableFile(f'{file} has no sheet that can be read: save it as a normal .xlsx (not "Strict")')
            yield parts


def _parts(reader: _Reader) -> list[_Part]:
    sheets = [(sheet, str(rel.target)) for sheet, rel in reader.parser.find_sheets() if "chartsheet" not in rel.Type]
    # strict: openpyxl leaves out a sheet whose part is missing, and says nothing.
    return [
        _Part(position, sheet.name, sheet.state != "visible", cells, partial(reader.archive.open, path))
        for position, ((sheet, path), cells) in enumerate(zip(sheets, reader.wb.worksheets, strict=True))
    ]


@contextmanager
def _guarded(file: str) -> Iterator[None]:
    """Around calls into openpyxl, zipfile and expat: whatever they raise is the file's fault, what they warn is theirs.

    Never around a `yield`: the silence and the catching would reach the code that takes the rows.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except UnusableFile:
            raise
        except Exception as error:
            raise UnusableFile(
                f"{file} is damaged or incomplete: fetch it again, or open it in Excel and save it as a new .xlsx"
            ) from error


def _table(file: str, opened: Opened, part: _Part, header_row: int) -> Table:
    place = f"{file}: {part.name}"
    scan = _Scan(place, header_row)
    with _guarded(file), part.xml() as stream:
        scan.read(stream)

    def rows() -> Iterator[TextRow]:
        if scan.unvalued_count > _UNVALUED:
            raise UnusableFile(f"{place} has {scan.unvalued_count} formulas without a value: open and save it in Excel")
        with _loaded(file, opened) as parts:
            yield from _rows(file, parts[part.position], scan.unvalued)

    head = next(islice(_rows(file, part, scan.unvalued), header_row - 1, None), None)
    return Table(part.name, head.texts if head else [], rows, part.hidden, scan.hidden_rows)


def _rows(file: str, part: _Part, unvalued: Mapping[int, list[int]]) -> Iterator[TextRow]:
    for number, cells in enumerate(_cells(file, part), 1):
        yield _row(number, cells, unvalued.get(number, ()))


def _cells(file: str, part: _Part) -> Iterator[tuple[Any, ...]]:
    with _guarded(file):
        part.cells.reset_dimensions()  # what a file says of its size may be wrong
        rows = part.cells.iter_rows(min_row=1)
    while True:
        with _guarded(file):
            batch = list(islice(rows, _BATCH))
        if not batch:
            return
        yield from batch


def _row(number: int, cells: tuple[Any, ...], unvalued: Iterable[int]) -> TextRow:
    texts = [_text(cell.value) for cell in cells]
    spoilt = []
    for column, (cell, text) in enumerate(zip(cells, texts, strict=True), 1):
        if cell.data_type == "e":
            spoilt.append(Spoilt(number, column, "error cell", text))
        elif cell.data_type == "n" and text and _is_rounded(text):
            spoilt.append(Spoilt(number, column, "rounded number", text))
    spoilt += [Spoilt(number, column, "formula without value", "a formula") for column in unvalued]
    return TextRow(number, texts, tuple(sorted(spoilt, key=lambda each: each.column)))


# --- values as text ---------------------------------------------------------------------------------------------------


def _text(value: object) -> str:
    """A cell's value as a person would type it; numbers in full, dates and times as ISO 8601."""
    match value:
        case None:
            return ""
        case str():
            return _unescaped(value) if "_x" in value else value
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(value)
        case float():
            return _number(value)
        case datetime():
            return _moment(value)
        case timedelta():
            return _duration(value)
        case _:
            return value.isoformat() if isinstance(value, (date, time)) else str(value)


def _unescaped(text: str) -> str:
    """`_x000D_` as the character that it stands for, unless that is half of one, which no other program would take."""
    plain = unescape(text)
    return text if _SURROGATES.intersection(plain) else plain


def _number(value: float) -> str:
    if value.is_integer() and abs(value) < 10**_DIGITS:
        return str(int(value))
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text else text


def _is_rounded(text: str) -> bool:
    """Whether a number has more digits than a spreadsheet keeps. Zeros at the end count: they may have been others."""
    digits = text.lstrip("-0.").replace(".", "")
    return len(digits) > _DIGITS or text.endswith("inf")


def _moment(value: datetime) -> str:
    if value.date() == _DAY_ZERO:
        return value.time().isoformat()
    return value.date().isoformat() if value.time() == time() else value.isoformat()


def _duration(value: timedelta) -> str:
    """Hours, minutes and seconds; the hours may exceed 24."""
    sign, value = ("-", -value) if value < timedelta() else ("", value)
    minutes, seconds = divmod(value.days * 86_400 + value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}" if value.microseconds else ""
    return f"{sign}{hours:02}:{minutes:02}:{seconds:02}{fraction}"


# --- the XML ----------------------------------------------------------------------------------------------------------


def _refuse_strange_zip(file: str, archive: ZipFile) -> None:
    """Refuse a zip that is no workbook, and one with a DTD in any part: a DTD can unfold to any size."""
    names = archive.namelist()
    types = archive.read(ARC_CONTENT_TYPES).decode() if ARC_CONTENT_TYPES in names else ""
    if not any(kind in types for kind in (XLSX, XLSM, XLTX, XLTM)):
        raise UnusableFile(f"{file} is a zip file but no Excel workbook: open it where it was made, save it as .xlsx")
    for part in archive.infolist():
        with archive.open(part) as stream:
            if _has_dtd(stream):
                raise UnusableFile(f"{file} has a DTD in {part.filename}, as no spreadsheet program writes: not opened")


def _has_dtd(stream: IO[bytes]) -> bool:
    """Whether an XML part begins with a DTD, which can only stand before the first element. Pictures have none."""
    found: list[bool] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *_: found.append(True)
    parser.StartElementHandler = lambda *_: found.append(False)
    with suppress(expat.ExpatError):
        while not found and (chunk := stream.read(_CHUNK)):
            parser.Parse(chunk)
    return bool(found) and found[0]


def _parse(parser: expat.XMLParserType, stream: IO[bytes]) -> None:
    while chunk := stream.read(_CHUNK):
        parser.Parse(chunk)
    parser.Parse(b"", True)


def _name(tag: str) -> str:
    return f"{SHEET_MAIN_NS} {tag}"


_C, _F, _IS, _R_PH, _ROW, _SI, _T, _V = map(_name, ("c", "f", "is", "rPh", "row", "si", "t", "v"))


def _strings(stream: IO[bytes]) -> list[str]:
    """The shared strings, runs of rich text joined, reading aids for Japanese (rPh) left out."""
    strings: list[str] = []
    pieces: list[str] = []
    aids: list[str] = []

    def start(tag: str, _: dict[str, str]) -> None:
        if tag == _SI:
            pieces.clear()
        elif tag == _R_PH:
            aids.append(tag)
        elif tag == _T and not aids:
            parser.CharacterDataHandler = pieces.append

    def end(tag: str) -> None:
        if tag == _SI:
            strings.append("".join(pieces))
        elif tag == _R_PH:
            aids.pop()
        elif tag == _T:
            parser.CharacterDataHandler = None

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    _parse(parser, stream)
    return strings


class _Scan:
    """What one pass over a sheet's XML finds: hidden rows below the header, formulas whose value was never stored.

    Rows and cells must ascend: openpyxl loses those that do not. `place` is the sheet's name for messages.
    """

    def __init__(self, place: str, header_row: int) -> None:
        self.hidden_rows = 0
        self.unvalued: dict[int, list[int]] = {}
        self.unvalued_count = 0
        self._place = place
        self._header_row = header_row
        self._row = self._column = 0
        self._hidden = self._filled = False
        # Of the cell being read: its type, and whether it has a formula for which no value was seen yet.
        self._kind = ""
        self._formula = False
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start

    def read(self, stream: IO[bytes]) -> None:
        _parse(self._parser, stream)
        self._end_row()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == _C:
            self._start_cell(attributes)
        elif tag == _V:
            self._filled = True
            if self._formula and self._kind == "str":  # a formula whose value is the empty text
                self._formula = False
            elif self._formula:
                self._parser.CharacterDataHandler = self._value
        elif tag == _IS:
            self._filled = True
        elif tag == _F:
            self._formula = True
        elif tag == _ROW:
            self._start_row(attributes)

    def _value(self, text: str) -> None:
        if text.strip():
            self._formula = False
            self._parser.CharacterDataHandler = None

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self._end_cell()
        last, reference = self._column, attributes.get("r")
        if reference:
            letters = reference.rstrip("0123456789")
            self._column = column_index_from_string(letters)
            misplaced = reference[len(letters) :] != str(self._row)
        else:
            self._column, misplaced = last + 1, False
        self._check(misplaced or self._column <= last)
        self._kind = attributes.get("t", "n")

    def _end_cell(self) -> None:
        if self._formula:
            self.unvalued_count += 1
            if self.unvalued_count <= _UNVALUED:
                self.unvalued.setdefault(self._row, []).append(self._column)
            self._formula = False
            self._parser.CharacterDataHandler = None

    def _start_row(self, attributes: dict[str, str]) -> None:
        self._end_row()
        last, self._row = self._row, int(attributes.get("r", self._row + 1))
        self._check(self._row <= last)
        self._column, self._filled = 0, False
        self._hidden = attributes.get("hidden") in ("1", "true")

    def _end_row(self) -> None:
        self._end_cell()
        if self._hidden and self._filled and self._row > self._header_row:
            self.hidden_rows += 1

    def _check(self, misplaced: bool) -> None:
        if misplaced:
            raise UnusableFile(f"{self._place} is damaged near row {self._row}: rows or cells are out of order")
        if self._row > MAX_ROW or self._column > MAX_COLUMN:
            raise UnusableFile(f"{self._place} is damaged: it has a cell outside Excel's {MAX_ROW} rows or XFD columns")
