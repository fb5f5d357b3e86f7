"""First step: a file becomes sheets of text, with the spreadsheet's own row numbers and nothing inferred."""

import codecs
import csv
import hashlib
import io
import mmap
import os
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from bulkload.errors import UnusableFile, UsageError
from bulkload.models import FRAME_ROWS, Book, Frame, Sheet, column_letter
from bulkload.workbook import Table, TextRow, open_workbook, trimmed

_CHUNK = 1 << 20
# Characters in a field, and in a line: more than these is no table, and each is held whole in memory.
_FIELD_LIMIT = 1_000_000
_LINE_LIMIT = 20_000_000
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SEP = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CTRL_Z = "\x1a"  # how DOS programs end a text


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the person says about the file. None means: every sheet, row 1, and what the file shows by itself.

    `sheet` is an exact name, `header_row` is 1-based, `encoding` is a name that Python knows, `delimiter` is one
    character or `tab`. `date_format` is how text dates are written, `DD/MM/YYYY`.
    """

    sheet: str | None = None
    header_row: int | None = None
    encoding: str | None = None
    delimiter: str | None = None
    date_format: str | None = None


def open_book(path: Path, options: ReadOptions = ReadOptions()) -> Book:
    """Look at a file and say what is in it; its rows are read when `frames()` is called.

    Raises UnusableFile, from `frames()` too, and UsageError for an option that means nothing.
    """
    if options.header_row is not None and options.header_row < 1:
        raise UsageError(f"--header-row {options.header_row}: rows count from 1")
    source = _source(path)
    if path.suffix.lower() in _WORKBOOKS:
        return _read_workbook(source, options)
    return _read_text(source, options)


# --- the file itself --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Source:
    """A file as it was when it was opened first; `opened()` gives its bytes again, and only the same ones."""

    path: Path
    size: int
    mtime_ns: int
    sha256: str

    @property
    def name(self) -> str:
        return self.path.name

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        with _opened(self.path) as file:
            self._refuse_change(file)
            try:
                yield file
            except UnusableFile:
                self._refuse_change(file)  # then that is the cause
                raise
            self._refuse_change(file)

    def changed(self) -> UnusableFile:
        return UnusableFile(f"{self.name} changed while it was being read: close it elsewhere and start again.")

    def _refuse_change(self, file: BinaryIO) -> None:
        now = os.fstat(file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self.size, self.mtime_ns):
            raise self.changed()


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise UnusableFile(f"{path} can't be read: {error.strerror}. Check the path.") from error


def _source(path: Path) -> _Source:
    with _opened(path) as file:
        stat = os.fstat(file.fileno())
        _refuse_kind(path, file)
        file.seek(0)
        return _Source(path, stat.st_size, stat.st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest())


# --- what kind of file it is ------------------------------------------------------------------------------------------

_WORKBOOKS = (".xlsx", ".xlsm")
_TEXTS = (".csv", ".tsv")
_LATER = (".xls", ".ods")
_MAGIC = ((b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"%PDF-", "pdf"), (b"\x1f\x8b", "gzip"))
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|table|meta|\?xml)\b", re.IGNORECASE)
_USELESS = {
    "empty": "is empty (0 bytes): save or export it again",
    "pdf": "is a PDF: export the table as .xlsx or .csv",
    "gzip": "is gzip data: unpack it first",
    "markup": "is an HTML or XML page: open it in Excel and save it as .xlsx",
    "encrypted": "is protected with a password: save it without one",
    "xls": "is an old Excel workbook (.xls), which only a later release reads: save it as .xlsx",
}


def _refuse_kind(path: Path, file: BinaryIO) -> None:
    """Refuse what can't be a table of the kind that the ending promises. What the file holds is told, not its name."""
    ending = path.suffix.lower()
    if ending == ".xlsb":
        raise UnusableFile(f"{path.name} is a binary workbook (.xlsb), which is not read: save it as .xlsx")
    if ending not in _WORKBOOKS + _TEXTS + _LATER:
        raise UnusableFile(f"{path.name} is none of the files that are read: .xlsx, .xlsm, .csv, .tsv")
    kind = _kind(file)
    if kind in _USELESS:
        raise UnusableFile(f"{path.name} {_USELESS[kind]}")
    if kind == "text" and ending not in _TEXTS:
        raise UnusableFile(f"{path.name} is text, not a workbook: rename it to .csv")
    if kind == "binary" and ending not in _TEXTS:
        raise UnusableFile(f"{path.name} is no workbook: fetch or save it again")
    if kind == "zip" and ending in (*_TEXTS, ".xls"):
        raise UnusableFile(f"{path.name} is a zip file, as workbooks are: if it is one, rename it to .xlsx")
    if ending in _LATER:
        raise UnusableFile(f"{path.name}: {ending} is read by a later release: save it as .xlsx")


