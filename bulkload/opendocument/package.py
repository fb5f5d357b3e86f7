"""The parts of an .ods: its sheets, and what is to be known of the whole file."""

from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import IO, BinaryIO
from zipfile import ZipFile

from bulkload.cells import Line, Table, Tables
from bulkload.errors import UnusableFile
from bulkload.opendocument import sheet
from bulkload.opendocument.markup import elements
from bulkload.opendocument.styles import Styles
from bulkload.preflight import checked_parts
from bulkload.workbook.markup import Damaged

_CONTENT, _STYLES, _MANIFEST = "content.xml", "styles.xml", "meta-inf/manifest.xml"
# Sheets in one workbook; each is opened to look at its header.
_SHEETS = 250
# How LibreOffice names the sheets in which it keeps values of other files.
_OTHER_FILE = "'file:"


def open_tables(file: BinaryIO, name: str) -> Tables:
    """The sheets of an .ods that is open for reading. Raises UnusableFile; Damaged and others for damage."""
    archive = ZipFile(file)
    parts = checked_parts(archive, name)
    try:
        return _tables(archive, parts, name)
    except UnusableFile as error:
        raise UnusableFile(f"{name} {error}") from error


def _tables(archive: ZipFile, parts: Mapping[str, str], name: str) -> Tables:
    if _MANIFEST in parts:
        with archive.open(parts[_MANIFEST]) as stream:
            if any(found and found[0] == "manifest:encryption-data" for found in elements(stream, parts[_MANIFEST])):
                raise UnusableFile("is protected with a password: save it without one")
    if _CONTENT not in parts:
        raise Damaged("no content")
    styles = Styles()
    if _STYLES in parts:
        with archive.open(parts[_STYLES]) as stream:
            styles.read(elements(stream, parts[_STYLES]))
    with archive.open(parts[_CONTENT]) as stream:
        sheets = _sheets(stream, styles)
    if len(sheets) > _SHEETS:
        raise UnusableFile(
            f"has {len(sheets):,} sheets, more than the {_SHEETS} that are read: too many sheets. "
            "Move those to import to a workbook of their own"
        )
    facts = []
    if any(part.startswith("basic/") for part in parts):
        facts.append("Its macros are not run, and no result has them.")
    if any(title.startswith(_OTHER_FILE) for title, _ in sheets):
        facts.append("It takes values from other workbooks, as they were when it was saved. None of those was opened.")
    tables = (
        _table(archive, parts[_CONTENT], name, title, place, style in styles.hidden_tables, styles)
        for place, (title, style) in enumerate(sheets)
        if not title.startswith(_OTHER_FILE)
    )
    return Tables(tuple(tables), tuple(facts))


def _sheets(stream: IO[bytes], styles: Styles) -> list[tuple[str, str]]:
    """Name and style of each sheet; what the content says of styles goes to `styles`."""
    found = elements(stream, _CONTENT)
    styles.read(takewhile(lambda element: not element or element[0] != "office:body", found))
    return [(each[1]["table:name"], each[1].get("table:style-name", "")) for each in found if isinstance(each, tuple)]


def _table(archive: ZipFile, part: str, name: str, title: str, place: int, hidden: bool, styles: Styles) -> Table:
    def lines() -> Iterator[Line]:
        table.merged.clear()
        table.hidden_columns.clear()
        try:
            with archive.open(part) as stream:
                yield from sheet.lines(stream, part, place, styles, table)
        except UnusableFile as error:
            raise UnusableFile(f"{name}: {title} {error}") from error

    table = Table(title, hidden, lines)
    return table
