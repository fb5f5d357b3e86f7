"""What an .xls (Excel 97 to 2003) says, through xlrd: values, formats, error cells, and what is hidden or merged."""

import io
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, BinaryIO

import xlrd

from bulkload.cells import Kind, Line, Spoilt, Table, Tables
from bulkload.errors import UnusableFile
from bulkload.formats import show

# Sheets in one workbook; each is opened to look at its header.
_SHEETS = 250
_MACROS = "_VBA_PROJECT_CUR".encode("utf-16-le")
_FORMULAS = (
    "An .xls doesn't tell formulas from values: if another program than Excel wrote it, open it in Excel and save it."
)


def open_tables(file: BinaryIO, name: str) -> Tables:
    """The sheets of an .xls that is open for reading. Raises UnusableFile; XLRDError and others for damage."""
    content = file.read()
    try:
        book = xlrd.open_workbook(file_contents=content, formatting_info=True, ragged_rows=True, logfile=io.StringIO())
    except xlrd.XLRDError as error:
        if "encrypted" in str(error):
            raise UnusableFile(f"{name} is protected with a password: save it without one") from error
        if "Can't find workbook" in str(error):
            raise UnusableFile(f"{name} is no Excel workbook: save the table as .xlsx") from error
        raise
    if book.nsheets > _SHEETS:
        raise UnusableFile(
            f"{name} has {book.nsheets:,} sheets, more than the {_SHEETS} that are read: too many sheets. "
            "Move those to import to a workbook of their own"
        )
    facts = [_FORMULAS]
    if _MACROS in content:
        facts.append("Its macros are not run, and no result has them.")
    return Tables(tuple(_table(book, title) for title in book.sheet_names()), tuple(facts))


def _table(book: Any, title: str) -> Table:
    sheet = book.sheet_by_name(title)
    hidden = [column for column, info in sorted(sheet.colinfo_map.items()) if info.hidden]
    return Table(
        title,
        sheet.visibility != 0,
        lambda: _lines(book, sheet),
        merged=[(top + 1, left + 1, bottom, right) for top, bottom, left, right in sheet.merged_cells],
        hidden_columns=[(column + 1, column + 1) for column in hidden],
    )


def _lines(book: Any, sheet: Any) -> Iterator[Line]:
    codes = [book.format_map[style.format_key].format_str for style in book.xf_list]
    for row in range(sheet.nrows):
        texts: list[str] = []
        kinds = bytearray()
        spoilt: list[Spoilt] = []
        for column, cell in enumerate(sheet.row(row), 1):
            text, kind, fault = _shown(cell, codes, date1904=book.datemode == 1)
            texts.append(text)
            kinds.append(kind)
            if fault:
                spoilt.append(Spoilt(row + 1, column, fault, text))
        info = sheet.rowinfo_map.get(row)
        yield Line(row + 1, texts, kinds, spoilt, bool(info and info.hidden))


def _shown(cell: Any, codes: Sequence[str], *, date1904: bool) -> tuple[str, Kind, str]:
    """The text of a cell, its kind, and "" or what has spoilt it."""
    match cell.ctype:
        case xlrd.XL_CELL_EMPTY | xlrd.XL_CELL_BLANK:
            return "", Kind.TEXT, ""
        case xlrd.XL_CELL_TEXT:
            return cell.value, Kind.TEXT, ""
        case xlrd.XL_CELL_BOOLEAN:
            return "TRUE" if cell.value else "FALSE", Kind.BOOLEAN, ""
        case xlrd.XL_CELL_ERROR:
            return xlrd.error_text_from_code.get(cell.value, "#ERROR!"), Kind.TEXT, "error cell"
    digits = repr(cell.value)
    return show(
        f"{Decimal(digits):.0f}" if cell.value.is_integer() else digits, codes[cell.xf_index], date1904=date1904
    )
