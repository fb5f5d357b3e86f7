"""Whatever call fails, of the disk or the network: no row is made twice, none is lost, and what was recorded stays."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import nth
from tests.nth import OLD, Fault, at_desk

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="strace and tmpfs are Linux's")


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Fault]:
    """Every call that can fail in an import of 30 rows."""
    assert not nth.why_not(), f"{nth.why_not()}: these tests need strace (apt-get install strace), and leave to use it"
    return nth.rehearse(tmp_path_factory.mktemp("rehearsal"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(("thread", "kinds"), [
    ("MainThread", {"journal write", "journal sync", "file write", "file sync", "replace", "open"}),
    ("sending", {"connect", "send", "receive", "journal write", "journal sync"}),
    ("reading", {"file read", "open"}),
])  # fmt: skip
def test_the_calls_are_those_of_all_threads(thread: str, kinds: set[str], calls: list[Fault]) -> None:
    assert kinds - {fault.kind for fault in calls if fault.thread == thread} == set()


@pytest.mark.parametrize("kind", nth.KINDS)
def test_the_nth_call_fails(kind: str, calls: list[Fault]) -> None:
    """For some n of each thread; `python -m tests.nth --all` takes every one."""
    figures = nth.fail_each(nth.some([fault for fault in calls if fault.kind == kind]), calls)
    assert figures.wrong == {}, figures
    assert figures.hits == figures.faults > 0, figures


@pytest.mark.parametrize("kind", ["journal write", "journal sync"])
def test_the_nth_call_and_all_after_it_fail(kind: str, calls: list[Fault]) -> None:
    """As on a disk that is full, or has become read-only, and stays so."""
    some = nth.some([fault for fault in calls if fault.kind == kind], 1)
    figures = nth.fail_each((replace(fault, on=True) for fault in some), calls)
    assert figures.wrong == {}, figures
    assert figures.hits == figures.faults > 0, figures
    # The journal's very last writes tidy it up as it is closed: no row needs them.
    assert 74 in figures.ends, figures


def test_a_disk_that_fills_stops_the_sending_before_the_next_row(disk: Path) -> None:
    ballast = disk / "ballast"
    with at_desk(disk) as desk:
        desk.server.arm(8, 0.0, lambda _: fill(ballast))
        first = desk.start("import")
        # The eighth to arrive, and whatever was in flight beside it.
        assert 8 <= len(desk.server.tries) < 8 + nth.CONCURRENCY
        assert (first.status, desk.result.read_bytes()) == (74, OLD)
        assert "Make room" in first.said
        ballast.unlink()
        assert nth.aftermath(desk, first).wrong == {}


def test_on_a_read_only_disk_nothing_is_sent(disk: Path) -> None:
    with at_desk(disk) as desk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        first = desk.start("import")
        assert (first.status, desk.server.tries, desk.result.read_bytes()) == (74, {}, OLD)
        assert "choose another place" in first.said
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert nth.aftermath(desk, first).wrong == {}


def fill(path: Path) -> None:
    """Write until there is no more room."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
