"""Which of a file's equal rows were met: over all its frames and sheets, in a few bytes a row."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bulkload.hashes import Hashed, Hashes, mixed

# The digits at the end of a fingerprint that tell it from others here: 64 bits.
_DIGITS = 16
# Parts the hashes of a fingerprint with one ordinal from those with the next; mixed, they have nothing in common.
_APART = np.uint64(0x9E3779B97F4A7C15)
# Stands for a fingerprint of which some ordinal is claimed.
_SOME = 0

Claimed = tuple[str, int]


@dataclass(slots=True)
class Counted:
    """How many of a file's equal rows were met, by fingerprint, and which their results say that they are.

    A row's ordinal is not its place among its equals, but says which of the journal's equal rows it is: those that are
    done, or may be, come first. So when one of two equal rows is deleted, the other is not sent for it.
    """

    _met: Hashes = field(default_factory=Hashes)
    _claimed: Hashes = field(default_factory=Hashes)

    def counts(self, contents: Collection[str]) -> "Counts":
        """The counts of some fingerprints, to be gone on with and given back to `keep`."""
        distinct = list(dict.fromkeys(contents))
        met = self._met.find(_hashes(distinct)).tolist()
        some = self._claimed.find(_claims([(content, _SOME) for content in distinct])).tolist() if self._claimed else ()
        return Counts(
            {content: count for content, count in zip(distinct, met, strict=True) if count},
            frozenset(content for content, claimed in zip(distinct, some, strict=False) if claimed),
            self._claimed,
        )

    def claim(self, rows: Iterable[Claimed]) -> None:
        """Take the ordinals that rows of a result have, whether others have them or not."""
        claimed = {*rows}
        hashes = np.unique(_claims([*claimed, *{(content, _SOME) for content, _ in claimed}]))
        new = hashes[self._claimed.find(hashes) == 0]
        self._claimed.add(new, np.ones(len(new), dtype=np.uint32))

    def keep(self, counts: "Counts") -> None:
        """Keep what was counted meanwhile."""
        hashes = _hashes(list(counts.rows))
        numbers = np.array(list(counts.rows.values()), dtype=np.uint32)
        new = self._met.find(hashes) == 0
        distinct, first = np.unique(hashes[new], return_index=True)
        self._met.add(distinct, numbers[new][first])
        self._met.change(hashes[~new], numbers[~new])
        self.claim(counts.claimed)


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of the fingerprints of one frame; `rows` has none of those that were not met.

    `claimed` is what this frame takes; `some` are the fingerprints of which earlier rows took ordinals, kept in
    `earlier`.
    """

    rows: dict[str, int]
    some: frozenset[str]
    earlier: Hashes
    claimed: set[Claimed] = field(default_factory=set)

    def claim(self, content: str, ordinal: int, order: Sequence[int]) -> bool:
        """Take the ordinal that a result's row had; False if another row of the file has it."""
        given = {_at(order, place) for place in range(1, self.rows.get(content, 0) + 1)}
        if ordinal in given or self._is_claimed(content, ordinal):
            return False
        self.claimed.add((content, ordinal))
        return True

    def next(self, content: str, order: Sequence[int]) -> int:
        """The next ordinal that no row of the file has, in the order given and then on from its length."""
        while True:
            place = self.rows[content] = self.rows.get(content, 0) + 1
            ordinal = _at(order, place)
            if not self._is_claimed(content, ordinal):
                return ordinal

    def _is_claimed(self, content: str, ordinal: int) -> bool:
        if (content, ordinal) in self.claimed:
            return True
        return content in self.some and bool(self.earlier.find(_claims([(content, ordinal)]))[0])


def _at(order: Sequence[int], place: int) -> int:
    return order[place - 1] if place <= len(order) else place


def _claims(rows: Collection[Claimed]) -> Hashed:
    ordinals = np.array([ordinal for _, ordinal in rows], dtype=np.uint64)
    with np.errstate(over="ignore"):
        return mixed(_hashes([content for content, _ in rows]) + ordinals * _APART)


def _hashes(contents: Sequence[str]) -> Hashed:
    return np.array([int(content[-_DIGITS:], 16) for content in contents], dtype=np.uint64)
