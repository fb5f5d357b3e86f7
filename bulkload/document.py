"""An OpenAPI document as plain dicts: YAML 1.2 with JSON's types only, 3.0 brought to 3.1, local references."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

from bulkload.errors import UnusableDocument

try:
    from yaml import CSafeLoader as SafeLoader  # three times as fast, where PyYAML was built with it
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

# Bounds on what a document unfolds to once its aliases are followed: ten lines of them can make a billion values.
_MOST_VALUES = 5_000_000
_DEEPEST = 100

# YAML's JSON schema (YAML 1.2, 10.2): what these don't match is text. Each with the characters that it may begin with.
_SCALARS = {
    "null": (re.compile(r"(?:null|)\Z"), ["n", ""], lambda text: None),
    "bool": (re.compile(r"(?:true|false)\Z"), list("tf"), lambda text: text == "true"),
    "int": (re.compile(r"-?(?:0|[1-9][0-9]*)\Z"), list("-0123456789"), int),
    "float": (
        re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)\Z"),
        list("-0123456789"),
        float,
    ),
}
# The words of a schema whose values are data, not schemas, and the words whose values are schemas by name.
_DATA = {"const", "default", "enum", "example", "examples"}
_BY_NAME = {
    "callbacks", "components", "content", "headers", "parameters", "pathItems", "paths", "patternProperties",
    "properties", "requestBodies", "responses", "schemas", "webhooks", "$defs", "dependentSchemas",
}  # fmt: skip


class _Loader(SafeLoader):
    """Knows JSON's types alone. PyYAML by itself reads `20:00` as 1200, `no` as False and `0123` as 83 (YAML 1.1)."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (PyYAML's own shape)
    yaml_constructors: dict[Any, Any] = {None: SafeLoader.construct_undefined}  # noqa: RUF012

    def map(self, node: yaml.MappingNode) -> dict[str, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _wrong("a key that is not text", key)
            if key.value == "<<" and not key.style:
                raise _wrong("`<<` is not YAML 1.2: write the keys out, or refer to them with $ref", key)
            if key.value in seen:
                raise _wrong(f'"{key.value}" stands twice', key)
            seen.add(key.value)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}

    def seq(self, node: yaml.SequenceNode) -> list[Any]:
        return self.construct_sequence(node, deep=True)

    def scalar(self, node: yaml.ScalarNode) -> Any:
        pattern, _, convert = _SCALARS[node.tag.rsplit(":", 1)[-1]]
        if not pattern.match(node.value):
            raise _wrong(f'"{node.value}" is not of the type that its tag says', node)
        return convert(node.value)


for _name, (_pattern, _first, _) in _SCALARS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, _first)
    _Loader.add_constructor(f"tag:yaml.org,2002:{_name}", _Loader.scalar)
_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.construct_scalar)
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.map)
_Loader.add_constructor("tag:yaml.org,2002:seq", _Loader.seq)


def _wrong(what: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, what, node.start_mark)


