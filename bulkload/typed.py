"""A frame as values: columns by their distinct texts, and rows as Python's own values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bulkload.distinct import Codes, Distinct, Flags, Table
from bulkload.models import Finding, Row
from bulkload.resource import Column

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A column as values: `values` are those of the texts of `cells`, None where blank, `typed` the same without NA.

    `settled` are the rows whose cell is done with, faulty and told or emptied: in `cells` they are empty, in `shown`
    they have the text that stands there.
    """

    column: Column
    shown: Distinct
    cells: Distinct
    values: list[Any]
    typed: pd.Series
    settled: Flags

    @property
    def filled(self) -> Flags:
        """The rows that have a value."""
        return self.cells.flags([code for code, value in enumerate(self.values) if value is not None])


@dataclass(frozen=True, slots=True)
class TypedFrame:
    """The rows `numbers` as values, by the name of the column; `emptied` holds what `(clear)` sends, by row number."""

    numbers: Numbers
    columns: Mapping[str, TypedColumn]
    emptied: Mapping[int, Mapping[str, Any]]
    findings: Sequence[Finding]

    def rows(self, chosen: Codes | slice = slice(None)) -> list[Row]:
        """The rows at these 0-based places as Python's own values, blanks left out."""
        numbers = self.numbers[chosen].tolist()
        whole: dict[str, list[Any]] = {}
        gaps: dict[str, list[Any]] = {}
        for name, one in self.columns.items():
            values = one.cells.spread(one.values, chosen)
            (gaps if None in values else whole)[name] = values
        rows = [dict(zip(whole, cells, strict=True)) for cells in zip(*whole.values(), strict=True)]
        rows = rows or [{} for _ in numbers]
        for name, values in gaps.items():
            for row, value in zip(rows, values, strict=True):
                if value is not None:
                    row[name] = value
        for place, number in enumerate(numbers) if self.emptied else ():
            rows[place] |= self.emptied.get(number, {})
        return [Row(number, row) for number, row in zip(numbers, rows, strict=True)]

    def by_column(self, chosen: Codes) -> Table:
        """The same rows column by column."""
        columns = {name: (one.values, one.cells.codes[chosen]) for name, one in self.columns.items()}
        apart = np.flatnonzero(np.isin(self.numbers[chosen], list(self.emptied))).tolist() if self.emptied else ()
        return Table(len(chosen), columns, apart)

    def table(self, names: Iterable[str], chosen: Codes) -> pd.DataFrame:
        """Some columns of the rows at these places, typed, with NA where blank; the index is the place."""
        table = {}
        for name in names:
            one = self.columns[name]
            of_codes = one.typed.reindex(pd.RangeIndex(len(one.values)))
            table[name] = of_codes.take(one.cells.codes[chosen]).set_axis(chosen)
        return pd.DataFrame(table, index=chosen)
