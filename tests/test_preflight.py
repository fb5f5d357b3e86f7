"""A zip that unpacks to too much, or that misleads, is refused by its directory, before anything of it is unpacked."""

import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.test_read import SHEET, edit, refusal, text, workbook

Pieces = Callable[[], Iterator[bytes]]


def packed(path: Path, part: str, pieces: Pieces) -> Path:
    """A workbook with a part put in, a piece at a time."""
    base = workbook(path.with_name("base.xlsx"), ["a"], ["x"])
    with zipfile.ZipFile(base) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name in old.namelist():
            if name != part:
                new.writestr(name, old.read(name))
        with new.open(part, "w") as stream:
            for piece in pieces():
                stream.write(piece)
    return path


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.xlsx", SHEET, lambda: iter([b" " * (1 << 20)] * 30))
    assert "unpacks to more than 200 times its size" in refusal(path)
    path = packed(tmp_path / "b.xlsx", "xl/media/a.bin", lambda: iter([os.urandom(1 << 20)]))
    content = path.read_bytes()
    stated = content.rindex((1 << 20).to_bytes(4, "little"))
    lies = content[:stated] + (0x50000000).to_bytes(4, "little") + content[stated + 4 :]
    assert "unpacks to 1.3 GiB, more than the 1 GiB that is read" in refusal(text(tmp_path / "c.xlsx", lies))


def test_a_part_that_unpacks_to_more_than_is_stated_is_damaged(tmp_path: Path) -> None:
    content = workbook(tmp_path / "a.xlsx", ["a"], ["x"]).read_bytes()
    stated = content.rindex(SHEET.encode()) - 22  # in the directory
    short = content[:stated] + (100).to_bytes(4, "little") + content[stated + 4 :]
    assert "damaged or incomplete" in refusal(text(tmp_path / "b.xlsx", short))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["xl/workbook.xml"], "holds one part twice"),
        (["xl/Workbook.xml"], "holds one part twice"),
        (["../../evil"], "a part that leads out of it (../../evil)"),
        (["/abs"], "a part that leads out of it (/abs)"),
        ([f"xl/media/{number}.png" for number in range(1_000)], "too many sheets or pictures"),
    ],
)
def test_zips_that_mislead_are_refused(tmp_path: Path, names: list[str], says: str) -> None:
    path = workbook(tmp_path / "a.xlsx", ["a"], ["x"])
    with zipfile.ZipFile(path, "a") as archive:
        for name in names:
            archive.writestr(name, b"x")
    assert says in refusal(path)


def test_too_many_sheets_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["a"], ["x"])
    with zipfile.ZipFile(path) as archive:
        words = archive.read("xl/workbook.xml").decode().split("<")
    (sheet,) = [word for word in words if word.startswith("sheet ")]
    edit(path, "xl/workbook.xml", f"<{sheet}", f"<{sheet}" * 300)
    assert "has 300 sheets, more than the 250 that are read: too many sheets" in refusal(path)


def test_too_many_cells_are_counted_before_they_are_parsed(tmp_path: Path) -> None:
    row = b"<row>" + b"<c><v>1</v></c>" * 20 + b"</row>"
    path = packed(tmp_path / "a.xlsx", SHEET, lambda: iter([row * 10_000] * 101))
    assert refusal(path) == "a.xlsx sheet Sheet1 has more than 20,000,000 cells: split it into several files"
