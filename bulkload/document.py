"""An OpenAPI document as plain dicts, 3.0 brought to 3.1, whose references inside the document can be followed."""

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema_rs import Draft202012Validator, ValidationError

from bulkload.errors import UnusableDocument
from bulkload.yaml12 import parse_yaml as parse_yaml

# From so many references on, a schema gets all of the document that may be referred to, shared, not its own part.
_MANY = 50
# Where the keys from the document's root down to a value are written one after the other.
Place = tuple[str, ...]
# Where a schema may stand that others refer to: names that are no words of a schema themselves.
_HOLDERS = {"components", "paths", "webhooks", "definitions", "$defs"}
# The words of a schema whose values are data, not schemas, and the words whose values are schemas by name.
_DATA = {"const", "default", "enum", "example", "examples"}
_BY_NAME = {
    "callbacks", "content", "headers", "parameters", "pathItems", "paths", "patternProperties",
    "properties", "requestBodies", "responses", "schemas", "webhooks", "$defs", "dependentSchemas",
}  # fmt: skip


class Document:
    """An OpenAPI document of version 3.0 or 3.1, brought to 3.1, whose references can be followed."""

    def __init__(self, data: Any, source: str) -> None:
        """Take a parsed document. Raises UnusableDocument if it isn't OpenAPI 3.0 or 3.1."""
        said = data if isinstance(data, dict) else {}
        version = str(said.get("openapi") or "")
        if not re.match(r"3\.[01](?:\.|\Z)", version):
            found = f"version {version}" if version else "Swagger 2.0" if "swagger" in said else "no `openapi` field"
            raise UnusableDocument(
                f"{source}: {found}; an OpenAPI document of version 3.0 or 3.1 is wanted. Convert it, or give another."
            )
        self.source = source
        self.data: Mapping[str, Any] = {**_upgrade(data), "openapi": "3.1.0" if version < "3.1" else version}
        # The places that the schema at a place refers to, as far as anyone has asked.
        self._direct: dict[Place, list[Place]] = {}
        # The places whose schemas were found to be valid, each by itself.
        self._sound: set[Place] = set()

    def resolve(self, node: Any) -> Any:
        """Follow `$ref` until something else stands there; keys beside a `$ref` are laid over its target.

        Raises UnusableDocument for a reference that leads nowhere, in a circle, or out of the document.
        """
        return self.follow(node)[0]

    def follow(self, node: Any) -> tuple[Any, str]:
        """As `resolve`, together with the last reference that was followed, "" where none was."""
        followed: list[str] = []
        while isinstance(node, Mapping) and isinstance(node.get("$ref"), str):
            reference = node["$ref"]
            if reference in followed:
                raise UnusableDocument(f"{self.source}: {reference} refers to itself. Correct that $ref.")
            followed.append(reference)
            target = self._at(_place(reference, self.source))
            beside = {key: value for key, value in node.items() if key != "$ref"}
            node = {**target, **beside} if beside and isinstance(target, Mapping) else target
        return node, followed[-1] if followed else ""

    def self_contained(self, schema: Any) -> dict[str, Any]:
        """The schema with all that its references need as one JSON Schema document.

        Raises UnusableDocument for a reference that leads nowhere or out of the document.
        """
        whole: dict[str, Any] = {"allOf": [schema]}
        needed = dict(islice(self._needed(schema), _MANY))
        if len(needed) == _MANY:
            return whole | {name: self.data[name] for name in _HOLDERS if name in self.data}
        for place in sorted(needed, key=len):
            if not any(place[:end] in needed for end in range(1, len(place))):
                _put(whole, place, needed[place])
        return whole

    def fault(self, schema: Any, place: str) -> str:
        """Where and why a schema that stands at that place, or one that it refers to, is no valid JSON Schema."""
        if found := _fault(schema, place):
            return found
        sound = set[Place]()
        for needed, part in self._needed(schema, self._sound):
            if found := _fault(part, _reference(needed)):
                return found
            sound.add(needed)
        self._sound |= sound
        return ""

    def _needed(self, schema: Any, known: Collection[Place] = ()) -> Iterator[tuple[Place, Any]]:
        """All that the schema refers to, and what that refers to in turn, but for what is known."""
        found = set[Place]()
        waiting = self._references(schema)
        while waiting:
            place = waiting.pop()
            if place not in found and place not in known:
                found.add(place)
                target = self._at(place)
                if place not in self._direct:
                    self._direct[place] = self._references(target)
                waiting += self._direct[place]
                yield place, target

    def _references(self, schema: Any) -> list[Place]:
        places = [_place(reference, self.source) for reference in _references(schema)]
        for place in places:
            if place[0] not in _HOLDERS:
                raise UnusableDocument(
                    f"{self.source}: {_reference(place)} is no place for a schema. Correct that $ref."
                )
        return places

    def _at(self, place: Place) -> Any:
        node: Any = self.data
        for part in place:
            if isinstance(node, list) and part.isascii() and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
            elif isinstance(node, Mapping) and part in node:
                node = node[part]
            else:
                raise UnusableDocument(f"{self.source}: {_reference(place)} leads nowhere. Correct that $ref.")
        return node


