"""CSV and its kin, strictly: rows of as many fields as the header has, whole columns at a time."""

import csv
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import numpy.typing as npt
import pandas as pd

from bulkload.blocks import TOP
from bulkload.encoding import CTRL_Z, TextFile
from bulkload.models import FRAME_ROWS, Frame, rows_in_words
from bulkload.quotes import Quotes, quoted_fields
from bulkload.records import (
    DELIMITERS,
    Fields,
    Layout,
    first_fault,
    header_of,
    layout_of,
    reader_of,
    records_of,
    refuse,
)

# Rows of a sheet below its header, in Excel.
_SHEET_ROWS = 1_048_575
# Records taken from csv at a time: few, so that the processor's cache still holds them when they become columns.
_TAKEN = 1_000
# Characters after which no more records are taken at a time, or into a frame: cells may be long.
_TAKEN_CHARACTERS = 1_000_000
_FRAME_CHARACTERS = 20_000_000

Cells = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Delimited:
    """A text whose layout is known. `header` is as far as the last title, "" where blank between; `delimiter` is a word
    for it, or the character; `top` are the first rows below the header, each with its number.

    `frames()` reads the rows anew each time it is called, and raises UnusableFile. `facts` are lines of "what I read".
    """

    header: tuple[str, ...]
    header_row: int
    frames: Callable[[], Iterator[Frame]]
    facts: tuple[str, ...]
    delimiter: str
    top: tuple[tuple[int, Fields], ...]


def open_delimited(file: TextFile, sheet: str, *, delimiter: str | None, header_row: int | None) -> Delimited:
    """Look a text through to its end. `delimiter` and `header_row` are what the person says of them, if anything.

    Raises UnusableFile for what is no table, and UsageError for a delimiter that is none.
    """
    layout = layout_of(file, sheet, delimiter, header_row)
    seen = _look_through(layout)
    layout = replace(layout, file=replace(file, ctrl_z=seen.ctrl_z))
    header = header_of(layout)
    titles = max((place for place, title in enumerate(header, 1) if title.strip()), default=0)
    layout = replace(layout, header=header, titles=titles)
    return Delimited(
        header[:titles],
        layout.header_row,
        lambda: _frames(layout),
        tuple(_facts(layout, seen)),
        DELIMITERS.get(layout.delimiter, layout.delimiter),
        tuple(_top(layout)),
    )


def _top(layout: Layout) -> Iterator[tuple[int, Fields]]:
    """The first rows below the header, as far as csv can part them."""
    with layout.file.lines() as lines, suppress(csv.Error):
        for number, fields in enumerate(islice(reader_of(layout, lines), layout.header_row + TOP), 1):
            if number > layout.header_row:
                yield number, fields


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a text shows when it is decoded to its end: its lines, whether Ctrl-Z ends it, and where quotes stand."""

    lines: int
    ctrl_z: bool
    quotes: Quotes


def _look_through(layout: Layout) -> _Seen:
    quotes, lines, last = Quotes(layout.delimiter), 0, ""
    for some in layout.file.pieces():
        quotes.see(some)
        lines += some.count("\n")
        last = some[-1]
    return _Seen(lines + (last not in ("\n", CTRL_Z)), last == CTRL_Z, quotes)


def _facts(layout: Layout, seen: _Seen) -> Iterator[str]:
    if seen.ctrl_z:
        yield "Ctrl-Z at the end removed"
    records = seen.lines
    if seen.quotes.stray:
        records, told = _quoting(layout)
        yield from told
    elif seen.quotes.broken:
        number, lines = _first_broken(layout)
        yield _apart(number, number, lines)
        if records - layout.header_row > _SHEET_ROWS:
            records = _count(layout)
    if (rows := records - layout.header_row) > _SHEET_ROWS:
        yield (
            f"{rows_in_words(rows)}, more than a sheet holds ({_SHEET_ROWS:,}): the result is a CSV, "
            "and one that is written as .xlsx goes on in further sheets"
        )


def _quoting(layout: Layout) -> tuple[int, list[str]]:
    """How many records there are, and what is to be told of their quotes. Raises UnusableFile for the first fault."""
    records = stray = line = 0
    facts: list[str] = []
    quoted = quoted_fields(layout.delimiter)
    for record in records_of(layout):
        refuse(layout, record)
        records = record.number
        if record.last > record.first and not facts:
            facts.append(_apart(record.number, record.first, record.last))
        if '"' in record.text and '"' in quoted.sub("", record.text):
            stray += 1
            line = line or record.first
    if stray:
        facts.append(f"a quote in the middle of a cell is kept as it stands: {rows_in_words(stray)}, first line {line}")
    return records, facts


def _first_broken(layout: Layout) -> tuple[int, int]:
    """The number of the first record that takes several lines, so of its first line, too; and its last line."""
    with layout.file.lines() as lines:
        reader = reader_of(layout, lines)
        try:
            return next((number, reader.line_num) for number, _ in enumerate(reader, 1) if reader.line_num > number)
        except csv.Error as error:
            raise first_fault(layout) from error


def _count(layout: Layout) -> int:
    with layout.file.lines() as lines:
        try:
            return sum(1 for _ in reader_of(layout, lines))
        except csv.Error as error:
            raise first_fault(layout) from error


def _apart(number: int, first: int, last: int) -> str:
    return f"cells hold line breaks, so that rows and lines count apart: row {number} is lines {first} to {last}"


# --- records → frames -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows that hold anything, with their numbers, how many blank ones stood among them, and how long it all was."""

    numbers: npt.NDArray[np.int64]
    cells: Cells
    blank: int
    characters: int


