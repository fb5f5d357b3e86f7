"""YAML 1.2 and JSON as plain values of JSON's types: text, numbers, booleans, None, lists and dicts by text."""

import json
import math
import re
from collections.abc import Callable
from typing import Any, ClassVar

import yaml

from bulkload.errors import UnusableDocument

try:
    from yaml import CSafeLoader as SafeLoader  # three times as fast, where PyYAML was built with it
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

# Bounds on what a document unfolds to once its aliases are followed: ten lines of them can make a billion values.
_MOST_VALUES = 5_000_000
_DEEPEST = 100
_TOO_DEEP = f"it is nested more than {_DEEPEST} levels deep"
# What libyaml says of a thousand levels; Python's own parsers end in a RecursionError.
_LIBYAML_TOO_DEEP = "exceeded maximum nesting depth"

_TAG = "tag:yaml.org,2002:"
# YAML's JSON schema (YAML 1.2, 10.2): what none of these matches is text. Each with what it may begin with.
_SCALARS: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "null": (r"null|", "n", lambda text: None),
    "bool": (r"true|false", "tf", lambda text: text == "true"),
    "int": (r"-?(?:0|[1-9][0-9]*)", "-0123456789", int),
    "float": (
        r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)",
        "-0123456789",
        float,
    ),
}


class _Loader(SafeLoader):
    """Knows JSON's types alone. PyYAML by itself reads `20:00` as 1200, `no` as False and `0123` as 83 (YAML 1.1)."""

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _wrong("a key that is not text", key)
            if key.value == "<<" and not key.style:
                raise _wrong("`<<` is not YAML 1.2: write its keys out, or use $ref", key)
            if key.value in seen:
                raise _wrong(f'"{key.value}" stands twice', key)
            seen.add(key.value)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}

    def _sequence(self, node: yaml.SequenceNode) -> list[Any]:
        return self.construct_sequence(node, deep=True)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        pattern, _, convert = _SCALARS[node.tag.removeprefix(_TAG)]
        if not re.fullmatch(pattern, node.value):
            raise _wrong(f'"{node.value}" is not of the type that its tag says', node)
        return convert(node.value)

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (PyYAML's own shape)
    yaml_constructors: ClassVar[dict[str | None, Any]] = {
        None: SafeLoader.construct_undefined,
        f"{_TAG}str": SafeLoader.construct_scalar,
        f"{_TAG}map": _mapping,
        f"{_TAG}seq": _sequence,
        **dict.fromkeys((f"{_TAG}{name}" for name in _SCALARS), _scalar),
    }


for _name, (_pattern, _first, _) in _SCALARS.items():
    _Loader.add_implicit_resolver(
        _TAG + _name, re.compile(rf"(?:{_pattern})\Z"), [*_first, *([""] if _name == "null" else [])]
    )


def _wrong(what: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, what, node.start_mark)


def parse_yaml(text: str, source: str = "document") -> Any:
    """Read YAML 1.2 or JSON into dicts, lists, text, numbers, booleans and None. Raises UnusableDocument."""
    try:
        value = _parse_json(text) if text.lstrip()[:1] in ("{", "[") else _parse_yaml(text)
        _measure(value, {})
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnusableDocument(f"{source}{_told(error)}") from error
    return value


def _told(error: Exception) -> str:
    """What is wrong, as it follows the document's name, and what to do."""
    problem = error.problem if isinstance(error, yaml.MarkedYAMLError) else ""
    # Which of the two comes first hangs on how deep the stack is already.
    if isinstance(error, RecursionError) or problem == _LIBYAML_TOO_DEEP:
        return f": {_TOO_DEEP}. Correct the document."
    if isinstance(error, yaml.MarkedYAMLError):
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        return f"{line}: not YAML or JSON: {problem}. Correct that line."
    return f": {error if isinstance(error, _TooMuch) else 'not YAML or JSON that can be read'}. Correct the document."


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


def _measure(value: Any, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How many values this unfolds to, each shared one counted wherever it is used, and how deep. Raises _TooMuch."""
    if not isinstance(value, dict | list):
        if value in (math.inf, -math.inf):
            raise _TooMuch("a number in it is too large")
        return 1, 0
    if id(value) not in known:
        parts = [_measure(part, known) for part in (value.values() if isinstance(value, dict) else value)]
        size, depth = 1 + sum(size for size, _ in parts), 1 + max((depth for _, depth in parts), default=0)
        if size > _MOST_VALUES:
            raise _TooMuch(f"it unfolds to more than {_MOST_VALUES:,} values")
        if depth > _DEEPEST:
            raise _TooMuch(_TOO_DEEP)
        known[id(value)] = size, depth
    return known[id(value)]
