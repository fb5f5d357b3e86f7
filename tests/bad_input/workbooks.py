"""Bad .xlsx workbooks: a function a kind, which makes the file's bytes and is called what the kind is called."""

from random import Random

from tests.bad_input.packages import bomb, compound, packed, zip_of, zipped
from tests.bad_input.sheets import (
    AS_TEXT,
    DATE,
    MACRO_TYPE,
    MAIN,
    OFFICE,
    PERCENT,
    QUOTED,
    SHEET,
    THREE_DIGITS,
    Cell,
    Parts,
    error,
    formula,
    number,
    parts,
    replaced,
    row,
    rows,
    sheet,
    styles,
    text,
    with_strings,
    workbook,
)

HEADER = ("name", "value")
_GOOD = rows(HEADER, ("a", "1"), ("b", "2"))


def _parts() -> Parts:
    return parts({"things": sheet(_GOOD)})


def _of(data: str, before: str = "", after: str = "") -> bytes:
    return zip_of(parts({"things": sheet(data, before, after)}))


def _edited(part: str, old: str, new: str) -> bytes:
    return zip_of(replaced(_parts(), part, old, new))


# --- what a cell is ---------------------------------------------------------------------------------------------------


def a_good_workbook() -> bytes:
    return _of(_GOOD)


def text_that_could_be_a_formula() -> bytes:
    starts = ("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\uff1d1+1", "{=1}")
    return workbook(HEADER, *((f"n{place}", start) for place, start in enumerate(starts)))


def a_formula_that_was_never_calculated() -> bytes:
    return workbook(HEADER, ("a", formula("1+1")), ("b", "2"))


def error_cells() -> bytes:
    found = ("#REF!", "#N/A", "#DIV/0!", "#NAME?")
    return workbook(HEADER, *((f"n{place}", error(one)) for place, one in enumerate(found)), ("b", "2"))


def an_error_cell_beside_a_blank_cell() -> bytes:
    return workbook(HEADER, ("a", error("#N/A")), ("b", None), ("c", "#N/A"))


def dates_that_count_from_1904() -> bytes:
    data = sheet(rows(("name", "when"), ("a", number("1", DATE))))
    return zip_of(parts({"things": data}, properties='<workbookPr date1904="1"/>'))


def days_that_never_were() -> bytes:
    serials = ("0", "59", "60", "61", "-1", "2958466")
    return workbook(("name", "when"), *((f"n{serial}", number(serial, DATE)) for serial in serials))


def numbers_with_more_digits_than_a_spreadsheet_keeps() -> bytes:
    lost = ("9007199254740993", "0.30000000000000004", "1E400")
    kept = ("00123", "1E5", "12345678901234567890")
    cells = [*map(number, lost), *map(text, kept), number("123456789012345")]
    return workbook(HEADER, *((f"n{place}", cell) for place, cell in enumerate(cells)))


def numbers_in_a_column_of_text() -> bytes:
    cells = (number("7"), text("007"), number("7.0"), text("seven"), None)
    return workbook(HEADER, *((f"n{place}", cell) for place, cell in enumerate(cells)))


def numbers_that_are_shown_otherwise() -> bytes:
    return workbook(HEADER, ("a", number("7", THREE_DIGITS)), ("b", number("0.12", PERCENT)))


def a_date_in_a_column_of_text() -> bytes:
    return workbook(HEADER, ("a", number("46024", DATE)), ("b", "1-2"))


def words_that_mean_nothing_to_other_readers() -> bytes:
    words = ("NA", "N/A", "null", "None", "nan", "-nan", "#N/A", "inf")
    return workbook(HEADER, *((word, word) for word in words))


def signs_that_nobody_sees() -> bytes:
    values = ("a\u00a0b", "ab\u200bc", "\ufeffab", "a\u00adb", "ab  ")
    return workbook(("\ufeffname", "value\u00a0 "), *((f"n{place}", one) for place, one in enumerate(values)))


def text_that_runs_backwards() -> bytes:
    return workbook(HEADER, ("a", "gpj\u202eexe"), ("b", "2"))


def the_same_name_composed_in_two_ways() -> bytes:
    return workbook(HEADER, ("Jos\u00e9", "1"), ("Jose\u0301", "1"))


def letters_that_only_look_alike() -> bytes:
    return workbook(HEADER, ("paypal", "1"), ("p\u0430ypal", "1"), ("\ufb01ne", "1"))


def control_characters_as_escapes() -> bytes:
    return workbook(HEADER, ("a", "x_x0001_y"), ("b", "_x005F_x0041_"))


