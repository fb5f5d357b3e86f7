"""The table: each kind of bad file, what must become of it, what must be said, and the rows that must go out.

Read a line aloud: a workbook with error cells is invalid, which is told with B2, #REF! and correct; row 6 goes out.
"""

from functools import partial
from typing import Any
from unittest.mock import ANY

from tests.bad_input import old_and_open as old
from tests.bad_input import texts as csv
from tests.bad_input import workbooks as xlsx
from tests.bad_input.judge import ACCEPT, INVALID, REFUSE, TELL, Kind, Rows

_xlsx, _xls, _ods, _csv = (partial(Kind, file=f"a.{ending}") for ending in ("xlsx", "xls", "ods", "csv"))

DAMAGED = "damaged|incomplete"
TOO_BIG = "too large|too big|too many|more than|over the limit|at most|unpacks? to"


def _values(*values: Any) -> Rows:
    return {row: (f"n{row - 2}", value) for row, value in enumerate(values, 2)}


def _words(*words: str) -> Rows:
    return {row: (word, word) for row, word in enumerate(words, 2)}


GOOD: Rows = {2: ("a", "1"), 3: ("b", "2")}
LAST: Rows = {3: ("b", "2")}
# Rows that are too long for a line of the table.
_FORMULAS = _values("=1+1", "+1", "-1+1", "@SUM(A1)", "=1", "\uff1d1+1", "{=1}")
_CSV_FORMULAS = _values("=1+1", "+1", "-1+1", "@SUM(A1)", "\uff1d1+1")
_KEPT = {5: ("n3", "00123"), 6: ("n4", "1E5"), 7: ("n5", "12345678901234567890"), 8: ("n6", "123456789012345")}
_SEVENS = {2: ("n0", "7"), 3: ("n1", "007"), 4: ("n2", "7"), 5: ("n3", "seven"), 6: ("n4",)}
_WORDS = _words("NA", "N/A", "null", "None", "nan", "-nan", "#N/A", "inf")
_CSV_WORDS = _words("NA", "null", "None", "nan", "N/A")
_HONEST = {2: ("a", "one two", "2026-01-02", True), 3: ("b", "tokyo", "2026-01-02", False), 4: ("c", "=1+1"), 5: ("d",)}
_CODE = _values('{"a": [1]}', "<script>alert(1)</script>", "'; DROP TABLE x; --", "../../etc/passwd", "{{7*7}}", "%s%n")
_CODES = _values("00123", "1e5", "12345678901234567890", "1_000", "0x10", "1", "1.0", "+1", "infinity")
_TWICE = {2: ("José".encode().decode("cp1252"), "1"), 3: ("Ana", "2")}

