"""The doors to one place: an account may be named by a setting, for a whole sheet, or by a column, for each row.

The journal knows a row by the target and the fingerprint of the door that it went through: with the account as a
setting it stands in the target, as a column in the fingerprint and the key. That stays so, for what stands in a journal
can't be hashed anew. So a row is looked up by what it would be called at every other door that a run has come through:
what was sent through one is known at all. A journal keeps for each run which settings columns stood in for; where it
doesn't, for a run of before that, each may have.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any
from urllib.parse import quote, unquote

from bulkload.fingerprint import Names
from bulkload.journal import Journal, Known
from bulkload.models import Row
from bulkload.resource import Column, Resource

_Some = frozenset[str]


def account_names(resource: Resource) -> _Some:
    """The names of what selects an account."""
    return frozenset(one.name for one in resource.accounts)


def by_row(resource: Resource) -> _Some:
    """Those that a column of the sheet gives."""
    return account_names(resource).intersection(column.name for column in resource.columns)


def without(target: str, names: Iterable[str]) -> str:
    """A target but for these settings."""
    left_out = {quote(name, safe="") for name in names}
    address, *words = target.split(" ")
    return " ".join([address, *(word for word in words if word.partition("=")[0] not in left_out)])


def at(target: str, settings: Mapping[str, str]) -> str:
    """A target with these settings in place of its own, written as `connection.target` writes it."""
    words = _words(target) | {quote(name, safe=""): quote(value, safe="") for name, value in settings.items()}
    said = [f"{name}={value}" for name, value in sorted(words.items(), key=lambda word: unquote(word[0]))]
    return " ".join([target.split(" ")[0], *said])


@dataclass(frozen=True, slots=True)
class Others:
    """What rows are called at the other doors: target there → fingerprint or key there → that here."""

    prints: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def translated(self, by_key: Mapping[str, Known]) -> Mapping[str, Known]:
        """Rows of the same keys; those that say the same have the fingerprint of here."""
        here = {there: mine for prints in self.prints.values() for there, mine in prints.items()}
        if not here:
            return by_key
        return {
            key: replace(known, fingerprint=here.get(known.fingerprint, known.fingerprint))
            for key, known in by_key.items()
        }


_NONE = Others()


class Doors:
    """The doors but for a sheet's own: `target` is its connection's, and a column of it may stand in for a setting."""

    def __init__(self, resource: Resource, target: str, journal: Journal) -> None:
        self._target = target
        self._own = by_row(resource)
        # By the settings that columns gave there, and by the target but for those: the targets there.
        self._there: dict[_Some, defaultdict[str, set[str]]] = {}
        every = account_names(resource)
        for door, given in journal.doors() if every else ():
            for names in _subsets(every if given is None else every & given):
                either = names | self._own
                if (door, names) != (target, self._own) and without(door, either) == without(target, either):
                    self._there.setdefault(names, defaultdict(set))[without(door, names)].add(door)
        self._names = {names: Names(_with(resource, names), journal.keyed_hash) for names in self._there}

    def others(self, rows: Sequence[Row], prints: Mapping[int, str], keys: Mapping[int, str]) -> Others:
        """What the rows are called there; `prints` and `keys` are those of here, by row number."""
        if not self._there:
            return _NONE
        of_prints, of_keys = defaultdict[str, dict[str, str]](dict), defaultdict[str, dict[str, str]](dict)
        for row in rows:
            target = at(self._target, {name: str(row.values[name]) for name in self._own if name in row.values})
            values: dict[str, Any] = {**settings(target), **row.values}
            for names, doors in self._there.items():
                if there := doors.get(without(target, names)):
                    content, key = self._names[names].prints.whole(values), self._names[names].key(values)
                    for door in there:
                        of_prints[door][content] = prints[row.number]
                        if key:
                            of_keys[door][key] = keys[row.number]
        return Others(of_prints, of_keys)


def _subsets(names: _Some) -> Iterator[_Some]:
    for size in range(len(names) + 1):
        yield from map(frozenset, combinations(names, size))


def _with(resource: Resource, names: Collection[str]) -> Resource:
    """The resource of a sheet where columns of these names select the account, and no others."""
    others = [column for column in resource.columns if column.name not in account_names(resource)]
    given = [Column(name, name, "path", f"/{name}", "string", {}) for name in names]
    return replace(resource, columns=(*given, *others))


def settings(target: str) -> dict[str, str]:
    """The settings that a target names."""
    return {unquote(name): unquote(value) for name, value in _words(target).items()}


def _words(target: str) -> dict[str, str]:
    return {name: value for name, _, value in (word.partition("=") for word in target.split(" ")[1:])}