def _frames(layout: Layout) -> Iterator[Frame]:
    parts: list[_Part] = []
    rows = characters = 0
    for part in _parts(layout):
        if rows and (rows + len(part.numbers) > FRAME_ROWS or characters + part.characters > _FRAME_CHARACTERS):
            yield _frame(parts)
            parts, rows, characters = [], 0, 0
        parts.append(part)
        rows += len(part.numbers)
        characters += part.characters
    if rows:
        yield _frame(parts)


def _frame(parts: list[_Part]) -> Frame:
    cells = np.concatenate([part.cells for part in parts])
    text = pd.DataFrame(
        cells,
        index=pd.Index(np.concatenate([part.numbers for part in parts]), name="row"),
        columns=range(1, cells.shape[1] + 1),
        dtype="str",
    )
    return Frame(text, blank_rows=sum(part.blank for part in parts))


def _parts(layout: Layout) -> Iterator[_Part]:
    """The rows below the header, whole columns at a time: what csv gives is looked at one by one only if it is odd."""
    titles = layout.titles
    for first, records, characters in _taken(layout):
        cells = np.array(records, dtype=object)
        if cells.shape != (len(records), len(layout.header)) or not titles:
            cells = _fitted(layout, records)
        if any(map(str.strip, cells[:, titles:].flat)):
            raise first_fault(layout)
        numbers = np.arange(first, first + len(records), dtype=np.int64)
        if blank := _blank(cells):
            cells, numbers = np.delete(cells, blank, axis=0), np.delete(numbers, blank)
        yield _Part(numbers, cells[:, :titles], len(blank), characters)


def _taken(layout: Layout) -> Iterator[tuple[int, list[Fields], int]]:
    """The records below the header, some at a time, with the number of the first and how long they are."""
    with layout.file.lines() as lines:
        measured = _Measured(lines)
        reader = reader_of(layout, iter(measured))
        number = 1
        while True:
            before = measured.characters
            try:
                records = list(islice(reader, layout.header_row) if number == 1 else _some(reader, measured))
            except csv.Error as error:
                raise first_fault(layout) from error
            if not records:
                return
            if number > 1:
                yield number, records, measured.characters - before
            number += len(records)


class _Measured:
    """Lines that are counted, by their characters, as they are read."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.characters = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.characters += len(line)
            yield line


def _some(reader: Iterator[Fields], measured: _Measured) -> Iterator[Fields]:
    most = measured.characters + _TAKEN_CHARACTERS
    for fields in islice(reader, _TAKEN):
        yield fields
        if measured.characters > most:
            return


def _fitted(layout: Layout, records: list[Fields]) -> Cells:
    """Records with blank ones of any length among them, as long as the header."""
    width = len(layout.header)
    odd = [fields for fields in records if len(fields) != width or not layout.titles]
    if any(any(map(str.strip, fields)) for fields in odd):
        raise first_fault(layout)
    blank = [""] * width
    fitted = [fields if len(fields) == width else blank for fields in records]
    return np.array(fitted, dtype=object).reshape(len(records), width)


def _blank(cells: Cells) -> list[int]:
    """The rows in which nothing stands. Most have something in their first column, so that few are looked at twice."""
    rows = list(range(len(cells)))
    for column in cells.T:
        rows = [row for row, text in zip(rows, column[rows].tolist(), strict=True) if not text or text.isspace()]
        if not rows:
            break
    return rows
