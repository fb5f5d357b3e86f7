"""The parts of a workbook's zip: which is which, and the sheets that they make."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, BinaryIO
from zipfile import ZipFile

from bulkload.cells import Line, Table, Tables
from bulkload.errors import UnusableFile
from bulkload.preflight import checked_parts, refuse_too_many_cells
from bulkload.workbook.markup import Damaged, refuse_dtd
from bulkload.workbook.meaning import Values
from bulkload.workbook.sheet import Reading
from bulkload.workbook.strings import SharedStrings
from bulkload.workbook.styles import formats
from bulkload.workbook.words import checked, flag

_TYPES = "[content_types].xml"
_SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml."
_PLAIN = frozenset({f"{_SPREADSHEET}sheet.main+xml", f"{_SPREADSHEET}template.main+xml"})
_EXCEL = "application/vnd.ms-excel."
_MACROS = frozenset({f"{_EXCEL}sheet.macroEnabled.main+xml", f"{_EXCEL}template.macroEnabled.main+xml"})
_BINARY = f"{_EXCEL}sheet.binary.macroEnabled.main"
# Kinds of sheets that have no rows.
_WITHOUT_ROWS = frozenset({"chartsheet", "dialogsheet", "xlMacrosheet", "xlIntlMacrosheet"})
_STATES = frozenset({"visible", "hidden", "veryHidden"})
# Sheets in one workbook; each is opened to look at its header.
_SHEETS = 250


@dataclass(frozen=True, slots=True)
class _Package:
    """An open zip. `parts` maps the names of its parts, in lower case as their names don't differ by case alone."""

    archive: ZipFile
    parts: Mapping[str, str]

    def open(self, part: str) -> IO[bytes]:
        """Raises Damaged where there is none."""
        if part.lower() not in self.parts:
            raise Damaged(f"no part {part}")
        return self.archive.open(self.parts[part.lower()])

    def related(self, part: str) -> list[tuple[str, str, str]]:
        """Of the parts that `part` points to: ID, kind (`worksheet`), name. External ones are left out."""
        folder, file = posixpath.split(part)
        place = posixpath.join(folder, "_rels", f"{file}.rels")
        if place.lower() not in self.parts:
            return []
        with self.open(place) as stream:
            return [
                (said["Id"], said["Type"].rpartition("/")[2], _absolute(folder, said["Target"]))
                for _, tag, said in checked(stream, place, "Relationships")
                if tag == "Relationship" and said.get("TargetMode") != "External"
            ]


def open_tables(file: BinaryIO, name: str) -> Tables:
    """The sheets of an .xlsx or .xlsm that is open for reading. Raises UnusableFile; Damaged and others for damage."""
    archive = ZipFile(file)
    package = _Package(archive, checked_parts(archive, name))
    try:
        return _tables(package, name)
    except UnusableFile as error:
        raise UnusableFile(f"{name} {error}") from error


def _tables(package: _Package, name: str) -> Tables:
    main, kind = _main_part(package)
    facts = list(_facts(kind, name))
    for part, real in package.parts.items():
        if part.endswith((".xml", ".rels", ".vml")):
            with package.archive.open(real) as stream:
                refuse_dtd(stream, real)
    related = package.related(main)
    by_kind = {kind: part for _, kind, part in related}
    if "externalLink" in by_kind:
        facts.append("It takes values from other workbooks, as they were when it was saved. None of those was opened.")
    strings = _strings(package, by_kind)
    codes: list[str | None] = []
    if "styles" in by_kind:
        with package.open(by_kind["styles"]) as stream:
            codes = formats(stream, by_kind["styles"])
    sheets, date1904 = _sheets(package, main)
    values = Values(strings, codes, date1904=date1904)
    targets = {key: (kind, part) for key, kind, part in related}
    tables = []
    for title, state, key in sheets:
        kind, part = targets.get(key, ("", ""))
        if kind == "worksheet":
            tables.append(_table(package, name, title, state, part, values))
        elif kind not in _WITHOUT_ROWS:
            raise Damaged("a sheet without a part")
    return Tables(tuple(tables), tuple(facts))


def _main_part(package: _Package) -> tuple[str, str]:
    """The part of the workbook itself, and its content type. Raises UnusableFile where there is none."""
    usual = "is a zip file but no Excel workbook: open it where it was made, and save it as .xlsx"
    if _TYPES not in package.parts:
        raise UnusableFile(usual)
    defaults, overrides = {}, {}
    with package.open(_TYPES) as stream:
        for _, tag, said in checked(stream, _TYPES, "Types"):
            if tag == "Default":
                defaults[said["Extension"].lower()] = said["ContentType"]
            elif tag == "Override":
                overrides[said["PartName"].lower().removeprefix("/")] = said["ContentType"]
    for _, kind, part in package.related(""):
        if kind == "officeDocument":
            found = overrides.get(part.lower()) or defaults.get(part.rpartition(".")[2].lower(), "")
            if found == _BINARY:
                raise UnusableFile("is a binary workbook (.xlsb), which is not read: save it as .xlsx")
            if found in _PLAIN | _MACROS:
                return part, found
    raise UnusableFile(usual)


def _facts(kind: str, name: str) -> Iterator[str]:
    if kind in _MACROS:
        if not name.lower().endswith(".xlsm"):
            raise UnusableFile(
                "holds macros, which its name hides: if you trust it, rename it to .xlsm, or save it as .xlsx in Excel"
            )
        yield "Its macros are not run, and no result has them."


def _strings(package: _Package, by_kind: Mapping[str, str]) -> list[str]:
    if "sharedStrings" not in by_kind:
        return []
    with package.open(by_kind["sharedStrings"]) as stream:
        return SharedStrings(by_kind["sharedStrings"]).read(stream)


def _sheets(package: _Package, main: str) -> tuple[list[tuple[str, str, str]], bool]:
    """Of each sheet its name, state and the ID of its part; and whether days count from 1904."""
    sheets, date1904 = [], False
    with package.open(main) as stream:
        for parent, tag, said in checked(stream, main, "workbook"):
            if tag == "sheet" and parent == "sheets":
                sheets.append((said["name"], said.get("state", "visible"), said["r:id"]))
            elif tag == "workbookPr":
                date1904 = flag(said, "date1904")
    if len(sheets) > _SHEETS:
        raise UnusableFile(
            f"has {len(sheets):,} sheets, more than the {_SHEETS} that are read: too many sheets. "
            "Move those to import to a workbook of their own"
        )
    if not sheets or not _STATES.issuperset(state for _, state, _ in sheets):
        raise Damaged("no sheets, or one that is neither hidden nor not")
    return sheets, date1904


def _table(package: _Package, name: str, title: str, state: str, part: str, values: Values) -> Table:
    def lines() -> Iterator[Line]:
        table.merged.clear()
        table.hidden_columns.clear()
        try:
            with package.open(part) as stream:
                yield from Reading(stream, part, table, values).lines()
        except UnusableFile as error:
            raise UnusableFile(f"{name}: {title} {error}") from error

    package.open(part).close()  # raises where it is missing
    refuse_too_many_cells(package.archive, package.parts[part.lower()], f"sheet {title}")
    table = Table(title, state != "visible", lines)
    return table


def _absolute(folder: str, target: str) -> str:
    """The name of a part, from what a relationship of a part in `folder` says."""
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