def parse_yaml(text: str, source: str = "document") -> Any:
    """Read YAML 1.2 or JSON into dicts, lists, text, numbers, booleans and None. Raises UnusableDocument."""
    try:
        value = _parse_json(text) if text.lstrip()[:1] in ("{", "[") else _parse_yaml(text)
        _measure(value, {}, _DEEPEST)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UnusableDocument(f"{source}{line}: not YAML or JSON: {error.problem}. Correct that line.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, _TooMuch) else "not YAML or JSON that can be read"
        raise UnusableDocument(f"{source}: {what}. Correct the document.") from error
    return value


def _parse_json(text: str) -> Any:
    """JSON by its own parser, which takes the tabs and escaped emoji that YAML's doesn't; else YAML's `{...}`."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except ValueError:
        return _parse_yaml(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys stand once each. Raises ValueError, for YAML's parser to tell which, and where."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


def _parse_yaml(text: str) -> Any:
    return yaml.load(text, _Loader)  # noqa: S506  (a SafeLoader)


class _TooMuch(ValueError):
    """The document unfolds to more than any real one does."""


def _measure(value: Any, sizes: dict[int, int], depth: int) -> int:
    """How many values this unfolds to, each shared one counted wherever it is used. Raises _TooMuch."""
    if not isinstance(value, dict | list):
        return 1
    if depth == 0:
        raise _TooMuch(f"it is nested more than {_DEEPEST} levels deep")
    if id(value) not in sizes:
        parts = value.values() if isinstance(value, dict) else value
        sizes[id(value)] = 1 + sum(_measure(part, sizes, depth - 1) for part in parts)
    if sizes[id(value)] > _MOST_VALUES:
        raise _TooMuch(f"it unfolds to more than {_MOST_VALUES:,} values")
    return sizes[id(value)]


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
        self.data: Mapping[str, Any] = {**_upgrade(data), "openapi": "3.1.0"} if version.startswith("3.0") else data
        self._direct: dict[str, tuple[str, ...]] = {}

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
            target = self._at(reference)
            beside = {key: value for key, value in node.items() if key != "$ref"}
            node = {**target, **beside} if beside and isinstance(target, Mapping) else target
        return node, followed[-1] if followed else ""

    def self_contained(self, schema: Any) -> dict[str, Any]:
        """The schema with all that its references need, and no more, as one JSON Schema document.

        Raises UnusableDocument for a reference that leads nowhere or out of the document.
        """
        needed: dict[str, None] = {}
        waiting = list(_references(schema))
        while waiting:
            reference = waiting.pop()
            if reference not in needed:
                needed[reference] = None
                if reference not in self._direct:
                    self._direct[reference] = tuple(_references(self._at(reference)))
                waiting += self._direct[reference]
        whole: dict[str, Any] = {"allOf": [schema]}
        placed: set[str] = set()
        for reference in sorted(needed, key=len):
            parents = reference.split("/")
            if not any("/".join(parents[:end]) in placed for end in range(2, len(parents))):
                placed.add(reference)
                _put(whole, _segments(reference), self._at(reference))
        return whole

    def _at(self, reference: str) -> Any:
        """What a reference points to, as a JSON pointer (RFC 6901) in this document."""
        if not reference.startswith("#"):
            raise UnusableDocument(f"{self.source}: {reference} stands in another file. Bundle them into one first.")
        node: Any = self.data
        for part in _segments(reference):
            if isinstance(node, list) and part.isascii() and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
            elif isinstance(node, Mapping) and part in node:
                node = node[part]
            else:
                raise UnusableDocument(f"{self.source}: {reference} leads nowhere. Correct that $ref.")
        if node is self.data:
            raise UnusableDocument(f"{self.source}: {reference} is the whole document. Correct that $ref.")
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


def _segments(reference: str) -> list[str]:
    """`#/paths/~1things` → `paths`, `/things`. An anchor (`#name`) is no pointer, and leads nowhere here."""
    first, *parts = unquote(reference[1:]).split("/")
    return [*([f"#{first}"] if first else []), *(part.replace("~1", "/").replace("~0", "~") for part in parts)]


def _put(whole: dict[str, Any], segments: list[str], value: Any) -> None:
    for part in segments[:-1]:
        whole = whole.setdefault(part, {})
    whole[segments[-1]] = value


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


def _is_data(key: str) -> bool:
    return key in _DATA or key.startswith("x-")


def _upgrade(node: Any, *, by_name: bool = False) -> Any:
    """OpenAPI 3.0 said in the words of 3.1 (JSON Schema 2020-12). `by_name`: its keys are names, not words."""
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
    if node.pop("nullable", False) is True and isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
        if isinstance(node.get("enum"), list) and None not in node["enum"]:
            node["enum"] = [*node["enum"], None]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(node.get(exclusive), bool) and node.pop(exclusive) and bound in node:
            node[exclusive] = node.pop(bound)
    return node
