"""A file becomes text and nothing else: what is read equals what stands there, or one line says why it can't be."""

import csv
import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkload.errors import UnusableFile, UsageError
from bulkload.models import FRAME_ROWS, Book, Sheet, Spoilt
from bulkload.read import ReadOptions, open_book

Rows = dict[int, list[str]]
AS_IT_IS = ReadOptions()
SHEET = "xl/worksheets/sheet1.xml"


def workbook(path: Path, *rows: list[Any], more: Callable[[Any], object] = lambda book: None) -> Path:
    """A real workbook of one sheet, Sheet1; `more` may add to it before it is saved."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Sheet1"
    for row in rows:
        sheet.append(row)
    more(book)
    book.save(path)
    return path


def edit(path: Path, part: str, old: str, new: str) -> Path:
    """Replace text in a part of a workbook, as no spreadsheet library would write it."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert old.encode() in parts[part]
    parts[part] = parts[part].replace(old.encode(), new.encode())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def text(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of(sheet: Sheet) -> Rows:
    frames = [frame.text for frame in sheet.frames()]
    for frame in frames:
        assert frame.columns.equals(pd.Index(range(1, len(sheet.header) + 1)))
        assert set(map(str, frame.dtypes)) == {"str"} and not frame.isna().any(axis=None)
    whole = pd.concat(frames) if frames else pd.DataFrame()
    values: list[list[str]] = whole.astype(object).to_numpy().tolist()
    return dict(zip(whole.index.tolist(), values, strict=True))


def spoilt_of(sheet: Sheet) -> list[Spoilt]:
    return [spoilt for frame in sheet.frames() for spoilt in frame.spoilt]


def only(book: Book) -> Sheet:
    (sheet,) = book.sheets
    return sheet


def refusal(path: Path, options: ReadOptions = AS_IT_IS) -> str:
    """The message with which a file is refused, on opening it or on reading its rows."""
    with pytest.raises(UnusableFile) as refused:
        for sheet in open_book(path, options).sheets:
            list(sheet.frames())
    assert "\n" not in str(refused.value)
    return str(refused.value)


# --- workbooks --------------------------------------------------------------------------------------------------------


def test_cells_become_the_text_that_a_person_would_type(tmp_path: Path) -> None:
    cells: dict[object, str] = {
        "00123": "00123",
        "1E5": "1E5",
        "NA": "NA",
        "1234567890123456789": "1234567890123456789",
        " a\u00a0 ": " a\u00a0 ",
        "a_x000D_b": "a\rb",
        "_xD800_": "_xD800_",
        5: "5",
        5.5: "5.5",
        -7.0: "-7",
        1e-7: "0.0000001",
        999_999_999_999_999: "999999999999999",
        True: "TRUE",
        False: "FALSE",
        time(0, 20): "00:20:00",
        timedelta(hours=27, minutes=5): "27:05:00",
        date(2026, 1, 2): "2026-01-02",
        datetime(2026, 1, 2, 10): "2026-01-02T10:00:00",  # noqa: DTZ001
        datetime(2026, 1, 3): "2026-01-03",  # noqa: DTZ001
    }
    path = workbook(tmp_path / "a.xlsx", [f"h{position}" for position in range(len(cells))], list(cells))
    sheet = only(open_book(path))
    assert rows_of(sheet) == {2: list(cells.values())}
    assert spoilt_of(sheet) == []


def test_number_of_more_than_15_digits_is_told_as_rounded(tmp_path: Path) -> None:
    texts = ["9007199254740993", "12345678901234500000", "0.30000000000000004", "1000000000000000"]
    path = workbook(tmp_path / "a.xlsx", list("abcd"), [1, 1.23456789012345e19, 0.3, 10**15])
    edit(path, SHEET, "<v>1</v>", "<v>9007199254740993</v>")
    sheet = only(open_book(edit(path, SHEET, "<v>0.3</v>", "<v>0.30000000000000004</v>")))
    assert rows_of(sheet) == {2: texts}
    assert spoilt_of(sheet) == [Spoilt(2, column, "rounded number", found) for column, found in enumerate(texts, 1)]


def test_error_cells_and_impossible_dates_are_told_and_text_that_looks_like_an_error_is_text(tmp_path: Path) -> None:
    def more(book: Any) -> None:
        sheet = book.active
        sheet["A2"].value, sheet["B2"].value = "#REF!", "#REF!"
        sheet["B2"].data_type = "s"
        sheet["A3"].value, sheet["A3"].number_format = 3_000_000, "yyyy-mm-dd"
        sheet["B3"].value, sheet["B3"].number_format = 0.5, "yyyy-mm-dd h:mm"

    sheet = only(open_book(workbook(tmp_path / "a.xlsx", ["a", "b"], more=more)))
    assert rows_of(sheet) == {2: ["#REF!", "#REF!"], 3: ["3000000", "0.5"]}
    assert spoilt_of(sheet) == [
        Spoilt(2, 1, "error cell", "#REF!"),
        Spoilt(3, 1, "no date", "3000000"),
        Spoilt(3, 2, "no date", "0.5"),
    ]


def test_formula_without_stored_value_is_told_even_if_it_stands_alone_in_its_row(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["a", "b", "c", "d"], ["x", "=1+1", '=""', "=2+2"], [None, "=A2"])
    edit(path, SHEET, "<f>2+2</f><v />", "<f>2+2</f><v>4</v>")
    edit(path, SHEET, '<c r="C2"><f>""</f><v />', '<c r="C2" t="str"><f>""</f><v></v>')
    sheet = only(open_book(path))
    assert rows_of(sheet) == {2: ["x", "", "", "4"], 3: ["", "", "", ""]}
    assert spoilt_of(sheet) == [
        Spoilt(2, 2, "formula without value", "a formula"),
        Spoilt(3, 2, "formula without value", "a formula"),
    ]


@pytest.mark.parametrize("inline", [False, True])
def test_text_reads_back_the_same_from_shared_strings_and_from_the_cell_itself(tmp_path: Path, inline: bool) -> None:
    """Excel stores the text `_x0041_` as `_x005F_x0041_` and a control character as `_x0001_`, as XlsxWriter does."""
    texts = ["_x0041_", "x005F_", "\x01", "\r\n", "=1+1", " a ", "<b>&amp;", "\U0001f600", "_x_", "a"]
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx", {"constant_memory": inline})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["h"] * len(texts))
    for column, value in enumerate(texts):
        sheet.write_string(1, column, value)
    sheet.write_rich_string(2, 0, "one ", book.add_format({"bold": True}), "two", " three")
    book.close()
    expected = {2: texts, 3: ["one two three", *[""] * (len(texts) - 1)]}
    assert rows_of(only(open_book(tmp_path / "a.xlsx"))) == expected


def test_reading_aids_of_shared_strings_are_no_text(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    book.add_worksheet().write_column(0, 0, ["h", "tokyo", "x"])
    book.close()
    aid = '<t>tokyo</t><rPh sb="0" eb="1"><t>to</t></rPh>'
    path = edit(tmp_path / "a.xlsx", "xl/sharedStrings.xml", "<t>tokyo</t>", aid)
    assert rows_of(only(open_book(path))) == {2: ["tokyo"], 3: ["x"]}


def test_reading_may_stop_early_and_leaves_no_file_open(tmp_path: Path) -> None:
    for path in (workbook(tmp_path / "a.xlsx", ["a"], ["1"]), text(tmp_path / "a.csv", "a\n1\n")):
        frames = only(open_book(path)).frames()
        next(frames)
        del frames
        path.rename(path.with_name("moved" + path.suffix))  # Windows refuses this while a file is open


def test_sheets_stamp_and_hidden_parts(tmp_path: Path) -> None:
    def more(book: Any) -> None:
        book.active["A3"], book.active["A5"] = "two", "three"
        book.active.row_dimensions[3].hidden = True
        book.active.row_dimensions[4].hidden = True  # blank
        book.create_sheet("About").append(["x"])
        book["About"].sheet_state = "hidden"
        book.create_sheet("Empty")
        book.create_chartsheet("Chart")
        book.create_sheet("_lists").append(["y"])
        stamp = book.create_sheet("_bulkload")
        stamp.append(["run", 7, None])
        stamp.append([])
        stamp.append(["key", "00123"])

    path = workbook(tmp_path / "a.xlsx", ["name"], ["one"], more=more)
    book = open_book(path)
    assert (book.path, book.sha256) == (str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    assert book.stamp == (("run", "7"), (), ("key", "00123"))
    assert [(s.name, s.header, s.header_row, s.hidden, s.facts, rows_of(s)) for s in book.sheets] == [
        ("Sheet1", ("name",), 1, False, (), {2: ["one"], 3: ["two"], 5: ["three"]}),
        ("About", ("x",), 1, True, (), {}),
        ("Empty", (), 1, False, (), {}),
    ]
    assert [sheet.name for sheet in open_book(path, ReadOptions(sheet="About")).sheets] == ["About"]
    assert refusal(path, ReadOptions(sheet="about")) == (
        'a.xlsx has no sheet "about": its sheets are Sheet1, About, Empty. Name one of them'
    )


def test_header_row_may_be_named_and_blank_titles_stay_between(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["A title", None], [], ["a", None, "c", " "], ["1", None, None], [" ", "\t"], [None, "2"]]
    path = workbook(tmp_path / "a.xlsx", *rows)
    sheet = only(open_book(path, ReadOptions(header_row=3)))
    assert (sheet.header, sheet.header_row) == (("a", "", "c"), 3)
    assert rows_of(sheet) == {4: ["1", "", ""], 6: ["", "2", ""]}
    with pytest.raises(UsageError):
        open_book(path, ReadOptions(header_row=0))


def test_data_outside_the_header_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["a"], ["1", " "], ["2", None, "x"])
    assert refusal(path) == "a.xlsx: Sheet1!C3: data outside the header's columns: give the column a title, or clear it"
    path = workbook(tmp_path / "b.xlsx", ["a"], ["1", None, "=1+1"])
    assert refusal(path) == "b.xlsx: Sheet1!C2: data outside the header's columns: give the column a title, or clear it"
    path = workbook(tmp_path / "c.xlsx", [" "], ["a"])
    assert refusal(path) == "c.xlsx: Sheet1 row 1 is blank: name the header's row with --header-row"


@pytest.mark.parametrize("stated", ["A1:XFD1048576", "A1", "B3:B4"])
def test_what_a_sheet_says_of_its_size_is_not_believed(tmp_path: Path, stated: str) -> None:
    path = workbook(tmp_path / "a.xlsx", ["a", "b"], ["1", "2"], ["3", "4"])
    edit(path, SHEET, 'ref="A1:B3"', f'ref="{stated}"')
    assert rows_of(only(open_book(path))) == {2: ["1", "2"], 3: ["3", "4"]}


@pytest.mark.parametrize(
    ("part", "old", "new", "message"),
    [
        (SHEET, "</row>", "", "damaged or incomplete"),
        (SHEET, 'r="A2"', 'r="A1"', "out of order"),
        (SHEET, 'r="B2"', 'r="A2"', "out of order"),
        (SHEET, '<row r="2"', '<row r="1"', "out of order"),
        (SHEET, 'r="B2"', 'r="XFE2"', "outside Excel's"),
        (SHEET, ' t="inlineStr"><is><t>x</t></is>', ' t="s"><v>99</v>', "damaged or incomplete"),
        (
            SHEET,
            "<worksheet",
            '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><worksheet',
            "export the table",
        ),
        ("xl/styles.xml", "<styleSheet", "<!DOCTYPE x><styleSheet", "export the table"),
        ("xl/styles.xml", "</styleSheet>", "", "damaged or incomplete"),
        ("xl/_rels/workbook.xml.rels", "sheet1.xml", "sheet9.xml", "damaged or incomplete"),
        ("[Content_Types].xml", "spreadsheetml.sheet.main", "other", "no Excel workbook"),
    ],
)
def test_broken_parts_are_refused_in_one_line(tmp_path: Path, part: str, old: str, new: str, message: str) -> None:
    path = edit(workbook(tmp_path / "a.xlsx", ["a", "b"], ["x", 1]), part, old, new)
    assert message in refusal(path)


def test_a_cut_off_or_flipped_workbook_is_refused(tmp_path: Path) -> None:
    whole = workbook(tmp_path / "a.xlsx", ["a"], *[[f"text {number}"] for number in range(500)]).read_bytes()
    assert "damaged or incomplete" in refusal(text(tmp_path / "half.xlsx", whole[: len(whole) // 2]))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        start = archive.getinfo(SHEET).header_offset + 400
    flipped = whole[:start] + bytes(255 - byte for byte in whole[start : start + 2]) + whole[start + 2 :]
    assert "damaged or incomplete" in refusal(text(tmp_path / "flipped.xlsx", flipped))


DAMAGED = "is damaged or incomplete: fetch it again, or open it in Excel and save it as a new .xlsx"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"", "a.xlsx is empty (0 bytes): save or export it again"),
        ("a.csv", b"", "a.csv is empty (0 bytes): save or export it again"),
        ("a.xlsx", b"name,age\n", "a.xlsx is text, not a workbook: rename it to .csv"),
        ("a.xlsx", b"\xff\xfen\0", "a.xlsx is text, not a workbook: rename it to .csv"),
        ("a.xlsx", b"\x01\0\x02", "a.xlsx is no workbook: fetch or save it again"),
        ("a.xls", b"<html><table>", "a.xls is an HTML or XML page: open it in Excel and save it as .xlsx"),
        ("a.csv", b"\n<!DOCTYPE html>", "a.csv is an HTML or XML page: open it in Excel and save it as .xlsx"),
        ("a.xlsx", b"%PDF-1.7", "a.xlsx is a PDF: export the table as .xlsx or .csv"),
        ("a.csv", b"\x1f\x8b\x08", "a.csv is gzip data: unpack it first"),
        (
            "a.xlsx",
            OLE + "EncryptedPackage".encode("utf-16-le"),
            "a.xlsx is protected with a password: save it without one",
        ),
        ("a.xls", OLE, f"a.xls {DAMAGED}"),
        ("a.csv", OLE, "a.csv is an old Excel workbook (.xls): rename it to .xls"),
        ("a.xlsb", b"PK\x03\x04", "a.xlsb is a binary workbook (.xlsb), which is not read: save it as .xlsx"),
        ("a.csv", b"PK\x03\x04", "a.csv is a zip file, as workbooks are: if it is one, rename it to .xlsx"),
        ("a.doc", b"x", "a.doc is none of the files that are read: .xlsx, .xlsm, .xls, .ods, .csv, .tsv"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_what_it_holds(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    assert refusal(text(tmp_path / name, content)) == message


def test_a_zip_that_is_no_workbook_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("letter.txt", "hello")
    assert "no Excel workbook" in refusal(tmp_path / "a.xlsx")
    assert "can't be read" in refusal(tmp_path / "none.xlsx")


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv"])
def test_a_file_that_changed_or_vanished_since_it_was_opened_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    make = workbook if path.suffix == ".xlsx" else lambda path, *_: text(path, "a\n1\n")
    sheet = only(open_book(make(path, ["a"], ["1"])))
    assert rows_of(sheet) == rows_of(sheet) == {2: ["1"]}  # as often as wanted
    os.utime(path, ns=(0, 0))
    with pytest.raises(UnusableFile, match=r"changed while it was being read"):
        list(sheet.frames())
    path.unlink()
    with pytest.raises(UnusableFile, match=r"can't be read"):
        list(sheet.frames())


# XML has no control characters and no surrogates; `_x` begins an escape of Excel's; a spreadsheet has one line end.
XML_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"], include_characters="\t\n")).filter(
    lambda text: "_x" not in text and not text.startswith("=")
)


@settings(deadline=None, max_examples=40)  # a child each
@given(st.lists(st.lists(XML_TEXT, min_size=3, max_size=3), max_size=5))
def test_text_in_a_workbook_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    def more(book: Any) -> None:
        for number, row in enumerate(rows, 2):
            for column, value in enumerate(row, 1):
                book.active.cell(number, column).value = value
                book.active.cell(number, column).data_type = "s"

    path = workbook(tmp_path_factory.mktemp("book") / "a.xlsx", ["a", "b", "c"], more=more)
    expected = {number: row for number, row in enumerate(rows, 2) if any(map(str.strip, row))}
    assert rows_of(only(open_book(path))) == expected


# --- CSV --------------------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=2, max_size=2)
    )
)
def test_text_in_a_csv_reads_back_the_same(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["a", "b"], *rows])
    expected = {number: row for number, row in enumerate(rows, 2) if any(map(str.strip, row))}
    assert rows_of(only(open_book(path))) == expected


BROKEN = "cells hold line breaks, so that rows and lines count apart: row 2 is lines 2 to 5"
STRAY = "a quote in the middle of a cell is kept as it stands: 1 row, first line 2"
COMMA = ("encoding utf-8", "delimiter comma")


@pytest.mark.parametrize(
    ("content", "rows", "facts"),
    [
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", {2: ["1", "2"]}, COMMA),
        ("a\tb\n1\t\u00e9\n".encode("utf-16"), {2: ["1", "\u00e9"]}, ("encoding utf-16", "delimiter tab")),
        (b"\xfe\xff" + "a\tb\n1\t2".encode("utf-16-be"), {2: ["1", "2"]}, ("encoding utf-16", "delimiter tab")),
        ("a;b\n1,5;2\n", {2: ["1,5", "2"]}, ("encoding utf-8", "delimiter semicolon")),
        ('"a";b\n1;2\n', {2: ["1", "2"]}, ("encoding utf-8", "delimiter semicolon")),
        ("sep=;\r\na;b\r\n1;2\r\n", {3: ["1", "2"]}, ("encoding utf-8", "delimiter semicolon")),
        ("a,b\n\n1,2\n , \n,,,\n3,4\n", {3: ["1", "2"], 6: ["3", "4"]}, COMMA),
        ('a,b\r1,"x\ry\r\nz\nw"\r3,4\r', {2: ["1", "x\ry\r\nz\nw"], 3: ["3", "4"]}, (*COMMA, BROKEN)),
        ("a,b\n1,x\u2028y\u0085z\x0bw\x0cv\n", {2: ["1", "x\u2028y\u0085z\x0bw\x0cv"]}, COMMA),
        ('a,b\n5" pipe,NA\n#c,"=1+1"\n', {2: ['5" pipe', "NA"], 3: ["#c", "=1+1"]}, (*COMMA, STRAY)),
        ("a,b\n1,2\n\x1a", {2: ["1", "2"]}, (*COMMA, "Ctrl-Z at the end removed")),
        ("a,b\n1,2\x1a\x1a", {2: ["1", "2"]}, (*COMMA, "Ctrl-Z at the end removed")),
        ("a,b,\n1,2,\n", {2: ["1", "2"]}, COMMA),
    ],
)
def test_csv_as_programs_write_it(tmp_path: Path, content: str | bytes, rows: Rows, facts: tuple[str, ...]) -> None:
    sheet = only(open_book(text(tmp_path / "people.csv", content)))
    told = (f"encoding {sheet.encoding}", f"delimiter {sheet.delimiter}", *sheet.facts)
    assert (sheet.name, sheet.header, rows_of(sheet), told) == ("people", ("a", "b"), rows, facts)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", "a.csv line 3 (row 3) has 3 fields, the header 2"),
        (
            'a,b\n"1\n1",2\n1\n',
            "a.csv line 4 (row 3) has 1 field, the header 2: write the delimiter of an empty field, too",
        ),
        (
            "a,b\n1,2,\n",
            "a.csv line 2 (row 2) has 3 fields, the header 2: take the delimiter at the end of the line away",
        ),
        ("a,b,\n1,2,3\n", "a.csv: a!C2: data outside the header's columns"),
        ('a,b\n"x\ny",2\n"x\ny","z\n3,4\n', "a.csv line 5 (row 3, column 2): a quote opens here and is never closed"),
        ('a,b\n"x"y,2\n', "a.csv line 2 (row 2, column 1): text after a closing quote"),
        ('a,b\n1,"x\\"y"\n', "a.csv line 2 (row 2, column 2): a backslash before a quote"),
        ("a,b\n1," + "x" * 1_000_001 + "\n", "a.csv line 2 (row 2, column 2): a field of 1,000,001 characters"),
        ('a,b\n"x","' + "y" * 1_000_001 + '",\n', "a.csv line 2 (row 2, column 2): a field of 1,000,001 characters"),
        ('a,b\n1,"' + "x\n" * 600_000, "a.csv line 2 (row 2, column 2): a field of more than 1,000,000"),
        ("x" * 30_000_000, "a.csv line 1 is too long, over 16,000,000 characters"),
        ("a,b\n\n1,\xe9\n".encode("cp1252"), "a.csv line 3: byte 0xE9 is not utf-8: name the encoding"),
        (b"a,b\n1,\xc0\xaf\n", "a.csv line 2: byte 0xC0 is not utf-8"),
        (b"a,b\n1,\xe2\x82", "a.csv line 2: byte 0xE2 is not utf-8"),
        (b"a,b\r" * 300_000 + b"\xed\xa0\x80", "a.csv line 300001: byte 0xED is not utf-8"),
        (b"\xff\xfea\0\n\0\x00\xd8", "a.csv line 2: byte 0x00 is not utf-16"),
        (
            "a,b\n\u00e9,2\n".encode("utf-16-le"),
            "a.csv line 1: NUL bytes, which looks like UTF-16 without its mark: name it with --encoding utf-16-le",
        ),
        (b"a,b\n1,x\0y\n", "a.csv line 2: NUL bytes, which no text has"),
        ("a|b\n1|2\n", "a.csv: the header has pipes but no comma, semicolon or tab"),
        ("\n\na,b\n", "a.csv: a row 1 is blank: name the header's row with --header-row"),
    ],
)
def test_csv_that_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert message in refusal(text(tmp_path / "a.csv", content))


