"""Findings by what they have in common: counted, the first named, and no more kept than can be told."""

import pytest

from bulkload.causes import Cause, Causes, cause_of
from bulkload.models import Finding, Severity


def finding(row: int, cause: str = "", severity: Severity = Severity.ERROR, column: int = 4) -> Finding:
    return Finding("S", row, column, "Types", "FAX", "enum", f'"FAX" {cause}', severity, cause)


def causes(*findings: Finding) -> Causes:
    found = Causes()
    found.add(findings)
    return found


def test_a_cause_counts_cells_and_rows_and_names_the_first_cells_over_all_frames() -> None:
    first = finding(2, "a")
    found = causes(first, finding(2, "a"), finding(5, "a"))
    found.add([finding(50_001, "a"), finding(50_002, "a")])
    assert found.problems() == [Cause("The value a", 5, 4, first, ("D2", "D5", "D50001"))]


def test_the_same_cause_of_another_column_or_severity_is_another() -> None:
    findings = [finding(2, "a", Severity.WARNING), finding(3, "a", column=5), finding(4, "a"), finding(5, "a")]
    found = causes(*findings, finding(6, "a", Severity.NOTE))
    assert [(cause.first, cause.rows) for cause in found.problems()] == [
        (findings[2], 2), (findings[1], 1), (findings[0], 1)]  # fmt: skip
    assert [cause.first.row for cause in found.notes()] == [6]
    assert [found.count(severity) for severity in Severity] == [3, 1, 1]


def test_a_note_counts_for_the_cells_that_it_stands_for() -> None:
    found = causes(finding(2, "a", Severity.NOTE), finding(3, "a", Severity.NOTE)._replace(more=7))
    assert [(cause.cells, cause.rows, cause.places) for cause in found.notes()] == [(9, 9, ("D2", "D3"))]
    assert found.count(Severity.NOTE) == 9


def test_of_a_column_of_a_million_wrong_words_a_thousand_are_kept_and_the_rest_counted() -> None:
    found = causes(*(finding(row, f"is not {row}") for row in range(2, 3002)), finding(3002, "z", column=5))
    assert len(found.problems()) == 1001
    assert (found.others[Severity.ERROR], found.count(Severity.ERROR)) == (2000, 3001)
    found.add([finding(9000, "is not 2")])
    assert (found.problems()[0].rows, found.others[Severity.ERROR]) == (2, 2000)


@pytest.mark.parametrize(
    ("message", "cause", "severity", "said"),
    [
        ('"x" has more than 3 characters.', "has more than 3 characters.", Severity.ERROR,
         "The value has more than 3 characters."),
        ("Required.", "", Severity.ERROR, "Required."),
        ('Name "x" stands in B2 already.', "An earlier row has the same Name.", Severity.ERROR,
         "An earlier row has the same Name."),
        ('"x" read as y', "read as y", Severity.NOTE, "read as y"),
    ],
)  # fmt: skip
def test_a_cause_stands_by_itself(message: str, cause: str, severity: Severity, said: str) -> None:
    assert cause_of(Finding("S", 2, 1, "Name", "x", "rule", message, severity, cause)) == said
