"""Workbooks of the three kinds written as XML and records, cell by cell, so that they can be as wrong as real ones."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from bulkload.models import column_letter
from tests.bad_input.packages import compound, zip_of

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
SHEET = "xl/worksheets/sheet1.xml"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
WORKBOOK_TYPE = f"{_TYPE}.sheet.main+xml"
MACRO_TYPE = "application/vnd.ms-excel.sheet.macroEnabled.main+xml"
# The formats that `number()` takes, by their place in the styles.
GENERAL, DATE, THREE_DIGITS, PERCENT, QUOTED, AS_TEXT = range(6)
_FORMATS = (0, 14, 164, 10, 0, 49)
_QUOTE = ' quotePrefix="1"'

Parts = dict[str, str | bytes]


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands between `<c r="A1"` and `</c>`: the rest of the attributes, and the content."""

    attributes: str
    content: str


Row = Sequence[str | Cell | None]


def number(text: str, style: int = GENERAL) -> Cell:
    return Cell(f' s="{style}"', f"<v>{text}</v>")


def error(text: str) -> Cell:
    return Cell(' t="e"', f"<v>{text}</v>")


def formula(text: str, value: str | None = None) -> Cell:
    return Cell(' t="str"' if value else "", f"<f>{escape(text)}</f>" + (f"<v>{escape(value)}</v>" if value else ""))


def text(value: str) -> Cell:
    return Cell(' t="inlineStr"', f'<is><t xml:space="preserve">{escape(value)}</t></is>')


def row(number: int, cells: Row, attributes: str = "") -> str:
    """A row's XML; a str is a text cell, None no cell at all."""
    made = "".join(
        f'<c r="{column_letter(column)}{number}"{cell.attributes}>{cell.content}</c>'
        for column, one in enumerate(cells, 1)
        if (cell := text(one) if isinstance(one, str) else one)
    )
    return f'<row r="{number}"{attributes}>{made}</row>'


def rows(*cells: Row) -> str:
    """The XML of rows from the first on."""
    return "".join(row(number, one) for number, one in enumerate(cells, 1))


def sheet(data: str, before: str = "", after: str = "") -> str:
    """A worksheet's XML with these rows, and with elements before and after them."""
    opening = f'<worksheet xmlns="{MAIN}" xmlns:r="{OFFICE}">'
    return f"{XML}{opening}{before}<sheetData>{data}</sheetData>{after}</worksheet>"


def styles(fills: str = '<fill><patternFill patternType="none"/></fill>') -> str:
    """The formats, as few as Excel takes."""
    cells = "".join(
        f'<xf numFmtId="{code}" fontId="0" fillId="0" borderId="0" xfId="0"{_QUOTE if place == QUOTED else ""}/>'
        for place, code in enumerate(_FORMATS)
    )
    return (
        f'{XML}<styleSheet xmlns="{MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="000"/></numFmts>'
        f'<fonts count="1"><font><sz val="11"/></font></fonts><fills count="1">{fills}</fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf numFmtId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(_FORMATS)}">{cells}</cellXfs></styleSheet>'
    )


def parts(
    sheets: Mapping[str, str],
    *,
    states: Mapping[str, str] | None = None,
    properties: str = "",
    kind: str = WORKBOOK_TYPE,
) -> Parts:
    """The parts of an .xlsx with these sheets; `states` says which are hidden, `properties` stands before them."""
    places = {name: number for number, name in enumerate(sheets, 1)}
    named = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"'
        f"{f' state={quoteattr((states or {})[name])}' if name in (states or {}) else ''}/>"
        for name, number in places.items()
    )
    made: Parts = {
        "[Content_Types].xml": _types(len(sheets), kind),
        "_rels/.rels": _relations({"rId1": ("officeDocument", "xl/workbook.xml")}),
        "xl/workbook.xml": (
            f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{properties}<sheets>{named}</sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": _relations({
            "rId0": ("styles", "styles.xml"),
            **{f"rId{number}": ("worksheet", f"worksheets/sheet{number}.xml") for number in places.values()},
        }),
        "xl/styles.xml": styles(),
    }  # fmt: skip
    return {**made, **{f"xl/worksheets/sheet{places[name]}.xml": content for name, content in sheets.items()}}


def _types(sheets: int, kind: str) -> str:
    overrides = {"/xl/workbook.xml": kind, "/xl/styles.xml": f"{_TYPE}.styles+xml"}
    overrides |= {f"/xl/worksheets/sheet{number}.xml": f"{_TYPE}.worksheet+xml" for number in range(1, sheets + 1)}
    listed = "".join(f'<Override PartName="{part}" ContentType="{kind}"/>' for part, kind in overrides.items())
    defaults = (
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="bin" ContentType="application/vnd.ms-office.vbaProject"/>'
    )
    return f'{XML}<Types xmlns="{PACKAGE}/content-types">{defaults}{listed}</Types>'


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="{name}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    )
    return f'{XML}<Relationships xmlns="{PACKAGE}/relationships">{listed}</Relationships>'


def replaced(made: Parts, part: str, old: str, new: str) -> Parts:
    """The parts with a text replaced in one of them, which must have it."""
    content = made[part]
    assert isinstance(content, str) and old in content, (part, old)
    return {**made, part: content.replace(old, new)}


