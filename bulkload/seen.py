"""Where each key of a file stood first, over all its frames and sheets, in a few bytes a row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bulkload.hashes import Hashed, Hashes
from bulkload.keys import Key


@dataclass(slots=True)
class Seen:
    """What has to be unique in a file, over all frames and sheets of a resource.

    `accounts` are what settings give where a sheet has no column for it: rows of one account go to one place, whether a
    setting or a column names it. Hashes alone are kept, so that a large file takes little memory and no secret stays.
    """

    accounts: Mapping[str, str] = field(default_factory=dict)
    # By what the key is of, and by sheet, how the key's cell in row 0 would be named without that nought.
    _sheets: dict[tuple[bool, tuple[str, ...]], dict[str, tuple[str, Hashes]]] = field(default_factory=dict)

    def of(self, key: Key, sheet: str, place: str) -> "SeenInSheet":
        """What was seen of a key; `place` is how its cells in this sheet are named, up to the number of the row."""
        scope = sorted([*(column.name for column in key.scope), *(one.name for one in key.given)])
        names = (*(column.name for column in key.own), *scope)
        sheets = self._sheets.setdefault((key.updates, names), {})
        sheets.setdefault(sheet, (place, Hashes()))
        return SeenInSheet(sheets, sheet)


@dataclass(frozen=True, slots=True)
class SeenInSheet:
    """The keys of one kind, seen from one sheet."""

    sheets: dict[str, tuple[str, Hashes]]
    here: str

    def repeated(self, hashes: Hashed, rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, str]]:
        """Which of these keys stood before, by place in `hashes`, and where each stood first; the others are kept."""
        distinct, first, alike = np.unique(hashes, return_index=True, return_inverse=True)
        before = {place: hashed.find(distinct) for place, hashed in self.sheets.values()}
        place_here, kept = self.sheets[self.here]
        new = np.logical_and.reduce([found == 0 for found in before.values()])
        kept.add(distinct[new], rows[first[new]].astype(np.uint32))
        again = np.flatnonzero(~new[alike] | (first[alike] != np.arange(len(hashes))))
        for place in again.tolist():
            which = alike[place]
            where = next(((name, found[which]) for name, found in before.items() if found[which]), None)
            name, row = where or (place_here, rows[first[which]])
            if (name, row) != (place_here, rows[place]):  # a row that is checked again repeats nothing
                yield place, f"{name}{row}"
