"""What differs between systems: modes, whole files, network shares, and locks that die with their holder."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bulkload.errors import DiskError
from bulkload.system import create_private, lock, network_share, user_name, write_whole

posix = pytest.mark.skipif(os.name != "posix", reason="Windows knows no such modes")

MOUNTS = r"""
/dev/vda / ext4 rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
server:/srv /srv nfs4 rw 0 0
//server/team /mnt/team\040share cifs rw 0 0
/dev/vdb /srv/local ext4 rw 0 0
auto /mnt/auto autofs rw 0 0
server:/auto /mnt/auto nfs rw 0 0
someone@server:/ /mnt/far fuse.sshfs rw 0 0
/dev/fuse /mnt/near fuse.ext2 rw 0 0
"""

HOLDER = """
import sys, pathlib
from bulkload.system import lock
with lock(pathlib.Path(sys.argv[1]), "the first"):
    print("held", flush=True)
    sys.stdin.read()
"""


WRITER = """
import sys, pathlib
from bulkload.system import write_whole
write_whole(pathlib.Path(sys.argv[1]), lambda path: path.write_text("new") and None)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def holder(path: Path) -> "subprocess.Popen[str]":
    """Another process that holds the lock until its input ends or it is killed."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "held\n"
    return process


def say_new(path: Path) -> None:
    path.write_text("new")


# Modes


@posix
def test_a_private_file_and_its_folder_are_their_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal"
    create_private(path)
    assert (mode(path), mode(path.parent), path.read_bytes()) == (0o600, 0o700, b"")


@posix
def test_an_empty_file_becomes_private_and_one_that_holds_something_stays_as_it_is(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.touch()
    full.write_text("something")
    for path in (empty, full):
        path.chmod(0o644)
        create_private(path)
    assert (mode(empty), mode(full), full.read_text()) == (0o600, 0o644, "something")


# Whole files


@posix
@pytest.mark.parametrize("private", [True, False])
def test_a_whole_file_replaces_the_old_one_and_leaves_nothing_else(tmp_path: Path, private: bool) -> None:
    path = tmp_path / "result.csv"
    path.write_text("old")
    assert write_whole(path, say_new, private=private) == path
    assert path.read_text() == "new"
    assert bool(mode(path) & 0o077) is not private
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_could_not_be_filled_leaves_the_old_one(tmp_path: Path) -> None:
    def fill(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "result.csv"
    path.write_text("old")
    with pytest.raises(DiskError) as told:
        write_whole(path, fill)
    expected = f"{path} can't be written: No space left on device. Make room, or choose another place."
    assert (str(told.value), path.read_text()) == (expected, "old")
    assert list(tmp_path.iterdir()) == [path]


def test_where_a_file_can_not_be_replaced_the_next_free_number_is_taken(tmp_path: Path) -> None:
    # A folder of that name can't be replaced by a file, as a workbook that Excel holds open on Windows.
    (tmp_path / "result.csv").mkdir()
    (tmp_path / "result (2).csv").write_text("another's")
    written = write_whole(tmp_path / "result.csv", say_new)
    assert (written, written.read_text()) == (tmp_path / "result (3).csv", "new")
    assert (tmp_path / "result (2).csv").read_text() == "another's"


# Users


@posix
def test_a_user_without_a_name_is_told_by_number() -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    assert (user_name(lambda: "anna"), user_name(nobody)) == ("anna", str(os.getuid()))


# Network shares


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no table of mounts")
@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/somewhere/journal.sqlite", ""),
        ("/dev/shm/journal.sqlite", ""),
        ("/srv/me/journal.sqlite", "nfs4"),
        ("/srv/local/journal.sqlite", ""),
        ("/srvwork/journal.sqlite", ""),
        ("/mnt/team share/deep/journal.sqlite", "cifs"),
        ("/mnt/auto/journal.sqlite", "nfs"),
        ("/mnt/far/journal.sqlite", "fuse.sshfs"),
        ("/mnt/near/journal.sqlite", ""),
    ],
)
def test_a_network_share_is_told_by_the_mount_that_the_file_stands_on(tmp_path: Path, place: str, kind: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS.lstrip())
    assert network_share(Path(place), mounts) == kind


def test_where_nobody_can_tell_it_is_no_share(tmp_path: Path) -> None:
    assert network_share(tmp_path / "journal.sqlite", tmp_path / "no such table") == ""


# Locks


def test_a_lock_keeps_another_process_out_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as first:
        with pytest.raises(BlockingIOError) as told, lock(path, "the second"):
            pass
        assert told.value.strerror == "the first"
        first.communicate()
    with lock(path, "the second"):
        assert path.read_text() == "the second"
        if os.name == "posix":
            assert mode(path) == 0o600
    assert os.name != "posix" or not path.exists()


def test_a_lock_keeps_a_second_run_of_the_same_process_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock(path, "the first"), pytest.raises(BlockingIOError, match="the first"), lock(path, "the second"):
        pass
    with lock(path, "the second"):
        pass


def test_the_lock_of_a_killed_process_is_free_and_its_words_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as first:
        first.kill()
        first.wait()
        assert path.read_text() == "the first"
        with lock(path, "2nd"):
            assert path.read_text() == "2nd"


@posix
def test_a_lock_is_never_held_on_a_file_that_its_last_holder_has_taken_away(tmp_path: Path) -> None:
    """Many processes take turns: whoever is in finds nobody else in, whatever files come and go."""
    turns = """
import os, sys, pathlib
from bulkload.system import lock
folder = pathlib.Path(sys.argv[1])
done = 0
while done < 200:
    try:
        with lock(folder / "lock", "me"):
            (folder / "inside").mkdir()
            (folder / "inside").rmdir()
            done += 1
    except BlockingIOError:
        pass
"""
    running = [subprocess.Popen([sys.executable, "-c", turns, str(tmp_path)], stderr=subprocess.PIPE) for _ in "1234"]
    told = [process.communicate()[1] for process in running]
    assert told == [b""] * 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_file_is_on_the_disk_before_it_takes_its_name_and_then_its_folder_is(tmp_path: Path) -> None:
    """As the system saw it: a private file beside the old one, made durable, put in its place, the folder durable."""
    path, log = tmp_path / "folder" / "r.xlsx", tmp_path / "log"
    path.parent.mkdir()
    path.write_text("old")
    calls = "trace=openat,fsync,rename,renameat,renameat2"
    subprocess.run(["strace", "-f", "-y", "-e", calls, "-o", log, sys.executable, "-c", WRITER, path], check=True)
    assert path.read_text() == "new"
    folder, name = re.escape(str(path.parent)), r"\.[0-9a-f]{16}\.tmp"
    seen = [line for line in log.read_text().splitlines() if str(path.parent) in line]
    expected = [
        rf'openat\(.*"{folder}/{name}", .*O_CREAT\|O_EXCL.*, 0600\)',
        rf'openat\(.*"{folder}/{name}"',
        rf'openat\(.*"{folder}/{name}"',
        rf"fsync\(\d+<{folder}/{name}>\) = 0",
        rf'rename\w*\(.*"{folder}/{name}", .*"{re.escape(str(path))}".*\) = 0',
        rf'openat\(.*"{folder}"',
        rf"fsync\(\d+<{folder}>\) += 0",
    ]
    assert [bool(re.search(wanted, line)) for wanted, line in zip(expected, seen, strict=True)] == [True] * 7
