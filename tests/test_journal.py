"""The journal: what stands in it survives the program, and nothing that must not stand in it does."""

import contextlib
import math
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from bulkload.errors import BulkloadError, DiskError, UsageError
from bulkload.journal import GONE, MIGRATIONS, Changes, Journal, Known, NewRow, OpenRow, Repeat, default_path
from bulkload.models import Once, Outcome, Run, Status

TARGET, OTHER = "https://api.example.com/v1 account=1", "https://api.example.com/v1 account=2"
RESOURCE = "things/thing"
posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no modes, limits and signals of this kind")

# The tables of version 1, as the first release has them. Never edit: files like this are on people's disks.
V1 = """
CREATE TABLE secret (key BLOB NOT NULL);
CREATE TABLE runs (
    id TEXT PRIMARY KEY, file TEXT NOT NULL, sha256 TEXT NOT NULL, connection TEXT NOT NULL, target TEXT NOT NULL,
    user TEXT NOT NULL, started TEXT NOT NULL, agreed TEXT, ended TEXT, result TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE rows (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, sheet TEXT NOT NULL, row INTEGER NOT NULL,
    target TEXT NOT NULL, resource TEXT NOT NULL, action TEXT NOT NULL,
    fingerprint TEXT NOT NULL, ordinal INTEGER NOT NULL, open_fingerprint TEXT NOT NULL, key TEXT NOT NULL,
    status TEXT NOT NULL, id TEXT NOT NULL, error TEXT NOT NULL, note TEXT NOT NULL,
    http_status INTEGER NOT NULL, attempts INTEGER NOT NULL, request_id TEXT NOT NULL, sent TEXT, time TEXT,
    PRIMARY KEY (run, sheet, row)
) WITHOUT ROWID;
CREATE INDEX rows_by_fingerprint ON rows (target, resource, fingerprint, ordinal)
    WHERE fingerprint != '' AND action != '';
CREATE INDEX rows_by_key ON rows (target, resource, key) WHERE key != '' AND action != '';
PRAGMA application_id = 0x62756C6B;
PRAGMA user_version = 1;
"""
# A next release may need to know which run a run goes on with.
V2 = (*MIGRATIONS, "ALTER TABLE runs ADD COLUMN resumes TEXT NOT NULL DEFAULT ''; CREATE INDEX later ON runs (resumes)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path) as opened:
        yield opened


def begin(journal: Journal, target: str = TARGET) -> Run:
    return journal.begin(file="/data/things.xlsx", sha256="0" * 64, connection="live", target=target)


def new(row: int, status: Status = Status.NOT_SENT, **changes: object) -> NewRow:
    made = NewRow("Things", row, RESOURCE, "create", status, f"1:{row}", 1, f"1:open {row}", f"key {row}")
    return made._replace(**changes)  # type: ignore[arg-type]


def begun(journal: Journal, *rows: NewRow, target: str = TARGET) -> str:
    """A run with these rows."""
    run = begin(journal, target).id
    journal.add(run, target, rows)
    return run


def sent(journal: Journal, run: str, row: int, status: Status = Status.CREATED, **words: str) -> None:
    """Send a row of the run and record what became of it."""
    journal.write(run, [("Things", row)], [])
    if status is not Status.SENDING:
        journal.write(run, [], [Outcome("Things", row, status, **words)])  # type: ignore[arg-type]


def known(row: int, run: str, status: Status = Status.CREATED, id: str = "") -> Known:
    return Known(run, "Things", row, status, id, f"1:{row}", 1, f"1:open {row}", f"key {row}")


def other_process(code: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def all_bytes(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


# The file


@posix
def test_the_journal_and_what_sqlite_puts_beside_it_are_their_owners_alone(path: Path) -> None:
    path.touch(mode=0o644)
    with Journal(path) as journal:
        begin(journal)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"), 0o600)


def test_commits_are_durable_one_by_one(journal: Journal, path: Path) -> None:
    settings = {name: journal._pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_network_share_is_refused_before_anything_is_written_there(path: Path) -> None:
    with pytest.raises(DiskError) as told:
        Journal(path, share=lambda _: "nfs4")
    assert str(told.value) == (
        f"The journal {path} would stand on a network share (nfs4), where it can't be kept safe. "
        "Choose a place on this machine's own disk with --journal."
    )
    assert list(path.parent.iterdir()) == []


def test_where_processes_can_not_share_memory_there_is_no_journal(tmp_path: Path) -> None:
    """SQLite says so by staying in another mode. Of all names, this is one that makes it."""
    with contextlib.chdir(tmp_path), pytest.raises(DiskError) as told:
        Journal(Path(":memory:"))
    assert str(told.value) == (
        "The journal :memory: can't be used: its file system can't share memory between processes. "
        "Make room, or choose another place with --journal; nothing more is sent."
    )


def test_a_journal_that_another_process_is_just_making_is_waited_for(path: Path) -> None:
    with closing(sqlite3.connect(path, check_same_thread=False, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.2, other.execute, ["ROLLBACK"]).start()
        with Journal(path) as journal:
            assert journal.runs() == []


def test_four_processes_may_make_the_same_journal_at_once(path: Path) -> None:
    code = "import sys, pathlib, bulkload.journal as j; print(j.Journal(pathlib.Path(sys.argv[1])).hmac_key.hex())"
    running = [other_process(code, path) for _ in range(4)]
    keys, errors = zip(*(process.communicate() for process in running), strict=True)
    assert (len(set(keys)), len(keys[0].strip()), set(errors)) == (1, 64, {""})


def test_the_usual_journal_stands_in_the_users_own_folder() -> None:
    assert default_path().parts[-2:] == ("bulkload", "journal.sqlite")


# Versions


def version_1(path: Path) -> None:
    """A journal as the first release left it, with a run of one row that was created."""
    with closing(sqlite3.connect(path)) as file:
        file.executescript(V1)
        file.execute("INSERT INTO secret VALUES (?)", (b"k" * 32,))
        times = "2026-01-02T03:04:05.000000+00:00"
        file.execute(
            "INSERT INTO runs (id, file, sha256, connection, target, user, started)"
            " VALUES ('20260102-030405-abcd', '/data/things.xlsx', '0', 'live', ?, 'anna', ?)",
            (TARGET, times),
        )
        file.execute(
            "INSERT INTO rows VALUES ('20260102-030405-abcd', 'Things', 7, ?, ?, 'create', '1:7', 1, '1:open 7',"
            " 'key 7', 'created', 'ID7', '', '', 201, 1, 'req-1', ?, ?)",
            (TARGET, RESOURCE, times, times),
        )
        file.commit()


def tables(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_an_empty_file_becomes_a_journal_of_version_1_as_it_was_released(path: Path, tmp_path: Path) -> None:
    version_1(tmp_path / "released.sqlite")
    with Journal(path, migrations=MIGRATIONS[:1]):
        pass
    assert tables(path) == tables(tmp_path / "released.sqlite")


def test_a_journal_of_version_1_is_brought_up_to_date_and_knows_all_that_it_knew(path: Path) -> None:
    version_1(path)
    with Journal(path, migrations=V2) as journal:
        assert journal._pragma("user_version") == len(V2)
        assert journal.hmac_key == b"k" * 32
        run = journal.run()
        assert (run.id, run.user, run.counts) == ("20260102-030405-abcd", "anna", {Status.CREATED: 1})
        assert journal.known_keys(TARGET, RESOURCE, ["key 7"]) == {"key 7": known(7, run.id, id="ID7")}
        begin(journal)
    with Journal(path, migrations=V2) as journal:
        assert len(journal.runs()) == 2


def test_a_step_that_fails_leaves_the_journal_as_it_was(path: Path) -> None:
    version_1(path)
    before = tables(path)
    with pytest.raises(DiskError, match="no such table: nowhere"):
        Journal(path, migrations=(*V2, "ALTER TABLE runs ADD COLUMN x TEXT; DROP TABLE nowhere"))
    assert tables(path) == before
    with Journal(path) as journal:
        assert journal.run().counts == {Status.CREATED: 1}


def test_a_journal_of_a_newer_version_is_refused(path: Path) -> None:
    with Journal(path, migrations=V2):
        pass
    with pytest.raises(UsageError) as told:
        Journal(path)
    expected = f"The journal {path} was written by a newer bulkload. Install that, or name another --journal."
    assert str(told.value) == expected


def test_the_database_of_another_program_is_refused_and_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(UsageError) as told:
        Journal(path)
    assert str(told.value) == f"{path} is the database of another program. Name another --journal."
    assert path.read_bytes() == before


# Trouble with the disk


DAMAGED = (
    "The journal {} is damaged, or no journal ({}). Put a copy of it back, or name another with --journal: "
    "that one doesn't know what was sent before."
)


def test_a_file_that_is_no_database_is_told(path: Path) -> None:
    path.write_text("Display name,Types\n" * 100)
    with pytest.raises(DiskError) as told:
        Journal(path)
    assert str(told.value) == DAMAGED.format(path, "file is not a database")


def test_a_journal_damaged_in_the_middle_is_told_when_its_rows_are_wanted(path: Path) -> None:
    with Journal(path) as journal:
        run = begun(journal, *map(new, range(2, 2000)))
    content = path.read_bytes()
    path.write_bytes(content[: 5 * 4096] + b"\xaa" * (len(content) - 10 * 4096) + content[-5 * 4096 :])
    with Journal(path) as journal, pytest.raises(DiskError) as told:
        list(journal.all_outcomes(run))
    assert str(told.value) == DAMAGED.format(path, "database disk image is malformed")


def test_a_folder_in_the_journals_place_is_told(path: Path) -> None:
    path.mkdir()
    with pytest.raises(DiskError, match=r"can't be used: unable to open database file\. Make room, or"):
        Journal(path)


FULL_DISK = """
import pathlib, resource, sys
from bulkload.errors import DiskError
from bulkload.journal import Journal, NewRow
from bulkload.models import Outcome, Status

def new(row):
    return NewRow("Things", row, "things/thing", "create", Status.NOT_SENT, f"1:{row}", 1, f"1:{row}", f"key {row}")

with Journal(pathlib.Path(sys.argv[1])) as journal:
    run = journal.begin(file="f", sha256="0", connection="c", target=sys.argv[2]).id
    journal.add(run, sys.argv[2], map(new, range(2, 1002)))
    largest = max(file.stat().st_size for file in pathlib.Path(sys.argv[1]).parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 100_000, resource.RLIM_INFINITY))
    row = 1
    try:
        while True:
            row += 1
            journal.write(run, [("Things", row)], [])
            journal.write(run, [], [Outcome("Things", row, Status.CREATED, id=f"ID{row}")])
    except DiskError as error:
        print(row - 1, journal.counts(run).get(Status.CREATED), error, sep="|")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.write(run, [("Things", 1001)], [Outcome("Things", 1001, Status.REJECTED)])
"""


def test_a_journal_that_can_not_write_ahead_is_told(path: Path) -> None:
    path.with_name(f"{path.name}-journal").mkdir()
    with pytest.raises(DiskError, match="unable to open database file"):
        Journal(path)


def test_where_the_file_may_not_grow_nothing_of_a_transaction_stays_and_the_journal_goes_on(journal: Journal) -> None:
    run = begun(journal, new(2))
    journal._pragma("max_page_count = 12")
    with pytest.raises(DiskError, match="database or disk is full"):
        journal.add(run, TARGET, map(new, range(3, 2000)))
    assert journal.counts(run) == {Status.NOT_SENT: 1}
    journal._pragma("max_page_count = 1000000")
    journal.add(run, TARGET, map(new, range(3, 2000)))
    assert journal.counts(run) == {Status.NOT_SENT: 1998}


@posix
def test_a_full_disk_is_told_and_what_was_committed_stays(path: Path) -> None:
    with other_process(FULL_DISK, path, TARGET) as full:
        said, errors = full.communicate()
    assert errors == ""
    last, seen, message = said.strip().split("|")
    assert message.startswith(f"The journal {path} can't be used: ")
    assert message.endswith(". Make room, or choose another place with --journal; nothing more is sent.")
    with Journal(path) as journal:
        rows = journal.outcomes(journal.run().id, "Things", 2, 1001)
    done = [row for row, outcome in rows.items() if outcome.status is Status.CREATED]
    assert (len(done), done[-1]) == (int(seen), int(last))
    assert len(done) > 5
    # After room was made, the same open journal goes on.
    assert rows[1001].status is Status.REJECTED


# A killed program


IN_FLIGHT = """
import pathlib, sys
from bulkload.journal import Journal, NewRow
from bulkload.models import Outcome, Status

def new(row):
    return NewRow("Things", row, "things/thing", "create", Status.NOT_SENT, f"1:{row}", 1, f"1:{row}", f"key {row}")

with Journal(pathlib.Path(sys.argv[1])) as journal:
    run = journal.begin(file="f", sha256="0", connection="c", target=sys.argv[2]).id
    journal.add(run, sys.argv[2], map(new, (2, 3, 4)))
    journal.write(run, [("Things", 2), ("Things", 3)], [])
    journal.write(run, [], [Outcome("Things", 2, Status.CREATED, id="ID2", http_status=201)])
    print(run, flush=True)
    sys.stdin.read()
"""


def test_a_row_in_flight_when_the_program_was_killed_is_unknown(path: Path) -> None:
    with other_process(IN_FLIGHT, path, TARGET) as killed:
        run = line(killed)
        killed.kill()
    with Journal(path) as journal:
        rows = {row: one._replace(time=None) for row, one in journal.outcomes(run, "Things", 1, 9).items()}
        cut_off = "Sent, but the program was cut off before an answer came: it may exist."
        assert rows == {
            2: Outcome("Things", 2, Status.CREATED, "ID2", http_status=201, attempts=1, run=run),
            3: Outcome("Things", 3, Status.UNKNOWN, error=cut_off, attempts=1, run=run),
            4: Outcome("Things", 4, Status.NOT_SENT, run=run),
        }
        assert journal.counts(run) == {Status.CREATED: 1, Status.UNKNOWN: 1, Status.NOT_SENT: 1}
        assert journal.waiting(run, "Things", 1, 9) == {4: ("create", "")}
        assert journal.known_keys(TARGET, RESOURCE, ["key 3"])["key 3"].status is Status.SENDING
        assert journal.run().ended is None


# One run at a time


HOLDING = """
import pathlib, sys
from bulkload.errors import UsageError
from bulkload.journal import Journal

with Journal(pathlib.Path(sys.argv[1])) as journal:
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        with journal.hold(sys.argv[2], sys.argv[3]):
            print("held", flush=True)
            sys.stdin.read()
    except UsageError as error:
        print(error)
"""


def holding(path: Path, run: str) -> "subprocess.Popen[str]":
    """Another process with the journal open, about to hold the target."""
    process = other_process(HOLDING, path, TARGET, run)
    assert line(process) == "ready"
    return process


def go(process: "subprocess.Popen[str]") -> str:
    """Let it try, and hear what it says."""
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()
    return line(process)


def test_a_second_run_ends_at_once_and_names_the_first(path: Path) -> None:
    with holding(path, "run-1") as first, holding(path, "run-2") as second, holding(path, "run-3") as third:
        assert go(first) == "held"
        began = time.monotonic()
        said = go(second)
        second.wait()
        assert time.monotonic() - began < 8
        assert said.startswith(f"Another run is at work on {TARGET} (run run-1, process {first.pid}, since 20")
        assert said.endswith("). Wait until it has ended, or stop it.")
        first.communicate()
        assert go(third) == "held"
        third.communicate()


def test_the_run_of_a_killed_process_holds_nothing(path: Path, journal: Journal) -> None:
    with holding(path, "run-1") as first:
        assert go(first) == "held"
        with pytest.raises(UsageError, match="run run-1, process"), journal.hold(TARGET, "run-2"):
            pass
        first.kill()
        first.wait()
        with journal.hold(TARGET, "run-2"):
            pass


def test_another_target_and_another_journal_are_free_and_another_name_of_this_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.sqlite"
    link.symlink_to(tmp_path / "journal.sqlite")
    with (
        Journal(tmp_path / "journal.sqlite") as one,
        Journal(tmp_path / "there" / "journal.sqlite") as two,
        Journal(link) as same,
        one.hold(TARGET, "run-1"),
        one.hold(OTHER, "run-1"),
        two.hold(TARGET, "run-2"),
        pytest.raises(UsageError, match="run run-1"),
        same.hold(TARGET, "run-3"),
    ):
        pass


def test_an_error_within_a_run_is_its_own_and_frees_the_target(journal: Journal) -> None:
    with pytest.raises(PermissionError, match="of the result"), journal.hold(TARGET, "run-1"):
        raise PermissionError("of the result")
    with journal.hold(TARGET, "run-2"):
        pass


@posix
def test_a_lock_that_can_not_be_made_is_trouble_with_the_disk(journal: Journal, path: Path) -> None:
    with journal.hold(TARGET, "run-1"):
        (name,) = path.parent.glob("*.lock")
    name.mkdir()
    with pytest.raises(DiskError, match="Is a directory"), journal.hold(TARGET, "run-2"):
        pass


# Runs


def clock(*times: datetime) -> Callable[[], datetime]:
    """The first time as the journal is opened, then the times given, then the last one for ever."""
    left = [times[0], *times]
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_a_run_reads_back_as_it_was_begun_with_the_counts_of_its_rows(path: Path) -> None:
    started = datetime(2026, 5, 4, 13, 0, 1, 500, tzinfo=timezone(timedelta(hours=2)))
    ended = started + timedelta(minutes=1)
    with Journal(path, clock=clock(started, started, ended)) as journal:
        run = begun(journal, new(2), new(3, Status.INVALID), new(4, Status.UNCHANGED), new(5))
        assert (run[:16], len(run)) == ("20260504-130001-", 20)
        journal.end(run)
        journal.result_written(run, "/data/things.result.xlsx")
        expected = Run(
            id=run,
            file="/data/things.xlsx",
            sha256="0" * 64,
            connection="live",
            target=TARGET,
            user=journal.run(run).user,
            started=started,
            ended=ended,
            result="/data/things.result.xlsx",
            counts={Status.NOT_SENT: 2, Status.INVALID: 1, Status.UNCHANGED: 1},
        )
        assert [journal.run(run), *journal.runs()] == [expected, expected]
        assert expected.user != ""
        assert journal.has_run(run)
        assert not journal.has_run("20200101-000000-0000")


def test_a_run_is_found_by_the_beginning_of_its_id_and_the_newest_without(path: Path) -> None:
    summer = datetime(2026, 10, 25, 2, 50, tzinfo=timezone(timedelta(hours=2)))
    # Ten minutes later clocks have gone back: the newer one's local time is the smaller text.
    winter = datetime(2026, 10, 25, 2, 0, tzinfo=timezone(timedelta(hours=1)))
    with Journal(path, clock=clock(summer, winter)) as journal:
        with pytest.raises(UsageError, match=r"has no run yet\. See: bulkload runs"):
            journal.run()
        first, second = begin(journal), begin(journal)
        assert [run.id for run in journal.runs()] == [second.id, first.id]
        assert journal.run() == replace(second, started=second.started.astimezone())
        assert journal.run(first.id[:13]).id == first.id
        assert journal.run(second.id).id == second.id
        with pytest.raises(UsageError, match=r'has several runs "2026\.\.\."'):
            journal.run("2026")
        with pytest.raises(UsageError, match='has no run "%"'):
            journal.run("%")


def test_a_whole_id_wins_over_others_that_begin_with_it(path: Path) -> None:
    version_1(path)
    with closing(sqlite3.connect(path)) as file:
        columns = "file, sha256, connection, target, user, started"
        file.execute(f"INSERT INTO runs (id, {columns}) SELECT id || 'ef', {columns} FROM runs")
        file.commit()
    with Journal(path) as journal:
        assert journal.run("20260102-030405-abcd").id == "20260102-030405-abcd"


def test_a_purged_run_is_forgotten_to_the_last_byte(path: Path) -> None:
    with Journal(path) as journal:
        run = begun(journal, *(new(row, key=f"customer-{row}") for row in range(2, 50)))
        sent(journal, run, 2, id="ID2")
        other = begun(journal, new(2, key="another"), target=OTHER)
        assert b"customer-7" in all_bytes(path)
        journal.purge(run)
        assert [one.id for one in journal.runs()] == [other]
        assert journal.known(TARGET, RESOURCE, ["1:2"]) == {}
        assert list(journal.all_outcomes(run)) == []
    assert (b"customer-" in all_bytes(path), b"another" in all_bytes(path)) == (False, True)


# Rows


def test_what_is_about_to_be_sent_and_what_came_back_are_recorded(path: Path) -> None:
    times = [datetime(2026, 1, 1, 0, minute, tzinfo=UTC) for minute in range(5)]
    with Journal(path, clock=clock(*times)) as journal:
        run = begun(journal, new(2), new(3, action="update", id="ID3"), new(4, Status.INVALID, error="D4: no"))
        assert journal.waiting(run, "Things", 2, 9) == {2: ("create", ""), 3: ("update", "ID3")}
        journal.write(run, [("Things", 2), ("Things", 3)], [])
        again = Outcome("Things", 2, Status.NOT_SENT, error="Throttled.", http_status=429)
        journal.write(run, [], [again, Outcome("Things", 3, Status.UPDATED, "ID3", http_status=200, request_id="r")])
        journal.write(run, [("Things", 2)], [])
        expected = {
            2: Outcome("Things", 2, Status.UNKNOWN, error="Sent, but the program was cut off before an answer came: "
                       "it may exist.", http_status=429, attempts=2, time=times[4], run=run),
            3: Outcome("Things", 3, Status.UPDATED, "ID3", http_status=200, attempts=1, request_id="r",
                       time=times[3], run=run),
            4: Outcome("Things", 4, Status.INVALID, error="D4: no", time=times[1], run=run),
        }  # fmt: skip
        assert journal.outcomes(run, "Things", 1, 9) == expected
        assert journal.outcomes(run, "Things", 3, 3) == {3: expected[3]}
        assert list(journal.all_outcomes(run)) == list(expected.values())
        assert journal.waiting(run, "Things", 1, 9) == {}


def test_the_sheets_of_a_run_are_counted_apart_and_together(journal: Journal) -> None:
    run = begun(journal, new(2), new(2, Status.INVALID)._replace(sheet="Others"), new(3))
    assert journal.counts(run) == {Status.NOT_SENT: 2, Status.INVALID: 1}
    assert journal.counts(run, "Others") == {Status.INVALID: 1}
    assert journal.sheets(run) == ["Others", "Things"]
    assert journal.targets(run) == [TARGET]
    assert [(one.sheet, one.row) for one in journal.all_outcomes(run)] == [("Others", 2), ("Things", 2), ("Things", 3)]


@pytest.mark.parametrize("status", [s for s in Status if s not in (Status.NOT_SENT, Status.FAILED)])
def test_only_a_row_that_made_nothing_can_be_sent(journal: Journal, status: Status) -> None:
    """Whatever goes wrong elsewhere, the journal takes no second intent for a row that may exist."""
    run = begun(journal, new(2), new(3))
    sent(journal, run, 2, status)
    before = journal.outcomes(run, "Things", 1, 9)
    with pytest.raises(BulkloadError, match="are not those that were to be sent") as told:
        journal.write(run, [("Things", 3), ("Things", 2)], [])
    assert (told.value.exit_code, journal.outcomes(run, "Things", 1, 9)) == (70, before)


def test_an_unknown_row_can_be_sent_with_the_key_that_it_had_and_with_no_other(path: Path) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    once = Once("the-key", noon + timedelta(hours=1))
    with Journal(path, clock=lambda: noon) as journal:
        run = begun(journal, new(2), new(3), new(4))
        journal.write(run, [("Things", 2, once), ("Things", 3), ("Things", 4, once)], [])
        assert journal.repeatable(run, "Things", 1, 9) == {}
        journal.write(run, [], [Outcome("Things", row, Status.UNKNOWN) for row in (2, 3)])
        journal.write(run, [], [Outcome("Things", 4, Status.FAILED)])
        assert journal.repeatable(run, "Things", 1, 9) == {
            2: Repeat("create", "", new(2).fingerprint, once, unsure=True),
            4: Repeat("create", "", new(4).fingerprint, once, unsure=False),
        }
        assert journal.waiting(run, "Things", 1, 9).keys() == {4}
        assert journal.to_send(run) == {"create": 2}
        for intent in (("Things", 2), ("Things", 2, Once("another", once.until)), ("Things", 3, once)):
            with pytest.raises(BulkloadError, match="are not those"):
                journal.write(run, [intent], [])
        journal.write(run, [("Things", 2, once)], [])
        assert journal.outcomes(run, "Things", 2, 2)[2].attempts == 2
    with Journal(path, clock=lambda: once.until) as journal:
        journal.write(run, [], [Outcome("Things", 2, Status.UNKNOWN)])
        assert journal.to_send(run) == {"create": 1}


def test_unknown_rows_are_settled_in_the_run_that_sent_them(journal: Journal) -> None:
    first = begun(journal, new(2), new(3))
    sent(journal, first, 2, Status.UNKNOWN)
    second = begun(journal, new(2, Status.UNKNOWN), new(4))
    assert (journal.unknown_in(first), journal.unknown_in(second)) == ([first], [first])
    sent(journal, second, 4, Status.UNKNOWN)
    assert journal.unknown_in(second) == sorted([first, second])


def test_unknown_rows_are_sent_again_while_their_keys_live(path: Path) -> None:
    now = [datetime(2026, 3, 1, 12, tzinfo=UTC)]
    with Journal(path, clock=lambda: now[0]) as journal:
        run = begun(journal, new(2), new(3), new(4))
        once = Once("k", now[0] + timedelta(hours=1))
        journal.write(run, [("Things", 2, once), ("Things", 3)], [])
        assert journal.repeats(run) == 0
        journal.write(run, [], [Outcome("Things", row, Status.UNKNOWN) for row in (2, 3)])
        assert (journal.repeats(run), journal.unknown_in(run)) == (1, [run])
        now[0] += timedelta(hours=1)
        assert (journal.repeats(run), journal.unknown_in(run)) == (0, [run])


def test_a_row_that_failed_is_still_to_be_sent(journal: Journal) -> None:
    run = begun(journal, new(2))
    sent(journal, run, 2, Status.FAILED)
    assert journal.waiting(run, "Things", 1, 9) == {2: ("create", "")}
    sent(journal, run, 2, Status.CREATED)
    assert journal.outcomes(run, "Things", 2, 2)[2].attempts == 2


def test_an_outcome_of_a_row_that_is_not_there_is_a_fault_of_ours(journal: Journal) -> None:
    run = begun(journal, new(2))
    with pytest.raises(BulkloadError, match="are not those"):
        journal.write(run, [], [Outcome("Things", 3, Status.CREATED)])


def test_rows_are_known_on_their_target_and_resource_if_they_are_done_or_may_be(journal: Journal) -> None:
    statuses = [Status.CREATED, Status.UPDATED, Status.UNKNOWN, Status.SENDING, Status.REJECTED, Status.FAILED]
    run = begun(journal, *(new(row) for row in range(2, 9)))
    for row, status in enumerate(statuses, 2):
        sent(journal, run, row, status)
    expected = [known(row, run, status) for row, status in enumerate(statuses[:4], 2)]
    prints, keys = [f"1:{row}" for row in range(2, 9)], [f"key {row}" for row in range(2, 9)]
    assert journal.known(TARGET, RESOURCE, prints) == {one.fingerprint: {1: one} for one in expected}
    assert journal.known_keys(TARGET, RESOURCE, keys) == {one.key: one for one in expected}
    assert journal.known(OTHER, RESOURCE, prints) == journal.known(TARGET, "things/other", prints) == {}
    assert journal.known(TARGET, RESOURCE, []) == {}
    assert journal.rows(run, TARGET, RESOURCE, "Things") == [
        *expected,
        *(known(row, run, status) for row, status in ((6, Status.REJECTED), (7, Status.FAILED), (8, Status.NOT_SENT))),
    ]
    assert [one.row for one in journal.rows(run, TARGET, RESOURCE, "Things", 3, 6)] == [4, 5, 6]


def test_a_row_that_is_unknown_because_another_is_says_nothing_once_that_one_is_settled(journal: Journal) -> None:
    first = begun(journal, new(2))
    sent(journal, first, 2, Status.UNKNOWN)
    begun(journal, new(2, Status.UNKNOWN, error="Not sent: unknown in an earlier run."))
    assert journal.known(TARGET, RESOURCE, ["1:2"]) == {"1:2": {1: known(2, first, Status.UNKNOWN)}}
    journal.write(first, [], [Outcome("Things", 2, Status.FAILED)])
    assert journal.known(TARGET, RESOURCE, ["1:2"]) == {}


def test_of_several_rows_the_one_that_may_exist_counts_then_the_latest(path: Path) -> None:
    summer = datetime(2026, 10, 25, 2, 50, tzinfo=timezone(timedelta(hours=2)))
    winter = datetime(2026, 10, 25, 2, 0, tzinfo=timezone(timedelta(hours=1)))
    with Journal(path, clock=clock(*[summer] * 4, winter)) as journal:
        first = begun(journal, new(2))
        sent(journal, first, 2)
        second = begun(journal, new(2))
        sent(journal, second, 2, Status.UPDATED)
        assert journal.known_keys(TARGET, RESOURCE, ["key 2"]) == {"key 2": known(2, second, Status.UPDATED)}
        third = begun(journal, new(2))
        sent(journal, third, 2, Status.UNKNOWN)
        fourth = begun(journal, new(2))
        sent(journal, fourth, 2)
        assert journal.known_keys(TARGET, RESOURCE, ["key 2"]) == {"key 2": known(2, third, Status.UNKNOWN)}


def test_a_results_rows_are_found_by_run_and_source_row_under_another_sheet_name_too(journal: Journal) -> None:
    run = begun(journal, new(2), new(3, Status.INVALID))
    expected = {2: known(2, run, Status.NOT_SENT), 3: known(3, run, Status.INVALID)}
    assert journal.claimed(TARGET, run, "Things", [2, 3, 4]) == expected
    assert journal.claimed(TARGET, run, "Renamed", [2, 3]) == expected
    assert journal.claimed(OTHER, run, "Things", [2]) == {}
    assert journal.claimed(TARGET, "20200101-000000-0000", "Things", [2]) == {}
    two = begun(journal, new(2), new(2)._replace(sheet="Others"))
    assert journal.claimed(TARGET, two, "Renamed", [2]) == {}


def test_more_rows_than_one_query_takes_are_all_found(journal: Journal) -> None:
    run = begun(journal, *(new(row) for row in range(2, 1002)))
    journal.write(run, [("Things", row) for row in range(2, 1002)], [])
    assert len(journal.known(TARGET, RESOURCE, [f"1:{row}" for row in range(2, 1002)])) == 1000
    assert len(journal.known_keys(TARGET, RESOURCE, [f"key {row}" for row in range(2, 1002)])) == 1000
    assert len(journal.claimed(TARGET, run, "Things", range(2, 1002))) == 1000


# A run that goes on


def test_a_run_says_whether_it_came_as_far_as_sending_and_which_file_it_is_of(journal: Journal) -> None:
    run = begun(journal, new(2))
    assert not journal.is_agreed(run)
    journal.agreed(run)
    journal.file_is(run, "/data/moved.xlsx", "1" * 64)
    assert journal.is_agreed(run)
    assert (journal.run().file, journal.run().sha256) == ("/data/moved.xlsx", "1" * 64)


def test_what_is_to_be_sent_and_what_can_be_asked_about(journal: Journal) -> None:
    ends = [Status.CREATED, Status.CREATED, Status.UNKNOWN, Status.SENDING, Status.FAILED, Status.REJECTED]
    rest = new(8, action="update"), new(9, Status.UNKNOWN), new(2)._replace(sheet="Others", resource="things/other")
    run = begun(journal, *(new(row) for row in range(2, 8)), *rest)
    for row, status in enumerate(ends, 2):
        sent(journal, run, row, status, id="ID2" if row == 2 else "")
    assert journal.resources(run) == ["things/other", RESOURCE]
    assert journal.to_send(run) == {"create": 2, "update": 1}
    outcomes = journal.outcomes(run, "Things", 2, 9)
    # The one that is unknown because of another run is that run's to ask about.
    assert journal.open_rows(run, TARGET) == [
        OpenRow(outcomes[row], "create", RESOURCE, f"1:{row}") for row in (3, 4, 5)
    ]
    assert journal.open_rows(run, OTHER) == []
    first, second, third = journal.open_rows(run, TARGET)
    assert journal.open_rows(run, TARGET, most=2) == [first, second]
    assert journal.open_rows(run, TARGET, ("Things", 4), 2) == [third]
    assert journal.open_rows(run, TARGET, ("Things", 5), 2) == []


def test_a_runs_rows_follow_their_file_and_keep_what_became_of_them(journal: Journal) -> None:
    other = new(2)._replace(sheet="Others", resource="things/other")
    run = begun(journal, *(new(row) for row in range(2, 7)), new(7, Status.INVALID, fingerprint="", key=""), other)
    for row in (2, 3, 6):
        sent(journal, run, row, id=f"ID{row}")
    a, b, c, d, e = (one for one in journal.rows(run, TARGET, RESOURCE, "Things") if one.fingerprint)
    # The first two swap places, the third says something else, the last two are gone, and a new one comes.
    changes = Changes(
        moved=((a, new(3)), (b, new(2))),
        replaced=((c, new(5, fingerprint="1:else")),),
        gone=(e,),
        dropped=(d,),
        new=(new(4, Status.INVALID, error="D4: no"),),
    )
    journal.rearrange(run, TARGET, RESOURCE, changes)
    told = [(one.sheet, one.row, one.status, one.id) for one in journal.all_outcomes(run)]
    expected = [
        ("Others", 2, Status.NOT_SENT, ""),
        ("Things", 2, Status.CREATED, "ID3"),
        ("Things", 3, Status.CREATED, "ID2"),
        ("Things", 4, Status.INVALID, ""),
        ("Things", 5, Status.NOT_SENT, ""),
    ]
    gone = f"Things{GONE}"
    assert told == [*expected, (gone, 2, Status.CREATED, "ID6")]
    assert journal.known(TARGET, RESOURCE, ["1:4", "1:6"]) == {"1:6": {1: replace(e, sheet=gone, row=2)}}
    # Again, with nothing new and with one that comes back.
    still, (back,) = (journal.rows(run, TARGET, RESOURCE, sheet) for sheet in ("Things", gone))
    stay = tuple((one, new(one.row)) for one in still)
    journal.rearrange(run, TARGET, RESOURCE, Changes(moved=stay, gone=(back,)))
    assert [(one.sheet, one.row) for one in journal.all_outcomes(run)][-1] == (gone, 2)
    journal.rearrange(run, TARGET, RESOURCE, Changes(moved=(*stay, (back, new(9)))))
    assert [(one.sheet, one.row, one.id) for one in journal.all_outcomes(run)][-1] == ("Things", 9, "ID6")


# Threads, and how much there is to read


def test_one_thread_reads_while_another_sends(journal: Journal) -> None:
    rows = range(2, 102)
    run = begun(journal, *map(new, rows))
    seen: list[dict[int, Status]] = []
    stop = threading.Event()

    def feed() -> None:
        while not stop.is_set():
            read = {row: one.status for row, one in journal.outcomes(run, "Things", 2, 101).items()}
            seen.append(read)
            journal.waiting(run, "Things", 2, 101)
            journal.known(TARGET, RESOURCE, [f"1:{row}" for row in rows])

    feeding = threading.Thread(target=feed)
    feeding.start()
    for row in rows:
        sent(journal, run, row)
    stop.set()
    feeding.join()
    assert seen
    assert all(len(read) == 100 for read in seen)
    assert journal.counts(run) == {Status.CREATED: 100}


def test_no_query_of_a_frame_reads_more_than_its_own_rows(journal: Journal, path: Path) -> None:
    """A scan would be all right in every test and take hours with a million rows."""
    run = begun(journal, new(2))
    asked: list[str] = []
    journal._db.set_trace_callback(asked.append)
    journal.known(TARGET, RESOURCE, ["1:2", "1:3"])
    journal.known_keys(TARGET, RESOURCE, ["key 2", "key 3"])
    journal.waiting(run, "Things", 2, 9)
    journal.outcomes(run, "Things", 2, 9)
    list(journal.all_outcomes(run))
    journal.write(run, [("Things", 2)], [Outcome("Things", 2, Status.CREATED)])
    journal._db.set_trace_callback(None)
    statements = [words for words in asked if words.startswith(("SELECT", "UPDATE"))]
    with closing(sqlite3.connect(path)) as other:
        plans = [
            " / ".join(row[3] for row in other.execute(f"EXPLAIN QUERY PLAN {words}").fetchall())
            for words in statements
        ]
    whole, some = "SEARCH rows USING PRIMARY KEY (run=? AND sheet=? AND row=?)", "SEARCH rows USING PRIMARY KEY "
    frame = f"{some}(run=? AND sheet=? AND row>? AND row<?)"
    assert plans == [
        "SEARCH rows USING INDEX rows_by_fingerprint (target=? AND resource=? AND fingerprint=?)",
        "SEARCH rows USING INDEX rows_by_key (target=? AND resource=? AND key=?)",
        frame,
        frame,
        *[f"{some}(run=? AND (sheet,row)>(?,?))"] * 2,
        whole,
        whole,
    ]


def test_a_copy_of_the_journal_knows_what_it_knew(path: Path, tmp_path: Path) -> None:
    with Journal(path) as journal:
        run = begun(journal, new(2))
        sent(journal, run, 2, id="ID2")
    shutil.copy(path, tmp_path / "copy.sqlite")
    with Journal(tmp_path / "copy.sqlite") as copy:
        assert copy.known(TARGET, RESOURCE, ["1:2"]) == {"1:2": {1: known(2, run, id="ID2")}}
        with Journal(path) as journal:
            assert copy.keyed_hash("text") == journal.keyed_hash("text")


def test_only_the_journals_own_key_makes_its_hashes(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.sqlite") as one, Journal(tmp_path / "b.sqlite") as two:
        assert one.keyed_hash("text") == one.keyed_hash("text")
        assert len({one.keyed_hash("text"), one.keyed_hash("other"), two.keyed_hash("text")}) == 3


def test_rows_in_flight_at_a_cut_are_given_up_no_later_than_their_deadline(tmp_path: Path) -> None:
    """The API may have had them until the cut; when that was is not known, but they ended with their deadline."""
    now = [datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)]
    with Journal(tmp_path / "journal.sqlite", clock=lambda: now[0]) as journal:
        run = journal.begin(file="f", sha256="", connection="c", target="t")
        rows = [NewRow("S", row, "a/b", "create", Status.NOT_SENT, f"print{row}", 1) for row in (2, 3, 4)]
        journal.add(run.id, "t", rows)
        journal.write(run.id, [("S", 2)], ())
        now[0] += timedelta(seconds=50)
        journal.write(run.id, [("S", 3)], ())
        now[0] += timedelta(seconds=20)
        journal.give_up(run.id, 60.0)
        found = journal.outcomes(run.id, "S", 2, 4)
    since = {row: (now[0] - one.time).total_seconds() if one.time else None for row, one in found.items()}
    assert {row: str(one.status) for row, one in found.items()} == {2: "unknown", 3: "unknown", 4: "not sent"}
    assert since == {2: 10.0, 3: 0.0, 4: None}


def test_a_new_try_makes_the_time_of_the_last_one_old_news(tmp_path: Path) -> None:
    now = [datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)]
    with Journal(tmp_path / "journal.sqlite", clock=lambda: now[0]) as journal:
        run = journal.begin(file="f", sha256="", connection="c", target="t")
        journal.add(run.id, "t", [NewRow("S", 2, "a/b", "create", Status.NOT_SENT, "print", 1)])
        journal.write(run.id, [("S", 2)], ())
        journal.write(run.id, (), [Outcome("S", 2, Status.FAILED)])
        now[0] += timedelta(seconds=30)
        journal.write(run.id, [("S", 2)], ())
        assert journal.outcomes(run.id, "S", 2, 2)[2].time == now[0]


def test_how_long_ago_a_row_was_given_up_is_told_by_a_clock_that_nobody_sets(path: Path) -> None:
    """Across processes only the clock on the wall is left; one that was put back since tells nothing."""
    shown, passed = [datetime(2026, 3, 1, 12, tzinfo=UTC)], [100.0]

    def opened() -> Journal:
        return Journal(path, clock=lambda: shown[0], monotonic=lambda: passed[0])

    def later(seconds: float, put_forward: float = 0.0) -> None:
        shown[0] += timedelta(seconds=seconds + put_forward)
        passed[0] += seconds

    def ages(journal: Journal) -> list[float]:
        return [journal.age(one) for one in journal.outcomes(run, "Things", 2, 4).values()]

    with opened() as journal:
        run = begun(journal, new(2), new(3), new(4))
        journal.write(run, [("Things", 2), ("Things", 3)], [])
        later(5)
        journal.write(run, [], [Outcome("Things", row, Status.UNKNOWN) for row in (2, 3)])
        later(7, put_forward=3600)
        assert ages(journal) == [7, 7, math.inf]
        settled = journal.outcomes(run, "Things", 2, 2)[2]._replace(error="Look yourself.")
        journal.write(run, [], [settled])
        later(1, put_forward=-7200)
        assert ages(journal) == [8, 8, math.inf]
    shown[0] += timedelta(hours=1)
    with opened() as journal:
        later(2, put_forward=3600)
        assert ages(journal) == [10, 10, math.inf]
    shown[0] -= timedelta(hours=3)
    with opened() as journal:
        later(2)
        assert ages(journal) == [0, 0, math.inf]


def test_whoever_leaves_does_not_wait_for_a_commit_that_hangs(path: Path) -> None:
    """SQLite itself would: it is asked for nothing while another thread is at it."""
    hangs, released = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        released.wait(60)

    journal = Journal(path)
    journal._db.create_function("hang", 0, hang)

    def commit() -> None:
        with journal._transaction():
            journal._db.execute("SELECT hang()").fetchall()

    committing = threading.Thread(target=commit)
    committing.start()
    hangs.wait()
    journal.__exit__()
    assert committing.is_alive() and not released.is_set()
    released.set()
    committing.join()
    journal.__exit__()
