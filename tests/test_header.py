"""Which column of a sheet is which, and what is wrong with its header, told all at once."""

from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from bulkload.header import Assigned, match_header, plain, with_path_parameters
from bulkload.models import RESULT_COLUMNS, Frame, Severity, Sheet
from bulkload.openapi import BUILT_IN, open_api
from bulkload.read import ReadOptions, open_book
from bulkload.resource import Resource

APIS = {name: open_api(name) for name in BUILT_IN}
RESOURCES = [resource for api in APIS.values() for resource in api.resources.values()]
DESTINATION = APIS["cinnox"].resources["destination"]
KAZOO = APIS["myreports"].resources["pbx-kazoo"]
COLUMNS = (
    "The columns of cinnox/destination are Destination ID, Display name, Languages, Locations, Types, Phone targets, "
    "Staff targets, Trunk targets."
)


def no_rows() -> Iterator[Frame]:
    return iter(())


def sheet(name: str, *header: str) -> Sheet:
    return Sheet(name, header, 1, no_rows)


def matched(resource: Resource, *header: str) -> tuple[dict[int, str], list[str]]:
    """The names of the columns by position, and what is wrong."""
    assigned, faults = match_header(sheet("S", *header), resource)
    return {position: column.name for position, column in assigned.columns.items()}, [str(fault) for fault in faults]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.full_name)
def test_titles_and_field_names_match_in_any_case_with_or_without_spaces_and_star(resource: Resource) -> None:
    expected = {position: column.name for position, column in enumerate(resource.columns, 1)}
    for write in (
        lambda column: column.heading,
        lambda column: column.name,
        lambda column: f" {column.title.upper()}\u00a0* ",
        lambda column: column.title.replace(" ", "\n").lower(),
    ):
        assert matched(resource, *map(write, resource.columns)) == (expected, [])


def test_everything_wrong_with_a_header_is_told_at_its_cell() -> None:
    header = ("Display name", "Languges", "", "Types", "types *", "Fax", "Phone targets")
    assert matched(DESTINATION, *header) == (
        {1: "displayName", 4: "types", 7: "phoneTargets"},
        [
            'S!B1 (Languges): "Languges" is no column of cinnox/destination. Did you mean Languages? '
            "Rename or delete the column.",
            "S!C1: This column has no title. Give it one, or delete the column.",
            'S!E1 (types *): "types *" is the same column as D1 (Types). Delete one of the two.',
            'S!F1 (Fax): "Fax" is no column of cinnox/destination. Rename or delete the column.',
            'S row 1: The column "Languages *" is missing. Add it, or begin with a new template.',
            'S row 1: The column "Locations *" is missing. Add it, or begin with a new template.',
            f"S row 1: {COLUMNS}",
        ],
    )


def test_a_column_of_a_path_parameters_name_wins_for_its_row_and_is_checked_like_it() -> None:
    extended = with_path_parameters(KAZOO, ["customer tenant id", "Name"])
    column = extended.columns[0]
    assert (column.name, column.title, column.place, column.required) == (
        "CUSTOMER_TENANT_ID", "Customer tenant ID", "path", True,
    )  # fmt: skip
    assert column.schema["format"] == "uuid"
    assert extended.columns[1:] == KAZOO.columns
    assert with_path_parameters(KAZOO, ["Name"]) is KAZOO


def test_the_columns_of_a_result_are_known_by_their_exact_titles() -> None:
    header = (*(column.heading for column in KAZOO.columns), *RESULT_COLUMNS)
    assigned, faults = match_header(sheet("S", *header), KAZOO)
    first = len(KAZOO.columns) + 1
    own = {title: first + place for place, title in enumerate(RESULT_COLUMNS)}
    columns = dict(enumerate(KAZOO.columns, 1))
    assert faults == []
    assert assigned == Assigned(sheet("S", *header), KAZOO, columns, own)
    assert assigned.is_result
    assert not match_header(sheet("S", *(column.heading for column in KAZOO.columns)), KAZOO)[0].is_result


def test_a_result_without_the_columns_that_say_what_is_done_is_refused() -> None:
    header = [*(column.name for column in KAZOO.columns), *RESULT_COLUMNS]
    header.remove("Import run")
    header.remove("Import ID")
    _, faults = matched(KAZOO, *header)
    has = ", ".join(f'"{title}"' for title in RESULT_COLUMNS if title not in ("Import run", "Import ID"))
    assert faults == [
        f'S row 1: The sheet has {has} of a result, but not "Import ID" and "Import run", so that nobody can tell '
        "which rows are done. Take the result as it was written, or delete its own columns to import every row anew."
    ]