def with_strings(made: Parts, strings: str) -> Parts:
    """The parts with a table of shared strings."""
    override = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_TYPE}.sharedStrings+xml"/></Types>'
    made = replaced(made, "[Content_Types].xml", "</Types>", override)
    relation = f'<Relationship Id="rIdS" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
    made = replaced(made, "xl/_rels/workbook.xml.rels", "</Relationships>", relation)
    return {**made, "xl/sharedStrings.xml": f"{XML}{strings}"}


def workbook(*cells: Row, before: str = "", after: str = "") -> bytes:
    """An .xlsx of one sheet, `things`, with these rows."""
    return zip_of(parts({"things": sheet(rows(*cells), before, after)}))


# --- .ods -------------------------------------------------------------------------------------------------------------

_ODS = "urn:oasis:names:tc:opendocument:xmlns"
ODS_TYPE = "application/vnd.oasis.opendocument.spreadsheet"


def ods_cell(value: str, attributes: str = ' office:value-type="string"') -> str:
    return f"<table:table-cell{attributes}><text:p>{escape(value)}</text:p></table:table-cell>"


def ods_row(*cells: str, attributes: str = "") -> str:
    """A row of cells that are XML already (they begin with `<`) or the text of one."""
    made = (cell if cell.startswith("<") else ods_cell(cell) for cell in cells)
    return f"<table:table-row{attributes}>{''.join(made)}</table:table-row>"


def ods(*made: str, doctype: str = "", encrypted: str = "") -> bytes:
    """An .ods of one sheet, `things`, with these rows; `encrypted` stands in the manifest's entry of the content."""
    spaces = " ".join(f'xmlns:{name}="{_ODS}:{name}:1.0"' for name in ("office", "table", "text"))
    content = (
        f'{XML}{doctype}<office:document-content {spaces} office:version="1.2"><office:body><office:spreadsheet>'
        f'<table:table table:name="things">{"".join(made)}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    entries = (
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{ODS_TYPE}"/>'
        f'<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml">{encrypted}'
        "</manifest:file-entry>"
    )
    manifest = f'{XML}<manifest:manifest xmlns:manifest="{_ODS}:manifest:1.0">{entries}</manifest:manifest>'
    return zip_of({"mimetype": ODS_TYPE, "content.xml": content, "META-INF/manifest.xml": manifest})


# --- .xls -------------------------------------------------------------------------------------------------------------

ERRORS = {"#NULL!": 0, "#DIV/0!": 7, "#VALUE!": 15, "#REF!": 23, "#NAME?": 29, "#NUM!": 36, "#N/A": 42}


@dataclass(frozen=True, slots=True)
class Number:
    """A cell of a number, in one of the formats."""

    value: float
    style: int = GENERAL


@dataclass(frozen=True, slots=True)
class Error:
    """A cell of one of the ERRORS."""

    name: str


def _record(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _string(value: str, length: str) -> bytes:
    return struct.pack(length, len(value)) + b"\1" + value.encode("utf-16-le")


def _xls_cell(row: int, column: int, value: str | Number | Error, strings: dict[str, int]) -> bytes:
    place = struct.pack("<HH", row, column)
    if isinstance(value, Number):
        return _record(0x203, place + struct.pack("<Hd", value.style, value.value))
    if isinstance(value, Error):
        return _record(0x205, place + struct.pack("<HBB", 0, ERRORS[value.name], 1))
    return _record(0xFD, place + struct.pack("<HI", 0, strings.setdefault(value, len(strings))))


def xls(
    *cells: Sequence[str | Number | Error | None],
    hidden: frozenset[int] = frozenset(),
    merged: tuple[int, int, int, int] | None = None,
    from_1904: bool = False,
) -> bytes:
    """A BIFF8 .xls of one sheet, `things`. `hidden` rows count from 1; `merged` is first and last row and column."""
    strings: dict[str, int] = {}
    table = b"".join(
        _xls_cell(row, column, value, strings)
        for row, values in enumerate(cells)
        for column, value in enumerate(values)
        if value is not None
    )
    width = max(map(len, cells))
    lines = [
        struct.pack("<HHHHHHI", n, 0, width, 255, 0, 0, 0x120 if n + 1 in hidden else 0x100) for n in range(len(cells))
    ]
    body = _record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0xDBB, 0x7CC, 0, 6))
    body += _record(0x200, struct.pack("<IIHHH", 0, len(cells), 0, width, 0))
    body += b"".join(_record(0x208, line) for line in lines) + table
    if merged:
        body += _record(0xE5, struct.pack("<HHHHH", 1, *(place - 1 for place in merged)))
    head = _record(0x809, struct.pack("<HHHHII", 0x600, 5, 0xDBB, 0x7CC, 0, 6)) + _record(0x42, struct.pack("<H", 1200))
    head += _record(0x22, struct.pack("<H", from_1904)) + _record(0x41E, struct.pack("<H", 164) + _string("000", "<H"))
    head += b"".join(_record(0xE0, struct.pack("<HHH", 0, code, 1) + bytes(14)) for code in _FORMATS)
    shared = _record(0xFC, struct.pack("<II", len(strings), len(strings)) + b"".join(_string(s, "<H") for s in strings))
    name = struct.pack("<H", 0) + _string("things", "<B")
    start = len(head) + len(_record(0x85, bytes(4) + name)) + len(shared) + len(_record(0x0A))
    head += _record(0x85, struct.pack("<I", start) + name) + shared + _record(0x0A)
    return compound({"Workbook": head + body + _record(0x0A)})
