"""What no two rows of a sheet may share: the keys of a resource, and how their values are compared."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bulkload.models import Severity
from bulkload.resource import Column, Parameter, Resource


@dataclass(frozen=True, slots=True)
class Key:
    """Columns whose values no two rows that create (or no two that update) may share, or should not (a warning).

    `scope` are those that say under which tenant, `given` what settings say of that instead; a row with nothing in the
    others, its `own`, has no key.
    """

    own: tuple[Column, ...]
    scope: tuple[Column, ...]
    given: tuple[Parameter, ...] = ()
    updates: bool = False
    severity: Severity = Severity.ERROR
    whole_row: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """All that makes two rows the same."""
        return (*self.own, *self.scope)

    @property
    def says(self) -> str:
        """What is wrong with a row that repeats one."""
        if self.whole_row:
            return "An earlier row is the same."
        return f"An earlier row has the same {' and '.join(column.title for column in self.columns)}."


def keys(resource: Resource) -> tuple[Key, ...]:
    """What no two rows may share, or should not: the record that they update, the natural key, else all they say."""
    id_column = resource.id_column
    scope = tuple(column for column in resource.columns if column.place == "path" and column is not id_column)
    given = tuple(one for one in resource.accounts if all(one.name != column.name for column in scope))
    found = [Key((id_column,), scope, given, updates=True)] if id_column else []
    if names := resource.key or resource.alike:
        own = tuple(resource.column(name) for name in names)
        severity = Severity.ERROR if resource.key else Severity.WARNING
        return (*found, Key(own, scope, given, severity=severity))
    body = tuple(column for column in resource.columns if column.place == "body")
    return (*found, Key(body, scope, given, severity=Severity.WARNING, whole_row=True))


def same(value: Any) -> Any:
    """A value of a key as it is compared: a letter and its accent are one character (NFC), however they were typed."""
    if isinstance(value, list):
        return [same(one) for one in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def comparing(part: Column | Parameter) -> Callable[[Any], Any]:
    """How the values of a part of a key are compared: in a UUID the case of a letter means nothing (RFC 9562)."""
    if part.schema.get("format") != "uuid":
        return same
    return lambda value: same(value).lower() if isinstance(value, str) else same(value)
