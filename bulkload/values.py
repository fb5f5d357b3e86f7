"""The text of a cell → the value that a column wants, whole columns at a time."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isinf
from typing import Any

import pandas as pd
from rapidfuzz import fuzz, process

from bulkload.damage import percentage
from bulkload.models import CLEAR
from bulkload.resource import Column
from bulkload.schema import DTYPES
from bulkload.wording import choices, value_text

# What a spreadsheet shows of a long number: 1.66027E+18. A key like 1E5 that a person typed doesn't look like it.
_SCIENTIFIC = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?E\+[0-9]{2,}")
_WHOLE = re.compile(r"[+-]?[0-9]+(?:\.0*)?")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
# So long a number has no more digits than a float keeps.
_SHORT = 15
# Whole numbers beyond this fit into no column of numbers.
_LARGEST = 2**63
# How many of the values allowed a message tells, and from what likeness on (of 100) one is suggested.
_TOLD = 12
_ALIKE = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a cell can't be read: `value` is its text, or the member of its list at fault; `says` goes on after that."""

    rule: str
    value: str
    says: str


Typed = tuple[pd.Series, dict[int, tuple[Fault, ...]]]
Convert = Callable[[str], Any]


def typed(column: Column, text: pd.Series) -> Typed:
    """The values of a column's cells, NA where there is none, and the faults of the cells that can't be read, by row.

    `text` is indexed by row number, "" where blank. A list column gives lists; each faulty member of one is told once.
    """
    cells = text.tolist()
    if _is_read_as_it_stands(column) and "E+" not in "\n".join(cells):
        return text.where(text != ""), {}
    read = _of_list(column) if column.many else _of_one(column)
    values = [read(cell) if cell else None for cell in cells]
    faults = {int(row): tuple(one) for row, one in zip(text.index, values, strict=True) if isinstance(one, _Faults)}
    if faults:
        values = [None if isinstance(value, _Faults) else value for value in values]
    return pd.Series(values, index=text.index, dtype=object if column.many else DTYPES[column.type]), faults


def _is_read_as_it_stands(column: Column) -> bool:
    """Whether any text is a value of the column, but for what a spreadsheet shows of a long number."""
    return column.type == "string" and not column.many and not column.enum


def empty_value(column: Column) -> Any:
    """What `(clear)` sends. Raises ValueError where the field can't be emptied."""
    if column.many and not column.min_items:
        return []
    if column.nullable:
        return None
    if column.type == "string" and not column.many and not column.schema.get("minLength") and not column.enum:
        return ""
    raise ValueError(f"{CLEAR} can't empty this field: the API wants a value there. Type the value that it shall have.")


def split(text: str, separator: str = "") -> list[str]:
    """The members of a list in one cell, stripped, empty ones left out.

    They are parted by `separator`, or by commas, semicolons and line breaks where it is empty. A member that holds one
    stands in double quotes, a double quote within it twice.
    """
    parts = re.escape(separator) if separator else r"[,;\r\n]"
    if '"' not in text:
        return [member for part in re.split(parts, text) if (member := part.strip())]
    member = re.compile(rf'\s*"((?:[^"]|"")*)"\s*(?:{parts}|\Z)|(.*?)(?:{parts}|\Z)', re.DOTALL)
    found = ((quoted, bare) for quoted, bare in member.findall(text))
    members = (quoted.replace('""', '"') or bare.strip() for quoted, bare in found)
    return [part for part in members if part]


class _Faults(tuple[Fault, ...]):
    """The faults of one cell: what stands in place of its value."""

    __slots__ = ()


def _of_one(column: Column) -> Convert:
    convert = _converter(column)

    def read(text: str) -> Any:
        value = convert(text)
        return _Faults((value,)) if isinstance(value, Fault) else value

    return read


