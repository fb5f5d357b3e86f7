"""A text date is read as declared, or in the only way in which its column can be read; a decimal comma if declared."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bulkload.declared import Dates, date_format, dates
from bulkload.errors import UsageError
from bulkload.header import match_header
from bulkload.models import Frame, Kind, Sheet
from bulkload.openapi import open_api
from bulkload.recognise import Recognised, with_date_format
from bulkload.resource import Column
from bulkload.seen import Seen
from bulkload.validate import Validator
from tests.documents import wrong
from tests.support import document
from tests.test_damage import DAY, NUMBER, check, told

DAY_FIRST = replace(DAY, date_format="DD/MM/YYYY")
COMMA = replace(NUMBER, decimal=",")
SO = "as all dates of this column can only be read"


def read(column: Column, *cells: str) -> tuple[list[str], list[str]]:
    """The dates of the rows that are valid, and what is told."""
    checked = check(column, list(cells))
    return [row.values[column.name] for row in checked.rows], [message for _, _, message in told(checked)]


def test_iso_dates_are_taken_without_a_word() -> None:
    assert read(DAY, "2026-04-03", "2024-02-29") == (["2026-04-03", "2024-02-29"], [])


def test_a_declared_format_is_told_with_the_date_that_was_read() -> None:
    assert read(DAY_FIRST, "03/04/2026", "3/4/2026", "2026-04-05") == (
        ["2026-04-03", "2026-04-03", "2026-04-05"],
        [
            '"03/04/2026" was read as 2026-04-03 (DD/MM/YYYY, as is declared).',
            '"3/4/2026" was read as 2026-04-03 (DD/MM/YYYY, as is declared).',
        ],
    )


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        (
            DAY,
            "03/04/2026",
            "can be 3 April 2026 or 4 March 2026. Write 2026-04-03 or 2026-03-04, "
            "or say how dates are written, as in --date-format DD/MM/YYYY.",
        ),
        (DAY, "2024-02-30", "is no day of the calendar. Correct it."),
        (DAY, "29/02/2023", "is no date. Write it like 2025-12-31."),
        (DAY, "13/13/2026", "is no date. Write it like 2025-12-31."),
        (DAY, "03/04/26", "is no date. Write it like 2025-12-31."),
        (DAY, "3 April 2026", "is not a date like 2025-12-31."),
        (
            DAY_FIRST,
            "04/13/2026",
            "is no date when it is read as DD/MM/YYYY, as is declared. Correct it, or write it like 2025-12-31.",
        ),
        (
            DAY_FIRST,
            "03.04.2026",
            "is no date when it is read as DD/MM/YYYY, as is declared. Correct it, or write it like 2025-12-31.",
        ),
    ],
)
def test_what_can_be_meant_in_two_ways_or_in_none_is_refused(column: Column, cell: str, says: str) -> None:
    assert read(column, cell) == ([], [f'"{cell}" {says}'])


def test_one_date_that_can_only_be_read_one_way_decides_for_its_column() -> None:
    assert read(DAY, "03/04/2026", "25/12/2026", "2026/05/06") == (
        ["2026-04-03", "2026-12-25", "2026-05-06"],
        [
            f'"03/04/2026" was read as 2026-04-03 (DD/MM/YYYY, {SO}).',
            f'"25/12/2026" was read as 2026-12-25 (DD/MM/YYYY, {SO}).',
            f'"2026/05/06" was read as 2026-05-06 (YYYY/MM/DD, {SO}).',
        ],
    )


def test_dates_that_contradict_each_other_decide_nothing() -> None:
    values, messages = read(DAY, "12/25/2026", "25/12/2026", "05/05/2026")
    assert values == ["2026-05-05"] and len(messages) == 3


def test_what_an_earlier_frame_has_decided_holds_for_the_next_ones() -> None:
    _, remarks, first = dates(DAY, ["03/04/2026"], Dates(""))
    assert first.format == "" and remarks[0].rule == "date"
    _, _, second = dates(DAY, ["25/12/2026"], first)
    assert second == Dates("DD/MM/YYYY", declared=False)
    assert dates(DAY, ["03/04/2026", "2026-01-01"], second)[0] == ["2026-04-03", "2026-01-01"]


def test_a_decimal_comma_is_read_where_it_is_declared() -> None:
    checked = check(COMMA, ["1,5", "2", "1.5", "1.234,5"])
    assert [row.values["code"] for row in checked.rows] == [1.5, 2]
    point = "has a point, and the decimal sign of this column is a comma. Write it like 1234,5."
    assert told(checked) == [("A4", "error", f'"1.5" {point}'), ("A5", "error", f'"1.234,5" {point}')]
    assert [row.values["code"] for row in check(COMMA, ["1.5", "1,5"], [Kind.NUMBER, Kind.TEXT]).rows] == [1.5, 1.5]
    comma = '"1,5" is not a number. Write a point, not a comma, like 1.5.'
    assert told(check(NUMBER, ["1,5"])) == [("A2", "error", comma)]


def test_a_percentage_is_no_number() -> None:
    says = "is a percentage, and a number is wanted. Type 0.125, or 12.5 if the API counts in percent."
    assert told(check(NUMBER, ["12.5%"])) == [("A2", "error", f'"12.5%" {says}')]


@pytest.mark.parametrize("text", ["DD/MM/YYYY", "mm.dd.yyyy", "YYYY-DD-MM"])
def test_a_format_is_put_together_of_day_month_and_year(text: str) -> None:
    assert date_format(text) == text.upper()


@pytest.mark.parametrize("text", ["", "%d/%m/%Y", "DD/MM/YY", "DD/DD/YYYY", "DD/MM.YYYY"])
def test_what_is_no_format_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no way to write a date"):
        date_format(text)


def test_the_command_lines_format_holds_where_the_document_declares_none(tmp_path: Path) -> None:
    properties = {
        "born": {"type": "string", "format": "date"},
        "left": {"type": "string", "format": "date", "x-bulkload": {"dateFormat": "MM/DD/YYYY"}},
        "size": {"type": "number", "x-bulkload": {"decimal": ","}},
    }
    path = document(tmp_path / "things.json", {"type": "object", "properties": properties})
    (resource,) = open_api(str(path)).resources.values()
    header = ("born", "left", "size")
    assigned, _ = match_header(Sheet("Things", header, 1, lambda: iter(())), resource)
    found = with_date_format(Recognised((assigned,)), "dd/mm/yyyy")
    assert found.facts == ("Dates that are text are read as DD/MM/YYYY, as --date-format says.",)
    text = pd.DataFrame(
        {1: ["03/04/2026"], 2: ["03/04/2026"], 3: ["1,5"]}, index=pd.Index([2], name="row"), dtype="str"
    )
    frame = Frame(text, (), {3: np.array([Kind.TEXT], dtype=np.uint8)})
    (row,) = Validator(found.assigned[0], Seen()).check(frame).rows
    assert row.values == {"born": "2026-04-03", "left": "2026-03-04", "size": 1.5}
    with pytest.raises(UsageError, match='--date-format: "D/M/Y" is no way to write a date'):
        with_date_format(found, "D/M/Y")


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ({"type": "string", "format": "date", "x-bulkload": {"dateFormat": "%d/%m"}}, "is no way to write a date"),
        (
            {"type": "string", "x-bulkload": {"dateFormat": "DD/MM/YYYY"}},
            "dateFormat is for a property of format: date",
        ),
        ({"type": "integer", "x-bulkload": {"decimal": ","}}, "decimal is for a property of type: number"),
        ({"type": "number", "x-bulkload": {"decimal": "'"}}, "is no decimal sign"),
    ],
)
def test_a_word_that_means_nothing_is_an_error_of_the_document(field: dict[str, object], says: str) -> None:
    body = {"content": {"application/json": {"schema": {"type": "object", "properties": {"one": field}}}}}
    assert says in wrong("{}", paths={"/things": {"post": {"requestBody": body, "responses": {}}}})
