"""Every kind of bad file becomes what the table says, and whatever is not plainly right is said: nothing in silence."""

import sys
from collections import Counter

import pytest

from tests.bad_input.door import Door, Ended
from tests.bad_input.judge import ACCEPT, TELL, Kind, Seen, faults
from tests.bad_input.kinds import KINDS

# What is still wrong, by kind. Each must fail, so that whoever mends one takes it out here.
NOT_YET: dict[str, str] = {
    "days that never were": "1900-02-29 and -1 are read as other days",
    "numbers in a column of text": "not said: B2",
    "numbers that are shown otherwise": "not said: B2",
    "a date in a column of text": "not said: B2",
    "signs that nobody sees": "not cleaned, not told",
    "text that runs backwards": "not refused",
    "the same name composed in two ways": "not said: row 3",
    "control characters as escapes": "not said: B2",
    "a cell of 40 000 characters": "not said: B2",
    "a title above the header": "not said: --header-row 3",
    "cells merged over two rows": "not said: B2:B3",
    "hidden sheets before the data": "what was read is not told: Secret.*hidden",
    "three thousand sheets": "not said: 3,?000",
    "blank rows in the middle and a total": "what was read is not told: 2 blank rows",
    "two hundred thousand blank rows with a format": "what was read is not told: 200,000 blank rows",
    "one cell in the last row": "what was read is not told: 1,048,572 blank rows",
    "a row below the last": "no next step in the message",
    "a column beyond the last": "no next step in the message",
    "rows out of order": "no next step in the message",
    "cells out of order": "no next step in the message",
    "one cell twice": "no next step in the message",
    "styles with an empty fill": "refused as damaged",
    "a part that stands twice": "not said: twice|duplicate|same part",
    "parts that lead out of the zip": "not said: evil|/abs|damaged",
    "a billion laughs": "no next step in the message",
    "a long entity used often": "no next step in the message",
    "an entity that reads a file": "no next step in the message",
    "a formula into another workbook": "not said: B2",
    "a workbook with macros": "not said: macros",
    "a gibibyte of blanks": "no preflight: unpacked before it is refused",
    "a million rows of the same cells": "no preflight: unpacked before it is refused",
    "a string of a gibibyte": "no preflight: unpacked before it is refused",
    "two hundred million styles": "no preflight: unpacked before it is refused",
    "xls with numbers that are shown otherwise": "not said",
    "xls with hidden rows": "not said",
    "xls with blank rows": "not said",
    "ods with hidden rows": "not said",
    "ods with a row after blank rows": "not said",
    "text that was encoded twice": "not said: A2",
    "a bad cell below a cell of three lines": "not said: line 5",
    "dates that can be read two ways or none": "not said: --date-format",
    "csv signs that nobody sees": "not cleaned, not told",
    "csv text that runs backwards": "not refused",
}

# MiB beyond what a good file takes.
_MORE = 100


def _kinds(*, hostile: bool) -> list[object]:
    return [
        pytest.param(
            kind,
            id=kind.name,
            marks=[pytest.mark.xfail(strict=True, reason=NOT_YET[kind.name])] if kind.name in NOT_YET else [],
        )
        for kind in KINDS
        if kind.hostile is hostile
    ]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Door:
    return Door.of(tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize("kind", _kinds(hostile=False))
def test_a_bad_file_becomes_what_the_table_says(kind: Kind, door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    file = door.file(kind)
    status = door.check(file, kind.sheet)
    said = "".join(capsys.readouterr())
    rows = None if kind.rows is None else door.rows(file, kind.sheet)
    assert faults(kind, Seen(status, said, rows)) == [], said


@pytest.fixture(scope="module")
def usual(door: Door) -> Ended:
    """What a good workbook takes."""
    return door.check_apart(door.file(KINDS[0]))


@pytest.mark.skipif(sys.platform == "win32", reason="its processes do not tell what they took")
@pytest.mark.parametrize("kind", _kinds(hostile=True))
def test_a_hostile_file_ends_in_the_same_words_and_takes_little_memory(kind: Kind, door: Door, usual: Ended) -> None:
    file = door.file(kind)
    ended = door.check_apart(file)
    rows = door.rows(file) if kind.verdict & (ACCEPT | TELL) and ended.status == 0 else None
    assert faults(kind, Seen(ended.status, ended.said, rows)) == [], ended.said
    assert ended.peak <= usual.peak + _MORE


def test_every_kind_has_a_name_of_its_own_and_what_is_not_yet_right_is_one_of_them() -> None:
    names = Counter(kind.name for kind in KINDS)
    assert [name for name, count in names.items() if count > 1] == []
    assert NOT_YET.keys() <= names.keys()
