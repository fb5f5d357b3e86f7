"""A row as a keyed hash of what it says, so that a later run knows it again; and the text of its key."""

from collections.abc import Callable, Iterable, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any

from bulkload.resource import Column, Resource
from bulkload.schema import same

# The key of a row that updates a record begins so; a natural key never does.
_ID = "id:"
# Stands before each fingerprint. A release that hashes otherwise takes the next number and looks rows up by both.
VERSION = 1

Values = Mapping[str, Any]


class Fingerprints:
    """Makes the fingerprints of a resource's rows: what is the same for each row is worked out once.

    `keyed_hash` is the journal's.
    """

    def __init__(self, resource: Resource, keyed_hash: Callable[[str], str]) -> None:
        placed = [(f"{column.place}{column.pointer}", column) for column in resource.columns]
        self._whole = _labels(placed)
        self._open = _labels((place, column) for place, column in placed if not column.secret)
        self._name = encode_basestring_ascii(resource.full_name)
        self._keyed_hash = keyed_hash

    def whole(self, values: Values) -> str:
        """The hash of a row's canonical values by place, blanks left out, after its version: `1:...`."""
        return self._print(values, self._whole)

    def without_secrets(self, values: Values) -> str:
        """The same of all but the secret values."""
        return self._print(values, self._open)

    def _print(self, values: Values, labels: Iterable[tuple[str, str]]) -> str:
        return f"{VERSION}:{self._keyed_hash(f'[{self._name}, {_json(values, labels)}]')}"


class Keys:
    """Makes the text of the natural key that some columns are, by their names."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._labels = _labels((column.name, column) for column in columns)

    def text(self, values: Values) -> str:
        """The canonical values as JSON, blanks left out, each letter and its accent as one character."""
        return _json({name: same(values[name]) for name, _ in self._labels if name in values}, self._labels)


class Names:
    """Makes all that the journal knows a row of a resource by: its fingerprints and its key."""

    def __init__(self, resource: Resource, keyed_hash: Callable[[str], str]) -> None:
        self.prints = Fingerprints(resource, keyed_hash)
        self._keyed_hash = keyed_hash
        self._id_name = resource.id_column.name if resource.id_column else ""
        self._key_names = resource.key
        named = [column for column in resource.columns if column.place == "path" or column.name in resource.key]
        self._of_update = Keys(column for column in resource.columns if column.place == "path")
        self._of_key = Keys(named)
        self._is_key_secret = any(column.secret for column in named)

    def key(self, values: Values) -> str:
        """`id:` and the record that a row updates, else its natural key, hashed where that is secret; "" for none."""
        if self._id_name in values:
            return f"{_ID}{self._of_update.text(values)}"
        if not any(name in values for name in self._key_names):
            return ""
        text = self._of_key.text(values)
        return self._keyed_hash(text) if self._is_key_secret else text


def _labels(placed: Iterable[tuple[str, Column]]) -> list[tuple[str, str]]:
    """The name of each column and what stands before its value, as `json.dumps` sorts and writes it."""
    in_order = sorted(placed, key=lambda one: one[0])
    return [(column.name, f"{encode_basestring_ascii(place)}: ") for place, column in in_order]


def _json(values: Values, labels: Iterable[tuple[str, str]]) -> str:
    """What `json.dumps` writes of the canonical values; it would take five times as long."""
    of_text = encode_basestring_ascii
    parts = [
        label + (of_text(value) if type(value := values[name]) is str else _text(value))
        for name, label in labels
        if name in values
    ]
    return f"{{{', '.join(parts)}}}"


def _text(value: Any) -> str:
    """A value as text, so that a row stays the same row when a new document calls its number a text. None is null."""
    if type(value) is list:
        return f"[{', '.join([_text(one) for one in value])}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f'"{str(value).lower()}"'
    if isinstance(value, float) and value.is_integer():
        return f'"{int(value)}"'
    return encode_basestring_ascii(str(value))
