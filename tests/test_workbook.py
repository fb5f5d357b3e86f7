"""What a workbook really says: the cells that openpyxl reads, and what it hides; hostile ones are refused at once."""

import zipfile
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkload.cells import Kind
from bulkload.models import Frame
from bulkload.read import open_book
from tests.readers import ours, through_calamine, through_openpyxl, values
from tests.test_read import SHEET, edit, only, refusal, rows_of, workbook

HERE = Path(__file__).parent.parent
HONEST = sorted([*HERE.glob("templates/*.xlsx"), *HERE.glob("samples/*.xlsx")])
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


# --- the same cells as others read ------------------------------------------------------------------------------------


def assert_others_read_the_same(path: Path) -> None:
    assert ours(path) == through_openpyxl(path)
    assert values(path) == through_calamine(path)


PAIRS = [("7", 7), ("7", "07"), (0.5, 0.25), (date(2026, 1, 2), date(2026, 2, 1)), (True, "true"), ("a", None)]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_one_cell_that_is_another_is_seen(tmp_path: Path, one: Any, other: Any) -> None:
    mine, theirs = (workbook(tmp_path / f"{at}.xlsx", ["a", "b"], ["x", cell]) for at, cell in enumerate((one, other)))
    assert_others_read_the_same(mine)
    assert values(mine) != through_calamine(theirs)
    if (one, other) != ("7", 7):  # there the texts are the same
        assert ours(mine) != through_openpyxl(theirs)


@pytest.mark.parametrize("path", HONEST, ids=lambda path: path.name)
def test_every_workbook_of_the_house_reads_as_others_read_it(path: Path) -> None:
    assert_others_read_the_same(path)