def _kind(file: BinaryIO) -> str:
    """zip, text, binary (has NUL bytes) or one of those that are of no use."""
    head = file.read(4096)
    if not head:
        return "empty"
    if head.startswith(_OLE):
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return "xls" if content.find("EncryptedPackage".encode("utf-16-le")) < 0 else "encrypted"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if _MARKUP.match(head):
        return "markup"
    return "binary" if b"\0" in head and not head.startswith(_UTF_16) else "text"


# --- workbooks and what all sheets share ------------------------------------------------------------------------------


def _read_workbook(source: _Source, options: ReadOptions) -> Book:
    header_row = options.header_row or 1
    workbook = open_workbook(source.name, source.opened, sheet=options.sheet, header_row=header_row)
    sheets = tuple(_sheet(source, table, header_row, facts=_hidden_facts(table)) for table in workbook.sheets)
    return Book(str(source.path), source.sha256, sheets, workbook.stamp)


def _hidden_facts(table: Table) -> Iterator[str]:
    if table.hidden:
        yield "the sheet is hidden"
    if table.hidden_rows:
        yield f"{table.hidden_rows} hidden row{'s are' if table.hidden_rows > 1 else ' is'} included"


def _sheet(source: _Source, table: Table, header_row: int, *, facts: Iterable[str], from_text: bool = False) -> Sheet:
    header = trimmed(table.header)

    def frames() -> Iterator[Frame]:
        rows = _data_rows(f"{source.name}: {table.name}", table.rows(), header_row, len(header))
        while batch := list(islice(rows, FRAME_ROWS)):
            yield _frame(batch, len(header))

    return Sheet(
        table.name,
        header,
        header_row,
        frames,
        hidden=table.hidden,
        hidden_rows=table.hidden_rows,
        from_text=from_text,
        facts=tuple(facts),
    )


def _data_rows(place: str, rows: Iterable[TextRow], header_row: int, width: int) -> Iterator[TextRow]:
    """The rows below the header that hold anything."""
    for row in rows:
        if row.number > header_row and (row.spoilt or any(map(str.strip, row.texts))):
            beyond = [column for column, text in enumerate(row.texts, 1) if column > width and text.strip()]
            beyond += [spoilt.column for spoilt in row.spoilt if spoilt.column > width]
            if beyond and not width:
                raise UnusableFile(f"{place} row {header_row} is blank: name the header's row with --header-row")
            if beyond:
                cell = f"{column_letter(min(beyond))}{row.number}"
                raise UnusableFile(f"{place}!{cell}: data outside the header's columns: give it a title, or clear it")
            yield row


def _frame(rows: list[TextRow], width: int) -> Frame:
    columns = zip(*(row.texts[:width] + [""] * (width - len(row.texts)) for row in rows), strict=True)
    text = pd.DataFrame(
        {position: list(column) for position, column in enumerate(columns, 1)},
        index=pd.Index([row.number for row in rows], name="row"),
        dtype="str",
    )
    return Frame(text, tuple(spoilt for row in rows for spoilt in row.spoilt))


