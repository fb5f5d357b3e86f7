"""What a cell is, and what the readers of workbooks give: plain values, light enough for a guarded child to start fast.

Nothing here, nor in a reader, may import pandas, numpy or any other heavy library: the child would pay for it.

A reader is a module of `bulkload` with a function `open_tables(file: BinaryIO, name: str) -> Tables`, named in
`guarded.READERS` under the kind of file that it reads (`xlsx`, `xls`, `ods`; `preflight.kind_of` tells kinds by
content). It runs in the guarded child, on a file open for reading; `name` is the file's name, for messages. What it
raises as UnusableFile reaches the person word for word; whatever else it raises, or an abort, is told as damage.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum


class Kind(IntEnum):
    """What a cell is in its file, whatever its text: a spreadsheet may have made something else of what was typed.

    A cell of CSV is always TEXT, and so is an empty one. PERCENT has its sign in the text, MOMENT is a date with a time
    of day, DURATION a time that may exceed 24 hours. FORMULA stands for text that a formula gave.
    """

    TEXT = 0
    NUMBER = 1
    PERCENT = 2
    DATE = 3
    TIME = 4
    MOMENT = 5
    DURATION = 6
    BOOLEAN = 7
    FORMULA = 8


# Characters that a cell of a workbook can hold, those beyond U+FFFF counted twice.
LONGEST = 32_767


def column_letter(position: int) -> str:
    """The letters over a column, from its 1-based position: 1 is A, 27 is AA."""
    letters = ""
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A cell that the file itself has spoilt, so that its text can't be trusted.

    `row` is the spreadsheet's row number, `column` the 1-based position, `kind` one of `rounded number` (more than 15
    digits kept as a number), `error cell`, `formula without value`, `no date` (a number that is no day, shown as one);
    `reading` has words for each, and for one that it doesn't know. `found` is what the file holds, or `a formula`.
    """

    row: int
    column: int
    kind: str
    found: str


_SPOILT_MARK = re.compile(r"\[(rounded number|error cell|formula without value|no date)(?:: (.*))?\]", re.DOTALL)


def spoilt_mark(kind: str, text: str) -> str:
    """What a spoilt cell becomes where it is written again as text: `[rounded number: 12345678901234500000]`.

    The text alone would pass for what a person has typed.
    """
    return text if _SPOILT_MARK.fullmatch(text) else f"[{kind}: {text}]" if text else f"[{kind}]"


def spoilt_in(text: str) -> tuple[str, str] | None:
    """The kind and the text of the spoilt cell that this text is a mark of; None for any other."""
    found = _SPOILT_MARK.fullmatch(text)
    return (found[1], found[2] or "") if found else None


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a sheet. `texts` are those of its cells from the first column on, "" where empty, as far as it likes.

    `kinds` has a byte (a Kind) for each text. Rows ascend by `number`; blank ones may be left out, or come as they are.
    """

    number: int
    texts: Sequence[str]
    kinds: bytes | bytearray
    spoilt: Sequence[Spoilt] = ()
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet as a reader gives it. `lines()` reads it anew, each time it is called, and may raise UnusableFile.

    `facts` are for a person. The lists are filled when the lines have come to their end: `merged` has the first row,
    first column, last row and last column of each merged range, and `hidden_columns` the first and last position of
    each range of them, known once the first line has come.
    """

    name: str
    hidden: bool
    lines: Callable[[], Iterator[Line]]
    facts: Sequence[str] = ()
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tables:
    """All sheets of a workbook that have rows, from left to right, and what a person must know of the whole file."""

    tables: tuple[Table, ...]
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a sheet, as the file has them, from first to last; wholly blank rows are left out.

    `numbers` are the spreadsheet's own row numbers. `columns` holds the text of each column from the first on, "" where
    empty, each as long as `numbers`. `kinds` has a byte (a Kind) per cell of each column, b"" for one of nothing but
    TEXT. `spoilt` names the cells whose text can't be trusted. `blank_rows` counts the blank rows before or between
    these, `hidden_rows` those of these that are hidden.
    """

    numbers: Sequence[int]
    columns: Sequence[Sequence[str]]
    kinds: Sequence[bytes]
    spoilt: Sequence[Spoilt] = ()
    blank_rows: int = 0
    hidden_rows: int = 0
