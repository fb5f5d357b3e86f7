"""What was met in a file of any length: 64-bit hashes and a number for each, in a few bytes a row."""

import mmap
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Hashed = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.uint32]
Number = TypeVar("Number", np.uint64, np.uint32)

# A chunk of this many is merged no more: merging needs as much memory again.
_LARGEST = 1 << 21


@dataclass(slots=True)
class Hashes:
    """Hashes, and for each a number that is no nought: the row where it stood first, or how often. 12 bytes for both.

    Of ten million rows two unlike ones share a hash once in 300,000 files.
    """

    # Sorted by hash; the chunks get smaller from the first on.
    _chunks: list[tuple[Hashed, Rows]] = field(default_factory=list)

    def find(self, hashes: Hashed) -> Rows:
        """The number of each hash, 0 where it was not met."""
        found = np.zeros(len(hashes), dtype=np.uint32)
        for known, rows in self._chunks:
            places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
            hit = known[places] == hashes
            found[hit] = rows[places[hit]]
        return found

    def add(self, hashes: Hashed, rows: Rows) -> None:
        """Keep hashes that are all unlike and were not met before."""
        if not len(hashes):
            return
        order = np.argsort(hashes, kind="stable")
        self._chunks.append((_apart(hashes[order]), _apart(rows[order])))
        while len(self._chunks) > 1 and len(self._chunks[-2][0]) <= min(2 * len(self._chunks[-1][0]), _LARGEST):
            self._chunks.append(_merged(self._chunks.pop(-2), self._chunks.pop()))

    def change(self, hashes: Hashed, rows: Rows) -> None:
        """Keep other numbers for hashes that were met before."""
        for known, kept in self._chunks:
            places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
            hit = known[places] == hashes
            kept[places[hit]] = rows[hit]

    def __len__(self) -> int:
        return sum(len(known) for known, _ in self._chunks)


def _merged(one: tuple[Hashed, Rows], other: tuple[Hashed, Rows]) -> tuple[Hashed, Rows]:
    hashes = np.concatenate((one[0], other[0]))
    order = np.argsort(hashes, kind="stable")  # a radix sort of two runs
    return _apart(hashes[order]), _apart(np.concatenate((one[1], other[1]))[order])


def _apart(numbers: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """The same in memory of its own: what is kept between what is thrown away would keep that from being given back."""
    kept = np.frombuffer(mmap.mmap(-1, numbers.nbytes), dtype=numbers.dtype)
    kept[:] = numbers
    return kept


def mixed(hashes: Hashed) -> Hashed:
    """Each hash stirred, so that sums of them over several columns tell these apart (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    stirred: Hashed = hashes ^ (hashes >> np.uint64(31))
    return stirred
