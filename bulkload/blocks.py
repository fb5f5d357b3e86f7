"""The lines of a table as blocks of its header's width, and what no table may have: data beyond it, merged rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile, islice

from bulkload.cells import Block, Line, Spoilt, Table, column_letter
from bulkload.errors import UnusableFile

# The rows below the header that are looked at where it doesn't fit.
TOP = 20
# Rows and cells of a block, so that neither a long sheet nor a wide one takes much memory.
_ROWS = 10_000
_CELLS = 100_000


@dataclass(slots=True)
class _Filling:
    """A block that grows."""

    numbers: list[int] = field(default_factory=list)
    rows: list[Sequence[str]] = field(default_factory=list)
    kinds: list[bytes] = field(default_factory=list)
    spoilt: list[Spoilt] = field(default_factory=list)
    blank_rows: int = 0
    hidden_rows: int = 0

    def add(self, line: Line, width: int) -> None:
        missing = width - len(line.texts)
        self.numbers.append(line.number)
        self.rows.append(line.texts[:width] if missing <= 0 else [*line.texts, *[""] * missing])
        self.kinds.append(bytes(line.kinds[:width]) if missing <= 0 else bytes(line.kinds) + bytes(missing))
        self.spoilt += line.spoilt
        self.hidden_rows += line.hidden

    def block(self, width: int) -> Block:
        kinds = b"".join(self.kinds)
        columns = [kinds[place::width] for place in range(width)]
        return Block(
            self.numbers,
            list(zip(*self.rows, strict=True)) if self.rows else [()] * width,
            [column if any(column) else b"" for column in columns],
            self.spoilt,
            self.blank_rows,
            self.hidden_rows,
        )


def header(table: Table, header_row: int) -> tuple[tuple[str, ...], tuple[tuple[int, list[str]], ...]]:
    """The texts of that row as far as the last that is not blank, none where there is no such row; the first rows below
    it, each with its number."""
    lines = dropwhile(lambda line: line.number < header_row, table.lines())
    top = {line.number: list(line.texts) for line in islice(lines, TOP + 1)}
    titles = trimmed(top.pop(header_row, ()))
    return titles, tuple(top.items())


def trimmed(texts: Sequence[str]) -> tuple[str, ...]:
    """The texts as far as the last that is not blank."""
    end = max((position for position, text in enumerate(texts, 1) if text.strip()), default=0)
    return tuple(texts[:end])


def blocks(table: Table, place: str, header_row: int, width: int) -> Iterator[Block]:
    """The rows below the header that hold anything, a last block without any for blank rows at the end.

    `place` is file and sheet, for messages.

    Raises UnusableFile for data beyond `width` columns, and at the end for merged cells among the rows.
    """
    filling, last, number = _Filling(), header_row, header_row
    for line in table.lines():
        if line.number <= header_row:
            continue
        filling.blank_rows += line.number - number - 1
        number = line.number
        if not (any(line.texts) and any(map(str.strip, line.texts))) and not line.spoilt:
            filling.blank_rows += 1
            continue
        if len(line.texts) > width:
            _refuse_outside(line, place, header_row, width)
        last = line.number
        filling.add(line, width)
        if len(filling.numbers) >= _ROWS or len(filling.numbers) * width >= _CELLS:
            yield filling.block(width)
            filling = _Filling()
    _refuse_merged(table, place, header_row, last, width)
    if filling.numbers or filling.blank_rows:
        yield filling.block(width)


def _refuse_outside(line: Line, place: str, header_row: int, width: int) -> None:
    beyond = [column for column, text in enumerate(line.texts, 1) if column > width and text.strip()]
    beyond += [spoilt.column for spoilt in line.spoilt if spoilt.column > width]
    if beyond and not width:
        raise UnusableFile(f"{place} row {header_row} is blank: name the header's row with --header-row")
    if beyond:
        cell = f"{column_letter(min(beyond))}{line.number}"
        raise UnusableFile(f"{place}!{cell}: data outside the header's columns: give the column a title, or clear it")


def _refuse_merged(table: Table, place: str, header_row: int, last: int, width: int) -> None:
    """Of merged cells the first alone has a value; over titles above the data, or below it, that does no harm."""
    for top, left, bottom, right in table.merged:
        if bottom > header_row and top <= last and left <= width and (top, left) != (bottom, right):
            cells = f"{column_letter(left)}{top}:{column_letter(right)}{bottom}"
            raise UnusableFile(
                f"{place}!{cells}: merged cells, of which the first alone has a value: unmerge them and fill in each"
            )
