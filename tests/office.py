"""A workbook of every kind of cell, and LibreOffice, which saves it in other formats."""

import shutil
import subprocess
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from bulkload.models import Book, Sheet
from bulkload.read import ReadOptions, open_book

# Title, number format, and the cells of rows 2 and 3.
CELLS: list[tuple[str, str, Any, Any]] = [
    ("text", "", "00123", "line 1\nline 2"),
    ("blanks", "", "  a   b ", "tab\there"),
    ("looks like", "", "#N/A", "1E5"),
    ("number", "", 5.5, -7),
    ("small", "", 1e-7, 0.1 + 0.2),
    ("long", "", 123456789012345, 1234567.891),
    ("day", "dd/mm/yyyy", date(2026, 1, 2), date(1900, 3, 1)),
    ("time", "h:mm", time(8, 30), 1.75),
    ("moment", "yyyy-mm-dd hh:mm:ss", datetime(2026, 1, 2, 10, 0, 5), datetime(2026, 1, 3)),  # noqa: DTZ001
    ("duration", "[h]:mm:ss", timedelta(hours=27, minutes=5), timedelta(seconds=1)),
    ("percent", "0.0%", 0.125, 1),
    ("boolean", "", True, False),
    ("zeros", "000", 7, 1234),
    ("marked zeros", "000-00", 12345, 7),
    ("plus", "+0000", 852, 1),
    ("euro", "#,##0.00 [$€-407]", 12.5, 1234.5),
    ("negative", "0;(0)", -3, 3),
    ("error", "", "=1/0", "=NA()"),
    ("result", "", "=1+1", "=2*2.5"),
    ("rounded", "", 1_234_567_890_123_450_000, 1),
]
VALUES = {"=1/0": "#DIV/0!", "=NA()": "#N/A", "=1+1": 2, "=2*2.5": 5}


def make_workbook(path: Path) -> Path:
    """The cells; then a hidden row, two blank ones, one more, a hidden column, and a hidden sheet."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("People")
        for column, (title, code, *cells) in enumerate(CELLS):
            style = book.add_format({"num_format": code} if code else {})
            sheet.write(0, column, title)
            for row, value in enumerate(cells, 1):
                if isinstance(value, str) and value not in VALUES:
                    sheet.write_string(row, column, value, style)
                elif isinstance(value, str):
                    sheet.write_formula(row, column, value, style, VALUES[value])
                else:
                    sheet.write(row, column, value, style)
        sheet.write_string(3, 0, "hidden")
        sheet.set_row(3, options={"hidden": True})
        sheet.write_string(6, 0, "last")
        sheet.set_column(1, 1, options={"hidden": True})
        sheet.write_comment(1, 0, "a note is no text of the cell")
        other = book.add_worksheet("Other")
        other.write_column(0, 0, ["x", "1"])
        other.hide()
    return path


def convert(path: Path, ending: str) -> Path:
    """The workbook as LibreOffice saves it."""
    if not (program := shutil.which("soffice")):
        pytest.skip("needs LibreOffice")
    profile = f"-env:UserInstallation={(path.parent / 'profile').as_uri()}"
    command = [program, profile, "--headless", "--convert-to", ending, "--outdir", str(path.parent), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return path.with_suffix(f".{ending}")


def told(sheet: Sheet) -> dict[str, Any]:
    """All that a sheet says, for comparing it with another."""
    (frame,) = sheet.frames()
    return {
        "name": (sheet.name, sheet.hidden, sheet.header, sheet.facts),
        "rows": frame.text.to_dict("index"),
        "kinds": {place: kinds.tolist() for place, kinds in frame.kinds.items()},
        "spoilt": frame.spoilt,
        "counts": (frame.blank_rows, frame.hidden_rows),
    }


def opened(path: Path, **said: Any) -> Book:
    """The file as the program opens it."""
    return open_book(path, ReadOptions(**said))
