"""A CSV is read strictly, and what its quotes, blank lines and sizes show is told."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.errors import UnusableFile
from bulkload.models import FRAME_ROWS, Sheet
from bulkload.quotes import Quotes, quoted_fields
from bulkload.read import ReadOptions, open_book


def opened(path: Path, content: str | bytes, **said: str) -> Sheet:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (sheet,) = open_book(path, ReadOptions(**said)).sheets  # type: ignore[arg-type]
    return sheet


def refusal(path: Path, content: str | bytes, **said: str) -> str:
    with pytest.raises(UnusableFile) as refused:
        list(opened(path, content, **said).frames())
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("content", "encoding", "byte", "hint"),
    [
        ("n\nJos\u00e9\n", "cp1252", "E9", "cp1252"),
        ("n\ncr\u00e9\u00e9e; 5 \u20ac; \u201cx\u201d\n", "cp1252", "E9", "cp1252"),
        ("n\n\u30c6\u30b9\u30c8\n", "cp932", "83", "cp932 (Japanese), cp950 or cp936 (Chinese)"),
        ("n\n\u5c71\u7530\u592a\u90ce\n", "cp932", "8E", "cp932 (Japanese), cp950 or cp936 (Chinese)"),
        ("n\n\u9673\u5927\u6587\n", "cp950", "B3", "cp932 (Japanese), cp950 or cp936 (Chinese)"),
        ("n\n\u738b\u5c0f\u660e\n", "cp936", "CD", "cp932 (Japanese), cp950 or cp936 (Chinese)"),
    ],
)
def test_a_byte_that_is_no_utf_8_is_named_with_its_line_and_the_encoding_to_try(
    tmp_path: Path, content: str, encoding: str, byte: str, hint: str
) -> None:
    data = b"n\n" + b"plain,\n" * 200_000 + content.encode(encoding)
    line = f"a.csv line 200003: byte 0x{byte} is not utf-8"
    assert refusal(tmp_path / "a.csv", data) == (
        f"{line}: name the encoding, such as --encoding {hint}, or save it as CSV UTF-8"
    )
    (frame,) = opened(tmp_path / "b.csv", content.encode(encoding), encoding=encoding).frames()
    assert frame.text[1].tolist() == content.split("\n")[1:-1]


def test_a_frame_of_long_cells_has_fewer_rows(tmp_path: Path) -> None:
    long = "x" * 400_000
    rows = "".join(f'{number},"{long}\n{long}"\n' for number in range(60))
    frames = [frame.text for frame in opened(tmp_path / "a.csv", f"n,m\n{rows}").frames()]
    assert len(frames) == 3 and max(map(len, frames)) < 30
    assert [number for frame in frames for number in frame.index] == list(range(2, 62))
    assert [text for frame in frames for text in frame[1]] == list(map(str, range(60)))


def test_more_columns_than_a_sheet_has_are_refused_and_as_many_are_not(tmp_path: Path) -> None:
    header = ",".join(map(str, range(16_384)))
    assert len(opened(tmp_path / "a.csv", header + "\n").header) == 16_384
    assert refusal(tmp_path / "b.csv", header + ",x\n") == (
        "b.csv row 1 has 16,385 columns, and a sheet holds no more than 16,384: delete the columns that are "
        "too many, or export the table again"
    )


def test_blank_records_keep_their_numbers_and_are_counted_to_the_end(tmp_path: Path) -> None:
    records = ["a,b", "", "1,2", ",", " , ,,", "\u00a0,x", *[""] * 3_000, "3,4", *[""] * 2_500]
    (frame,) = opened(tmp_path / "a.csv", "\n".join(records) + "\n").frames()
    assert frame.text.to_dict("index") == {3: {1: "1", 2: "2"}, 6: {1: "\u00a0", 2: "x"}, 3_007: {1: "3", 2: "4"}}
    assert frame.blank_rows == 3 + 3_000 + 2_500


def test_a_frame_is_whole_whatever_is_blank_between_its_rows(tmp_path: Path) -> None:
    content = "a\n" + "1\n\n" * (FRAME_ROWS + 10)
    frames = list(opened(tmp_path / "a.csv", content).frames())
    assert [(len(frame.text), frame.blank_rows) for frame in frames] == [(FRAME_ROWS, FRAME_ROWS), (10, 10)]
    assert frames[1].text.index.tolist() == [2 + 2 * (FRAME_ROWS + row) for row in range(10)]


def test_the_first_fault_is_told_whatever_else_is_wrong_after_it(tmp_path: Path) -> None:
    content = "a,b\n" + "1,2\n" * 500 + "1\n" + '"x"y,2\n'
    assert refusal(tmp_path / "a.csv", content).startswith("a.csv line 502 (row 502) has 1 field, the header 2")
    content = 'a,b\n"1\n2",3\n' + "1,2\n" * 3_000 + "1,2,3\n" + '"'
    assert refusal(tmp_path / "a.csv", content).startswith("a.csv line 3004 (row 3003) has 3 fields, the header 2")


def test_more_rows_than_a_sheet_holds_are_told_before_they_are_read(tmp_path: Path) -> None:
    assert opened(tmp_path / "a.csv", "n\n" + "1\n" * 1_048_575).facts == ()
    assert opened(tmp_path / "a.csv", "n\n" + "1\n" * 1_048_575 + "2").facts == (
        "1,048,576 rows, more than a sheet holds (1,048,575): the result is a CSV, and one that is written as .xlsx "
        "goes on in further sheets",
    )
    told = opened(tmp_path / "c.csv", 'n\n"2\n"\n' + "1\n" * 1_048_574).facts
    assert told == ("cells hold line breaks, so that rows and lines count apart: row 2 is lines 2 to 3",)


def test_quotes_and_line_breaks_within_cells_are_told_with_the_first(tmp_path: Path) -> None:
    content = 'a,b\n1,"x ""y"""\n2,5" pipe\n"3\r\n",","\n4,2 x 4"\n'
    sheet = opened(tmp_path / "a.csv", content)
    assert sheet.facts == (
        "cells hold line breaks, so that rows and lines count apart: row 4 is lines 4 to 5",
        "a quote in the middle of a cell is kept as it stands: 2 rows, first line 3",
    )
    (frame,) = sheet.frames()
    assert frame.text.to_numpy().tolist() == [["1", 'x "y"'], ["2", '5" pipe'], ["3\r\n", ","], ["4", '2 x 4"']]


