"""The text of a cell becomes the value that its column wants, or a fault that says why not; nothing is guessed."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.resource import Column
from bulkload.values import Fault, empty_value, split, typed

TEXT = Column("note", "Note", "body", "/note", "string", {"type": "string"})
INTEGER = replace(TEXT, type="integer", schema={"type": "integer"})
NUMBER = replace(TEXT, type="number", schema={"type": "number"})
BOOLEAN = replace(TEXT, type="boolean", schema={"type": "boolean"})
TYPES = replace(TEXT, schema={"enum": ["PHONE", "STAFF", "TRUNK"]})
RANK = replace(INTEGER, schema={"enum": [1, 2, 20]}, labels={"1": "low", "2": "high", "20": "high"})


def read(column: Column, *cells: str) -> tuple[list[Any], dict[int, tuple[Fault, ...]]]:
    """The values, None where there is none, and the faults, of cells from row 2 on."""
    text = pd.Series(cells, index=pd.RangeIndex(2, 2 + len(cells), name="row"), dtype="str")
    values, faults = typed(column, text)
    assert values.index.equals(text.index)
    return values.astype(object).where(values.notna(), None).tolist(), faults


@pytest.mark.parametrize(
    ("column", "cells", "values"),
    [
        (TEXT, ["00123", "1E5", "NA", "null", "1e+18", "TRUE"], ["00123", "1E5", "NA", "null", "1e+18", "TRUE"]),
        (INTEGER, ["5", "5.0", "5.", "+5", "-5", "007", "0" * 5000, ""], [5, 5, 5, 5, -5, 7, 0, None]),
        (INTEGER, [str(2**63 - 1), str(-(2**63))], [2**63 - 1, -(2**63)]),
        (NUMBER, ["1.5", "1", ".5", "1e3", "-0.25", ""], [1.5, 1.0, 0.5, 1000.0, -0.25, None]),
        (NUMBER, ["0.30000000000000004"], [0.30000000000000004]),
        (BOOLEAN, ["TRUE", "true", "Yes", "1", "FALSE", "no", "0", ""], [True] * 4 + [False] * 3 + [None]),
        (RANK, ["1", "1.0", "LOW", "1 (low)", "2 (high)", "20", ""], [1, 1, 1, 1, 2, 20, None]),
        (replace(TEXT, schema={"enum": ["true", "false"]}), ["TRUE", "false"], ["true", "false"]),
        (replace(NUMBER, schema={"enum": [0.5, 1]}), ["0.50", "1.0"], [0.5, 1.0]),
        (replace(BOOLEAN, labels={"true": "on"}), ["on", "TRUE (on)", "no"], [True, True, False]),
        (replace(TEXT, many=True), ["a, b;c\nd", ' "a, b" ;c', "a,,"], [["a", "b", "c", "d"], ["a, b", "c"], ["a"]]),
        (replace(INTEGER, many=True, separator="/"), ["1/2", "3"], [[1, 2], [3]]),
    ],
    ids=str,
)  # fmt: skip
def test_a_cell_becomes_the_value_that_its_column_wants(column: Column, cells: list[str], values: list[Any]) -> None:
    assert read(column, *cells) == (values, {})


CUT = "is a long number that a spreadsheet has cut short. Format the cell as Text and type the whole number again."
NOT_ONE = "is not one of PHONE, STAFF, TRUNK."


@pytest.mark.parametrize(
    ("column", "cell", "faults"),
    [
        (TEXT, "1.66027E+18", [("rounded number", "1.66027E+18", CUT)]),
        (replace(TEXT, many=True), "1,66027E+18", [("rounded number", "1,66027E+18", CUT)]),
        (replace(TEXT, many=True), "123; 1E+15", [("rounded number", "1E+15", CUT)]),
        (TYPES, "phone", [("enum", "phone", f"{NOT_ONE} Did you mean PHONE?")]),
        (TYPES, "STAF", [("enum", "STAF", f"{NOT_ONE} Did you mean STAFF?")]),
        (TYPES, "FAX", [("enum", "FAX", NOT_ONE)]),
        (replace(TYPES, many=True), "FAX,SMS,FAX,STAFF", [("enum", "FAX", NOT_ONE), ("enum", "SMS", NOT_ONE)]),
        (RANK, "high", [("enum", "high", "is not one of 1 (low), 2 (high), 20 (high). Did you mean 20 (high)?")]),
        (RANK, "1.5", [("enum", "1.5", "is not one of 1 (low), 2 (high), 20 (high).")]),
        (INTEGER, "1.5", [("type", "1.5", "is not a whole number. Write digits only, like 15.")]),
        (INTEGER, str(2**63), [("type", str(2**63), "is too large a number. Type a smaller one.")]),
        (NUMBER, "nan", [("type", "nan", "is not a number. Write it like 1.5.")]),
        (replace(TEXT, many=True), ";,", [("type", ";,", "has no value in it. Fill one in, or leave the cell empty.")]),
    ],
    ids=str,
)  # fmt: skip
def test_what_can_not_be_read_is_a_fault_and_never_a_guess(
    column: Column, cell: str, faults: list[tuple[str, str, str]]
) -> None:
    assert read(column, "", cell) == ([None, None], {3: tuple(Fault(*fault) for fault in faults)})


def test_of_many_values_allowed_a_message_tells_a_few() -> None:
    column = replace(TEXT, schema={"enum": [f"code {number}" for number in range(100)]})
    _, faults = read(column, "zzz")
    told = ", ".join(f"code {number}" for number in range(12))
    assert faults == {2: (Fault("enum", "zzz", f"is not one of {told} and 88 more."),)}


def test_a_column_without_a_filled_cell_has_its_type_all_the_same() -> None:
    blank = pd.Series(["", ""], index=[2, 3], dtype="str")
    columns = [TEXT, INTEGER, NUMBER, BOOLEAN, replace(TEXT, many=True)]
    kinds = [str(typed(column, blank)[0].dtype) for column in columns]
    assert kinds == ["str", "Int64", "Float64", "boolean", "object"]


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: bool(text.strip()))))
def test_quoted_members_of_a_list_read_back_as_they_were(members: list[str]) -> None:
    quoted = ['"' + member.replace('"', '""') + '"' for member in members]
    for separator, between in (("", ", "), ("", ";"), ("", "\n"), ("|", "|"), (" - ", " - ")):
        assert split(between.join(quoted), separator) == members


@given(st.text(st.sampled_from('ab ",;\n|'), max_size=20), st.sampled_from(["", "|", "ab"]))
def test_members_of_a_list_are_never_empty_and_none_of_their_letters_is_lost(text: str, separator: str) -> None:
    members = split(text, separator)
    assert all(members)
    if not separator:
        assert [c for c in "".join(members) if c in "ab"] == [c for c in text if c in "ab"]


def test_clear_sends_what_the_field_can_hold() -> None:
    assert empty_value(TEXT) == ""
    assert empty_value(replace(TEXT, nullable=True)) is None
    assert empty_value(replace(TEXT, many=True)) == []
    for column in (INTEGER, TYPES, replace(TEXT, schema={"minLength": 1}), replace(TEXT, many=True, min_items=1)):
        with pytest.raises(ValueError, match=r"^\(clear\) can't empty this field"):
            empty_value(column)