WORKBOOKS = (
    _xlsx(xlsx.a_good_workbook, ACCEPT, rows=GOOD),
    _xlsx(xlsx.strict_open_xml, ACCEPT | REFUSE, "Strict & save", GOOD),
    _xlsx(xlsx.text_that_could_be_a_formula, ACCEPT | TELL, rows=_FORMULAS),
    _xlsx(xlsx.a_formula_that_was_never_calculated, INVALID, "B2 & formula & save", LAST),
    _xlsx(xlsx.error_cells, INVALID, "B2 & #REF! & correct", {6: ("b", "2")}),
    _xlsx(xlsx.an_error_cell_beside_a_blank_cell, INVALID, "B2 & #N/A", {3: ("b",), 4: ("c", "#N/A")}),
    _xlsx(xlsx.dates_that_count_from_1904, ACCEPT, rows={2: ("a", "1904-01-02")}),
    _xlsx(xlsx.days_that_never_were, INVALID, "B2 & date", {3: ("n59", "1900-02-28"), 5: ("n61", "1900-03-01")}),
    _xlsx(
        xlsx.numbers_with_more_digits_than_a_spreadsheet_keeps,
        INVALID,
        "B2 & 9007199254740993 & rounded & as Text",
        _KEPT,
    ),
    _xlsx(xlsx.numbers_in_a_column_of_text, TELL, "B2 & number", _SEVENS),
    _xlsx(xlsx.numbers_that_are_shown_otherwise, TELL, "B2 & number", {2: ("a", "007"), 3: ("b", "12%")}),
    _xlsx(xlsx.a_date_in_a_column_of_text, TELL | INVALID, "B2 & date", {2: ("a", "2026-01-02"), 3: ("b", "1-2")}),
    _xlsx(xlsx.words_that_mean_nothing_to_other_readers, ACCEPT, rows=_WORDS),
    _xlsx(
        xlsx.signs_that_nobody_sees,
        TELL,
        r"U\+200B & U\+00A0 & U\+00AD & B[23]",
        _values("a b", "abc", "ab", "ab", "ab"),
    ),
    _xlsx(xlsx.text_that_runs_backwards, INVALID, r"B2 & U\+202E", LAST),
    _xlsx(xlsx.the_same_name_composed_in_two_ways, TELL, "row 3 & row 2|A2", {2: (ANY, "1"), 3: (ANY, "1")}),
    _xlsx(
        xlsx.letters_that_only_look_alike,
        ACCEPT | TELL,
        rows={2: ("paypal", "1"), 3: ("p\u0430ypal", "1"), 4: (ANY, "1")},
    ),
    _xlsx(xlsx.control_characters_as_escapes, TELL | INVALID, r"B2 & U\+0001", {2: ("a", "xy"), 3: ("b", "_x0041_")}),
    _xlsx(xlsx.a_control_character_in_the_xml, REFUSE, DAMAGED),
    _xlsx(xlsx.a_cell_of_40_000_characters, TELL, "B2 & 32,767", {2: ("a", "x" * 40000)}),
    _xlsx(xlsx.a_shared_text_of_40_000_characters, TELL, "B2 & 32,767", {2: ("a", "x" * 40000)}),
    _xlsx(xlsx.cells_of_every_honest_type, ACCEPT, rows=_HONEST),
    _xlsx(xlsx.a_protected_sheet, ACCEPT, rows=GOOD),
    _xlsx(xlsx.cells_that_do_not_say_where_they_stand, ACCEPT, rows=GOOD),
    _xlsx(xlsx.text_that_other_programs_would_run, ACCEPT, rows=_CODE),
    _xlsx(xlsx.titles_that_stand_twice, REFUSE, "C1 & D1 & E1"),
    _xlsx(xlsx.a_title_above_the_header, REFUSE, "row 1 & --header-row 3"),
    _xlsx(xlsx.cells_merged_over_two_rows, INVALID | REFUSE, "B2:B3", {2: ("a", "1"), 4: ("c", "3")}),
    _xlsx(xlsx.rows_and_columns_that_are_hidden, TELL, "2 hidden rows", {**GOOD, 4: ("c", "3")}),
    _xlsx(xlsx.hidden_sheets_before_the_data, TELL, "things & Secret.*hidden & Deep.*hidden", GOOD),
    _xlsx(xlsx.sheets_whose_names_differ_only_by_case, ACCEPT | TELL, "things", GOOD, sheet="things"),
    _xlsx(xlsx.three_thousand_sheets, REFUSE, r"3,?00\d & sheets"),
    _xlsx(xlsx.two_hundred_sheets_of_other_things, REFUSE, "no column of & 195 more"),
    _xlsx(xlsx.an_empty_sheet, REFUSE, "no header|empty"),
    _xlsx(xlsx.a_header_and_no_rows, REFUSE, "no row"),
    _xlsx(
        xlsx.blank_rows_in_the_middle_and_a_total,
        TELL,
        "2 blank rows",
        {2: ("a", "1"), 5: ("b", "2"), 6: ("Total", "3")},
    ),
    _xlsx(xlsx.two_hundred_thousand_blank_rows_with_a_format, TELL, "2 rows for & 200,000 blank rows"),
    _xlsx(xlsx.more_columns_than_anybody_has, REFUSE, "columns & 16,?384|more than"),
    _xlsx(xlsx.a_sheet_that_says_it_is_huge, ACCEPT, rows=GOOD),
    _xlsx(xlsx.a_sheet_that_says_it_is_small, ACCEPT, rows={row: (f"n{row}", str(row)) for row in range(2, 6)}),
    _xlsx(xlsx.one_cell_in_the_last_corner, REFUSE, "XFD1048576", hostile=True),
    _xlsx(xlsx.one_cell_in_the_last_row, TELL, "1,048,572 blank rows", {**GOOD, 1048576: ("z",)}),
    _xlsx(xlsx.a_row_below_the_last, REFUSE, "1,?048,?57[67]", hostile=True),
    _xlsx(xlsx.a_column_beyond_the_last, REFUSE, "XF[DE]", hostile=True),
    _xlsx(xlsx.rows_out_of_order, REFUSE, DAMAGED),
    _xlsx(xlsx.cells_out_of_order, REFUSE, DAMAGED),
    _xlsx(xlsx.one_cell_twice, REFUSE, DAMAGED),
    _xlsx(xlsx.a_shared_string_that_is_not_there, REFUSE, DAMAGED),
    _xlsx(xlsx.four_billion_strings_that_are_not_there, ACCEPT, rows=GOOD, hostile=True),
    _xlsx(xlsx.styles_that_are_no_xml, TELL | REFUSE, "damaged|values only", GOOD),
    _xlsx(xlsx.styles_with_an_empty_fill, ACCEPT, rows=GOOD),
    _xlsx(xlsx.a_sheet_whose_part_is_missing, REFUSE, DAMAGED),
    _xlsx(xlsx.a_part_that_stands_twice, REFUSE, "twice|duplicate|same part"),
    _xlsx(xlsx.parts_that_lead_out_of_the_zip, REFUSE, "evil|/abs|damaged"),
    _xlsx(xlsx.a_billion_laughs, REFUSE, "DTD"),
    _xlsx(xlsx.a_long_entity_used_often, REFUSE, "DTD"),
    _xlsx(xlsx.an_entity_that_reads_a_file, REFUSE, "DTD", never="root:"),
    _xlsx(xlsx.a_formula_into_another_workbook, TELL, "B2 & (other|another) (workbook|file)", {2: ("a", "12")}),
    _xlsx(xlsx.a_workbook_with_macros, TELL, "macros", GOOD, file="b.xlsm"),
    _xlsx(xlsx.a_workbook_with_macros, REFUSE, r"macros & \.xlsm"),
    _xlsx(xlsx.a_workbook_cut_in_half, REFUSE, DAMAGED),
    _xlsx(xlsx.two_bytes_flipped, REFUSE, DAMAGED),
    _xlsx(xlsx.nothing_at_all, REFUSE, "empty"),
    _xlsx(xlsx.text_and_no_workbook, REFUSE, r"text & \.csv"),
    _xlsx(xlsx.a_page_of_html, REFUSE, r"HTML & \.xlsx", file="a.xls"),
    _xlsx(xlsx.a_pdf, REFUSE, "PDF"),
    _xlsx(xlsx.a_good_workbook, REFUSE, r"workbook & \.xlsx", file="b.csv"),
    _xlsx(xlsx.a_good_workbook, TELL, r"\.xlsx", GOOD, file="b.xls"),
    _xlsx(xlsx.a_zip_of_letters, REFUSE, "(no|not an?) (Excel )?workbook"),
    _xlsx(xlsx.a_workbook_with_a_password, REFUSE, "password & save"),
    _xlsx(xlsx.a_gibibyte_of_blanks, REFUSE, TOO_BIG, hostile=True),
    _xlsx(xlsx.a_million_rows_of_the_same_cells, REFUSE, TOO_BIG, hostile=True),
    _xlsx(xlsx.a_string_of_a_gibibyte, REFUSE, TOO_BIG, hostile=True),
    _xlsx(xlsx.more_styles_than_excel_keeps, REFUSE, "65,536 cell formats"),
    _xlsx(xlsx.two_hundred_million_styles, REFUSE, TOO_BIG, hostile=True),
)

