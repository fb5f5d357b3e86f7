"""What a column wants, in words for a person: values allowed, limits, examples."""

import re
from collections.abc import Mapping
from typing import Any

from bulkload.models import MASK
from bulkload.resource import Column

# The keywords of JSON Schema that bound a value, as a person reads them after the column's title.
LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "{} or more",
    "exclusiveMinimum": "more than {}",
    "maximum": "{} or less",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minItems": "at least {} values",
    "maxItems": "at most {} values",
    "format": "written as {}",
    "pattern": "of the form {}",
}
# The formats that a person knows, in words.
FORMATS = {
    "date": "a date like 2025-12-31",
    "date-time": "date and time like 2025-12-31T18:30:00+08:00",
    "email": "an e-mail address",
    "uri": "an address like https://www.example.com",
    "uuid": "an ID like 90ce2cce-5b90-424b-b502-55924f140a48",
}
# How many of the values allowed are told.
_CHOICES = 40


def choices(column: Column) -> tuple[str, ...]:
    """The entries of the drop-down, `1 (bidirectional call)`: code and label. Empty where any value may stand."""
    values = column.enum or ((True, False) if column.type == "boolean" else ())
    return tuple(value_text(column, value) for value in values)


def value_text(column: Column, value: Any) -> str:
    """One value as a person types it into a cell, with its label."""
    code = str(value).lower() if isinstance(value, bool) else str(value)
    label = column.labels.get(code)
    code = code.upper() if isinstance(value, bool) else code
    return f"{code} ({label})" if label else code


def example_text(column: Column, number: int = 0) -> str:
    """The content of a cell as the document's example has it, "" where there is none."""
    if number >= len(column.examples):
        return ""
    example = column.examples[number]
    if not column.many or not isinstance(example, list):
        return value_text(column, example)
    between = f"{column.separator} " if column.separator else ", "
    parts = re.compile(re.escape(column.separator) if column.separator else r"[,;\r\n]")
    members = [value_text(column, member) for member in example]
    return between.join(f'"{member}"' if parts.search(member) else member for member in members)


def allowed_text(column: Column) -> str:
    """What may stand in a cell: the values allowed, or the limits, a line each. Never empty."""
    bounds = limits(column)
    form = bounds.pop("format", None)
    like_example = bool(column.examples) and bounds.pop("pattern", None) is not None
    each = in_words({word: bound for word, bound in bounds.items() if word not in ("minItems", "maxItems")})
    items = in_words({word: bounds[word] for word in ("minItems", "maxItems") if word in bounds})
    words = [*items, *(f"each {word}" if column.many else word for word in each)]
    if form:
        words.append(FORMATS.get(form, f"written as {form}"))
    if like_example:
        words.append("written like the example")
    if entries := choices(column):
        more = (f"and {len(entries) - _CHOICES} more",) if len(entries) > _CHOICES else ()
        return "\n".join(("One or more of:" if column.many else "One of:", *entries[:_CHOICES], *more))
    kind = {"integer": "a whole number", "number": "a number"}.get(column.type, "" if words else "any text")
    text = ", ".join(filter(None, (kind, *words)))
    return f"{text[:1].upper()}{text[1:]}"


def list_text(column: Column) -> str:
    """How several values stand in one cell."""
    between = f'"{column.separator}"' if column.separator else "commas (or semicolons, or line breaks)"
    return f"Several values: with {between} between them."


def note_text(column: Column) -> str:
    """What hangs on a column's header: meaning, limits, how to write a list, default, example."""
    default = column.schema.get("default")
    parts = (
        column.description,
        "Must be filled in." if column.required else "May be left empty.",
        allowed_text(column),
        list_text(column) if column.many else "",
        "" if default is None else f"If left empty, the API uses {value_text(column, default)}.",
        f"Example: {example_text(column)}" if column.examples else "",
        f"Secret: shown as {MASK} in results." if column.secret else "",
    )
    return "\n".join(part for part in parts if part)


def limits(column: Column) -> dict[str, Any]:
    """The keywords of JSON Schema that bound the column's values, and the length of its list."""
    found = {word: column.schema[word] for word in LIMITS if word in column.schema}
    items = {"minItems": column.min_items, "maxItems": column.max_items}
    return found | {word: bound for word, bound in items.items() if bound is not None}


def in_words(limits: Mapping[str, Any]) -> tuple[str, ...]:
    """`{"maxLength": 40}` as `at most 40 characters`; that something must not be empty goes without saying."""
    trivial = {"minLength": 1, "minItems": 1}
    return tuple(LIMITS[word].format(bound) for word, bound in limits.items() if trivial.get(word) != bound)
