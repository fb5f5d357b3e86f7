"""A run's rows follow their file: those that stand where they stood need nothing, the rest is matched.

So a run of a million rows goes on with a frame of them in memory, unless its file is another.
"""

from collections import defaultdict
from collections.abc import Sequence

from bulkload.journal import Journal, Known, NewRow
from bulkload.match import Matched, Pair, changes, is_news, match


class Follower:
    """Takes in the rows of one target as the file has them now, frame by frame, each sheet from its first row on."""

    def __init__(self, journal: Journal, run: str, target: str) -> None:
        self._journal = journal
        self._run = run
        self._target = target
        # By resource.
        self._old: defaultdict[str, list[Known]] = defaultdict(list)
        self._new: defaultdict[str, list[NewRow]] = defaultdict(list)
        self._repeated: dict[str, frozenset[str]] = {}
        # The last row that was looked at, by resource and sheet.
        self._reached: dict[tuple[str, str], int] = {}

    def add(self, resource: str, sheet: str, planned: Sequence[NewRow]) -> None:
        """Take in the next rows of a sheet, in their order."""
        if not planned:
            return
        if resource not in self._repeated:
            self._repeated[resource] = self._journal.repeated(self._run, self._target, resource)
        reached, last = self._reached.get((resource, sheet), 0), planned[-1].row
        self._reached[resource, sheet] = last
        there = {old.row: old for old in self._journal.rows(self._run, self._target, resource, sheet, reached, last)}
        for new in planned:
            old = there.get(new.row)
            if old and self._stays(old, new):
                del there[new.row]
            else:
                self._new[resource].append(new)
        self._old[resource] += there.values()

    def _stays(self, old: Known, new: NewRow) -> bool:
        """Whether nothing need be done for a row: no other of the run may be this one, and there is no news of it."""
        return (
            bool(old.fingerprint)
            and (old.fingerprint, old.ordinal) == (new.fingerprint, new.ordinal)
            and old.fingerprint not in self._repeated[new.resource]
            and not is_news(Pair(old, new))
        )

    def matched(self, resource: str) -> Matched:
        """What became of the other rows of a resource, once all its frames were taken in."""
        self._old[resource] += [
            old
            for sheet in self._journal.sheets(self._run)
            for old in self._journal.rows(
                self._run, self._target, resource, sheet, self._reached.get((resource, sheet), 0)
            )
        ]
        old = sorted(self._old.pop(resource), key=lambda one: (one.sheet, one.row))
        return match(old, self._new[resource])

    def rearrange(self, resource: str, matched: Matched) -> None:
        """Let the journal follow."""
        unread = tuple(new for new in self._new.pop(resource, ()) if not new.fingerprint)
        self._journal.rearrange(self._run, self._target, resource, changes(matched, unread))
