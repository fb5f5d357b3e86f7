"""A row at the end that adds up the others is told, and no other row is."""

import pandas as pd
import pytest

from bulkload.models import Finding, Frame, Severity
from bulkload.totals import total_rows


def told(*rows: tuple[str, ...]) -> list[int]:
    """The rows that look like a total; the first stands in row 2."""
    text = pd.DataFrame({place: list(cells) for place, cells in enumerate(zip(*rows, strict=True), 1)}, dtype="str")
    text.index = pd.RangeIndex(2, 2 + len(rows), name="row")
    return [finding.row for finding in total_rows("S", Frame(text), range(1, len(rows[0]) + 1))]


@pytest.mark.parametrize("word", ["Total", "TOTAL:", " Grand total ", "Sum", "Summe", "Gesamtsumme", "Somme", "合计"])
def test_a_word_for_a_total_with_nothing_but_numbers_beside_it_is_told(word: str) -> None:
    assert told(("a", "b", "1"), ("", word, "1,234.50")) == [3]


@pytest.mark.parametrize(
    "row", [("Total", "+85230020723", "PHONE"), ("Totally", "", ""), ("Desk", "Total", ""), ("", "", ""), ("1", "", "")]
)
def test_a_record_that_is_only_called_so_is_none(row: tuple[str, ...]) -> None:
    assert told(("a", "b", "c"), row) == []


def test_lines_below_a_total_are_looked_past() -> None:
    assert told(("a", ""), ("Total", "2"), ("checked by", "Ann"), ("2026", "")) == [3]
    assert told(("Total", "2"), *[("a", "b")] * 3) == []


def test_it_is_a_warning_of_the_whole_row() -> None:
    text = pd.DataFrame({1: ["Total"]}, index=[9], dtype="str")
    says = "This row looks like a total, not like a record. Delete it if it is one."
    assert list(total_rows("S", Frame(text), [1])) == [
        Finding("S", 9, None, "", "Total", "total", says, Severity.WARNING)
    ]


def test_a_sheet_none_of_whose_columns_are_read_has_none() -> None:
    assert list(total_rows("S", Frame(pd.DataFrame({1: ["Total"]}, index=[9], dtype="str")), [])) == []
