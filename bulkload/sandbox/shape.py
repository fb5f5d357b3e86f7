"""A JSON value as a schema describes it: what is known stands in its place, the rest are the document's examples."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bulkload.document import Document

# Stands for a property that is left out; None is a JSON value.
NOTHING: Any = object()

_SAMPLES = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "email": "sandbox@example.com",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a value before it is written.

    `known` are values by name: a property of that name holds them, whatever its capitals and underscores
    (`mediaTypeId` fills `mediatypeId`). `fixed` are values by JSON pointer, and win. `records` are the facts of the
    records that stand at the pointer `records_at`: one each in a list; elsewhere the first is meant.
    `number` stands for an integer that only the API can know.
    """

    known: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    records_at: str | None = None
    records: tuple["Facts", ...] = ()
    number: int = 1

    def about(self, name: str) -> Any:
        """The known value of a property, NOTHING if there is none."""
        if name in self.known:
            return self.known[name]
        return next((value for other, value in self.known.items() if _plain(other) == _plain(name)), NOTHING)


class Shape:
    """Writes values as the schemas of one document describe them."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def value(self, schema: Any, facts: Facts) -> Any:
        """A value of that schema; a property that nobody knows, nor the schema gives, is left out unless it must be."""
        return self._value(schema, facts, _Place(), needed=True)

    def first(self, pointers: Iterable[str], schema: Any, facts: Facts, kind: str = "") -> str | None:
        """The first of the JSON pointers that the schema has (and has as a `kind`), None if it has none of them."""
        for pointer in pointers:
            node: Any = self._flat(schema, facts)
            for name in pointer.split("/")[1:]:
                node = self._flat(node.get("properties", {}).get(name.replace("~1", "/").replace("~0", "~")), facts)
            if node and kind in ("", _kind(node)):
                return pointer
        return None

    def _flat(self, schema: Any, facts: Facts) -> dict[str, Any]:
        """The schema with references, `allOf` and the branch that applies laid into one; empty where there is none."""
        node = dict(self._document.resolve(schema) or {}) if isinstance(schema, Mapping) else {}
        for part in node.pop("allOf", ()):
            node = _both(self._flat(part, facts), node)
        for word in ("oneOf", "anyOf"):
            branches = node.pop(word, ())
            if branches:
                node = _both(self._flat(self._branch(branches, node.get("discriminator"), facts), facts), node)
        return node

    def _branch(self, branches: list[Any], discriminator: Mapping[str, Any] | None, facts: Facts) -> Any:
        """The branch that the known value of the discriminator names, else the first."""
        kind = facts.about(discriminator["propertyName"]) if discriminator else NOTHING
        if discriminator is None or kind is NOTHING:
            return branches[0]
        target = discriminator.get("mapping", {}).get(kind, kind)
        for branch in branches:
            reference = branch.get("$ref", "")
            if target in (reference, reference.rsplit("/", 1)[-1]):
                return branch
        return branches[0]

    def _value(self, schema: Any, facts: Facts, place: "_Place", *, needed: bool) -> Any:
        node = self._flat(schema, facts)
        kind = _kind(node)
        if place.pointer in facts.fixed:
            return _as(kind, facts.fixed[place.pointer])
        if place.pointer == facts.records_at:
            if kind == "array":
                return [self._value(node.get("items", {}), record, _Place(), needed=True) for record in facts.records]
            facts = replace(facts.records[0] if facts.records else facts, fixed=facts.fixed, records_at=None)
        if "const" in node:
            return node["const"]
        known = facts.about(place.name)
        if known is not NOTHING and isinstance(known, Mapping | list) == (kind in ("array", "object")):
            return _as(kind, known)
        if "properties" in node:
            return self._object(node, facts, place.within(schema), needed=needed) if place.allows(schema) else NOTHING
        given = [*node.get("examples", ()), *(node[word] for word in ("example", "default") if word in node)]
        given += node.get("enum", ())
        if given:
            return given[0]
        return _made_up(node, facts.number) if needed or node.get("readOnly") else NOTHING

    def _object(self, node: Mapping[str, Any], facts: Facts, place: "_Place", *, needed: bool) -> Any:
        made = {}
        for name, schema in node["properties"].items():
            value = self._value(schema, facts, place.under(name), needed=name in node.get("required", ()))
            if value is not NOTHING:
                made[name] = value
        return made if made or needed else NOTHING


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: its JSON pointer, its property's name, and the schemas around it by their references."""

    pointer: str = ""
    name: str = ""
    around: frozenset[str] = frozenset()

    def under(self, name: str) -> "_Place":
        return _Place(f"{self.pointer}/{name.replace('~', '~0').replace('/', '~1')}", name, self.around)

    def allows(self, schema: Mapping[str, Any]) -> bool:
        """Whether the schema is none of those around: one that holds itself would have no end."""
        return not _references(schema) & self.around

    def within(self, schema: Mapping[str, Any]) -> "_Place":
        return replace(self, around=self.around | _references(schema))


def _references(schema: Mapping[str, Any]) -> frozenset[str]:
    """What a schema refers to as a whole; 3.0 wraps a reference in `allOf` to say something beside it."""
    parts = [schema, *schema.get("allOf", ())]
    return frozenset(part["$ref"] for part in parts if "$ref" in part)


def sample(schema: Mapping[str, Any], name: str) -> str:
    """A value for a parameter of that schema, as text: the document's own if it has one, else `sandbox-NAME`."""
    given = [*schema.get("enum", ()), *schema.get("examples", ())]
    given += [schema[word] for word in ("example", "default") if word in schema]
    if given:
        return parameter_text(given[0])
    if _kind(schema) in ("string", "") and schema.get("format") not in _SAMPLES:
        return f"sandbox-{name}"
    return parameter_text(_made_up(schema, 1))


def parameter_text(value: Any) -> str:
    """A value as it stands in a path, a query or a header."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _both(part: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """Two schemas that hold together, as one; what the second says of the same thing wins."""
    both = {**part, **node}
    for word in ("properties", "required"):
        if word in part and word in node:
            both[word] = {**part[word], **node[word]} if word == "properties" else [*part[word], *node[word]]
    return both


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _kind(node: Mapping[str, Any]) -> str:
    """The JSON type that a schema asks for, the first but null; empty where it doesn't say."""
    said = node.get("type", "object" if "properties" in node else "array" if "items" in node else "")
    return next((kind for kind in said if kind != "null"), "") if isinstance(said, list) else str(said)


def _as(kind: str, value: Any) -> Any:
    """The value as the schema wants it: an ID or a length of time may be text in one API and a number in another."""
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if kind in ("integer", "number") and isinstance(value, str) and value.isdecimal():
        return int(value)
    return value


def _made_up(node: Mapping[str, Any], number: int) -> Any:
    match _kind(node):
        case "integer" | "number":
            return max(number, node.get("minimum", number))
        case "boolean":
            return False
        case "array":
            return []
        case "object":
            return {}
        case _:
            return _SAMPLES.get(node.get("format", ""), "text")
