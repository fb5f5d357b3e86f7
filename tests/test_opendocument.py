"""An .ods is read as the .xlsx of the same cells is, or refused in one line."""

import zipfile
from pathlib import Path

import pytest

from bulkload.errors import UnusableFile
from bulkload.models import Kind, Spoilt
from tests.office import convert, make_workbook, opened, told

NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text", "style")
)
TITLES = "<table:table-row><table:table-cell><text:p>a</text:p></table:table-cell></table:table-row>"


def ods(path: Path, rows: str, *, before: str = "", styles: str = "", after: str = "", manifest: str = "") -> Path:
    """A table called T by hand, with a title in A1."""
    content = (
        f"{before}<office:document-content {NAMES}><office:automatic-styles>{styles}</office:automatic-styles>"
        f'<office:body><office:spreadsheet><table:table table:name="T">{TITLES}{rows}</table:table>{after}'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        archive.writestr("content.xml", content)
        if manifest:
            names = 'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
            archive.writestr("META-INF/manifest.xml", f"<manifest:manifest {names}>{manifest}</manifest:manifest>")
    return path


def row(*cells: str, more: str = "") -> str:
    return f"<table:table-row {more}>{''.join(cells)}</table:table-row>"


def cell(text: str = "", more: str = "") -> str:
    return f"<table:table-cell {more}>{text and f'<text:p>{text}</text:p>'}</table:table-cell>"


def refusal(path: Path) -> str:
    with pytest.raises(UnusableFile) as refused:
        for sheet in opened(path).sheets:
            list(sheet.frames())
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_an_ods_says_the_same_as_the_xlsx_that_it_was_made_from(tmp_path: Path) -> None:
    path = convert(make_workbook(tmp_path / "people.xlsx"), "ods")
    book, other = opened(path), opened(path.with_suffix(".xlsx"))
    assert [told(sheet) for sheet in book.sheets] == [told(sheet) for sheet in other.sheets]
    renamed = path.rename(tmp_path / "renamed.xls")
    assert opened(renamed).facts == ("Its name ends in .xls, but it is an OpenDocument table (.ods).",)


def test_what_a_cell_holds_and_what_has_spoilt_it(tmp_path: Path) -> None:
    typed = 'office:value-type="float" office:value="{}"'
    formula = 'table:formula="of:=[.B1]"'
    cells = {
        cell("x", 'office:value-type="string"'): ("x", Kind.TEXT, ""),
        cell("5", typed.format("5")): ("5", Kind.NUMBER, ""),
        cell("1E+020", typed.format("1E+020")): ("1" + "0" * 20, Kind.NUMBER, "rounded number"),
        cell("WAHR", 'office:value-type="boolean" office:boolean-value="true"'): ("TRUE", Kind.BOOLEAN, ""),
        cell("2.1.26", 'office:value-type="date" office:date-value="2026-01-02"'): ("2026-01-02", Kind.DATE, ""),
        cell("x", 'office:value-type="date" office:date-value="12026-01-02"'): ("12026-01-02", Kind.DATE, "no date"),
        cell("#REF!", 'office:value-type="string"'): ("#REF!", Kind.TEXT, ""),
        cell("#REF!", f'office:value-type="string" {formula}'): ("#REF!", Kind.TEXT, "error cell"),
        cell("Err:502", f'office:value-type="string" {formula}'): ("Err:502", Kind.TEXT, "error cell"),
        cell("", formula): ("", Kind.TEXT, "formula without value"),
        cell("", f'office:value-type="string" office:string-value="" {formula}'): ("", Kind.TEXT, ""),
        cell("y", f'office:value-type="string" {formula}'): ("y", Kind.FORMULA, ""),
        cell("<text:span>a</text:span><text:s text:c='3'/>b<text:line-break/>c"): ("a   b\nc", Kind.TEXT, ""),
        cell("").replace("></", "><office:annotation><text:p>n</text:p></office:annotation></"): ("", Kind.TEXT, ""),
    }
    titles = row(cell(), cell("t", f'table:number-columns-repeated="{len(cells)}"'))
    path = ods(tmp_path / "a.ods", titles + row(cell("1"), *cells))
    (sheet,) = opened(path, header_row=2).sheets
    (frame,) = sheet.frames()
    expected = list(cells.values())
    assert frame.text.to_numpy().tolist()[0] == ["1", *(text for text, _, _ in expected)]
    kinds = [int(frame.kinds[place][0]) if place in frame.kinds else 0 for place in range(2, len(cells) + 2)]
    assert kinds == [kind for _, kind, _ in expected]
    assert frame.spoilt == tuple(
        Spoilt(3, place, fault, text or "a formula") for place, (text, _, fault) in enumerate(expected, 2) if fault
    )


def test_rows_that_stand_for_many_keep_their_numbers(tmp_path: Path) -> None:
    rows = (
        row(cell("x"), more='table:number-rows-repeated="2" table:visibility="filter"')
        + row(cell(more='table:number-columns-repeated="16384"'), more='table:number-rows-repeated="1000"')
        + row(cell("", 'table:formula="of:=1"'), more='table:number-rows-repeated="2"')
        + row(cell(), more='table:number-rows-repeated="1047571"')
    )
    (sheet,) = opened(ods(tmp_path / "a.ods", rows)).sheets
    (frame,) = sheet.frames()
    assert frame.text.to_dict("index") == {2: {1: "x"}, 3: {1: "x"}, 1004: {1: ""}, 1005: {1: ""}}
    assert [(cell.row, cell.kind) for cell in frame.spoilt] == [
        (1004, "formula without value"),
        (1005, "formula without value"),
    ]
    assert (frame.blank_rows, frame.hidden_rows) == (1000, 2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            row(cell("x", 'table:number-columns-repeated="1024"'), more='table:number-rows-repeated="1048575"'),
            "a.ods: T has too many cells: more than 20,000,000 up to row 1,048,576. Clear what was filled in by "
            "accident below and beside the table, or split it into several files",
        ),
        (row(cell("x", 'table:number-columns-repeated="999999999"')), "a.ods: T is damaged: row 2 is longer than"),
        (row(cell("x"), more='table:number-rows-repeated="1048576"'), "a.ods: T is damaged: row 1,048,577 is outside"),
        (row(cell("x", 'table:number-rows-spanned="2"')), "a.ods: T!A2:A3: merged cells, of which the first alone"),
        (row(cell("x", 'office:value-type="float"')), "a.ods is damaged or incomplete"),
        (row(cell("x", 'office:value-type="secret"')), "a.ods is damaged or incomplete"),
        ("</table:table-row>", "a.ods is damaged or incomplete"),
    ],
)
def test_hostile_rows_are_refused(tmp_path: Path, rows: str, message: str) -> None:
    assert refusal(ods(tmp_path / "a.ods", rows)).startswith(message)