# --- CSV --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a text file is written; records before `header_row` are no data."""

    encoding: str
    delimiter: str
    header_row: int


def _read_text(source: _Source, options: ReadOptions) -> Book:
    name = source.path.stem
    if options.sheet not in (None, name):
        raise UnusableFile(f'{source.name} has no sheet "{options.sheet}": its only one is {name}')
    encoding = _encoding(source, options)
    ctrl_z = _check_text(source, encoding)
    layout = _layout(source, options, encoding)
    with closing(_records(source, layout)) as records:
        header = next((fields for number, _, fields in records if number == layout.header_row), [])
    facts = [f"encoding {encoding}", f"delimiter {_DELIMITERS.get(layout.delimiter, layout.delimiter)}"]
    if ctrl_z:
        facts.append("Ctrl-Z at the end removed")
    table = Table(name, header, lambda: _text_rows(source, layout, len(header)))
    sheet = _sheet(source, table, layout.header_row, facts=facts, from_text=True)
    return Book(str(source.path), source.sha256, (sheet,))


def _encoding(source: _Source, options: ReadOptions) -> str:
    if options.encoding is None:
        with source.opened() as file:
            return "utf-16" if file.read(2) in _UTF_16 else "utf-8"
    try:
        "".encode(options.encoding)
        return codecs.lookup(options.encoding).name
    except LookupError as error:
        raise UsageError(f"--encoding {options.encoding} is not known: utf-8, utf-16 and cp1252 are") from error


def _mark(error: UnicodeError) -> tuple[str, int]:
    """A byte that is no text becomes a lone surrogate, which no decoder gives, so that its line can be counted."""
    assert isinstance(error, UnicodeDecodeError)
    return chr(0xDC00 + error.object[error.start]), error.start + 1


codecs.register_error("bulkload.mark", _mark)
_MARKED = re.compile("[\udc00-\udcff]")


def _check_text(source: _Source, encoding: str) -> bool:
    """Read a text to its end once, and refuse bytes that are none. Returns whether it ends in Ctrl-Z."""
    line, length, end = 1, 0, ""
    with source.opened() as file:
        text = io.TextIOWrapper(file, encoding=encoding, errors="bulkload.mark")
        while chunk := text.read(_CHUNK):
            if "\0" in chunk:
                line += chunk.count("\n", 0, chunk.index("\0"))
                raise UnusableFile(f"{source.name} line {line}: NUL bytes, as in UTF-16: save it as CSV UTF-8")
            if bad := _MARKED.search(chunk):
                line += chunk.count("\n", 0, bad.start())
                raise UnusableFile(
                    f"{source.name} line {line}: byte 0x{ord(bad[0]) - 0xDC00:02X} is not {encoding}: "
                    "name the encoding, such as --encoding cp1252, or save it as CSV UTF-8"
                )
            line += chunk.count("\n")
            length = len(chunk) - chunk.rfind("\n") - 1 + (0 if "\n" in chunk else length)
            if length > _LINE_LIMIT:
                raise UnusableFile(f"{source.name} line {line} is longer than {_LINE_LIMIT:,} characters: no table")
            end = chunk[-1]
        text.detach()
    return end == _CTRL_Z


def _layout(source: _Source, options: ReadOptions, encoding: str) -> _Layout:
    """What the options say, else the `sep=` line that Excel knows, else what the header line shows."""
    with closing(_lines(source, encoding)) as lines:
        first = next(lines, "")
        named = _SEP.fullmatch(first)
        header_row = options.header_row or (2 if named else 1)
        header = first if header_row == 1 else next(islice(lines, header_row - 2, None), "")
    if options.delimiter is not None:
        delimiter = _named_delimiter(options.delimiter)
    elif named:
        delimiter = named[1]
    elif source.path.suffix.lower() == ".tsv":
        delimiter = "\t"
    else:
        delimiter = _shown_delimiter(source.name, header)
    return _Layout(encoding, delimiter, header_row)


