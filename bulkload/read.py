"""First step: a file becomes sheets of text, with the spreadsheet's own row numbers and nothing inferred."""

import hashlib
import io
import mmap
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from bulkload.delimited import open_delimited
from bulkload.encoding import UTF_16, TextFile, encoding_of
from bulkload.errors import UnusableFile, UsageError
from bulkload.models import FRAME_ROWS, Book, Frame, Sheet, column_letter
from bulkload.workbook import Table, TextRow, open_workbook, trimmed


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the person says about the file. None means: every sheet, row 1, and what the file shows by itself.

    `sheet` is an exact name, `header_row` is 1-based, `encoding` is a name that Python knows, `delimiter` is one
    character or `tab`.
    """

    sheet: str | None = None
    header_row: int | None = None
    encoding: str | None = None
    delimiter: str | None = None


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
    return "binary" if b"\0" in head and not head.startswith(UTF_16) else "text"


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


def _sheet(source: _Source, table: Table, header_row: int, *, facts: Iterable[str]) -> Sheet:
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


def _read_text(source: _Source, options: ReadOptions) -> Book:
    name = source.path.stem
    if options.sheet not in (None, name):
        raise UnusableFile(f'{source.name} has no sheet "{options.sheet}": its only one is {name}')
    file = TextFile(source.name, source.opened, encoding_of(source.name, source.opened, options.encoding))
    text = open_delimited(file, name, delimiter=options.delimiter, header_row=options.header_row)
    sheet = Sheet(name, text.header, text.header_row, text.frames, from_text=True, facts=text.facts)
    return Book(str(source.path), source.sha256, (sheet,))