def a_control_character_in_the_xml() -> bytes:
    return _edited(SHEET, ">1<", ">1\x0b2<")


def a_cell_of_40_000_characters() -> bytes:
    return workbook(HEADER, ("a", "x" * 40_000))


def a_shared_text_of_40_000_characters() -> bytes:
    made = parts({"things": sheet(rows(HEADER, ("a", Cell(' t="s"', "<v>0</v>"))))})
    return zip_of(with_strings(made, f'<sst xmlns="{MAIN}"><si><t>{"x" * 40_000}</t></si></sst>'))


def cells_of_every_honest_type() -> bytes:
    header = ("name", "value", "when", "flag")
    rich = Cell(' t="inlineStr"', "<is><r><t>one </t></r><r><rPr><b/></rPr><t>two</t></r></is>")
    aided = Cell(' t="inlineStr"', '<is><t>tokyo</t><rPh sb="0" eb="1"><t>to</t></rPh></is>')
    quoted = Cell(f' s="{QUOTED}" t="inlineStr"', "<is><t>=1+1</t></is>")
    day = Cell(f' s="{DATE}" t="d"', "<v>2026-01-02</v>")
    return workbook(
        header,
        ("a", rich, day, Cell(' t="b"', "<v>1</v>")),
        ("b", aided, number("46024", DATE), Cell(' t="b"', "<v>0</v>")),
        ("c", quoted),
        ("d", Cell(' t="s"', "")),
    )


def cells_that_do_not_say_where_they_stand() -> bytes:
    return _of(
        "".join(
            f"<row>{one}</row>"
            for one in (
                "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in cells)
                for cells in (HEADER, ("a", "1"), ("b", "2"))
            )
        )
    )


def a_protected_sheet() -> bytes:
    return _of(_GOOD, after='<sheetProtection password="CC1A" sheet="1" objects="1" scenarios="1"/>')


def text_that_other_programs_would_run() -> bytes:
    values = ('{"a": [1]}', "<script>alert(1)</script>", "'; DROP TABLE x; --", "../../etc/passwd", "{{7*7}}", "%s%n")
    return workbook(HEADER, *((f"n{place}", one) for place, one in enumerate(values)))


# --- what the sheet is ------------------------------------------------------------------------------------------------


def titles_that_stand_twice() -> bytes:
    return workbook(("name", "value", "name", "Name", None, "when"), ("a", "1", "b", "c", None, "2026-01-02"))


def a_title_above_the_header() -> bytes:
    return workbook(("All our things",), (), HEADER, ("a", "1"))


def cells_merged_over_two_rows() -> bytes:
    merged = '<mergeCells count="1"><mergeCell ref="B2:B3"/></mergeCells>'
    return workbook(HEADER, ("a", "1"), ("b", None), ("c", "3"), after=merged)


def rows_and_columns_that_are_hidden() -> bytes:
    lines = (row(1, HEADER), row(2, ("a", "1"), ' hidden="1"'), row(3, ("b", "2"), ' hidden="1"'), row(4, ("c", "3")))
    columns = '<cols><col min="2" max="2" width="9" hidden="1"/></cols>'
    return _of("".join(lines), columns, '<autoFilter ref="A1:B4"/>')


def hidden_sheets_before_the_data() -> bytes:
    sheets = {"Secret": sheet(rows(("old", "x"), ("1", "2"))), "Deep": sheet(rows(("old",))), "things": sheet(_GOOD)}
    return zip_of(parts(sheets, states={"Secret": "hidden", "Deep": "veryHidden"}))


def sheets_whose_names_differ_only_by_case() -> bytes:
    other = sheet(rows(HEADER, ("other", "9")))
    odd = {"Things": other, "x" * 40: other, "it's/here": other}
    return zip_of(parts({**odd, "things": sheet(_GOOD)}))


def three_thousand_sheets() -> bytes:
    return zip_of(parts({f"Sheet{place}": sheet("") for place in range(3000)}))


def two_hundred_sheets_of_other_things() -> bytes:
    return zip_of(parts({f"Sheet{place}": sheet(rows(("other", "x"), ("1", "2"))) for place in range(200)}))


def an_empty_sheet() -> bytes:
    return _of("")


def a_header_and_no_rows() -> bytes:
    return workbook(HEADER)


def blank_rows_in_the_middle_and_a_total() -> bytes:
    return workbook(HEADER, ("a", "1"), (), ("  ", "\t"), ("b", "2"), ("Total", "3"))