def _of_list(column: Column) -> Convert:
    convert = _converter(column)

    def read(text: str) -> Any:
        if column.type == "string" and (cut := _cut_number(text)):
            return _Faults((cut,))  # where the decimal sign is a comma it would look like a list
        members = [convert(part) for part in split(text, column.separator)]
        if not members:
            return _Faults((Fault("type", text, "has no value in it. Fill one in, or leave the cell empty."),))
        faults = dict.fromkeys(member for member in members if isinstance(member, Fault))
        return _Faults(faults) if faults else members

    return read


def _converter(column: Column) -> Convert:
    if column.enum or column.type == "boolean":
        return _of_choices(column)
    return _PLAIN[column.type]


def _of_choices(column: Column) -> Convert:
    """Code, label, or both as the drop-down writes them; numbers by value; true and false in any case."""
    values: tuple[Any, ...] = column.enum or (True, False)
    codes = {_code(value): value for value in values}
    words = _words(column, codes)
    plain = _PLAIN.get(column.type) if column.type in ("integer", "number") else None

    def convert(text: str) -> Any:
        if text in codes:
            return codes[text]
        if text.casefold() in words:
            return words[text.casefold()]
        number = plain(text) if plain else None
        return number if number in values else Fault("enum", text, _not_allowed(column, text, codes))

    return convert


def _code(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _words(column: Column, codes: Mapping[str, Any]) -> dict[str, Any]:
    """What else stands for a value, in lower case. A label that several values have stands for none."""
    labels = Counter(column.labels[code].casefold() for code in codes if code in column.labels)
    words = {word: value for word, value in _BOOLEANS.items() if column.type == "boolean" and value in codes.values()}
    for code, value in codes.items():
        if code in ("true", "false"):
            words[code] = value
        if label := column.labels.get(code):
            words[value_text(column, value).casefold()] = value
            if labels[label.casefold()] == 1:
                words[label.casefold()] = value
    return words


def _not_allowed(column: Column, text: str, codes: Mapping[str, Any]) -> str:
    entries = choices(column)
    more = f" and {len(entries) - _TOLD} more" if len(entries) > _TOLD else ""
    entry = dict(zip(codes, entries, strict=True))
    meant = {column.labels[code].casefold(): entry[code] for code in codes if code in column.labels}
    meant |= {code.casefold(): entry[code] for code in codes}
    found = process.extractOne(text.casefold(), list(meant), scorer=fuzz.ratio, score_cutoff=_ALIKE)
    hint = f" Did you mean {meant[found[0]]}?" if found else ""
    return f"is not one of {', '.join(entries[:_TOLD])}{more}.{hint}"


def _string(text: str) -> Any:
    return _cut_number(text) or text


def _cut_number(text: str) -> Fault | None:
    if not _SCIENTIFIC.fullmatch(text):
        return None
    return Fault(
        "rounded number",
        text,
        "is a long number that a spreadsheet has cut short. Format the cell as Text and type the whole number again.",
    )


def _integer(text: str) -> Any:
    if not _WHOLE.fullmatch(text):
        if text.endswith("%"):
            return Fault("percentage", text, percentage(text))
        return Fault("type", text, "is not a whole number. Write digits only, like 15.")
    # Quick for what nearly all are; int() refuses more than 4,300 digits.
    number = int(text) if len(text) <= _SHORT and "." not in text else Decimal(text)
    if not -_LARGEST <= number < _LARGEST:
        return Fault("type", text, "is too large a number. Type a smaller one.")
    return int(number)


def _number(text: str) -> Any:
    if not _DECIMAL.fullmatch(text):
        if text.endswith("%"):
            return Fault("percentage", text, percentage(text))
        hint = "Write a point, not a comma, like 1.5." if "," in text else "Write it like 1.5."
        return Fault("type", text, f"is not a number. {hint}")
    number = float(text)
    if isinf(number):
        return Fault("type", text, "is too large a number. Type a smaller one.")
    if len(text) > _SHORT and _WHOLE.fullmatch(text) and Decimal(text) != Decimal(number):
        return Fault("type", text, "has more digits than a number can keep. Type a shorter one.")
    return number


_PLAIN: dict[str, Convert] = {"string": _string, "integer": _integer, "number": _number}
