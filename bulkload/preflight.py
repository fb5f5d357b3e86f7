"""Before a file is parsed: what it is by its content, and whether its zip is one that a spreadsheet program made."""

import codecs
import mmap
import re
from collections import Counter
from pathlib import Path
from typing import BinaryIO
from zipfile import ZipFile

from bulkload.errors import UnusableFile

_TEXTS = (".csv", ".tsv")
_ENDINGS = {".xlsx": "xlsx", ".xlsm": "xlsx", ".xls": "xls", ".ods": "ods"}
_MAGIC = ((b"PK\x03\x04", "xlsx"), (b"PK\x05\x06", "xlsx"), (b"%PDF-", "pdf"), (b"\x1f\x8b", "gzip"))
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ODS = b"mimetype"  # the first part of an OpenDocument, and of no Excel workbook
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|table|meta|\?xml)\b", re.IGNORECASE)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_USELESS = {
    "empty": "is empty (0 bytes): save or export it again",
    "pdf": "is a PDF: export the table as .xlsx or .csv",
    "gzip": "is gzip data: unpack it first",
    "markup": "is an HTML or XML page: open it in Excel and save it as .xlsx",
    "encrypted": "is protected with a password: save it without one",
}
_NAMES = {"xlsx": "an .xlsx workbook", "xls": "an old Excel workbook (.xls)", "ods": "an OpenDocument table (.ods)"}
# What all parts may unpack to, and how many times as large a part may become.
UNPACKED = 1 << 30
RATIO = 200
# Cells with a value in one part, and the least bytes that as many take.
CELLS = 20_000_000
_CELL = 8
_CHUNK = 1 << 20
_SMALL = 100 << 10
_PARTS = 1_000


def kind_of(path: Path, file: BinaryIO) -> tuple[str, tuple[str, ...]]:
    """What a file is by its content: `text`, or a kind of workbook; and what to tell of its name.

    Raises UnusableFile for what can't be a table.
    """
    name, ending = path.name, path.suffix.lower()
    if ending == ".xlsb":
        raise UnusableFile(f"{name} is a binary workbook (.xlsb), which is not read: save it as .xlsx")
    if ending not in (*_TEXTS, *_ENDINGS):
        raise UnusableFile(f"{name} is none of the files that are read: .xlsx, .xlsm, .xls, .ods, .csv, .tsv")
    kind = _kind(file)
    if kind in _USELESS:
        raise UnusableFile(f"{name} {_USELESS[kind]}")
    if ending in _TEXTS:
        if kind == "xlsx":
            raise UnusableFile(f"{name} is a zip file, as workbooks are: if it is one, rename it to .xlsx")
        if kind in _NAMES:
            raise UnusableFile(f"{name} is {_NAMES[kind]}: rename it to .{kind}")
        return "text", ()
    if kind == "text":
        raise UnusableFile(f"{name} is text, not a workbook: rename it to .csv")
    if kind == "binary":
        raise UnusableFile(f"{name} is no workbook: fetch or save it again")
    return kind, () if kind == _ENDINGS[ending] else (f"Its name ends in {ending}, but it is {_NAMES[kind]}.",)


def _kind(file: BinaryIO) -> str:
    """A kind of workbook, text, binary (has NUL bytes) or one of those that are of no use."""
    head = file.read(4096)
    if not head:
        return "empty"
    if head.startswith(_OLE):
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return "xls" if content.find("EncryptedPackage".encode("utf-16-le")) < 0 else "encrypted"
    if head[30:].startswith(_ODS):
        return "ods"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if _MARKUP.match(head):
        return "markup"
    return "binary" if b"\0" in head and not head.startswith(_UTF_16) else "text"


# --- zips -------------------------------------------------------------------------------------------------------------


def refuse_too_many_cells(archive: ZipFile, part: str, place: str) -> None:
    """Count the values of a large sheet without parsing it, which takes a hundredth of the time. `place` names it."""
    if archive.getinfo(part).file_size < CELLS * _CELL:
        return
    values, end = 0, b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            values += (end + chunk).count(b"<v>")
            end = chunk[-2:]
            if values > CELLS:
                raise UnusableFile(f"{place} has more than {CELLS:,} cells: split it into several files")


def checked_parts(archive: ZipFile, name: str) -> dict[str, str]:
    """The parts of a zip by their names in lower case. Refuses one that unpacks to too much, or that misleads.

    Nothing is unpacked for it. What a zip says of a part's size may be less than it unpacks to: zipfile takes no more
    than that, and tells by its checksum.
    """
    parts = [part for part in archive.infolist() if not part.is_dir()]
    if len(parts) > _PARTS:
        raise UnusableFile(
            f"{name} has {len(parts):,} parts, more than the {_PARTS:,} that are read: too many sheets or pictures. "
            "Move the sheets to import to a workbook of their own"
        )
    size = sum(part.file_size for part in parts)
    if size > UNPACKED:
        more = f"{size / UNPACKED:.1f} GiB, more than the 1 GiB" if size > 1.05 * UNPACKED else "more than the 1 GiB"
        raise UnusableFile(f"{name} unpacks to {more} that is read: split it into several files")
    for part in parts:
        packed = part.compress_size
        if part.file_size > _SMALL and part.file_size > RATIO * packed:
            raise UnusableFile(
                f"{name} holds a part ({part.filename}) that unpacks to more than {RATIO} times its size, as hardly "
                "any honest workbook does: copy its values to a new workbook"
            )
        if part.filename.startswith("/") or ".." in re.split(r"[/\\]", part.filename):
            raise UnusableFile(
                f"{name} holds a part that leads out of it ({part.filename}), as no spreadsheet program writes: "
                "export the table again, as .xlsx"
            )
        if part.flag_bits & 1:
            raise UnusableFile(f"{name} is protected with a password: save it without one")
    lower = Counter(part.filename.lower() for part in parts)
    twice = [part for part, times in lower.items() if times > 1]
    if twice:
        raise UnusableFile(
            f"{name} holds one part twice ({twice[0]}), so that nobody can tell which is meant: "
            "export the table again, as .xlsx"
        )
    return {part.filename.lower(): part.filename for part in parts}
