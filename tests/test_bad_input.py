"""Every kind of bad file becomes what the table says, and whatever is not plainly right is said: nothing in silence."""

import sys
from collections import Counter

import pytest

from tests.bad_input.door import Door, Ended
from tests.bad_input.judge import ACCEPT, TELL, Kind, Seen, faults
from tests.bad_input.kinds import KINDS

# What is still wrong, by kind. Each must fail, so that whoever mends one takes it out here.
NOT_YET: dict[str, str] = {}

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
