"""What the hidden sheet of a template says of it: by this it is recognised, and what has changed since is told."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bulkload.errors import UnusableFile
from bulkload.resource import Column, Resource
from bulkload.wording import LIMITS, limits

SHEET = "_bulkload"
_MARKER = ("bulkload", "1")
# Well under the 32,767 characters that a cell can hold.
_CELL = 32_000

_TYPES = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "TRUE or FALSE"}


@dataclass(frozen=True, slots=True)
class StampedColumn:
    """A column as it was when the template was made.

    `enum` holds the codes as text. `limits` are the keywords of JSON Schema that bound a value (`maxLength`), and
    `minItems` and `maxItems` of a list.
    """

    name: str
    title: str
    heading: str
    type: str
    many: bool
    required: bool
    enum: tuple[str, ...]
    limits: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stamp:
    """One sheet of a template: `resource` is the full name, `rules` are the relations between columns, in words."""

    sheet: str
    resource: str
    version: str
    columns: tuple[StampedColumn, ...]
    rules: tuple[str, ...] = ()

    @property
    def headings(self) -> tuple[str, ...]:
        """The header row as the template had it."""
        return tuple(column.heading for column in self.columns)


def stamp(sheet: str, resource: Resource) -> Stamp:
    """What a template made now would say. The column of a setting (a tenant ID) is left out: a person may add it."""
    settings = {parameter.name for parameter in resource.create.parameters}
    columns = tuple(_stamped(column) for column in resource.columns if column.name not in settings)
    rules = tuple(rule.message for rule in resource.rules if rule.message)
    return Stamp(sheet, resource.full_name, resource.api_version, columns, rules)


def rows(sheets: Iterable[tuple[str, Resource]]) -> tuple[tuple[str, ...], ...]:
    """The rows of the hidden sheet, from sheet names and resources; JSON too long for a cell goes on in the next."""
    return (_MARKER, *(_row(stamp(name, resource)) for name, resource in sheets))


def parse(rows: Sequence[Sequence[str]]) -> tuple[Stamp, ...]:
    """Read the hidden sheet back; empty where there is none, or one that isn't ours.

    Raises UnusableFile for a stamp of another version, or a damaged one.
    """
    if not rows or tuple(rows[0][:1]) != _MARKER[:1]:
        return ()
    if tuple(rows[0][:2]) != _MARKER:
        raise UnusableFile(
            f"The file was made by another version of bulkload (its hidden sheet {SHEET} begins with {rows[0][1:2]}, "
            f"this program knows {_MARKER[1]}). Update bulkload, or begin with a new template."
        )
    try:
        return tuple(_parsed(row) for row in rows[1:] if row)
    except (ValueError, TypeError, KeyError) as error:
        raise UnusableFile(f"The hidden sheet {SHEET} is damaged. Begin with a new template.") from error


def differences(old: Stamp, resource: Resource) -> tuple[str, ...]:
    """What has changed since the template was made, a sentence each; empty if nothing has."""
    new = stamp(old.sheet, resource)
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    said = [f"The column «{column.title}» is gone." for name, column in before.items() if name not in after]
    for name, column in after.items():
        if name in before:
            said += _changes(before[name], column)
        else:
            said.append(f"The column «{column.title}» ({'required' if column.required else 'optional'}) is new.")
    said += [f"New rule: {rule}" for rule in new.rules if rule not in old.rules]
    said += [f"No longer a rule: {rule}" for rule in old.rules if rule not in new.rules]
    return tuple(said)


def _stamped(column: Column) -> StampedColumn:
    return StampedColumn(
        name=column.name,
        title=column.title,
        heading=column.heading,
        type=column.type,
        many=column.many,
        required=column.required,
        enum=tuple(str(value) for value in column.enum),
        limits=limits(column),
    )


def _row(one: Stamp) -> tuple[str, ...]:
    content = {"columns": [asdict(column) for column in one.columns], "rules": one.rules}
    text = json.dumps(content, separators=(",", ":"))
    parts = [text[start : start + _CELL] for start in range(0, len(text), _CELL)]
    return (one.sheet, one.resource, one.version, *parts)


def _parsed(row: Sequence[str]) -> Stamp:
    sheet, resource, version, *parts = row
    said = json.loads("".join(parts))
    columns = tuple(StampedColumn(**{**column, "enum": tuple(column["enum"])}) for column in said["columns"])
    return Stamp(sheet, resource, version, columns, tuple(said["rules"]))


def _changes(old: StampedColumn, new: StampedColumn) -> Iterator[str]:
    title = f"«{new.title}»"
    if old.title != new.title:
        yield f"The column «{old.title}» is now called {title}."
    if old.required != new.required:
        yield f"{title} is {'now required' if new.required else 'no longer required'}."
    if (old.type, old.many) != (new.type, new.many):
        yield f"{title} now takes {_kind(new)}, not {_kind(old)}."
    yield from _changed_values(title, old, new)
    changed = {word for word in old.limits.keys() | new.limits.keys() if old.limits.get(word) != new.limits.get(word)}
    for word in LIMITS:
        if word in changed:
            yield f"{title}: {_bound(word, new, 'no such limit')} (was: {_bound(word, old, 'no such limit')})."


def _changed_values(title: str, old: StampedColumn, new: StampedColumn) -> Iterator[str]:
    if bool(old.enum) != bool(new.enum):
        wanted = f"only {', '.join(new.enum)}" if new.enum else "any value"
        yield f"{title} now takes {wanted}."
        return
    if added := [value for value in new.enum if value not in old.enum]:
        yield f"{title} now also takes {', '.join(added)}."
    if removed := [value for value in old.enum if value not in new.enum]:
        yield f"{title} no longer takes {', '.join(removed)}."


def _kind(column: StampedColumn) -> str:
    kind = _TYPES.get(column.type, column.type)
    return f"a list ({kind})" if column.many else kind


def _bound(word: str, column: StampedColumn, absent: str) -> str:
    return LIMITS[word].format(column.limits[word]) if word in column.limits else absent
