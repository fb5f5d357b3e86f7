"""Which row of a file that is read again is which row of the run that goes on: by natural key, else by content."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bulkload.journal import Changes, Known, NewRow
from bulkload.models import DONE, Status

# The API may hold what these rows sent. With any other status nothing was made.
MAY_EXIST = DONE | {Status.UNKNOWN, Status.SENDING}


@dataclass(frozen=True, slots=True)
class Pair:
    """The same row, as the run knows it and as the file has it now."""

    old: Known
    new: NewRow


@dataclass(frozen=True, slots=True)
class Matched:
    """What became of a run's rows in the file as it is now, in the order of the file, vanished ones in the run's.

    `same` rows say what they said: go on with those whose old status allows it. `changed` rows made nothing yet: check
    and send what they say now. `refused` rows changed too, but what they said before may exist: list them. `vanished`
    rows are in the file no more, and `new` ones were not in the run.
    """

    same: tuple[Pair, ...] = ()
    changed: tuple[Pair, ...] = ()
    refused: tuple[Pair, ...] = ()
    vanished: tuple[Known, ...] = ()
    new: tuple[NewRow, ...] = ()

    @property
    def unclear(self) -> bool:
        """Rows have vanished and others are new: where nothing names a record, those may be the same, edited."""
        return bool(self.vanished and self.new)


def match(old: Sequence[Known], new: Sequence[NewRow]) -> Matched:
    """Match a run's rows of one resource and target with the rows that the file has now. Row numbers mean nothing.

    Rows that could not be read have no fingerprint: they match nothing, were and are not sent, and stand nowhere in
    what is given back.
    """
    old = [row for row in old if row.fingerprint]
    new = [row for row in new if row.fingerprint]
    pairs: dict[int, Pair] = {}
    found: set[int] = set()
    # The same content is the same key, so what is left for the keys are the rows that changed.
    for name in (_content, _key):
        left = [(place, row) for place, row in enumerate(old) if place not in found]
        wanted = [(place, row) for place, row in enumerate(new) if place not in pairs]
        for old_place, new_place in _pairs(left, wanted, name):
            found.add(old_place)
            pairs[new_place] = Pair(old[old_place], new[new_place])
    ordered = [pairs[place] for place in sorted(pairs)]
    edited = [pair for pair in ordered if not _says_the_same(pair)]
    return Matched(
        same=tuple(pair for pair in ordered if _says_the_same(pair)),
        changed=tuple(pair for pair in edited if pair.old.status not in MAY_EXIST),
        refused=tuple(pair for pair in edited if pair.old.status in MAY_EXIST),
        vanished=tuple(row for place, row in enumerate(old) if place not in found),
        new=tuple(row for place, row in enumerate(new) if place not in pairs),
    )


def _pairs(
    old: Sequence[tuple[int, Known]], new: Sequence[tuple[int, NewRow]], name: Callable[[Known | NewRow], str]
) -> Iterator[tuple[int, int]]:
    """The places of rows, old and new, that have the same name; those without a name are left."""
    by_name: defaultdict[str, list[tuple[int, Known]]] = defaultdict(list)
    wanted: defaultdict[str, list[int]] = defaultdict(list)
    for place, row in old:
        by_name[name(row)].append((place, row))
    for new_place, new_row in new:
        if name(new_row):
            wanted[name(new_row)].append(new_place)
    for shared, places in wanted.items():
        # Of equal rows the file may have fewer than the run: those that may exist are matched before the others, so
        # that none of them is sent again in another's stead.
        first = sorted(by_name.get(shared, ()), key=lambda one: (one[1].status not in MAY_EXIST, one[0]))
        kept = sorted(place for place, _ in first[: len(places)])
        yield from zip(kept, places, strict=False)


def _key(row: Known | NewRow) -> str:
    return row.key


def _content(row: Known | NewRow) -> str:
    return row.fingerprint


def _says_the_same(pair: Pair) -> bool:
    return pair.old.fingerprint == pair.new.fingerprint


def is_news(pair: Pair) -> bool:
    """Whether a row that says what it said is to be planned anew all the same."""
    goes_on = pair.old.status in (Status.NOT_SENT, Status.FAILED) and pair.new.status is Status.NOT_SENT
    return pair.old.status not in MAY_EXIST | {Status.REJECTED} and not goes_on


def changes(matched: Matched, unread: tuple[NewRow, ...]) -> Changes:
    """What the journal has to change: a row that can still be sent is planned anew if there is news of it."""
    replaced = [pair for pair in matched.same if is_news(pair)]
    moved = [pair for pair in matched.same if not is_news(pair)]
    return Changes(
        moved=tuple((pair.old, pair.new) for pair in [*moved, *matched.refused]),
        replaced=tuple((pair.old, pair.new) for pair in [*replaced, *matched.changed]),
        gone=tuple(old for old in matched.vanished if old.status in MAY_EXIST),
        dropped=tuple(old for old in matched.vanished if old.status not in MAY_EXIST),
        new=(*matched.new, *unread),
    )
