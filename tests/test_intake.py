"""What was read, for a person and for a program."""

from pathlib import Path
from typing import Any

import pandas as pd

from bulkload.intake import Intake
from bulkload.models import Finding, Frame, Severity, Sheet
from bulkload.recognise import Assigned, LeftAlone, Recognised
from tests.support import APIS

DESTINATION = APIS["cinnox"].resources["destination"]


def sheet(name: str, *header: str, **more: Any) -> Sheet:
    return Sheet(name, header, 1, lambda: iter(()), **more)


def assigned(one: Sheet, **more: Any) -> Assigned:
    return Assigned(one, DESTINATION, dict(enumerate(DESTINATION.columns[: len(one.header)], 1)), **more)


def frame(*rows: int, **more: Any) -> Frame:
    return Frame(pd.DataFrame({1: ["x"] * len(rows)}, index=list(rows)), **more)


def note(row: int, cause: str, column: int = 1) -> Finding:
    return Finding("In", row, column, "Name", "x", "clean", cause, Severity.NOTE, cause)


def test_a_plain_sheet_is_one_line_below_its_file() -> None:
    read = Intake(Path("d.xlsx"), Recognised((assigned(sheet("In", "A")),)))
    read.add("In", frame(2, 3), ())
    assert read.told(6) == ["Read d.xlsx", "  In: 2 rows for cinnox/destination, below the header in row 1"]


def test_all_frames_are_counted_and_what_was_read_how_is_told_with_its_first_cells() -> None:
    header = Finding("In", 1, 1, "Name", "Name", "title", "title cleaned", Severity.NOTE, "title cleaned")
    one = sheet("In", "A", hidden=True, encoding="cp1252", delimiter="tab", facts=("macros are left out",))
    read = Intake(
        Path("d.csv"),
        Recognised(
            (assigned(one, own={"Import ID": 2}, notes=(header,)),),
            (LeftAlone(sheet("About", hidden=True), "it is empty"),),
            facts=("macros are not read",),
        ),
    )
    wrong = Finding("In", 2, 1, "Name", "x", "enum", "wrong")
    read.add("In", frame(2, 3, blank_rows=1, hidden_rows=1), [wrong, *(note(row, "shown as 007") for row in (2, 3))])
    read.add("In", frame(5, 6, blank_rows=2), [note(row, "shown as 007") for row in (5, 6)])
    lines = [
        "macros are not read",
        "In (the sheet is hidden): 4 rows for cinnox/destination, below the header in row 1",
        "  1 hidden row is read like all others",
        "  3 blank rows are skipped",
        "  columns of an earlier result, which are not sent: Import ID",
        "  encoding cp1252, delimiter tab",
        "  macros are left out",
        "  Name: title cleaned: 1 cell, A1",
        "  Name: shown as 007: 4 cells, first A2, A3, A5",
        'Sheet "About" (hidden) is left alone: it is empty.',
    ]
    assert read.lines() == lines
    assert read.hidden_rows == 1
    assert read.lines(3) == [
        *lines[:4], "  and 5 more, which the sheet Summary and --json tell", lines[9]]  # fmt: skip
    assert read.facts() == {
        "file": "d.csv",
        "facts": ["macros are not read"],
        "sheets": [
            {
                "sheet": "In", "hidden": True, "resource": "cinnox/destination", "header_row": 1,
                "rows": 4, "blank_rows": 3, "hidden_rows": 1,
                "columns": ["Destination ID"], "columns_ignored": ["Import ID"],
                "encoding": "cp1252", "delimiter": "tab", "facts": ["macros are left out"],
                "notes": [
                    {"note": "title cleaned", "column": "Name", "cells": 1, "first": "A1"},
                    {"note": "shown as 007", "column": "Name", "cells": 4, "first": "A2"},
                ],
            }
        ],
        "left_alone": [{"sheet": "About", "hidden": True, "why": "it is empty"}],
    }  # fmt: skip


def test_a_sheet_without_rows_is_told_too() -> None:
    read = Intake(Path("d.xlsx"), Recognised((assigned(sheet("In", "A")),)))
    assert read.lines() == ["In: 0 rows for cinnox/destination, below the header in row 1"]
