"""Templates: what they hold, and that `templates/` is what the program makes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from bulkload import stamp, template
from bulkload.openapi import BUILT_IN, open_api
from bulkload.resource import Resource

RESOURCES = [resource for name in BUILT_IN for resource in open_api(name).resources.values()]
TEMPLATES = Path(__file__).parents[1] / "templates"


def made(folder: Path, *resources: Resource) -> Any:
    path = folder / "made.xlsx"
    template.workbook(resources, path)
    return load_workbook(path)


def content(sheet: Worksheet) -> dict[str, Any]:
    """All that a person sees or meets in a sheet."""
    return {
        "state": sheet.sheet_state,
        "frozen": sheet.freeze_panes,
        "widths": {name: (one.width, one.number_format) for name, one in sheet.column_dimensions.items()},
        "checks": sorted(
            (str(c.sqref), c.type, c.operator, c.errorStyle, c.formula1, c.formula2, c.error, c.errorTitle)
            for c in sheet.data_validations.dataValidation
        ),
        "cells": [
            (
                cell.coordinate, cell.value, cell.comment and cell.comment.text, cell.number_format,
                cell.fill.fgColor.rgb, cell.font.b, cell.font.color.rgb, cell.alignment.wrap_text,
            )
            for row in sheet.iter_rows()
            for cell in row
            if cell.has_style or cell.value is not None
        ],
    }  # fmt: skip


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.full_name)
def test_the_templates_at_hand_are_those_that_the_program_makes(resource: Resource, tmp_path: Path) -> None:
    name = resource.full_name.replace("/", "-")
    expected = made(tmp_path, resource)
    actual = load_workbook(TEMPLATES / f"{name}.xlsx")
    assert actual.sheetnames == expected.sheetnames
    for sheet in expected.sheetnames:
        assert content(actual[sheet]) == content(expected[sheet])
    assert (TEMPLATES / f"{name}.csv").read_bytes() == template.csv(resource).encode()


def test_no_template_is_left_over() -> None:
    names = {resource.full_name.replace("/", "-") for resource in RESOURCES}
    assert {path.name for path in TEMPLATES.iterdir()} == {
        f"{name}.{kind}" for name in names for kind in ("xlsx", "csv")
    }


def test_a_workbook_holds_a_sheet_for_each_resource_then_about_then_the_hidden_stamp(tmp_path: Path) -> None:
    book = made(tmp_path, *RESOURCES)
    titles = [resource.title for resource in RESOURCES]
    assert book.sheetnames == [*titles, "About", "_bulkload"]
    assert [sheet.sheet_state for sheet in book] == ["visible"] * (len(titles) + 1) + ["veryHidden"]
    for resource in RESOURCES:
        (header,) = book[resource.title].iter_rows(values_only=True)
        assert header == tuple(column.heading for column in resource.columns)
    cells = [tuple(cell for cell in row if cell is not None) for row in book["_bulkload"].iter_rows(values_only=True)]
    assert stamp.parse(cells) == tuple(stamp.stamp(resource.title, resource) for resource in RESOURCES)


def test_equal_titles_and_titles_that_excel_refuses_become_names_that_it_takes(tmp_path: Path) -> None:
    one = RESOURCES[0]
    titles = ["Routes", "routes", "About", "In/out: [all]*?", "'quoted'", "x" * 40, "x" * 41]
    book = made(tmp_path, *(replace(one, title=title) for title in titles))
    names = ["Routes", "routes (2)", "About", "In_out_ _all___", "quoted", "x" * 31, "x" * 27 + " (2)"]
    assert book.sheetnames == [*names, "About (2)", "_bulkload"]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.full_name)
def test_every_text_column_is_formatted_as_text_and_required_ones_look_different(
    resource: Resource, tmp_path: Path
) -> None:
    sheet = made(tmp_path, resource)[resource.title]
    formats = {
        place: one.number_format for one in sheet.column_dimensions.values() for place in range(one.min, one.max + 1)
    }
    for place, column in enumerate(resource.columns, 1):
        cell = sheet.cell(1, place)
        assert formats[place] == ("@" if column.many or column.type == "string" else "General")
        assert cell.fill.fgColor.rgb == ("FF1F3864" if column.required else "FFD9E2F3")
        assert cell.comment is not None
        assert cell.comment.text.startswith(column.description)
    assert sheet.freeze_panes == "A2"


def test_checks_only_warn_and_lists_have_none(tmp_path: Path) -> None:
    sheet = made(tmp_path, open_api("aicc").resources["called-route"])["Called routes"]
    checks = {str(check.sqref): check for check in sheet.data_validations.dataValidation}
    assert {check.errorStyle for check in checks.values()} == {"warning"}
    assert checks["A2:A1048576"].type == "textLength"
    assert checks["D2:D1048576"].formula1 == '"1 (skill queue),3 (IVR)"'
    assert checks["E2:E1048576"].type == "whole"
    sheet = made(tmp_path, open_api("aicc").resources["agent-settings"])["Agent settings"]
    assert not {"C2:C1048576", "D2:D1048576"} & {str(check.sqref) for check in sheet.data_validations.dataValidation}


def test_choices_too_long_for_excel_or_with_commas_stand_on_a_hidden_sheet(tmp_path: Path) -> None:
    resource = open_api("aicc").resources["called-route"]
    long, odd = [f"value number {number}" for number in range(100)], ["a, b", "c"]
    columns = (
        *(
            replace(resource.column("accessCode"), schema={"type": "string", "enum": codes})
            for codes in (long, odd, long)
        ),
    )
    book = made(tmp_path, replace(resource, columns=columns))
    checks = book["Called routes"].data_validations.dataValidation
    assert [check.formula1 for check in checks] == ["_lists!$A$1:$CV$1", "_lists!$A$2:$B$2", "_lists!$A$1:$CV$1"]
    assert book["_lists"].sheet_state == "hidden"
    rows = [[cell for cell in row if cell] for row in book["_lists"].iter_rows(values_only=True)]
    assert rows == [long, odd]


def test_a_note_says_meaning_limits_default_and_example(tmp_path: Path) -> None:
    sheet = made(tmp_path, open_api("aicc").resources["called-route"])["Called routes"]
    note = sheet["C1"].comment
    assert note is not None
    assert note.text.splitlines()[1:] == [
        "May be left empty.",
        "One of:",
        "2 (voice click-to-dial)",
        "5 (voice and video)",
        "18 (video click-to-dial)",
        "19 (video)",
        "53 (multimedia)",
        "If left empty, the API uses 5 (voice and video).",
        "Example: 19 (video)",
    ]


def test_about_shows_every_column_and_what_the_document_says_of_required_fields(tmp_path: Path) -> None:
    about = made(tmp_path, *RESOURCES)["About"]
    texts = {str(cell.value) for row in about.iter_rows() for cell in row if cell.value is not None}
    assert {column.heading for resource in RESOURCES for column in resource.columns} <= texts
    assert any("required here are those that their example sends" in text for text in texts)


def test_the_same_resources_make_the_same_file(tmp_path: Path) -> None:
    for name in ("one.xlsx", "two.xlsx"):
        template.workbook(RESOURCES, tmp_path / name)
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"one.xlsx", "two.xlsx"}