# XML has no control characters and no surrogates; `_x` begins an escape of Excel's.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"], include_characters="\t\n"), max_size=12).filter(
    lambda text: "_x" not in text and not text.startswith(("=", "{="))
)
WHOLE = st.integers(-(10**15) + 1, 10**15 - 1)
DECIMAL = st.decimals(-(10**6), 10**6, places=4).map(float)
DAY = st.dates(date(1900, 3, 1), date(9999, 12, 31))
MOMENT = st.datetimes(datetime(1900, 3, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda one: one.replace(microsecond=0)
)
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
def test_what_xlsxwriter_writes_reads_as_others_read_it(
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
    assert_others_read_the_same(path)


@settings(deadline=None, max_examples=50)
@given(rows=TABLE)
def test_what_openpyxl_writes_reads_as_others_read_it(
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
    assert_others_read_the_same(path)


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


# --- what a workbook hides --------------------------------------------------------------------------------------------


def only_frame(path: Path) -> Frame:
    (frame,) = only(open_book(path)).frames()
    return frame


def test_each_cell_has_its_kind(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", list("abcdef"), ["x", 1, True, date(2026, 1, 2), clock(8), "=A2"])
    edit(path, SHEET, '<c r="F2"><f>A2</f><v />', '<c r="F2" t="str"><f>A2</f><v>x</v>')
    kinds = {position: Kind(of_column[0]) for position, of_column in only_frame(path).kinds.items()}
    assert kinds == {2: Kind.NUMBER, 3: Kind.BOOLEAN, 4: Kind.DATE, 5: Kind.TIME, 6: Kind.FORMULA}


def test_hidden_rows_and_blank_rows_are_counted(tmp_path: Path) -> None:
    def more(book: Any) -> None:
        book.active["A3"], book.active["A7"] = "two", "three"
        for row in (3, 4, 5):
            book.active.row_dimensions[row].hidden = True
        book.active["A5"].number_format = book.active["A9"].number_format = "0.00"  # blank, with a format
        book.active.column_dimensions["B"].hidden = book.active.column_dimensions["D"].hidden = True

    path = workbook(tmp_path / "a.xlsx", ["a", "b"], ["one"], more=more)
    frame = only_frame(path)
    assert (list(frame.text.index), frame.hidden_rows, frame.blank_rows) == ([2, 3, 7], 1, 5)
    assert only(open_book(path)).facts == ("1 hidden column is included: B",)


@pytest.mark.parametrize(
    ("merged", "refused"),
    [
        ("A2:A3", True),
        ("A1:A2", True),
        ("A3:B3", True),
        ("A1:B1", False),
        ("A2:A2", False),
        ("A4:B9", False),
        ("C2:C3", False),
    ],
)
def test_merged_cells_among_the_rows_are_refused(tmp_path: Path, merged: str, refused: bool) -> None:
    path = workbook(tmp_path / "a.xlsx", ["a", "b"], ["1", "2"], ["3", "4"])
    edit(path, SHEET, "</sheetData>", f'</sheetData><mergeCells count="1"><mergeCell ref="{merged}"/></mergeCells>')
    if refused:
        says = "merged cells, of which the first alone has a value: unmerge them and fill in each"
        assert refusal(path) == f"a.xlsx: Sheet1!{merged}: {says}"
    else:
        assert len(rows_of(only(open_book(path)))) == 2


VALUE = '<c r="B2" t="n"><v>1</v>'


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [
        (MAIN, "http://purl.oclc.org/ooxml/spreadsheetml/main", ["x", "1"]),
        ('<c r="B2" t="n">', "<c>", ["x", "1"]),
        ('<row r="2"', "<row", ["x", "1"]),
        (VALUE, '<c r="B2" t="d"><v>2026-01-02T00:00:00</v>', ["x", "2026-01-02"]),
        (VALUE, '<c r="B2" t="d"><v>2026-01-02T08:30:00Z</v>', ["x", "2026-01-02T08:30:00"]),
        (VALUE, '<c r="B2" t="d"><v>T08:30:00</v>', ["x", "08:30:00"]),
        (VALUE, '<c r="B2" t="s"><v></v>', ["x", ""]),
        (VALUE, '<c r="B2" t="str"><v> a &#233;&amp; </v>', ["x", " a \u00e9& "]),
        (VALUE, '<c r="B2"><v>\n 1 </v><extLst>5</extLst>', ["x", "1"]),
        ("<t>x</t>", "<r><t>x</t></r><rPh><t>y</t></rPh><r><t>z</t></r>", ["xz", "1"]),
        ("<t>x</t>", "<t><![CDATA[<c>]]></t>", ["<c>", "1"]),
        ("<t>x</t>", "<t><!-- </row> -->x</t>", ["x", "1"]),
        ("<sheetData>", "<!-- <sheetData><row r='9'/> --><sheetData>", ["x", "1"]),
        ("</sheetData>", "</sheetData><oddFooter>7</oddFooter>", ["x", "1"]),
    ],
)
def test_xml_as_programs_may_spell_it(tmp_path: Path, old: str, new: str, row: list[str]) -> None:
    path = edit(workbook(tmp_path / "a.xlsx", ["a", "b"], ["x", 1]), SHEET, old, new)
    assert rows_of(only(open_book(path))) == {2: row}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("<v>1</v>", "<v>one</v>", "damaged or incomplete"),
        ("<v>1</v>", "<v>1_0</v>", "damaged or incomplete"),
        ('<c r="B2"><v>1</v>', '<c r="B2" t="s"><v>-1</v>', "damaged or incomplete"),
        ('<c r="B2"><v>1</v>', '<c r="B2" t="b"><v>7</v>', "damaged or incomplete"),
        ('<c r="B2"><v>1</v>', '<c r="B2" s="99"><v>1</v>', "damaged or incomplete"),
        ("<t>x</t>", "<t>\x0b</t>", "damaged or incomplete"),
        ("<sheetData>", "<sheetdata>", "damaged or incomplete"),
        ('<c r="B2">', '<c r="B2" tt="s">', "damaged or incomplete"),
        ('<c r="B2">', '<c r="B2"> t="s">', "damaged or incomplete"),
        ('<c r="B2"><v>1</v></c>', '<d r="B2"/>', "damaged or incomplete"),
        ("<v>1</v>", "<w>1</w>", "damaged or incomplete"),
        ('<row r="2">', '<row r="2">=', "damaged or incomplete"),
        ('<row r="2">', '<row r="2" hiden="1">', "damaged or incomplete"),
        ('<row r="2">', '<row r="2" hidden="I">', "damaged or incomplete"),
        ("</sheetData>", '<roe r="3"/></sheetData>', "damaged or incomplete"),
        ("</sheetData>", '</sheetData><mergeCells><mergeCel ref="A2:A3"/></mergeCells>', "damaged or incomplete"),
        ("<sheetData>", '<cols><col min="1" max="1" hidde="1"/></cols><sheetData>', "damaged or incomplete"),
        ('<row r="2"', '<row r="1048577"', "outside Excel's"),
        ('r="B2"', 'r="A2"', "out of order"),
        ('r="B2"', 'r="B3"', "out of order"),
        ('r="B2"', 'r="XFD2"', "a.xlsx: Sheet1!XFD2: data outside the header's columns"),
    ],
)
def test_a_sheet_that_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = workbook(tmp_path / "a.xlsx", ["a", "b"], ["x", 1])
    edit(path, SHEET, ' t="n"', "")  # so that the row is plain
    assert says in refusal(edit(path, SHEET, old, new))


WORKBOOK, RELATIONS, STYLES = "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml"


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        (WORKBOOK, "<workbookPr", '<workbookPr date1905="1"'),
        (WORKBOOK, "<workbookPr", '<workbookPr date1904="yes"'),
        (WORKBOOK, "<workbookPr", "<workbookpr"),
        (WORKBOOK, "<sheets>", '<sheets><shee name="b" sheetId="2" r:id="rId9"/>'),
        (WORKBOOK, 'state="visible"', 'stale="hidden"'),
        (WORKBOOK, 'state="visible"', 'state="hiden"'),
        (WORKBOOK, "officeDocument/2006/relationships", "officeDocument/2026/relationships"),
        (RELATIONS, "relationships/worksheet", "relationships/worksheat"),
        (STYLES, "<cellXfs>", "<cellXfs><xy/>"),
        (STYLES, "numFmtId", "numFmdId"),
        (STYLES, 'numFmtId="164" formatCode', 'numFmtId="165" formatCode'),
        (STYLES, "styleSheet", "stileSheet"),
    ],
)
def test_a_workbook_that_contradicts_itself_is_refused(tmp_path: Path, part: str, old: str, new: str) -> None:
    """A word that is unknown where a word has a meaning: to pass over it would change dates, or lose a sheet."""
    path = workbook(tmp_path / "a.xlsx", ["a"], [datetime(2026, 1, 2)])  # noqa: DTZ001
    if "cellXfs" in old:
        edit(path, part, '<cellXfs count="2">', "<cellXfs>")
    assert "damaged or incomplete" in refusal(edit(path, part, old, new))