OLD_AND_OPEN = (
    _xls(old.a_good_xls, ACCEPT, rows=GOOD),
    _xls(old.a_good_xls, TELL, r"\.xls\b", GOOD, file="b.xlsx"),
    _xls(old.xls_with_error_cells, INVALID, "B2 & #REF! & correct", {4: ("c", "3")}),
    _xls(old.xls_with_numbers_that_are_shown_otherwise, TELL, "B2 & number", {2: ("a", "007", "2026-01-02")}),
    _xls(old.xls_with_a_long_number, INVALID, "B2 & rounded & as Text", LAST),
    _xls(old.xls_with_days_that_never_were, INVALID, "B2 & date", {4: ("n61", "1900-03-01")}),
    _xls(old.xls_with_dates_that_count_from_1904, ACCEPT, rows={2: ("a", "1904-01-02")}),
    _xls(old.xls_with_hidden_rows, TELL, "2 hidden rows", {**GOOD, 4: ("c", "3")}),
    _xls(old.xls_with_merged_cells, INVALID | REFUSE, "B2:B3", {2: ("a", "1"), 4: ("c", "3")}),
    _xls(old.xls_with_blank_rows, TELL, "2 blank rows", {2: ("a", "1"), 5: ("b", "2")}),
    _xls(old.xls_cut_in_half, REFUSE, DAMAGED),
    _ods(old.a_good_ods, ACCEPT, rows=GOOD),
    _ods(old.ods_with_error_cells, INVALID, "B2 & #DIV/0! & correct", {3: ("b", "#DIV/0!")}),
    _ods(old.ods_with_a_formula_that_was_never_calculated, INVALID, "B2 & formula & save", LAST),
    _ods(old.ods_with_a_long_number, INVALID, "B2 & rounded & as Text", LAST),
    _ods(old.ods_with_honest_types, ACCEPT, rows={2: ("a", "=1+1", "2026-01-02", True), 3: ("b", "NA")}),
    _ods(old.ods_with_hidden_rows, TELL, "2 hidden rows", {2: ("a", "1"), 3: ("a", "1"), 4: ("c", "3")}),
    _ods(old.ods_with_merged_cells, INVALID | REFUSE, "B2:B3", {2: ("a", "1"), 4: ("c", "3")}),
    _ods(old.ods_with_a_million_blank_rows, ACCEPT | TELL, "blank rows", GOOD),
    _ods(old.ods_with_a_row_after_blank_rows, TELL, "1,000 blank rows", {**GOOD, 1004: ("z", "9")}),
    _ods(old.ods_with_a_cell_repeated_a_billion_times, REFUSE, TOO_BIG, hostile=True),
    _ods(old.ods_with_a_dtd, REFUSE, "DTD", never="root:"),
    _ods(old.ods_with_a_password, REFUSE, "password & save"),
    _ods(old.ods_without_its_content, REFUSE, DAMAGED),
    _ods(old.ods_cut_in_half, REFUSE, DAMAGED),
    _ods(old.a_binary_workbook, REFUSE, r"\.xlsb & \.xlsx", file="b.xlsb"),
)

