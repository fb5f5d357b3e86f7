"""A workbook is read in a child that nothing of it outlives; harmed files are refused, or read right."""

import io
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from datetime import time as clock
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from bulkload.errors import UnusableFile
from bulkload.read import open_book
from tests.readers import ours, through_calamine, through_openpyxl, values
from tests.test_preflight import packed
from tests.test_read import SHEET, edit, only, rows_of, text, workbook
from tests.test_workbook import HONEST, MAIN

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="children are told by /proc")


def long_book(path: Path, rows: int) -> Path:
    def pieces() -> Iterator[bytes]:
        title = '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'
        yield f'<worksheet xmlns="{MAIN}"><sheetData>{title}'.encode()
        for start in range(2, rows, 1000):
            numbers = range(start, start + 1000)
            yield "".join(f'<row r="{n}"><c r="A{n}"><v>{n * 7919 % 10**6}</v></c></row>' for n in numbers).encode()
        yield b"</sheetData></worksheet>"

    return packed(path, SHEET, pieces)


def children() -> set[int]:
    """The processes that this one has started, as Linux tells them."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that ends meanwhile
            found.update(map(int, (task / "children").read_text().split()))
    return found


def ended(before: set[int]) -> bool:
    """Whether all children since then have ended, waiting a while for it."""
    patience = time.monotonic() + 20
    while children() - before:
        if time.monotonic() > patience:
            return False
        time.sleep(0.01)
    return True


@LINUX
def test_who_stops_early_leaves_no_child(tmp_path: Path) -> None:
    before = children()
    path = long_book(tmp_path / "a.xlsx", 90_000)
    frames = only(open_book(path)).frames()
    next(frames)
    assert children() - before
    del frames
    assert ended(before)
    sheet = [only(open_book(path))]
    assert children() - before
    sheet.clear()
    assert ended(before)


@LINUX
def test_a_child_that_is_aborted_is_an_ordinary_error(tmp_path: Path) -> None:
    before = children()
    frames = only(open_book(long_book(tmp_path / "a.xlsx", 150_000))).frames()
    next(frames)
    (child,) = children() - before
    os.kill(child, signal.SIGABRT)
    with pytest.raises(UnusableFile, match="damaged or incomplete: fetch it again"):
        list(frames)


@LINUX
def test_the_child_of_a_parent_that_is_killed_ends(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from bulkload.read import open_book\n"
        "frames = open_book(Path(sys.argv[1])).sheets[0].frames(); next(frames)\n"
        "print(Path(f'/proc/self/task/{os.getpid()}/children').read_text(), flush=True); os.kill(os.getpid(), 9)"
    )
    path = long_book(tmp_path / "a.xlsx", 150_000)
    said = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (-signal.SIGKILL, "")
    child = Path("/proc") / said.stdout.strip()
    patience = time.monotonic() + 20
    while child.exists() and (child / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < patience
        time.sleep(0.01)


def test_the_child_loads_nothing_heavy() -> None:
    program = (
        "import sys, bulkload.guarded, bulkload.workbook\n"
        "print(sorted({'pandas', 'numpy', 'openpyxl', 'xlsxwriter', 'pydantic', 'httpx'} & sys.modules.keys()))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


@LINUX
def test_the_child_learns_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINNOX_TOKEN", "s3cret")
    before = children()
    sheet = only(open_book(workbook(tmp_path / "a.xlsx", ["a"], ["x"])))
    (child,) = children() - before
    for place in ("environ", "cmdline"):
        assert b"s3cret" not in Path(f"/proc/{child}/{place}").read_bytes()
    assert rows_of(sheet) == {2: ["x"]}


def test_a_small_file_is_parsed_once(tmp_path: Path) -> None:
    sheet = only(open_book(workbook(tmp_path / "a.xlsx", ["a"], ["x"])))
    first, second = list(sheet.frames()), list(sheet.frames())
    assert first[0] is second[0]


# --- damage -----------------------------------------------------------------------------------------------------------

# The parts that say what cells are: in these a harm is looked for more often.
SAYING = re.compile(r"xl/(workbook|styles|sharedStrings|worksheets/sheet1)\.xml|xl/_rels/workbook\.xml\.rels")
NUMBERS = {"0": 7, "000": 7, "0.0%": 0.125, "yyyy-mm-dd": 46024, "d/m/yy h:mm": 46024.75, "h:mm": 0.5, "[h]:mm": 1.5}


def varied(path: Path) -> Path:
    """A workbook of every kind of cell, of shared strings, with rows that are hidden and dates that count from 1904."""
    book = xlsxwriter.Workbook(path, {"date_1904": True})
    sheet = book.add_worksheet("things")
    looks = {code: book.add_format({"num_format": code}) for code in NUMBERS}
    for number in range(6):
        sheet.write_row(number, 0, [f"name {number}", "alike", "", "007", f"<{number} & co>", number == 3, number])
        for place, (code, value) in enumerate(NUMBERS.items(), 8):
            sheet.write_number(number, place, value + number / 16, looks[code])
        sheet.write_formula(number, 16, "=1+1", looks["0"], 2)
        sheet.write_rich_string(number, 17, "one ", looks["0"], "two")
    sheet.set_row(3, None, None, {"hidden": True})
    sheet.merge_range("S1:T1", "merged")
    book.add_worksheet("more").write_row(0, 0, ["a", 1, True])
    book.close()
    return path


def varied_otherwise(path: Path) -> Path:
    """Much the same as openpyxl writes it, whose rows are spelled as no other's."""
    rows = [[f"name {number}", "007", number, number == 3, date(2026, 1, 2), clock(8, 30)] for number in range(6)]
    return workbook(path, *rows, more=lambda book: book.create_sheet("more").append(["a", 1, "b"]))


