"""What the readers of workbooks give, in plain lists that cross from a guarded child to the program cheaply."""

from collections.abc import Sequence
from dataclasses import dataclass

from bulkload.models import Spoilt


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