def load(path: Path) -> Document:
    """Read a document from a file. Raises UnusableDocument."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UnusableDocument(f"{path}: can't be read: {error.strerror}. Check the path.") from error
    except UnicodeDecodeError as error:
        raise UnusableDocument(f"{path}: not UTF-8 text. Save it again as YAML or JSON in UTF-8.") from error
    return Document(parse_yaml(text, path.name), path.name)


def escape(name: str) -> str:
    """A name as one token of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _place(reference: str, source: str) -> Place:
    """`#/paths/~1things` → `paths`, `/things`. Raises UnusableDocument for what is no JSON pointer in the document."""
    if not reference.startswith("#"):
        raise UnusableDocument(f"{source}: {reference} stands in another file. Bundle them into one first.")
    if not reference.startswith("#/"):
        raise UnusableDocument(
            f"{source}: {reference} is no JSON pointer, such as #/components/schemas/Thing. Write one."
        )
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in unquote(reference[2:]).split("/"))


def _reference(place: Place) -> str:
    return "#/" + "/".join(map(escape, place))


def _put(whole: dict[str, Any], place: Place, value: Any) -> None:
    for part in place[:-1]:
        whole = whole.setdefault(part, {})
    whole[place[-1]] = value


def _references(node: Any, *, by_name: bool = False) -> Iterator[str]:
    """Every `$ref` in a schema, leaving out what is data. `by_name`: its keys are names, not words."""
    if isinstance(node, list):
        for part in node:
            yield from _references(part)
    elif isinstance(node, Mapping):
        if not by_name and isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for key, value in node.items():
            if by_name or not _is_data(key):
                yield from _references(value, by_name=not by_name and key in _BY_NAME)


def _fault(schema: Any, place: str) -> str:
    """Where and why a schema by itself, whatever it refers to, is no valid JSON Schema; "" if it is one."""
    try:
        Draft202012Validator({"allOf": [_without_references(schema)]})
    except ValidationError as error:
        inside = "".join(f"/{escape(str(part))}" for part in error.instance_path[2:])
        return f"{place}{inside}: {error.message}"
    return ""


def _without_references(node: Any, *, by_name: bool = False) -> Any:
    if isinstance(node, list):
        return [_without_references(part) for part in node]
    if not isinstance(node, Mapping):
        return node
    return {
        key: value
        if not by_name and _is_data(key)
        else _without_references(value, by_name=not by_name and key in _BY_NAME)
        for key, value in node.items()
        if by_name or key != "$ref" or not isinstance(value, str)
    }


def _is_data(key: str) -> bool:
    return key in _DATA or key.startswith("x-")


def _upgrade(node: Any, *, by_name: bool = False) -> Any:
    """The words of OpenAPI 3.0 said in those of 3.1, where many documents still use them (JSON Schema 2020-12).

    A field that only the API fills is no longer required: that is meant of answers alone (OpenAPI 3.0, 4.7.24.2).
    `by_name`: the keys of the node are names, not words.
    """
    if isinstance(node, list):
        return [_upgrade(part) for part in node]
    if not isinstance(node, dict):
        return node
    if by_name:
        return {key: _upgrade(value) for key, value in node.items()}
    node = {
        key: value if _is_data(key) else _upgrade(value, by_name=key in _BY_NAME and isinstance(value, dict))
        for key, value in node.items()
    }
    if isinstance(node.get("nullable"), bool) and node.pop("nullable") and isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
        if isinstance(node.get("enum"), list) and None not in node["enum"]:
            node["enum"] = [*node["enum"], None]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(node.get(exclusive), bool) and node.pop(exclusive) and bound in node:
            node[exclusive] = node.pop(bound)
    if isinstance(node.get("required"), list) and isinstance(node.get("properties"), dict):
        node["required"] = [name for name in node["required"] if not _is_read_only(node["properties"], name)]
    return node


def _is_read_only(properties: Mapping[str, Any], name: Any) -> bool:
    schema = properties.get(name) if isinstance(name, str) else None
    return isinstance(schema, dict) and schema.get("readOnly") is True