def harmed(content: bytes, seeded: random.Random) -> tuple[bytes, bool]:
    """A workbook with bytes flipped, a piece cut out, or parts swapped or harmed; and whether a checksum tells."""
    kind = seeded.randrange(5)
    if kind == 0:
        flipped = bytearray(content)
        for _ in range(seeded.randint(1, 4)):
            flipped[seeded.randrange(len(content))] ^= 1 << seeded.randrange(8)
        return bytes(flipped), True
    if kind == 1:
        start = seeded.randrange(len(content))
        return content[:start] + content[start + seeded.randint(1, 2000) :], True
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    one, other = seeded.sample(sorted(parts), 2)
    if kind == 2:
        parts[one], parts[other] = parts[other], parts[one]
    elif kind == 3:
        parts[one] = rewritten(parts[one], bytes([seeded.randrange(256)]), seeded)
    else:
        one = seeded.choice([part for part in parts if SAYING.fullmatch(part)])
        parts[one] = rewritten(parts[one], seeded.choice(b"0123456789AXadesx >").to_bytes(), seeded)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return out.getvalue(), False


def rewritten(part: bytes, byte: bytes, seeded: random.Random) -> bytes:
    """A part with a byte put in, instead of up to three others."""
    at = seeded.randrange(len(part))
    return part[:at] + byte + part[at + seeded.randint(0, 3) :]


def outcome(path: Path, *, guarded: bool) -> Any:
    """The cells, guarded those of the first sheet, or None where the file is refused; unguarded, by any exception."""
    if guarded:
        try:
            return [(sheet.name, sheet.header, rows_of(sheet)) for sheet in open_book(path).sheets[:1]]
        except UnusableFile:
            return None
    try:
        return ours(path)
    except Exception:
        return None


def witness(path: Path, found: Any, right: Any) -> str:
    """Who says the same of a file that was read although it was harmed, in a way that no checksum tells.

    Two that know nothing of us. openpyxl knows what number formats show, but refuses a workbook for its looks too (a
    colour, the margin of a page, a note, who wrote it), which no cell is made of; calamine heeds neither. So where
    openpyxl refuses, calamine must read the same, and that must be what the file said before it was harmed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's, of what it leaves out
        try:
            theirs = through_openpyxl(path)
        except Exception:
            return "calamine" if found == right and values(path) == through_calamine(path) else "nobody"
    return "openpyxl" if found == theirs else "nobody"


def test_500_harmed_workbooks_are_refused_or_read_right(tmp_path: Path) -> None:
    seeded = random.Random(20260105)
    paths = [*HONEST[::4], varied(tmp_path / "varied.xlsx"), varied_otherwise(tmp_path / "otherwise.xlsx")]
    whole = [path.read_bytes() for path in paths]
    right = {guarded: [outcome(path, guarded=guarded) for path in paths] for guarded in (False, True)}
    assert None not in right[False] and None not in right[True]
    slowest, became = 0.0, Counter[str]()
    for number in range(500):
        chosen, guarded = seeded.randrange(len(paths)), number % 10 == 0
        content, told = harmed(whole[chosen], seeded)
        path = text(tmp_path / paths[chosen].name, content)
        begun = time.monotonic()
        found = outcome(path, guarded=guarded)
        slowest = max(slowest, time.monotonic() - begun)
        if found is None:
            became["refused"] += 1
        elif told:
            assert found == right[guarded][chosen], number
            became["read as before, no part being harmed"] += 1
        else:
            who = witness(path, ours(path), right[False][chosen])
            became[f"read as {who} reads it{'' if found == right[guarded][chosen] else ', other than before'}"] += 1
            assert who != "nobody", (number, path.name)
    print(dict(became))
    assert became["read as openpyxl reads it"] > 40 and became["read as calamine reads it"] > 10
    assert became["read as openpyxl reads it, other than before"] > 3
    assert slowest < 20
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 << 20


def test_a_witness_sees_that_one_cell_is_another(tmp_path: Path) -> None:
    path = varied(tmp_path / "a.xlsx")
    right = ours(path)
    wrong = {**right, "more": {1: ["a", "2", "TRUE"]}}
    assert (witness(path, right, right), witness(path, wrong, right)) == ("openpyxl", "nobody")
    edit(path, "docProps/core.xml", "<cp:coreProperties", "<cp:core")  # openpyxl refuses that
    assert (witness(path, right, right), witness(path, right, wrong)) == ("calamine", "nobody")
    edit(path, "xl/sharedStrings.xml", "<t>alike</t>", "<t>other</t>")
    assert witness(path, ours(path), right) == "nobody"