TEXTS = (
    _csv(csv.a_good_csv, ACCEPT, rows=GOOD),
    _csv(csv.utf_8_with_a_mark, ACCEPT, rows={2: ("José", "1")}),
    _csv(csv.utf_16_with_a_mark, TELL, "UTF-16 & tab", {2: ("José", "1")}),
    _csv(csv.utf_16_big_endian_with_a_mark, TELL, "UTF-16", {2: ("José", "1")}),
    _csv(csv.utf_16_without_a_mark, REFUSE, "NUL & UTF-16"),
    _csv(csv.windows_1252, REFUSE, "line 2 & 0xE9 & UTF-8 & --encoding cp1252"),
    _csv(csv.one_line_of_windows_1252, REFUSE, "line 4 & 0xFC & --encoding"),
    _csv(csv.one_odd_byte_after_200_000_lines, REFUSE, "line 200,?002 & --encoding"),
    _csv(csv.shift_jis, REFUSE, "line 2 & UTF-8 & --encoding"),
    _csv(csv.text_that_was_encoded_twice, TELL, "A2 & José & twice|double", _TWICE),
    _csv(csv.bytes_that_utf_8_forbids, REFUSE, "line 3 & 0xC0"),
    _csv(csv.nul_bytes, REFUSE, "line 3 & NUL"),
    _csv(csv.a_gzip_file, REFUSE, "gzip & unpack"),
    _csv(csv.semicolons_and_decimal_commas, TELL, "semicolon", {2: ("a", "1,5"), 3: ("b", "2,5")}),
    _csv(csv.decimal_commas_in_a_column_of_numbers, INVALID, "B2 & 1,5 & point|comma", {3: ("b", 2.0)}),
    _csv(csv.a_line_that_names_the_delimiter, ACCEPT, rows={3: ("a", "1")}),
    _csv(csv.tabs, TELL, "tab", {2: ("a", "1")}),
    _csv(csv.pipes, REFUSE, "pipe & --delimiter"),
    _csv(csv.a_quote_that_never_closes, REFUSE, "line 3 & quote"),
    _csv(csv.a_quote_in_the_middle, TELL, "line 2 & quote", {2: ("a", '5" pipe'), 3: ("b", "2")}),
    _csv(csv.quotes_after_backslashes, REFUSE, "line 2 & quote"),
    _csv(
        csv.line_ends_within_quotes,
        ACCEPT,
        rows={2: ("a", "x\r\ny"), 3: ("b", "x\ny"), 4: ("c", "x\ry"), 5: ("d", "4")},
    ),
    _csv(
        csv.a_bad_cell_below_a_cell_of_three_lines,
        INVALID,
        "C3 & lines 2 to 4 & many",
        {2: ("a", "x\ny\nz", 1)},
    ),
    _csv(csv.hash_signs, ACCEPT, rows={2: ("#1", "# no remark"), 3: ("b", "2")}),
    _csv(csv.a_row_with_a_field_too_many, REFUSE, "line 3 & 3 fields & 2"),
    _csv(csv.a_row_with_a_field_missing, REFUSE, "line 3 & 1 field & 2"),
    _csv(csv.rows_that_end_in_a_comma, REFUSE, "line 2 & 3 fields & 2"),
    _csv(csv.rows_with_one_field_more_than_the_header, REFUSE, "line 2 & 3 fields & 2"),
    _csv(csv.csv_titles_that_stand_twice, REFUSE, "C1 & D1 & E1"),
    _csv(csv.titles_with_blanks_and_line_ends, ACCEPT | TELL, "title|header", {2: ("a", "1", 2)}),
    _csv(csv.nothing_in_a_csv, REFUSE, "empty"),
    _csv(csv.only_blank_lines, REFUSE, "no header|empty|blank"),
    _csv(csv.only_a_header, REFUSE, "no row"),
    _csv(csv.csv_words_that_mean_nothing_to_other_readers, ACCEPT, rows=_CSV_WORDS),
    _csv(csv.codes_that_look_like_numbers, ACCEPT | TELL, rows=_CODES),
    _csv(
        csv.dates_that_can_be_read_two_ways_or_none,
        INVALID,
        "B2 & 01/02/2024 & --date-format",
        {5: ("n3", "2024-02-29")},
    ),
    _csv(csv.yes_and_no, ACCEPT, rows={2: ("TRUE", True), 3: ("true", True), 4: ("Yes", True), 5: ("no", False)}),
    _csv(csv.csv_text_that_could_be_a_formula, ACCEPT, rows=_CSV_FORMULAS),
    _csv(csv.a_field_of_ten_megabytes, REFUSE, "row 3 & column 2|B & 1,000,000|10,000,000"),
    _csv(csv.twenty_megabytes_without_a_line_end, REFUSE, "line 2 & longer|too long"),
    _csv(csv.a_hundred_thousand_columns, REFUSE, "columns & 100,?000|more than"),
    _csv(csv.ctrl_z_at_the_end, TELL, "Ctrl-Z", {2: ("a", "1")}),
    _csv(csv.signs_that_some_take_for_line_ends, ACCEPT | TELL, rows=_values(ANY, ANY, ANY, ANY)),
    _csv(csv.csv_signs_that_nobody_sees, TELL, r"U\+200B & U\+00A0 & U\+00AD & B2", _values("abc", "a b", "ab")),
    _csv(csv.csv_text_that_runs_backwards, INVALID, r"B2 & U\+202E", LAST),
    _csv(csv.more_rows_than_a_sheet_holds, TELL, "1,048,576 rows & result"),
)

KINDS = (*WORKBOOKS, *OLD_AND_OPEN, *TEXTS)