def test_a_result_column_twice_is_refused() -> None:
    header = (*(column.name for column in KAZOO.columns), *RESULT_COLUMNS, "Import ID")
    _, faults = matched(KAZOO, *header)
    assert faults == ['S!P1 (Import ID): "Import ID" is the same column as I1 (Import ID). Delete one of the two.']


# A header that is not there


TITLES = [column.title for column in DESTINATION.columns]
GOOD = ["", "Sales", "en", "*", "PHONE", "+85230020723"]


def refused(path: Path) -> list[str]:
    """What is said of the only sheet of a file."""
    _, faults = match_header(open_book(path).sheets[0], DESTINATION)
    return [str(fault) for fault in faults]


def workbook(path: Path, *rows: list[str]) -> Path:
    book = openpyxl.Workbook()
    book.active.title = "S"  # type: ignore[union-attr]
    for row in rows:
        book.active.append(row)  # type: ignore[union-attr]
    book.save(path)
    return path


def test_a_header_that_stands_further_down_is_found(tmp_path: Path) -> None:
    says = "This row is not the header: row 3 looks like it. Take --header-row 3, or delete the rows above it."
    path = workbook(tmp_path / "a.xlsx", ["Destinations of 2026"], [], TITLES, GOOD)
    assert refused(path) == [f"S row 1: {says}"]
    assert match_header(open_book(path, ReadOptions(header_row=3)).sheets[0], DESTINATION)[1] == []
    text = tmp_path / "destination.csv"
    text.write_text(f"Destinations of 2026\n\n{','.join(TITLES)}\n", encoding="utf-8")
    assert refused(text) == [f"destination row 1: {says}"]


def test_rows_that_only_hold_a_title_or_two_are_no_header(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", TITLES, ["", "Types"], ["", "Languages", "Types"])
    assert refused(path) == []


def test_a_header_of_nothing_that_is_known_is_one_fault() -> None:
    assert matched(DESTINATION, "Name", "Fax", "Colour") == (
        {},
        [
            f"S row 1: None of the titles in this row is a column of cinnox/destination. {COLUMNS} "
            "Rename the titles, or name the row that has them with --header-row."
        ],
    )


def test_a_header_far_wider_than_the_template_is_one_fault() -> None:
    assert matched(DESTINATION, *TITLES, *(f"x{number}" for number in range(16_376))) == (
        {},
        [
            "S row 1: The header has 16,384 columns, and cinnox/destination has 8. "
            "Delete the columns that don't belong to it, or begin with a new template."
        ],
    )


def test_of_many_faults_the_first_are_told_and_the_rest_counted() -> None:
    _, faults = matched(DESTINATION, *TITLES, *(f"x{number}" for number in range(50)))
    assert faults[19] == 'S!AB1 (x19): "x19" is no column of cinnox/destination. Rename or delete the column.'
    assert faults[20:] == ["S row 1: The header has 30 more faults like these.", f"S row 1: {COLUMNS}"]


# Titles that are read cleaned


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("Types", None),
        ("types *", None),
        ("Types ", "title read without the blanks around it"),
        ("Types\u00a0", "title read without no-break space (U+00A0)"),
        ("\ufeffTy\u200bpes", "title read without zero width no-break space (U+FEFF), zero width space (U+200B)"),
        ("Phone\r\ntargets", "title read without line break"),
    ],
)
def test_titles_are_cleaned_and_told(title: str, told: str | None) -> None:
    header = [title if plain(title) == plain(one) else one for one in TITLES]
    assigned, faults = match_header(sheet("S", *header), DESTINATION)
    assert faults == []
    assert [column.title for column in assigned.columns.values()] == TITLES
    assert [(note.message, note.severity) for note in assigned.notes] == ([(told, Severity.NOTE)] if told else [])


def test_a_title_of_nothing_that_can_be_seen_is_none() -> None:
    assert matched(DESTINATION, *TITLES, "\u200b\u00a0")[1] == [
        "S!I1: This column has no title. Give it one, or delete the column."
    ]