def test_a_dtd_a_password_and_a_missing_part_are_refused(tmp_path: Path) -> None:
    dtd = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    assert refusal(ods(tmp_path / "a.ods", row(cell("&amp;")), before=dtd)) == (
        "a.ods holds a document type definition (DTD) in content.xml, by which a file can fetch or multiply text. "
        "No spreadsheet program writes one: export the table again, as .xlsx"
    )
    manifest = "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"
    path = ods(tmp_path / "b.ods", row(cell("x")), manifest=manifest)
    assert refusal(path) == "b.ods is protected with a password: save it without one"
    whole = ods(tmp_path / "c.ods", row(cell("x")), manifest="<manifest:file-entry/>").read_bytes()
    (tmp_path / "half.ods").write_bytes(whole[: len(whole) // 2])
    assert refusal(tmp_path / "half.ods").startswith("half.ods is damaged or incomplete")
    with zipfile.ZipFile(tmp_path / "d.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    assert refusal(tmp_path / "d.ods").startswith("d.ods is damaged or incomplete")


def test_values_of_other_files_and_macros_are_told_and_hidden_sheets_found_by_their_style(tmp_path: Path) -> None:
    hidden = '<style:style style:name="h" style:family="table"><style:table-properties table:display="false"/>'
    after = (
        f'<table:table table:name="H" table:style-name="h">{TITLES}</table:table>'
        f"<table:table table:name=\"'file:///other.ods'#Sheet1\">{TITLES}</table:table>"
    )
    path = ods(tmp_path / "a.ods", row(cell("x")), styles=f"{hidden}</style:style>", after=after)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("Basic/script-lc.xml", "<x/>")
    book = opened(path)
    assert [(sheet.name, sheet.hidden) for sheet in book.sheets] == [("T", False), ("H", True)]
    assert book.facts == (
        "Its macros are not run, and no result has them.",
        "It takes values from other workbooks, as they were when it was saved. None of those was opened.",
    )
