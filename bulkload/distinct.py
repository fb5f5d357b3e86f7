"""A column of a frame by its distinct texts: what is worked out for a text holds for every row that has it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Codes = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Distinct:
    """The cells of a column: `texts[codes[i]]` is the text of the i-th row; the last text is "", whether used or not.

    Two texts may be equal after they were cleaned.
    """

    texts: list[str]
    codes: Codes

    @classmethod
    def of(cls, text: pd.Series) -> "Distinct":
        """The cells of a column of text without NA."""
        codes, texts = pd.factorize(text.to_numpy(dtype=object))
        return cls([*texts.tolist(), ""], codes)

    @classmethod
    def blank(cls, rows: int) -> "Distinct":
        """So many empty cells."""
        return cls([""], np.zeros(rows, dtype=np.intp))

    def saying(self, texts: list[str]) -> "Distinct":
        """The same cells with other texts."""
        return replace(self, texts=texts)

    def without(self, rows: Flags) -> "Distinct":
        """The same cells, those of the rows flagged empty."""
        return replace(self, codes=np.where(rows, len(self.texts) - 1, self.codes)) if rows.any() else self

    def flags(self, wanted: Collection[int]) -> Flags:
        """Which rows have one of the texts that these codes stand for."""
        of_texts = np.zeros(len(self.texts), dtype=np.bool_)
        of_texts[list(wanted)] = True
        return of_texts[self.codes]

    def places(self, wanted: Collection[int]) -> Iterable[tuple[int, int]]:
        """The 0-based row and the code of each cell with one of these codes."""
        if not wanted:
            return ()
        rows = np.flatnonzero(self.flags(wanted))
        return zip(rows.tolist(), self.codes[rows].tolist(), strict=True)

    def spread(self, values: Sequence[Any], rows: Codes | slice = slice(None)) -> list[Any]:
        """What stands for each row, of what stands for each text."""
        of_texts = np.empty(len(values), dtype=object)
        of_texts[:] = values
        spread: list[Any] = of_texts[self.codes[rows]].tolist()
        return spread


@dataclass(frozen=True, slots=True)
class Table:
    """The values of some rows, column by column: `columns` has the distinct values of each by its name, None where
    blank, and for each row the code of its own.

    The rows at the places in `apart` have other values than their columns say: `(clear)` gave them these.
    """

    rows: int
    columns: Mapping[str, tuple[Sequence[Any], Codes]]
    apart: Sequence[int] = ()

    def texts(self, name: str, of: Callable[[Any], str], label: str) -> list[str]:
        """The label and what `of` makes of each row's value in a column, "" where it is blank."""
        if name not in self.columns:
            return [""] * self.rows
        values, codes = self.columns[name]
        texts = np.empty(len(values), dtype=object)
        texts[:] = ["" if value is None else label + of(value) for value in values]
        spread: list[str] = texts[codes].tolist()
        return spread
