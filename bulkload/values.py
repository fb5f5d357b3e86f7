"""The text of a cell → the value that a column wants, whole columns at a time."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from rapidfuzz import process

from bulkload.models import CLEAR
from bulkload.resource import Column
from bulkload.schema import DTYPES, choices

# What a spreadsheet shows of a long number: 1.66027E+18. A key like 1E5 that a person typed doesn't look like it.
_SCIENTIFIC = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?E\+[0-9]{2,}")
_WHOLE = re.compile(r"[+-]?[0-9]+(?:\.0+)?")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MEMBER = re.compile(r'\s*"((?:[^"]|"")*)"\s*')
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LARGEST = 2**63

Typed = tuple[pd.Series, dict[int, str]]


def typed(column: Column, text: pd.Series) -> Typed:
    """The values of a column's cells, NA where blank, and what is wrong with each cell that has none, by row number.

    `text` holds stripped text, "" where blank, indexed by row number. A list column gives lists; a cell with a member
    that can't be read gives none.
    """
    filled = text[text != ""]
    convert = _converter(column)
    faults: dict[int, str] = {}
    known: dict[str, Any] = {}
    values: list[Any] = []
    for row, cell in filled.items():
        if cell not in known:
            known[cell] = _cell(cell, column, convert)
        value = known[cell]
        if isinstance(value, _Fault):
            faults[row] = str(value)  # type: ignore[index]
            value = None
        values.append(value)
    dtype = object if column.many else DTYPES[column.type]
    series = pd.Series(values, index=filled.index, dtype=dtype)
    return series.reindex(text.index), faults


def empty_value(column: Column) -> Any:
    """What `(clear)` sends. Raises ValueError where the field can't be emptied."""
    if column.many and not column.min_items:
        return []
    if column.nullable:
        return None
    if column.type == "string" and not column.many and not column.schema.get("minLength") and not column.enum:
        return ""
    raise ValueError(f"{CLEAR} can't empty this field: the API wants a value there. Type the value that it shall have.")


class _Fault(str):
    """What is wrong with a cell's text, said after the value."""


def _cell(text: str, column: Column, convert: Callable[[str], Any]) -> Any:
    if not column.many:
        return convert(text)
    members = [convert(part) for part in split(text, column.separator)]
    return next((member for member in members if isinstance(member, _Fault)), members)


def split(text: str, separator: str = "") -> list[str]:
    """The members of a list in one cell, stripped, empty ones dropped.

    They are parted by `separator`, or by commas, semicolons and line breaks where it is empty. A member that holds one
    stands in double quotes, a double quote within it twice.
    """
    parts = re.escape(separator) if separator else r"[,;\r\n]"
    member = re.compile(rf"{_MEMBER.pattern}(?={parts}|$)|((?:(?!{parts})(?s:.))*)")
    members, position = [], 0
    while position <= len(text):
        found = member.match(text, position)
        if found is None:
            break
        quoted, bare = found.groups()
        members.append(bare.strip() if quoted is None else quoted.replace('""', '"'))
        position = found.end()
        gap = re.compile(parts).match(text, position)
        position = gap.end() if gap else len(text) + 1
    return [part for part in members if part]


def _converter(column: Column) -> Callable[[str], Any]:
    if column.enum:
        return _of_choices(column)
    return {"string": _string, "integer": _integer, "number": _number, "boolean": _boolean}[column.type]


def _of_choices(column: Column) -> Callable[[str], Any]:
    """Code, label, or both as the drop-down writes them; the codes TRUE and FALSE in any case, as cells hold them."""
    exact: dict[str, Any] = {}
    loose: dict[str, Any] = {}
    for value in column.enum:
        code = str(value).lower() if isinstance(value, bool) else str(value)
        exact[code] = value
        if code in ("true", "false"):
            loose[code] = value
        if label := column.labels.get(code):
            loose |= {label.casefold(): value, f"{code} ({label})".casefold(): value}
    names = _names(column)

    def convert(text: str) -> Any:
        number = text.split(".", 1)[0] if column.type == "integer" and _WHOLE.fullmatch(text) else text
        if number in exact:
            return exact[number]
        if text.casefold() in loose:
            return loose[text.casefold()]
        return _Fault(f"is not one of {choices(column)}.{_nearest(text, names)}")

    return convert


def _names(column: Column) -> Mapping[str, str]:
    """What a person may have meant, in lower case, and how it is written."""
    codes = {str(value).casefold(): str(value) for value in column.enum}
    return {**{label.casefold(): code for code, label in column.labels.items()}, **codes}


def _nearest(text: str, names: Mapping[str, str]) -> str:
    found = process.extractOne(text.casefold(), list(names), score_cutoff=60)
    return f" Did you mean {names[found[0]]}?" if found else " Choose one of them."


def _string(text: str) -> Any:
    if _SCIENTIFIC.fullmatch(text):
        return _Fault(
            "is a long number that a spreadsheet has cut to a few digits. "
            "Format the cell as Text and type the whole number again."
        )
    return text


def _integer(text: str) -> Any:
    if not _WHOLE.fullmatch(text):
        return _Fault("is not a whole number. Write digits only, like 15.")
    number = int(text.split(".", 1)[0])
    return number if -_LARGEST <= number < _LARGEST else _Fault("is too large a number.")


def _number(text: str) -> Any:
    if not _DECIMAL.fullmatch(text):
        hint = "Write a point, not a comma: 1.5." if "," in text else "Write it like 1.5."
        return _Fault(f"is not a number. {hint}")
    number = float(text)
    return number if abs(number) != float("inf") else _Fault("is too large a number.")


def _boolean(text: str) -> Any:
    value = _BOOLEANS.get(text.casefold())
    return _Fault("is neither TRUE nor FALSE. Choose one of them.") if value is None else value
