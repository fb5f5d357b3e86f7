"""What a spreadsheet or an export made of a cell is named, with what was perhaps meant, and never repaired."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bulkload import damage
from bulkload.causes import Causes
from bulkload.header import match_header
from bulkload.models import Frame, Kind, Severity, Sheet, Spoilt
from bulkload.openapi import open_api
from bulkload.resource import Column, Operation, Resource
from bulkload.seen import Seen
from bulkload.validate import Checked, Validator

TEXT = Column("code", "Code", "body", "/code", "string", {"type": "string"})
SIX = replace(TEXT, schema={"type": "string", "pattern": "^[0-9]{6}$"}, examples=("001234",))
CLOCK = replace(TEXT, schema={"type": "string", "pattern": "^[0-9]{2}:[0-5][0-9]:[0-5][0-9]$"}, examples=("00:20:00",))
WHOLE = replace(TEXT, type="integer", schema={"type": "integer"})
NUMBER = replace(TEXT, type="number", schema={"type": "number"})
DAY = replace(TEXT, schema={"type": "string", "format": "date"})
PHONE = replace(TEXT, name="phone", title="Phone number")
PHONES = replace(PHONE, many=True)


def check(column: Column, cells: list[str], kinds: list[Kind] | None = None, spoilt: Mapping[int, str] = {}) -> Checked:
    """The verdict on a sheet of one column, whose rows count from 2."""
    body = {"type": "object", "properties": {}}
    resource = Resource("shop", "thing", "Things", Operation("make", "POST", "/things", body=body), (column,))
    assigned, faults = match_header(Sheet("Things", (column.name,), 1, lambda: iter(())), resource)
    assert faults == []
    text = pd.DataFrame({1: cells}, index=pd.RangeIndex(2, 2 + len(cells), name="row"), dtype="str")
    wrong = tuple(Spoilt(row, 1, kind, cells[row - 2]) for row, kind in spoilt.items())
    frame = Frame(text, wrong, {1: np.array(kinds, dtype=np.uint8)} if kinds else {})
    return Validator(assigned, Seen()).check(frame)


def told(checked: Checked) -> list[tuple[str, str, str]]:
    """Cell, severity and message, but of rows that are alike: they are no matter here."""
    return [(one.cell, str(one.severity), one.message) for one in checked.findings if one.rule != "unique"]


@pytest.mark.parametrize(
    ("column", "cell", "kind", "severity", "says"),
    [
        (TEXT, "4711", Kind.NUMBER, "note", "is a number in the file, and was read as the text that it shows."),
        (TEXT, "50%", Kind.PERCENT, "note", "is a number in the file, and was read as the text that it shows."),
        (TEXT, "TRUE", Kind.BOOLEAN, "note", "is TRUE or FALSE in the file, and was read as the text that it shows."),
        (TEXT, "abc", Kind.FORMULA, "note", "is what a formula gave when the file was last calculated."),
        (WHOLE, "5", Kind.FORMULA, "note", "is what a formula gave when the file was last calculated."),
        (
            TEXT,
            "2026-01-02",
            Kind.DATE,
            "error",
            "has become a date (2 January 2026). If 1-2 was meant, format the cell as Text and type it again.",
        ),
        (
            TEXT,
            "2026-01-02T10:00:00",
            Kind.MOMENT,
            "error",
            "has become a date (2 January 2026). If 1-2 was meant, format the cell as Text and type it again.",
        ),
        (
            TEXT,
            "01:20:00",
            Kind.TIME,
            "error",
            "has become a time of day. If 1:20 was meant, format the cell as Text and type it again.",
        ),
        (CLOCK, "00:20:00", Kind.TIME, "note", "is a time of day in the file, and was read as the text that it shows."),
        (
            CLOCK,
            "00:20:00",
            Kind.DURATION,
            "note",
            "is a length of time in the file, and was read as the text that it shows.",
        ),
        (
            WHOLE,
            "2026-01-02",
            Kind.DATE,
            "error",
            "is a date in the file. Format the cell as Number and type it.",
        ),
        (
            NUMBER,
            "50%",
            Kind.PERCENT,
            "error",
            "is a percentage, and a number is wanted. Type 0.5, or 50 if the API counts in percent.",
        ),
    ],
)
def test_what_a_cell_is_in_the_file_is_told(column: Column, cell: str, kind: Kind, severity: str, says: str) -> None:
    checked = check(column, ["", cell], [Kind.TEXT, kind])
    assert told(checked) == [("A3", severity, f'"{cell}" {says}')]
    assert len(checked.invalid) == (severity == "error")


def test_how_many_cells_were_read_so_is_counted_and_the_first_are_named() -> None:
    cells = ["", *map(str, range(100, 200)), "TRUE", "FALSE"]
    found = Causes()
    found.add(check(TEXT, cells, [Kind.TEXT, *[Kind.NUMBER] * 100, Kind.BOOLEAN, Kind.BOOLEAN]).findings)
    assert [(one.cells, one.rows, one.places) for one in found.notes()] == [
        (100, 100, ("A3", "A4", "A5")), (2, 2, ("A103", "A104"))]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "cell", "kind"),
    [
        (WHOLE, "5", Kind.NUMBER),
        (NUMBER, "1.5", Kind.NUMBER),
        (replace(TEXT, schema={"enum": ["1", "2"]}), "1", Kind.NUMBER),
        (replace(TEXT, type="boolean", schema={"type": "boolean"}), "TRUE", Kind.BOOLEAN),
        (DAY, "2026-01-02", Kind.DATE),
    ],
)
def test_what_the_column_wants_is_taken_without_a_word(column: Column, cell: str, kind: Kind) -> None:
    assert told(check(column, [cell], [kind])) == []


MEANT = "meant, format the cell as Text and type it again."
ZEROS = "format the cell as Text and type it again."


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        (SIX, "1234", f"doesn't have the right form. Write it like 001234. Were zeros lost in front? If 001234 was "
                      f"meant, {ZEROS}"),
        (SIX, "12x4", "doesn't have the right form. Write it like 001234."),
        (SIX, "1234567", "doesn't have the right form. Write it like 001234."),
        (
            replace(TEXT, schema={"minLength": 4}),
            "123",
            f"has fewer than 4 characters. Type the whole text. Were zeros lost in front? If 0123 was meant, {ZEROS}",
        ),
        (replace(SIX, secret=True), "1234", "doesn't have the right form. Write it like 001234."),
    ],
)  # fmt: skip
def test_digits_that_are_too_short_may_have_lost_zeros(column: Column, cell: str, says: str) -> None:
    shown = "••••••" if column.secret else cell
    assert told(check(column, [cell])) == [("A2", "error", f'"{shown}" {says}')]


def test_a_number_shorter_than_the_digits_around_it_may_have_lost_zeros() -> None:
    cells, kinds = ["0471", "4712", "4713", "15", "abc"], [Kind.TEXT, Kind.TEXT, Kind.TEXT, Kind.NUMBER, Kind.TEXT]
    says = (
        f'"15" has fewer digits than the 4 of the cells around it. Were zeros lost in front? If 0015 was meant, {ZEROS}'
    )
    assert told(check(TEXT, cells, kinds)) == [("A5", "warning", says)]
    note = '"15" is a number in the file, and was read as the text that it shows.'
    assert told(check(TEXT, ["0471", "4712", "47", "15"], kinds[:4])) == [("A5", "note", note)]


def test_a_phone_number_without_plus_among_others_that_have_one_is_told_with_it() -> None:
    plus = [f"+8529466778{last}" for last in range(5)]
    says = "has no + in front, as nearly all numbers of this column have. If +85294667788 was meant, correct it."
    assert told(check(PHONE, [*plus, "85294667788"])) == [("A7", "warning", f'"85294667788" {says}')]
    assert told(check(PHONES, [", ".join(plus), f"{plus[0]}; 85294667788"])) == [
        ("A3", "warning", f'"85294667788" {says}')
    ]
    assert told(check(PHONE, [plus[0], "85294667788", "85294667789"])) == []
    assert told(check(TEXT, [*plus, "85294667788"])) == []


def test_which_columns_are_for_phones_is_read_from_the_document() -> None:
    found = {
        column.name
        for api in ("cinnox", "myreports", "aicc")
        for resource in open_api(api).resources.values()
        for column in resource.columns
        if damage.is_for_phones(column)
    }
    assert found >= {"phoneTargets", "trunkTargets"}
    assert not found & {"displayName", "staffTargets", "accountId", "extCode", "accessCode", "licenseKey", "userId"}


@pytest.mark.parametrize(
    ("cell", "meant"),
    [("JosÃ©", "José"), ("voilÃ\u00a0", "voilà"), ("MarÃ\u00ada", "María"), ("â‚¬5", "€5"), ("itâ€™s", "it’s")],
)
def test_a_text_encoded_twice_is_told_with_what_it_was(cell: str, meant: str) -> None:
    (finding,) = check(TEXT, [cell]).findings
    assert finding.severity is Severity.WARNING
    assert finding.message.endswith(
        f"looks as if it was encoded twice. If {meant} was meant, type it, or export the file as UTF-8."
    )


@pytest.mark.parametrize("cell", ["José", "Ã", "São Paulo", "Ærøskøbing", "Москва", "Αθήνα", "10 µm", "naïve — «ok»"])
def test_honest_letters_are_left_alone(cell: str) -> None:
    assert told(check(TEXT, [cell])) == []


def test_a_foreign_letter_and_a_lost_one_are_told() -> None:
    says = "has a Cyrillic letter (U+0410) among Latin ones that looks like A. If Anna was meant, type it again."
    lost = "holds �, which stands where a character was lost. Type the whole text again."
    assert told(check(TEXT, ["Аnna", "Jos�"])) == [
        ("A2", "warning", f'"Аnna" {says}'),
        ("A3", "warning", f'"Jos�" {lost}'),
    ]


def test_a_date_that_there_is_none_of_is_an_error_as_is_whatever_else_a_file_has_spoilt() -> None:
    says = (
        '"60" has the format of a date, but there is no such date. '
        "Type the date, or format the cell as Text and type what is meant."
    )
    other = '"?" can\'t be trusted as the file holds it. Type it again.'
    assert told(check(TEXT, ["60", "?"], spoilt={2: "no date", 3: "something new"})) == [
        ("A2", "error", says),
        ("A3", "error", other),
    ]


def test_nothing_of_a_secret_is_told() -> None:
    cells = ["2026-01-02", "1234", "JosÃ©", "Аnna", "1.66027E+18"]
    kinds = [Kind.DATE, Kind.NUMBER, Kind.TEXT, Kind.TEXT, Kind.TEXT]
    said: Any = [f"{one.message} {one.value}" for one in check(replace(TEXT, secret=True), cells, kinds).findings]
    assert said
    assert not re.search("2026|January|1234|Jos|nna|1.66", " ".join(said))
