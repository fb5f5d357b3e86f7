"""What a workbook really says: the cells that openpyxl reads, and what it hides; hostile ones are refused at once."""

import io
import os
import random
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkload.cells import Kind
from bulkload.errors import UnusableFile
from bulkload.frames import KEPT
from bulkload.models import Frame, Sheet
from bulkload.read import open_book
from bulkload.workbook import open_tables
from tests.test_read import SHEET, edit, only, refusal, rows_of, spoilt_of, text, workbook

HERE = Path(__file__).parent.parent
HONEST = sorted([*HERE.glob("templates/*.xlsx"), *HERE.glob("samples/*.xlsx")])
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


# --- the same cells as openpyxl ---------------------------------------------------------------------------------------


def seen(cell: Any) -> str:
    """What openpyxl reads as the text that we read; written anew, so that it can't share a fault."""
    value, code = cell.value, cell.number_format
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        moment = value + timedelta(microseconds=500)
        day = value.date().isoformat()
        if not any(letter in code.lower() for letter in "hs") or not (value - datetime.combine(value, clock())):
            return day
        return f"{day}T{moment:%H:%M:%S}" + (f".{moment.microsecond // 1000:03}" if moment.microsecond >= 1000 else "")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, clock):
        return value.isoformat(timespec="milliseconds").removesuffix(".000")
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    if isinstance(value, (int, float)):
        digits = f"{Decimal(repr(value)):f}"
        digits = digits.removesuffix(".0") if "." in digits else digits
        if code.endswith("%"):
            whole = f"{Decimal(digits) * 100:f}"
            return (whole.rstrip("0").rstrip(".") if "." in whole else whole) + "%"
        return digits.rjust(len(code), "0") if set(code) == {"0"} and digits.isdigit() else digits
    return str(value)


def through_openpyxl(path: Path) -> dict[str, dict[int, list[str]]]:
    book = openpyxl.load_workbook(path, data_only=True)
    sheets = {}
    for sheet in book.worksheets:
        rows = {row[0].row: [seen(cell) for cell in row] for row in sheet.iter_rows()}
        sheets[sheet.title] = {number: row for number, row in rows.items() if any(map(str.strip, row))}
    return sheets


def ours(path: Path) -> dict[str, dict[int, list[str]]]:
    with path.open("rb") as file:
        return {
            table.name: {line.number: list(line.texts) for line in table.lines() if any(map(str.strip, line.texts))}
            for table in open_tables(file, path.name).tables
        }


def cut(sheets: dict[str, dict[int, list[str]]]) -> dict[str, dict[int, list[str]]]:
    """Without the blanks at the end of rows: how wide a row is nobody sees."""
    return {
        name: {number: row[: max(i for i, one in enumerate(row, 1) if one)] for number, row in rows.items()}
        for name, rows in sheets.items()
    }


@pytest.mark.parametrize("path", HONEST, ids=lambda path: path.name)
def test_every_workbook_of_the_house_reads_as_openpyxl_reads_it(path: Path) -> None:
    assert cut(ours(path)) == cut(through_openpyxl(path))


# XML has no control characters and no surrogates; `_x` begins an escape of Excel's.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"], include_characters="\t\n"), max_size=12).filter(
    lambda text: "_x" not in text and not text.startswith(("=", "{="))
)
WHOLE = st.integers(-(10**15) + 1, 10**15 - 1)
DECIMAL = st.decimals(-(10**6), 10**6, places=4).map(float)
DAY = st.dates(date(1900, 3, 1), date(9999, 12, 31))
MOMENT = st.datetimes(datetime(1900, 3, 1), datetime(2100, 1, 1)).map(lambda one: one.replace(microsecond=0))
CLOCK = st.times().map(lambda one: one.replace(microsecond=0))
FORMATS = {
    "": TEXT | WHOLE | DECIMAL | st.booleans(),
    "@": TEXT | WHOLE,
    "000000": WHOLE | TEXT,
    "0.00%": DECIMAL,
    "#,##0.00;[Red]-#,##0.00": DECIMAL,
    "yyyy-mm-dd": DAY,
    'dd"."mm"."yyyy\\ hh:mm:ss': MOMENT,
    "h:mm:ss": CLOCK,
    "[h]:mm:ss": st.timedeltas(timedelta(), timedelta(9)).map(lambda one: timedelta(seconds=int(one.total_seconds()))),
}
CELL = st.sampled_from(sorted(FORMATS)).flatmap(lambda code: st.tuples(st.just(code), FORMATS[code])) | st.none()
TABLE = st.lists(st.lists(CELL, min_size=1, max_size=5), min_size=1, max_size=6)


@settings(deadline=None, max_examples=50)
@given(rows=TABLE, inline=st.booleans(), rich=TEXT.filter(len))
def test_what_xlsxwriter_writes_reads_as_openpyxl_reads_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[Any]], inline: bool, rich: str
) -> None:
    path = tmp_path_factory.mktemp("book") / "a.xlsx"
    options = {"constant_memory": inline, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(path, options)
    sheet = book.add_worksheet()
    looks = {code: book.add_format({"num_format": code} if code else {}) for code in FORMATS}
    for number, row in enumerate(rows):
        for place, cell in enumerate(row):
            if cell is not None:
                sheet.write(number, place, cell[1], looks[cell[0]])
    sheet.write_rich_string(len(rows), 0, "a", looks["@"], rich, " b")
    book.close()
    assert cut(ours(path)) == cut(through_openpyxl(path))


@settings(deadline=None, max_examples=50)
@given(rows=TABLE)
def test_what_openpyxl_writes_reads_as_it_reads_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[Any]]
) -> None:
    def more(book: Any) -> None:
        for number, row in enumerate(rows, 1):
            for place, said in enumerate(row, 1):
                if said is not None:
                    cell = book.active.cell(number, place)
                    cell.value = said[1]
                    cell.number_format = said[0] or "General"
                    if isinstance(said[1], str):
                        cell.data_type = "s"

    path = workbook(tmp_path_factory.mktemp("book") / "a.xlsx", more=more)
    assert cut(ours(path)) == cut(through_openpyxl(path))


@settings(deadline=None, max_examples=30)
@given(rows=TABLE, inline=st.booleans())
def test_rows_read_by_their_spelling_are_those_that_the_parser_reads(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[Any]], inline: bool
) -> None:
    path = tmp_path_factory.mktemp("book") / "a.xlsx"
    book = xlsxwriter.Workbook(
        path, {"constant_memory": inline, "strings_to_formulas": False, "strings_to_urls": False}
    )
    sheet = book.add_worksheet()
    looks = {code: book.add_format({"num_format": code} if code else {}) for code in FORMATS}
    for number, row in enumerate(rows):
        for place, cell in enumerate(row):
            if cell is not None:
                sheet.write(number, place, cell[1], looks[cell[0]])
    book.close()
    spelled = ours(path)
    parts = {"<row ": "<row\n", "<si>": "<si\n>"}  # the same to a parser, and as no program spells it
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name).decode() for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, one in content.items():
            for old, new in parts.items():
                one = one.replace(old, new) if name == SHEET or "sharedStrings" in name else one
            archive.writestr(name, one)
    assert ours(path) == spelled
