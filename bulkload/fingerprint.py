"""A row as a keyed hash of what it says, so that a later run knows it again; and the text of its key."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any

from bulkload.distinct import Table
from bulkload.keys import same
from bulkload.models import Row
from bulkload.resource import Column, Resource

# The key of a row that updates a record begins so; a natural key never does.
_ID = "id:"
# Stands before each fingerprint. A release that hashes otherwise takes the next number and looks rows up by both.
VERSION = 1

Values = Mapping[str, Any]


class Writing:
    """Writes what some columns of a row say: as JSON of its canonical values by place, blanks left out.

    `json.dumps` would write the same, and take five times as long. `text` writes a single value.
    """

    def __init__(self, placed: Iterable[tuple[str, Column]], text: Callable[[Any], str]) -> None:
        # The name of each column and what stands before its value, sorted.
        self._labels = [
            (column.name, f"{encode_basestring_ascii(place)}: ")
            for place, column in sorted(placed, key=lambda one: one[0])
        ]
        self._text = text

    def row(self, values: Values) -> str:
        """One row."""
        parts = [label + self._text(values[name]) for name, label in self._labels if name in values]
        return f"{{{', '.join(parts)}}}"

    def rows(self, rows: Sequence[Row], table: Table) -> list[str]:
        """Some rows, whole columns at a time; `table` has the same values."""
        columns = [table.texts(name, self._text, label) for name, label in self._labels]
        texts = [f"{{{', '.join(filter(None, parts))}}}" for parts in zip(*columns, strict=True)]
        for place in table.apart:
            texts[place] = self.row(rows[place].values)
        return texts or ["{}"] * len(rows)


class Fingerprints:
    """Makes the fingerprints of a resource's rows: what is the same for each row is worked out once.

    `keyed_hash` is the journal's.
    """

    def __init__(self, resource: Resource, keyed_hash: Callable[[str], str]) -> None:
        placed = [(f"{column.place}{column.pointer}", column) for column in resource.columns]
        self._whole = Writing(placed, _text)
        self._open = Writing(((place, column) for place, column in placed if not column.secret), _text)
        self._name = encode_basestring_ascii(resource.full_name)
        self._keyed_hash = keyed_hash

    def whole(self, values: Values) -> str:
        """The hash of a row's canonical values by place, blanks left out, after its version: `1:...`."""
        return self._print(self._whole.row(values))

    def without_secrets(self, values: Values) -> str:
        """The same of all but the secret values."""
        return self._print(self._open.row(values))

    def each(self, rows: Sequence[Row], table: Table) -> list[str]:
        """What `whole` makes of each of some rows; `table` has the same values."""
        return list(map(self._print, self._whole.rows(rows, table)))

    def each_without_secrets(self, rows: Sequence[Row], table: Table) -> list[str]:
        """What `without_secrets` makes of each of some rows."""
        return list(map(self._print, self._open.rows(rows, table)))

    def _print(self, text: str) -> str:
        return f"{VERSION}:{self._keyed_hash(f'[{self._name}, {text}]')}"


class Names:
    """Makes all that the journal knows a row of a resource by: its fingerprints and its key."""

    def __init__(self, resource: Resource, keyed_hash: Callable[[str], str]) -> None:
        self.prints = Fingerprints(resource, keyed_hash)
        self._keyed_hash = keyed_hash
        self._id_name = resource.id_column.name if resource.id_column else ""
        self._key_names = frozenset(resource.key)
        named = [column for column in resource.columns if column.place == "path" or column.name in resource.key]
        self._of_update = of_key(column for column in resource.columns if column.place == "path")
        self._of_key = of_key(named)
        self._is_key_secret = any(column.secret for column in named)

    def key(self, values: Values) -> str:
        """`id:` and the record that a row updates, else its natural key, hashed where that is secret; "" for none."""
        return self._key(values, self._of_key.row(values))

    def keys(self, rows: Sequence[Row], table: Table) -> list[str]:
        """What `key` makes of each of some rows; `table` has the same values."""
        if not self._id_name and not self._key_names:
            return [""] * len(rows)
        return [self._key(row.values, text) for row, text in zip(rows, self._of_key.rows(rows, table), strict=True)]

    def _key(self, values: Values, text: str) -> str:
        if self._id_name in values:
            return f"{_ID}{self._of_update.row(values)}"
        if self._key_names.isdisjoint(values):
            return ""
        return self._keyed_hash(text) if self._is_key_secret else text


def of_key(columns: Iterable[Column]) -> Writing:
    """Writes the natural key that some columns are, by their names, each letter and its accent as one character."""
    return Writing(((column.name, column) for column in columns), lambda value: _text(same(value)))


def _text(value: Any) -> str:
    """A value as text, so that a row stays the same row when a new document calls its number a text. None is null."""
    if type(value) is str:
        return encode_basestring_ascii(value)
    if type(value) is list:
        return f"[{', '.join([_text(one) for one in value])}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f'"{str(value).lower()}"'
    if isinstance(value, float) and value.is_integer():
        return f'"{int(value)}"'
    return encode_basestring_ascii(str(value))
