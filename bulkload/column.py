"""A field's JSON Schema → the column that fills it, or the reason why no cell can."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain, count
from typing import Any

from bulkload.document import escape
from bulkload.models import RESULT_COLUMNS
from bulkload.node import Node, Unsupported
from bulkload.resource import Column

# Stands where a field has no constant; None is a JSON value.
NOTHING: Any = object()

_SCALARS = ("string", "integer", "number", "boolean")


def constant(schema: Node, *, required: bool) -> Any:
    """What every row sends for a field that is no column, NOTHING if it is left to the row or to the API."""
    if "const" in schema.value:
        if not required:
            raise Unsupported("it can only say one thing, and need not be there: it is not sent")
        return schema.value["const"]
    if not required or not is_hidden(schema):
        return NOTHING
    if "default" not in schema.value:
        raise Unsupported("no row can fill it, and it has no default")
    return schema.value["default"]


def is_hidden(schema: Node) -> bool:
    """Whether only the API fills the field, or the document keeps it out of the sheet."""
    return schema["readOnly"].flag() or not schema.extension("property")["column"].flag(default=True)


def read(name: str, schema: Node, *, required: bool) -> Column:
    """The column of a field, from its schema laid flat by `whole`. Raises Unsupported if no cell can hold it."""
    types = json_types(schema.value)
    if "prefixItems" in schema.value:
        raise Unsupported("a list whose members differ by their position")
    many = "array" in types and "string" not in types
    value = whole(schema["items"]) if many else schema
    kind = _scalar(value, many=many)
    own, said = value.extension("property"), schema.extension("property")
    # No cell can give the other values that the schema may allow.
    allowed = [one for one in value.value.get("enum", ()) if _is_of(kind, one)]
    if "enum" in value.value and not allowed:
        raise Unsupported(f"none of the values that it may have is of its type, {kind}")
    return Column(
        name=name,
        title=schema["title"].text("") or sentence(name),
        place="body",
        pointer=f"/{escape(name)}",
        type=kind,
        schema={**value.value, "enum": allowed} if "enum" in value.value else value.value,
        many=many,
        required=required,
        secret=schema["writeOnly"].flag() or value["format"].value == "password",
        nullable="null" in types,
        description=schema["description"].text(""),
        examples=_examples(schema),
        labels={**own["labels"].text_by_name(), **said["labels"].text_by_name()},
        separator=said["separator"].text(""),
        date_format=_date_format(own["dateFormat"] or said["dateFormat"], value),
        decimal=_decimal(own["decimal"] or said["decimal"], kind, many=many, parted=bool(said["separator"])),
        min_items=schema["minItems"].value,
        max_items=schema["maxItems"].value,
    )


def _date_format(said: Node, value: Node) -> str:
    if not said:
        return ""
    if value.value.get("format") != "date":
        raise said.wrong("dateFormat is for a property of format: date")
    from bulkload.declared import date_format  # with all that reads dates: `bulkload resources` seldom needs it

    return said.parsed(date_format)


def _decimal(said: Node, kind: str, *, many: bool, parted: bool) -> str:
    if not said:
        return "."
    if kind != "number" or (many and not parted):
        raise said.wrong("decimal is for a property of type: number, and for a list of them with a separator")
    return said.one_of((",", "."), "decimal sign")


def _examples(schema: Node) -> tuple[Any, ...]:
    """The examples that the schema gives; OpenAPI 3.0 has one only."""
    if "examples" in schema.value:
        return tuple(part.value for part in schema["examples"].list())
    return (schema.value["example"],) if "example" in schema.value else ()


def _scalar(value: Node, *, many: bool) -> str:
    """The JSON type that a cell becomes: text where several would do. Raises Unsupported if no cell can hold it."""
    types = [kind for kind in json_types(value.value) if kind != "null"] or ["null"]
    kind = "string" if "string" in types else types[0]
    if kind not in _SCALARS:
        what = {"object": "objects" if many else "a nested object", "array": "lists"}.get(kind, "nothing but null")
        raise Unsupported(f"a list of {what}" if many else what)
    return kind


def whole(node: Node, within: frozenset[str] = frozenset()) -> Node:
    """A field's schema with references, `allOf` and «or null» laid flat; what stands nearer to the field wins."""
    here = node.followed()
    if here.place in within:
        raise Unsupported("a schema that holds itself")
    if here.value is False:
        raise Unsupported("it must not be there")
    schema = {} if here.value is True else here.object()
    for part in Node(here.document, schema.pop("allOf", None), f"{here.place}/allOf").list():
        schema = {**whole(part, within | {here.place}).value, **schema}
    for word in ("anyOf", "oneOf"):
        if word in schema and "type" not in schema:
            options = Node(here.document, schema.pop(word), f"{here.place}/{word}").list()
            schema = _one_of([whole(option, within | {here.place}).value for option in options], word) | schema
    return Node(here.document, schema, here.place)


def _one_of(options: list[Mapping[str, Any]], word: str) -> dict[str, Any]:
    """The one alternative that isn't null, as a schema that allows null if one of the others is."""
    real = [option for option in options if json_types(option) != ["null"]]
    if len(real) != 1:
        raise Unsupported(f"one of several kinds ({word})")
    null = ["null"] if len(options) > 1 else []
    return {**real[0], "type": [*json_types(real[0]), *null]}


def json_types(schema: Any) -> list[str]:
    """The JSON types that a schema asks for; where it doesn't say, those of what it speaks of, else text."""
    if not isinstance(schema, Mapping):
        return ["string"]
    said = schema.get("type")
    if said:
        return [said] if isinstance(said, str) else list(said)
    if {"properties", "additionalProperties", "allOf"} & schema.keys():
        return ["object"]
    if {"items", "prefixItems"} & schema.keys():
        return ["array"]
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return list(dict.fromkeys(map(_type_of, values))) or ["string"]


def _is_of(kind: str, value: Any) -> bool:
    return _type_of(value) == kind or (kind == "number" and _type_of(value) == "integer")


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def sentence(name: str) -> str:
    """`displayName` → `Display name`, `pbx-kazoo` → `Pbx kazoo`: a title where the document gives none."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name.replace("_", " ").replace("-", " ")).split()
    text = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)
    return text[:1].upper() + text[1:] or name


def told_apart(columns: Iterable[Column]) -> tuple[Column, ...]:
    """The columns with a title of its own for each, as headers are compared: without case, spaces and the star."""
    taken = {_plain(title) for title in RESULT_COLUMNS}
    told = []
    for column in columns:
        numbered = (f"{column.title} {number}" for number in count(2))
        titles = chain((column.title, f"{column.title} ({column.name})"), numbered)
        title = next(title for title in titles if _plain(title) not in taken)
        taken.add(_plain(title))
        told.append(replace(column, title=title))
    return tuple(told)


def _plain(title: str) -> str:
    return re.sub(r"[\s*]+", "", title).casefold()
