"""First step: a file becomes sheets of text, with the spreadsheet's own row numbers and nothing inferred.

What makes tables of rows is loaded once a file was found to be of use: one that isn't is refused at once.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bulkload import stamp
from bulkload.encoding import TextFile, encoding_of
from bulkload.errors import UnusableFile, UsageError
from bulkload.models import Book, Frame, Sheet
from bulkload.preflight import kind_of
from bulkload.warden import Head, Warden

if TYPE_CHECKING:
    from bulkload.frames import Shelf


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
    if source.kind == "text":
        return _read_text(source, options)
    return _read_workbook(source, options)


# --- the file itself --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Source:
    """A file as it was when it was opened first; `opened()` gives its bytes again, and only the same ones.

    `kind` is what it is by its content: `text`, or a kind of workbook. `facts` are for a person.
    """

    path: Path
    size: int
    mtime_ns: int
    sha256: str
    kind: str
    facts: tuple[str, ...]

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
        kind, facts = kind_of(path, file)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return _Source(path, stat.st_size, stat.st_mtime_ns, digest, kind, facts)


# --- workbooks and what all sheets share ------------------------------------------------------------------------------


def _read_workbook(source: _Source, options: ReadOptions) -> Book:
    header_row = options.header_row or 1
    warden = Warden(source.path, source.kind, stamp.SHEET, options.sheet, header_row)
    with source.opened():
        opened = warden.open()
    if opened.stat != (source.size, source.mtime_ns):
        raise source.changed()
    from bulkload.frames import Shelf

    shelf = Shelf()
    sheets = tuple(_workbook_sheet(source, warden, shelf, head, header_row) for head in opened.heads)
    return Book(str(source.path), source.sha256, sheets, opened.stamp, (*source.facts, *opened.facts))


def _workbook_sheet(source: _Source, warden: Warden, shelf: "Shelf", head: Head, header_row: int) -> Sheet:
    from bulkload.frames import frames

    width = len(head.header)

    def read() -> Iterator[Frame]:
        with source.opened():
            yield from shelf.frames(head.name, lambda: frames(warden.blocks(head.name, width), width))

    return Sheet(head.name, head.header, header_row, read, hidden=head.hidden, facts=head.facts, top=head.top)


# --- CSV --------------------------------------------------------------------------------------------------------------


def _read_text(source: _Source, options: ReadOptions) -> Book:
    name = source.path.stem
    if options.sheet not in (None, name):
        raise UnusableFile(f'{source.name} has no sheet "{options.sheet}": its only one is {name}')
    file = TextFile(source.name, source.opened, encoding_of(source.name, source.opened, options.encoding))
    from bulkload.delimited import open_delimited

    text = open_delimited(file, name, delimiter=options.delimiter, header_row=options.header_row)
    sheet = Sheet(
        name,
        text.header,
        text.header_row,
        text.frames,
        from_text=True,
        facts=text.facts,
        encoding=file.encoding,
        delimiter=text.delimiter,
        top=text.top,
    )
    return Book(str(source.path), source.sha256, (sheet,))