def shared(path: Path, old: str, new: str) -> Path:
    book = xlsxwriter.Workbook(path)
    book.add_worksheet("Sheet1").write_column(0, 0, ["a", "x", "y"])
    book.close()
    return edit(path, "xl/sharedStrings.xml", old, new)


def test_what_is_no_shared_string_is_never_counted_as_one(tmp_path: Path) -> None:
    first = "<si><t>a</t></si>"
    hidden = shared(tmp_path / "a.xlsx", first, f"<!-- <si><t>old</t></si> -->{first}")
    assert rows_of(only(open_book(hidden))) == {2: ["x"], 3: ["y"]}
    extended = shared(tmp_path / "b.xlsx", "</sst>", "<extLst><ext><b>z</b></ext></extLst></sst>")
    assert rows_of(only(open_book(extended))) == {2: ["x"], 3: ["y"]}
    assert "damaged or incomplete" in refusal(shared(tmp_path / "c.xlsx", first, f"<sj/>{first}"))


def test_a_text_that_no_workbook_can_hold_is_read_whole(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    book.add_worksheet("Sheet1").write_column(0, 0, ["a", "long"])
    book.close()
    path = edit(tmp_path / "a.xlsx", "xl/sharedStrings.xml", "<t>long</t>", f"<t>{'x' * 40_000}</t>")
    assert rows_of(only(open_book(path))) == {2: ["x" * 40_000]}


def test_links_and_macros_are_told_and_never_followed(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["a"], ["x"])
    link = f'<Relationship Id="rId99" Target="externalLinks/externalLink1.xml" Type="{MAIN}/externalLink"/>'
    edit(path, "xl/_rels/workbook.xml.rels", "</Relationships>", f"{link}</Relationships>")
    assert open_book(path).facts == (
        "It takes values from other workbooks, as they were when it was saved. None of those was opened.",
    )
    plain, macros = "vnd.openxmlformats-officedocument.spreadsheetml.sheet.main", "vnd.ms-excel.sheet.macroEnabled.main"
    edit(path, "[Content_Types].xml", plain, macros)
    assert "holds macros, which its name hides" in refusal(path)
    book = open_book(path.rename(path.with_suffix(".xlsm")))
    assert book.facts[0] == "Its macros are not run, and no result has them."
    assert rows_of(only(book)) == {2: ["x"]}


def test_a_workbook_by_any_other_name_is_read_and_told(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["a"], ["x"]).rename(tmp_path / "a.xls")
    assert open_book(path).facts == ("Its name ends in .xls, but it is an .xlsx workbook.",)
    assert rows_of(only(open_book(path))) == {2: ["x"]}
