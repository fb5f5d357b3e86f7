"""A workbook's cells as three readers see them: ours, openpyxl, calamine. What the others see becomes our text here,
written anew, so that it can't share a fault with ours."""

import io
from datetime import date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import python_calamine

from bulkload.cells import Kind, Line
from bulkload.formats import NO_DATE
from bulkload.workbook import open_tables

# Sheet → row → cells; without blank rows, and without the blanks at the end of rows: nobody sees those.
Sheets = dict[str, dict[int, list[Any]]]


def ours(path: Path) -> Sheets:
    """What we read: texts. A number that is shown as a day and is none we refuse; openpyxl has `#VALUE!` for it."""
    return _cut(
        {
            name: {
                number: ["#VALUE!" if fault == NO_DATE else text for text, _, fault in row]
                for number, row in rows.items()
            }
            for name, rows in _told(path).items()
        }
    )


def _told(path: Path) -> dict[str, dict[int, list[tuple[str, Kind, str]]]]:
    """Of each cell its text, its kind, and what has spoilt it."""
    with path.open("rb") as file:
        return {
            table.name: {line.number: _cells(line) for line in table.lines()}
            for table in open_tables(file, path.name).tables
        }


def _cells(line: Line) -> list[tuple[str, Kind, str]]:
    faults = {spoilt.column: spoilt.kind for spoilt in line.spoilt}
    kinds = map(Kind, line.kinds)
    return [
        (text, kind, faults.get(column, ""))
        for column, (text, kind) in enumerate(zip(line.texts, kinds, strict=True), 1)
    ]


def _cut(sheets: Sheets) -> Sheets:
    return {
        name: {
            number: row[: max(place for place, cell in enumerate(row, 1) if cell != "")]
            for number, row in rows.items()
            if any(str(cell).strip() for cell in row)
        }
        for name, rows in sheets.items()
    }


# --- openpyxl: the text that its value and its number format make -----------------------------------------------------


def through_openpyxl(path: Path) -> Sheets:
    """What openpyxl reads: texts as we read them, the number format heeded."""
    book = openpyxl.load_workbook(io.BytesIO(path.read_bytes()), data_only=True)
    return _cut(
        {
            sheet.title: {row[0].row or 0: [_seen(cell) for cell in row] for row in sheet.iter_rows()}
            for sheet in book.worksheets
        }
    )


def _seen(cell: Any) -> str:
    value, code = cell.value, cell.number_format
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime) and not any(letter in code.lower() for letter in "yd"):
        value = value.time()  # a clock, whatever the day
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


# --- calamine: the value behind ---------------------------------------------------------------------------------------


def values(path: Path) -> Sheets:
    """What we read: the value behind each cell, as calamine can tell it, which of a number format knows only dates."""
    return _cut(
        {
            name: {number: [_value(text, kind) for text, kind, _ in row] for number, row in rows.items()}
            for name, rows in _told(path).items()
        }
    )


def _value(text: str, kind: Kind) -> Any:
    """`007` is 7, and `50%` a half. All others are the text itself."""
    match kind:
        case Kind.NUMBER:
            return Decimal(text)
        case Kind.PERCENT:
            return Decimal(text.removesuffix("%")) / 100
    return text


def through_calamine(path: Path) -> Sheets:
    """What calamine reads: values. Of a date or time that part is taken which our kind of the cell says."""
    book = python_calamine.CalamineWorkbook.from_path(str(path))
    kinds = _told(path)
    sheets: Sheets = {}
    for name in book.sheet_names:
        rows = enumerate(book.get_sheet_by_name(name).to_python(skip_empty_area=False), 1)
        sheets[name] = {}
        for number, row in rows:
            mine = [kind for _, kind, _ in kinds.get(name, {}).get(number, [])]
            mine += [Kind.TEXT] * (len(row) - len(mine))
            sheets[name][number] = [_said(cell, kind) for cell, kind in zip(row, mine, strict=False)]
    return _cut(sheets)


def _said(cell: Any, kind: Kind) -> Any:
    match cell:
        case bool():
            return "TRUE" if cell else "FALSE"
        case float() | int():
            return Decimal(repr(cell))
        case timedelta():
            return _hours(cell)
        case clock():
            return _hours(
                timedelta(hours=cell.hour, minutes=cell.minute, seconds=cell.second, microseconds=cell.microsecond)
            )
        case datetime() if kind is Kind.TIME:
            return _hours(cell - datetime.combine(cell, clock()))
        case datetime() if kind is Kind.MOMENT:
            return cell.isoformat(timespec="milliseconds").removesuffix(".000")
        case date():
            return f"{cell.year:04}-{cell.month:02}-{cell.day:02}"
    return cell


def _hours(length: timedelta) -> str:
    milliseconds = round(length / timedelta(milliseconds=1))
    rest = f".{milliseconds % 1000:03}" if milliseconds % 1000 else ""
    return f"{milliseconds // 3_600_000:02}:{milliseconds // 60_000 % 60:02}:{milliseconds // 1000 % 60:02}{rest}"
