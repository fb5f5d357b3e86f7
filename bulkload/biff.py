"""What an .xls (Excel 97 to 2003) says, through xlrd: values, formats, error cells, and what is hidden or merged."""

import io
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from struct import unpack_from
from typing import Any, BinaryIO

import xlrd

from bulkload.cells import Kind, Line, Spoilt, Table, Tables, column_letter
from bulkload.errors import UnusableFile
from bulkload.formats import show

# Sheets in one workbook; each is opened to look at its header.
_SHEETS = 250
_MACROS = "_VBA_PROJECT_CUR".encode("utf-16-le")
# Records of the format: the beginning and the end of a sheet or of a chart in it, and a formula.
_BEGIN, _END, _FORMULA = 0x0809, 0x000A, 0x0006


def open_tables(file: BinaryIO, name: str) -> Tables:
    """The sheets of an .xls that is open for reading. Raises UnusableFile; XLRDError and others for damage."""
    content = file.read()
    try:
        book = xlrd.open_workbook(
            file_contents=content, formatting_info=True, ragged_rows=True, on_demand=True, logfile=io.StringIO()
        )
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
    macros = "Its macros are not run, and no result has them."
    tables = tuple(_table(book, place, title) for place, title in enumerate(book.sheet_names()))
    return Tables(tables, (macros,) if _MACROS in content else ())


def _table(book: Any, place: int, title: str) -> Table:
    sheet = book.sheet_by_index(place)
    formulas = _formulas(book.mem, book._sh_abs_posn[place])
    hidden = [column for column, info in sorted(sheet.colinfo_map.items()) if info.hidden]
    facts = []
    if formulas:
        row, column = min(formulas)
        what = "1 cell is a formula" if len(formulas) == 1 else f"{len(formulas):,} cells are formulas"
        facts.append(
            f"{what}, first {column_letter(column + 1)}{row + 1}: where one gives 0, an .xls doesn't show whether it "
            "was ever worked out, so that 0 is taken for no value. Save it as .xlsx in Excel to be sure"
        )
    return Table(
        title,
        sheet.visibility != 0,
        lambda: _lines(book, sheet, formulas),
        facts,
        merged=[(top + 1, left + 1, bottom, right) for top, bottom, left, right in sheet.merged_cells],
        hidden_columns=[(column + 1, column + 1) for column in hidden],
    )


def _formulas(content: bytes, position: int) -> set[tuple[int, int]]:
    """Row and column, from 0, of each formula of the sheet that begins at this position: xlrd tells values alone."""
    found = set()
    depth = 0
    while position + 8 <= len(content):
        record, length, row, column = unpack_from("<4H", content, position)
        if record == _FORMULA:
            found.add((row, column))
        depth += (record == _BEGIN) - (record == _END)
        if not depth:
            break
        position += 4 + length
    return found


def _lines(book: Any, sheet: Any, formulas: Collection[tuple[int, int]]) -> Iterator[Line]:
    """The rows. A formula that was never worked out may have 0 for its value: LibreOffice, too, writes such files."""
    codes = [book.format_map[style.format_key].format_str for style in book.xf_list]
    for row in range(sheet.nrows):
        texts: list[str] = []
        kinds = bytearray()
        spoilt: list[Spoilt] = []
        for column, cell in enumerate(sheet.row(row)):
            is_formula = (row, column) in formulas
            if is_formula and cell.ctype == xlrd.XL_CELL_NUMBER and not cell.value:
                text, kind, fault = "", Kind.TEXT, "formula without value"
            else:
                text, kind, fault = _shown(cell, codes, date1904=book.datemode == 1)
            texts.append(text)
            kinds.append(Kind.FORMULA if is_formula and cell.ctype == xlrd.XL_CELL_TEXT and text else kind)
            if fault:
                spoilt.append(Spoilt(row + 1, column + 1, fault, text or "a formula"))
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
    number = f"{Decimal(digits):.0f}" if cell.value.is_integer() else digits
    return show(number, codes[cell.xf_index], date1904=date1904)