def two_hundred_thousand_blank_rows_with_a_format() -> bytes:
    blank = "".join(f'<row r="{place}"><c r="A{place}" s="{AS_TEXT}"/></row>' for place in range(4, 200_004))
    return _of(_GOOD + blank)


def more_columns_than_anybody_has() -> bytes:
    return workbook([*HEADER, *(f"c{place}" for place in range(3, 16_385))], ("a", "1"))


def a_sheet_that_says_it_is_huge() -> bytes:
    return _of(_GOOD, '<dimension ref="A1:XFD1048576"/>')


def a_sheet_that_says_it_is_small() -> bytes:
    cells = [HEADER, *((f"n{place}", str(place)) for place in range(2, 6))]
    return _of(rows(*cells), '<dimension ref="A1:A2"/>')


def one_cell_in_the_last_corner() -> bytes:
    return _of(_GOOD + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')


def one_cell_in_the_last_row() -> bytes:
    return _of(_GOOD + row(1_048_576, ("z",)))


def a_row_below_the_last() -> bytes:
    return _of(_GOOD + row(1_048_577, ("z",)))


def a_column_beyond_the_last() -> bytes:
    return _of(_GOOD + '<row r="4"><c r="XFE4"><v>1</v></c></row>')


def rows_out_of_order() -> bytes:
    return _of(row(1, HEADER) + row(3, ("a", "1")) + row(2, ("b", "2")))


def cells_out_of_order() -> bytes:
    return _of(row(1, HEADER) + '<row r="2"><c r="B2"><v>1</v></c><c r="A2"><v>2</v></c></row>')


def one_cell_twice() -> bytes:
    return _of(row(1, HEADER) + '<row r="2"><c r="A2"><v>1</v></c><c r="A2"><v>2</v></c></row>')


# --- what the parts are -----------------------------------------------------------------------------------------------


def strict_open_xml() -> bytes:
    strict = {
        MAIN: "http://purl.oclc.org/ooxml/spreadsheetml/main",
        OFFICE: "http://purl.oclc.org/ooxml/officeDocument/relationships",
    }
    made = _parts()
    for old, new in strict.items():
        made = {name: part.replace(old, new) if isinstance(part, str) else part for name, part in made.items()}
    return zip_of(made)


def a_shared_string_that_is_not_there() -> bytes:
    made = with_strings(_parts(), f'<sst xmlns="{MAIN}" count="0" uniqueCount="0"/>')
    return zip_of(replaced(made, SHEET, str_cell("B2", "1"), '<c r="B2" t="s"><v>99</v></c>'))


def str_cell(place: str, value: str) -> str:
    """A text cell as `rows()` writes it."""
    one = text(value)
    return f'<c r="{place}"{one.attributes}>{one.content}</c>'


def four_billion_strings_that_are_not_there() -> bytes:
    return zip_of(with_strings(_parts(), f'<sst xmlns="{MAIN}" count="4294967295" uniqueCount="4294967295"></sst>'))


def styles_that_are_no_xml() -> bytes:
    return _edited("xl/styles.xml", "</styleSheet>", "<")


def styles_with_an_empty_fill() -> bytes:
    return zip_of({**_parts(), "xl/styles.xml": styles("<fill/>")})


def a_sheet_whose_part_is_missing() -> bytes:
    made = _parts()
    return zip_of({name: part for name, part in made.items() if name != SHEET})


def a_part_that_stands_twice() -> bytes:
    entries = [packed(name, part.encode()) for name, part in _parts().items() if isinstance(part, str)]
    return zipped([*entries, packed(SHEET, sheet(rows(HEADER, ("evil", "1"))).encode())])


def parts_that_lead_out_of_the_zip() -> bytes:
    return zip_of({**_parts(), "../../evil": "x", "/abs": "x"})


def _with_doctype(declared: str, used: str) -> bytes:
    made = replaced(_parts(), SHEET, "<worksheet", f"<!DOCTYPE x [{declared}]><worksheet")
    return zip_of(replaced(made, SHEET, ">1<", f">{used}<"))


def a_billion_laughs() -> bytes:
    laughs = "".join(f'<!ENTITY e{place} "{f"&e{place - 1};" * 10}">' for place in range(1, 10))
    return _with_doctype(f'<!ENTITY e0 "lol">{laughs}', "&e9;")


def a_long_entity_used_often() -> bytes:
    long = Random(1).randbytes(100_000).hex()  # noise, so that it is no bomb of a zip besides
    return _with_doctype(f'<!ENTITY e "{long}">', "&e;" * 2000)


def an_entity_that_reads_a_file() -> bytes:
    return _with_doctype('<!ENTITY e SYSTEM "file:///etc/passwd">', "&e;")


def a_formula_into_another_workbook() -> bytes:
    made = parts({"things": sheet(rows(HEADER, ("a", formula("[1]Prices!A1", "12"))))})
    link = '<Relationship Id="rId9" Type="{0}/externalLink" Target="externalLinks/externalLink1.xml"/></Relationships>'
    made = replaced(made, "xl/_rels/workbook.xml.rels", "</Relationships>", link.format(OFFICE))
    made = replaced(
        made,
        "xl/workbook.xml",
        "</sheets>",
        '</sheets><externalReferences><externalReference r:id="rId9"/></externalReferences>',
    )
    book = f'<externalLink xmlns="{MAIN}" xmlns:r="{OFFICE}"><externalBook r:id="rId1"/></externalLink>'
    target = "file:///nowhere/prices.xlsx"
    relation = f'<Relationship Id="rId1" Type="{OFFICE}/externalLinkPath" Target="{target}" TargetMode="External"/>'
    relations = f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relation}</Relationships>'
    more = {"xl/externalLinks/externalLink1.xml": book, "xl/externalLinks/_rels/externalLink1.xml.rels": relations}
    return zip_of({**made, **more})


