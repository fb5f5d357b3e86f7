"""The records of a CSV, strictly: how they are laid out, and which field in which line is wrong where one is."""

import csv
import io
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING

from bulkload.encoding import TextFile
from bulkload.errors import UnusableFile, UsageError
from bulkload.models import column_letter

if TYPE_CHECKING:
    from _csv import Reader

# Characters in a field, and fields in a record, of which a sheet has no more either: with more this is no table.
_FIELD_LIMIT = 1_000_000
_COLUMN_LIMIT = 16_384
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SEP = re.compile(r'"?sep=([^"\n])"?\n?', re.IGNORECASE)

Fields = list[str]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text is written. Records before `header_row` are no data; `header` is all its fields, blank ones included.

    `titles` counts those as far as the last title. `sheet` is the name for messages that tell a cell.
    """

    file: TextFile
    sheet: str
    delimiter: str
    header_row: int
    header: tuple[str, ...] = ()
    titles: int = 0


def layout_of(file: TextFile, sheet: str, delimiter: str | None, header_row: int | None) -> Layout:
    """What the person says, else the `sep=` line that Excel knows, else what the header line shows."""
    lines = (line for some in file.pieces() for line in io.StringIO(some))
    first = next(lines, "")
    named = _SEP.fullmatch(first)
    header_row = header_row or (2 if named else 1)
    header = first if header_row == 1 else next(islice(lines, header_row - 2, None), "")
    if delimiter is not None:
        shown = _named_delimiter(delimiter)
    elif named:
        shown = named[1]
    elif file.name.lower().endswith(".tsv"):
        shown = "\t"
    else:
        shown = _shown_delimiter(file.name, header)
    return Layout(file, sheet, shown, header_row)


def _named_delimiter(named: str) -> str:
    delimiter = {"tab": "\t", r"\t": "\t"}.get(named, named)
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise UsageError(f"--delimiter {named!r}: one character, or tab")
    return delimiter


def _shown_delimiter(file: str, header: str) -> str:
    """The delimiter that the header line has most of, outside of quotes; a comma where there is but one column."""
    bare = re.sub('"[^"]*"?', "", header)
    delimiter = max(DELIMITERS, key=bare.count)
    if "|" in bare and delimiter not in bare:
        raise UnusableFile(
            f'{file}: the header has pipes but no comma, semicolon or tab: say --delimiter "|" if they part the columns'
        )
    return delimiter


def header_of(layout: Layout) -> tuple[str, ...]:
    with layout.file.lines() as lines:
        try:
            header = next(islice(reader_of(layout, lines), layout.header_row - 1, None), [])
        except csv.Error as error:
            raise first_fault(layout) from error
    if len(header) > _COLUMN_LIMIT:
        raise UnusableFile(
            f"{layout.file.name} row {layout.header_row} has {len(header):,} columns, and a sheet holds no more than "
            f"{_COLUMN_LIMIT:,}: delete the columns that are too many, or export the table again"
        )
    return tuple(header)


# --- record by record -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """A record with its number, the lines that it takes, and the text of these."""

    number: int
    first: int
    last: int
    text: str
    fields: Fields


def reader_of(layout: Layout, lines: Iterator[str]) -> "Reader":
    csv.field_size_limit(_FIELD_LIMIT)  # of the whole process: csv has no other
    return csv.reader(lines, delimiter=layout.delimiter, strict=True)


def records_of(layout: Layout) -> Generator[Record]:
    """Each record from the first line on, blank ones included. Raises UnusableFile for what csv finds wrong."""
    with layout.file.lines() as lines:
        text: list[str] = []
        reader = reader_of(layout, _kept(lines, text))
        line = 0
        for number in count(1):
            try:
                fields = next(reader, None)
            except csv.Error as error:
                raise _csv_fault(layout, number, line + 1, "".join(text)) from error
            if fields is None:
                return
            yield Record(number, line + 1, line + len(text), "".join(text), fields)
            line += len(text)
            text.clear()


def _kept(lines: Iterator[str], kept: list[str]) -> Iterator[str]:
    for line in lines:
        kept.append(line)
        yield line


def first_fault(layout: Layout) -> UnusableFile:
    """What is wrong with the first record that is no row, or no record at all."""
    try:
        for record in records_of(layout):
            refuse(layout, record)
    except UnusableFile as fault:
        return fault
    return UnusableFile(f"{layout.file.name} can't be read the same way twice: copy it to this computer first")


def refuse(layout: Layout, record: Record) -> None:
    """Raise UnusableFile for a record that holds anything and is no row."""
    file, width, found = layout.file.name, len(layout.header), len(record.fields)
    if found == width == layout.titles or record.number <= layout.header_row or not any(map(str.strip, record.fields)):
        return
    if not layout.titles:
        place = f"{file}: {layout.sheet} row {layout.header_row}"
        raise UnusableFile(f"{place} is blank: name the header's row with --header-row")
    if found != width:
        place = f"{file} line {record.first} (row {record.number})"
        fields = f"{found:,} field{'' if found == 1 else 's'}"
        raise UnusableFile(f"{place} has {fields}, the header {width:,}: {_why(record.fields, width)}")
    beyond = next(
        (column for column, text in enumerate(record.fields) if column >= layout.titles and text.strip()), None
    )
    if beyond is not None:
        cell = f"{file}: {layout.sheet}!{column_letter(beyond + 1)}{record.number}"
        raise UnusableFile(f"{cell}: data outside the header's columns: give the column a title, or clear it")


def _why(fields: Fields, width: int) -> str:
    if len(fields) < width:
        return "write the delimiter of an empty field, too"
    if not any(map(str.strip, fields[width:])):
        return "take the delimiter at the end of the line away, or give the header one more"
    return "put quotes around a field that holds the delimiter"


def _csv_fault(layout: Layout, number: int, first: int, text: str) -> UnusableFile:
    """What csv found wrong in a record that begins in line `first`, and in which field, which csv does not tell."""
    end = re.escape(layout.delimiter)
    quoted = '"[^"]*+(?:""[^"]*+)*+"'
    field = re.compile(rf'({quoted}|[^"{end}\r\n][^{end}\r\n]*+|)(?:{end}|\r|\n|$)')
    column, start = 1, 0
    while (match := field.match(text, start)) and match.end() < len(text) and len(match[1]) <= _FIELD_LIMIT:
        column, start = column + 1, match.end()
    line = first + len(re.findall("\r\n?|\n", text[:start]))
    place = f"{layout.file.name} line {line} (row {number}, column {column})"
    if match and len(match[1]) > _FIELD_LIMIT:
        length = len(match[1][1:-1].replace('""', '"') if match[1].startswith('"') else match[1])
        return UnusableFile(f"{place}: a field of {length:,} characters, and {_FIELD_LIMIT:,} are the most: shorten it")
    closed = re.compile(quoted).match(text, start)
    if len(closed[0] if closed else text[start:]) > _FIELD_LIMIT:
        return UnusableFile(f"{place}: a field of more than {_FIELD_LIMIT:,} characters, or a quote that is not closed")
    if closed and closed[0].endswith('\\"'):
        return UnusableFile(f"{place}: a backslash before a quote: a quote within a field is written twice")
    if closed:
        return UnusableFile(f"{place}: text after a closing quote: a quote within a field is written twice")
    return UnusableFile(f"{place}: a quote opens here and is never closed: close it, or delete it")
