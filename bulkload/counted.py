"""Which of a file's equal rows were met: over all its frames and sheets, in a few bytes a row."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from bulkload.hashes import Hashed, Hashes

# The digits at the end of a fingerprint that tell it from others here: 64 bits.
_DIGITS = 16


@dataclass(slots=True)
class Counted:
    """How many of a file's equal rows were met, by fingerprint, and which their results say that they are.

    A row's ordinal is not its place among its equals, but says which of the journal's equal rows it is: those that are
    done, or may be, come first. So when one of two equal rows is deleted, the other is not sent for it.
    """

    _met: Hashes = field(default_factory=Hashes)
    claimed: set[tuple[str, int]] = field(default_factory=set)

    def counts(self, contents: Collection[str]) -> "Counts":
        """The counts of some fingerprints, to be gone on with and given back to `keep`."""
        distinct = list(dict.fromkeys(contents))
        met = self._met.find(_hashes(distinct)).tolist()
        return Counts({content: count for content, count in zip(distinct, met, strict=True) if count}, self.claimed)

    def keep(self, counts: "Counts") -> None:
        """Keep what was counted meanwhile."""
        hashes = _hashes(list(counts.rows))
        numbers = np.array(list(counts.rows.values()), dtype=np.uint32)
        new = self._met.find(hashes) == 0
        distinct, first = np.unique(hashes[new], return_index=True)
        self._met.add(distinct, numbers[new][first])
        self._met.change(hashes[~new], numbers[~new])


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of the fingerprints of one frame; `rows` has none of those that were not met."""

    rows: dict[str, int]
    claimed: set[tuple[str, int]]

    def claim(self, content: str, ordinal: int, order: Sequence[int]) -> bool:
        """Take the ordinal that a result's row had; False if another row of the file has it."""
        given = {_at(order, place) for place in range(1, self.rows.get(content, 0) + 1)}
        if ordinal in given or (content, ordinal) in self.claimed:
            return False
        self.claimed.add((content, ordinal))
        return True

    def next(self, content: str, order: Sequence[int]) -> int:
        """The next ordinal that no row of the file has, in the order given and then on from its length."""
        while True:
            place = self.rows[content] = self.rows.get(content, 0) + 1
            ordinal = _at(order, place)
            if (content, ordinal) not in self.claimed:
                return ordinal


def _at(order: Sequence[int], place: int) -> int:
    return order[place - 1] if place <= len(order) else place


def _hashes(contents: Sequence[str]) -> Hashed:
    return np.array([int(content[-_DIGITS:], 16) for content in contents], dtype=np.uint64)
