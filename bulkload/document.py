"""An OpenAPI document as plain dicts: YAML 1.2 with JSON's types only, 3.0 brought to 3.1, local references."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from bulkload.errors import UnusableDocument


class _Loader(yaml.SafeLoader):
    """YAML's JSON schema (YAML 1.2, 10.2): null, true, false, JSON numbers; everything else is text.

    PyYAML by itself follows YAML 1.1 and reads `20:00` as 1200, `no` as False and `0123` as 83.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (PyYAML's own shape)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key that is not text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f'"{key.value}" stands twice', key.start_mark)
            seen.add(key.value)
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}


def _construct_map(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    return loader.construct_mapping(node, deep=True)


def _construct_float(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(loader.construct_scalar(node))


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|)$"), ["n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^-?(?:0|[1-9][0-9]*)(?:(?:\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)$"),
    list("-0123456789"),
)
_Loader.add_constructor("tag:yaml.org,2002:map", _construct_map)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)


def parse_yaml(text: str, source: str = "document") -> Any:
    """Read YAML 1.2 or JSON into dicts, lists, text, numbers, booleans and None. Raises UnusableDocument."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506  (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UnusableDocument(f"{source}{line}: not YAML or JSON: {error.problem}. Correct that line.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UnusableDocument(f"{source}: not YAML or JSON that can be read. Correct it.") from error


class Document:
    """An OpenAPI document of version 3.0 or 3.1, brought to 3.1, whose references can be followed."""

    def __init__(self, data: Any, source: str) -> None:
        """Take a parsed document. Raises UnusableDocument if it isn't OpenAPI 3.0 or 3.1."""
        version = str(data.get("openapi", "")) if isinstance(data, dict) else ""
        if not version.startswith(("3.0", "3.1")):
            found = f"version {version}" if version else "no `openapi` field"
            raise UnusableDocument(f"{source}: {found}; an OpenAPI document of version 3.0 or 3.1 is wanted.")
        self.source = source
        self.data: Mapping[str, Any] = _upgrade(data) if version.startswith("3.0") else data
        root = Resource.from_contents(self.data, default_specification=DRAFT202012)
        self._resolver = Registry().with_resource("", root).resolver()

    def resolve(self, node: Any) -> Any:
        """Follow `$ref` until something else stands there; keys beside a `$ref` are laid over its target.

        Raises UnusableDocument for a reference that leads nowhere, in a circle, or out of the document.
        """
        followed: set[str] = set()
        while isinstance(node, Mapping) and isinstance(node.get("$ref"), str):
            reference = node["$ref"]
            if not reference.startswith("#"):
                raise UnusableDocument(
                    f"{self.source}: {reference} stands in another file. Bundle them into one first."
                )
            if reference in followed:
                raise UnusableDocument(f"{self.source}: {reference} refers to itself.")
            followed.add(reference)
            try:
                target = self._resolver.lookup(reference).contents
            except Unresolvable as error:
                raise UnusableDocument(f"{self.source}: {reference} leads nowhere.") from error
            beside = {key: value for key, value in node.items() if key != "$ref"}
            node = {**target, **beside} if beside and isinstance(target, Mapping) else target
        return node

    def self_contained(self, schema: Any) -> dict[str, Any]:
        """The schema with all that its references need, as one JSON Schema document."""
        return {"allOf": [schema], "components": self.data.get("components", {})}

    def operations(self) -> Iterator[tuple[str, str, Mapping[str, Any], list[Any]]]:
        """Each operation as (method in capitals, path, operation, its path's own parameters)."""
        for path, entry in self.data.get("paths", {}).items():
            entry = self.resolve(entry)
            for method in ("get", "put", "post", "delete", "patch"):
                if method in entry:
                    yield method.upper(), path, entry[method], list(entry.get("parameters", ()))


def load(path: Path) -> Document:
    """Read a document from a file. Raises UnusableDocument."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UnusableDocument(f"{path}: can't be read: {error.strerror}. Check the path.") from error
    except UnicodeDecodeError as error:
        raise UnusableDocument(f"{path}: not UTF-8 text. An OpenAPI document is YAML or JSON in UTF-8.") from error
    return Document(parse_yaml(text, path.name), path.name)


def _upgrade(node: Any) -> Any:
    """OpenAPI 3.0 said in the words of 3.1 (JSON Schema 2020-12)."""
    if isinstance(node, list):
        return [_upgrade(part) for part in node]
    if not isinstance(node, dict):
        return node
    node = {key: _upgrade(value) for key, value in node.items()}
    if node.get("nullable") is True and isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
        if "enum" in node and None not in node["enum"]:
            node["enum"] = [*node["enum"], None]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(node.get(exclusive), bool) and node.pop(exclusive) and bound in node:
            node[exclusive] = node.pop(bound)
    return node