def a_workbook_with_macros() -> bytes:
    return zip_of({**parts({"things": sheet(_GOOD)}, kind=MACRO_TYPE), "xl/vbaProject.bin": b"\0not really\0"})


# --- what the file is -------------------------------------------------------------------------------------------------


def a_workbook_cut_in_half() -> bytes:
    whole = a_good_workbook()
    return whole[: len(whole) // 2]


def two_bytes_flipped() -> bytes:
    whole = _of(rows(HEADER, *((f"name {place}", str(place * place)) for place in range(500))))
    place = whole.rindex(SHEET.encode(), 0, whole.index(b"PK\1\2")) + len(SHEET) + 400
    return whole[:place] + bytes(255 - byte for byte in whole[place : place + 2]) + whole[place + 2 :]


def nothing_at_all() -> bytes:
    return b""


def text_and_no_workbook() -> bytes:
    return b"name,value\na,1\n"


def a_page_of_html() -> bytes:
    return b"<html><body><table><tr><td>name</td></tr><tr><td>a</td></tr></table></body></html>"


def a_pdf() -> bytes:
    return b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"


def a_zip_of_letters() -> bytes:
    return zip_of({"letter.txt": "Dear all"})


def a_workbook_with_a_password() -> bytes:
    return compound({"EncryptionInfo": b"\4\0\4\0\x40\0\0\0<encryption/>", "EncryptedPackage": bytes(range(256)) * 16})


# --- bombs ------------------------------------------------------------------------------------------------------------

_MEBIBYTE = 1 << 20


def _bombed(made: Parts, name: str, block: str, times: int) -> bytes:
    """The parts with one that has its `BOMB` replaced by that many blocks."""
    content = made[name]
    assert isinstance(content, str)
    head, _, tail = content.partition("BOMB")
    entries = [packed(other, part.encode()) for other, part in made.items() if other != name and isinstance(part, str)]
    return zipped([*entries, bomb(name, head.encode(), block.encode(), times, tail.encode())])


def a_gibibyte_of_blanks() -> bytes:
    return _bombed(parts({"things": sheet(_GOOD + "BOMB")}), SHEET, " " * _MEBIBYTE, 1024)


def a_million_rows_of_the_same_cells() -> bytes:
    block = f"<row>{'<c><v>1</v></c>' * 20}</row>" * 1024
    return _bombed(parts({"things": sheet(_GOOD + "BOMB")}), SHEET, block, 1024)


def a_string_of_a_gibibyte() -> bytes:
    made = with_strings(_parts(), f'<sst xmlns="{MAIN}"><si><t>BOMB</t></si></sst>')
    return _bombed(made, "xl/sharedStrings.xml", "x" * _MEBIBYTE, 1024)


def more_styles_than_excel_keeps() -> bytes:
    noise = Random(1)  # so that it is no bomb of a zip besides
    styles = "".join(f"<xf numFmtId='{noise.randrange(10**9)}'/>" for _ in range(70_000))
    return _edited("xl/styles.xml", "</cellXfs>", f"{styles}</cellXfs>")


def two_hundred_million_styles() -> bytes:
    made = replaced(_parts(), "xl/styles.xml", "</cellXfs>", "BOMB</cellXfs>")
    return _bombed(made, "xl/styles.xml", "<xf/>" * 200_000, 1024)
