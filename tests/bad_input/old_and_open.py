"""Bad .xls and .ods workbooks: the kinds of .xlsx that these formats can have, too. What is read doesn't hang on it."""

from tests.bad_input.packages import zip_of
from tests.bad_input.sheets import DATE, ODS_TYPE, THREE_DIGITS, Error, Number, ods, ods_cell, ods_row, xls

HEADER = ("name", "value")
_HEAD = ods_row(*HEADER)
_ROWS = (_HEAD, ods_row("a", "1"), ods_row("b", "2"))
_EMPTY = "<table:table-cell/>"
_CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
_OF_ERROR = (
    f' xmlns:of="urn:oasis:names:tc:opendocument:xmlns:of:1.2" xmlns:calcext="{_CALC}" table:formula="of:=1/0"'
    ' office:value-type="string" office:string-value="" calcext:value-type="error"'
)


def a_good_xls() -> bytes:
    return xls(HEADER, ("a", "1"), ("b", "2"))


def xls_with_error_cells() -> bytes:
    return xls(HEADER, ("a", Error("#REF!")), ("b", Error("#N/A")), ("c", "3"))


def xls_with_numbers_that_are_shown_otherwise() -> bytes:
    return xls(("name", "value", "when"), ("a", Number(7, THREE_DIGITS), Number(46024, DATE)))


def xls_with_a_long_number() -> bytes:
    return xls(HEADER, ("a", Number(1234567890123456789.0)), ("b", "2"))


def xls_with_days_that_never_were() -> bytes:
    return xls(("name", "when"), *((f"n{day}", Number(day, DATE)) for day in (0, 60, 61, -1, 2958466)))


def xls_with_dates_that_count_from_1904() -> bytes:
    return xls(("name", "when"), ("a", Number(1, DATE)), from_1904=True)


def xls_with_hidden_rows() -> bytes:
    return xls(HEADER, ("a", "1"), ("b", "2"), ("c", "3"), hidden=frozenset({2, 3}))


def xls_with_merged_cells() -> bytes:
    return xls(HEADER, ("a", "1"), ("b", None), ("c", "3"), merged=(2, 3, 2, 2))


def xls_with_blank_rows() -> bytes:
    return xls(HEADER, ("a", "1"), (), ("  ", None), ("b", "2"))


def xls_cut_in_half() -> bytes:
    whole = a_good_xls()
    return whole[: len(whole) // 2]


def a_good_ods() -> bytes:
    return ods(*_ROWS)


def ods_with_error_cells() -> bytes:
    return ods(_HEAD, ods_row("a", ods_cell("#DIV/0!", _OF_ERROR)), ods_row("b", "#DIV/0!"))


def ods_with_a_formula_that_was_never_calculated() -> bytes:
    return ods(_HEAD, ods_row("a", '<table:table-cell table:formula="of:=1+1"/>'), ods_row("b", "2"))


def ods_with_a_long_number() -> bytes:
    long = ods_cell("1.23456789012346E+018", ' office:value-type="float" office:value="1234567890123456789"')
    return ods(_HEAD, ods_row("a", long), ods_row("b", "2"))


def ods_with_honest_types() -> bytes:
    header = ods_row("name", "value", "when", "flag")
    day = ods_cell("02/01/26", ' office:value-type="date" office:date-value="2026-01-02"')
    yes = ods_cell("TRUE", ' office:value-type="boolean" office:boolean-value="true"')
    return ods(header, ods_row("a", "=1+1", day, yes), ods_row("b", "NA"))


def ods_with_hidden_rows() -> bytes:
    hidden = (ods_row("a", "1", attributes=f' table:visibility="{how}"') for how in ("collapse", "filter"))
    return ods(_HEAD, *hidden, ods_row("c", "3"))


def ods_with_merged_cells() -> bytes:
    over = ' office:value-type="string" table:number-rows-spanned="2" table:number-columns-spanned="1"'
    return ods(_HEAD, ods_row("a", ods_cell("1", over)), ods_row("b", "<table:covered-table-cell/>"), ods_row("c", "3"))


def ods_with_a_million_blank_rows() -> bytes:
    blank = ods_row(_EMPTY, attributes=' table:number-rows-repeated="1048573"')
    return ods(*_ROWS, blank)


def ods_with_a_row_after_blank_rows() -> bytes:
    blank = ods_row(_EMPTY, attributes=' table:number-rows-repeated="1000"')
    return ods(*_ROWS, blank, ods_row("z", "9"))


def ods_with_a_cell_repeated_a_billion_times() -> bytes:
    cell = ods_cell("1", ' office:value-type="string" table:number-columns-repeated="1024"')
    return ods(_HEAD, ods_row(cell, attributes=' table:number-rows-repeated="1048575"'))


def ods_with_a_dtd() -> bytes:
    return ods(*_ROWS, doctype='<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>')


def ods_with_a_password() -> bytes:
    key = '<manifest:encryption-data manifest:checksum-type="SHA1/1K" manifest:checksum="AAAA"/>'
    return ods(*_ROWS, encrypted=key)


def ods_without_its_content() -> bytes:
    return zip_of({"mimetype": ODS_TYPE})


def ods_cut_in_half() -> bytes:
    whole = a_good_ods()
    return whole[: len(whole) // 2]


def a_binary_workbook() -> bytes:
    return zip_of({"xl/workbook.bin": b"\x83\1\0"})