def test_what_the_person_says_of_a_csv_goes_before_what_it_shows(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "a title, long\na|b\n1|\xe9\n".encode("cp1252"))
    sheet = only(open_book(path, ReadOptions(sheet="a", header_row=2, encoding="cp1252", delimiter="|")))
    assert (sheet.header, sheet.header_row, rows_of(sheet)) == (("a", "b"), 2, {3: ["1", "\xe9"]})
    assert (sheet.encoding, sheet.delimiter) == ("cp1252", "|")
    assert refusal(path, ReadOptions(sheet="b")) == 'a.csv has no sheet "b": its only one is a'
    for nonsense in (ReadOptions(encoding="klingon"), ReadOptions(encoding="cp1252", delimiter="||")):
        with pytest.raises(UsageError):
            open_book(path, nonsense)


def test_a_tsv_has_tabs_whatever_its_header_holds(tmp_path: Path) -> None:
    sheet = only(open_book(text(tmp_path / "a.tsv", "a,b\tc\n1\t2\n")))
    assert (sheet.header, rows_of(sheet), sheet.from_text) == (("a,b", "c"), {2: ["1", "2"]}, True)


@pytest.mark.parametrize("content", ["\n \n", "\ufeff", "\x1a"])
def test_a_csv_without_anything_has_no_header_and_no_rows(tmp_path: Path, content: str) -> None:
    sheet = only(open_book(text(tmp_path / "a.csv", content)))
    assert (sheet.header, list(sheet.frames())) == ((), [])


def test_frames_hold_no_more_rows_than_agreed(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "n\n" + "".join(f"{number}\n" for number in range(2, FRAME_ROWS + 4)))
    frames = [frame.text for frame in only(open_book(path)).frames()]
    assert [len(frame) for frame in frames] == [FRAME_ROWS, 2]
    assert [frame.index.name for frame in frames] == ["row", "row"]
    assert list(frames[1].index) == [FRAME_ROWS + 2, FRAME_ROWS + 3]