def _named_delimiter(named: str) -> str:
    delimiter = {"tab": "\t", r"\t": "\t"}.get(named, named)
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise UsageError(f"--delimiter {named!r}: one character, or tab")
    return delimiter


def _shown_delimiter(file: str, header: str) -> str:
    """The delimiter that the header line has most of, outside of quotes; a comma where there is but one column."""
    bare = re.sub('"[^"]*"?', "", header)
    delimiter = max(_DELIMITERS, key=bare.count)
    if "|" in bare and delimiter not in bare:
        raise UnusableFile(f'{file}: the header has pipes but no comma, semicolon or tab: say --delimiter "|" if so')
    return delimiter


def _lines(source: _Source, encoding: str) -> Generator[str]:
    """The lines with their ends, as csv wants them, without byte order mark and without Ctrl-Z at the end."""
    with source.opened() as file:
        text = io.TextIOWrapper(file, encoding=encoding, newline="")
        try:
            for number, line in enumerate(text, 1):
                if number == 1:
                    line = line.removeprefix("\ufeff")
                if line.endswith(_CTRL_Z):  # so it is the last: all others end with a line end
                    line = line.rstrip(_CTRL_Z)
                if line:
                    yield line
        except UnicodeDecodeError as error:  # it was read well once
            raise source.changed() from error
        finally:
            text.detach()  # else it would close the file with itself


def _records(source: _Source, layout: _Layout) -> Generator[tuple[int, int, list[str]]]:
    """Each record with its number and the line that it begins on, blank ones included."""
    csv.field_size_limit(_FIELD_LIMIT)  # of the whole process: csv has no other
    with closing(_lines(source, layout.encoding)) as lines:
        reader = csv.reader(lines, delimiter=layout.delimiter, strict=True)
        for number in count(1):
            line = reader.line_num + 1
            try:
                fields = next(reader, None)
            except csv.Error as error:
                raise _fault(source, layout, number, line, reader.line_num) from error
            if fields is None:
                return
            yield number, line, fields


def _text_rows(source: _Source, layout: _Layout, width: int) -> Iterator[TextRow]:
    """The records as rows; each must have `width` fields, as the header, or be blank."""
    for number, line, fields in _records(source, layout):
        if number > layout.header_row and len(fields) != width and width and any(map(str.strip, fields)):
            raise UnusableFile(
                f"{source.name} line {line} (row {number}) has {len(fields)} fields, the header {width}: "
                "a field that holds the delimiter stands in quotes"
            )
        yield TextRow(number, fields)


def _fault(source: _Source, layout: _Layout, number: int, first: int, last: int) -> UnusableFile:
    """What csv found wrong in the record of lines `first` to `last`, and in which field, which csv does not tell."""
    with closing(_lines(source, layout.encoding)) as lines:
        text = "".join(islice(lines, first - 1, last))
    end = re.escape(layout.delimiter)
    quoted = '"[^"]*+(?:""[^"]*+)*+"'
    field = re.compile(rf'({quoted}|[^"{end}\r\n][^{end}\r\n]*+|){end}')
    column, start = 1, 0
    while (match := field.match(text, start)) and len(match[1]) <= _FIELD_LIMIT:
        column, start = column + 1, match.end()
    line = first + len(re.findall("\r\n?|\n", text[:start]))
    place = f"{source.name} line {line} (row {number}, column {column})"
    closed = re.compile(quoted).match(text, start)
    if len(closed[0] if closed else text[start:]) > _FIELD_LIMIT:
        return UnusableFile(f"{place}: a field of more than {_FIELD_LIMIT:,} characters, or a quote that is not closed")
    if closed:
        return UnusableFile(f"{place}: text after a closing quote: a quote within a field is written twice")
    return UnusableFile(f"{place}: a quote opens here and is never closed")
