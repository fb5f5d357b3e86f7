"""Every kind of bad file becomes what the table says, and whatever is not plainly right is said: nothing in silence."""

import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.bad_input.door import Apart, Door, Ended
from tests.bad_input.judge import ACCEPT, TELL, Kind, Seen, faults
from tests.bad_input.kinds import KINDS

# MiB beyond what a good file takes.
_MORE = 100


def _kinds(*, hostile: bool) -> list[object]:
    return [pytest.param(kind, id=kind.name) for kind in KINDS if kind.hostile is hostile]


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
def apart() -> Iterator[Apart]:
    with Apart() as started:
        yield started


@pytest.fixture(scope="module")
def usual(door: Door, apart: Apart) -> Ended:
    """What a good workbook takes."""
    return door.check_apart(door.file(KINDS[0]), apart)


@pytest.mark.skipif(sys.platform != "linux", reason="there alone processes fork safely, and tell their peak in KiB")
@pytest.mark.parametrize("kind", _kinds(hostile=True))
def test_a_hostile_file_ends_in_the_same_words_and_takes_little_memory(
    kind: Kind, door: Door, apart: Apart, usual: Ended
) -> None:
    file = door.file(kind)
    ended = door.check_apart(file, apart)
    rows = door.rows(file) if kind.verdict & (ACCEPT | TELL) and ended.status == 0 else None
    assert faults(kind, Seen(ended.status, ended.said, rows)) == [], ended.said
    assert ended.peak <= usual.peak + _MORE


def test_every_kind_has_a_name_of_its_own() -> None:
    names = Counter(kind.name for kind in KINDS)
    assert [name for name, count in names.items() if count > 1] == []