@given(st.text(st.sampled_from('a",\n'), max_size=30), st.integers(1, 31))
def test_quotes_are_followed_as_csv_follows_them(text: str, cut: int) -> None:
    """Whatever csv can read: a stray quote is seen where one stands, and without one every line break in a cell is."""
    lines = text.splitlines(keepends=True)
    quotes = Quotes(",")
    for some in ("".join(lines[:cut]), "".join(lines[cut:])):
        quotes.see(some)
    taken: list[str] = []

    def kept() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    stray = broken = False
    try:
        for _ in csv.reader(kept(), strict=True):
            stray |= '"' in quoted_fields(",").sub("", "".join(taken))
            broken |= len(taken) > 1
            taken.clear()
    except csv.Error:
        return
    assert quotes.stray == stray
    assert quotes.broken == broken or stray


@given(st.lists(st.lists(st.text(st.sampled_from('a",;\r\n ')), min_size=2, max_size=2), min_size=1))
def test_what_csv_writes_has_no_stray_quote(rows: list[list[str]]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    quotes = Quotes(",")
    quotes.see(file.getvalue().replace("\r\n", "\n").replace("\r", "\n"))
    assert (quotes.stray, quotes.broken) == (False, any({"\r", "\n"} & set(cell) for row in rows for cell in row))
