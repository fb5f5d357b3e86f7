"""The durable record of runs and rows: one SQLite file, the intent in it before the first byte of a request leaves.

Never a body, never a secret: rows are known by keyed hashes of their content.
"""

import getpass
import hashlib
import hmac
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import platformdirs

from bulkload.errors import DiskError, UsageError
from bulkload.models import Outcome, Run, Status
from bulkload.system import create_private

VERSION = 1

_TABLES = """
CREATE TABLE secret (key BLOB NOT NULL);
CREATE TABLE runs (
    id TEXT PRIMARY KEY, file TEXT NOT NULL, sha256 TEXT NOT NULL, connection TEXT NOT NULL, target TEXT NOT NULL,
    user TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, result TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE rows (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, sheet TEXT NOT NULL, row INTEGER NOT NULL,
    target TEXT NOT NULL, resource TEXT NOT NULL, action TEXT NOT NULL,
    fingerprint TEXT NOT NULL, ordinal INTEGER NOT NULL, open_fingerprint TEXT NOT NULL, key TEXT NOT NULL,
    status TEXT NOT NULL, id TEXT NOT NULL, error TEXT NOT NULL, note TEXT NOT NULL,
    http_status INTEGER NOT NULL, attempts INTEGER NOT NULL, request_id TEXT NOT NULL, sent TEXT, time TEXT,
    PRIMARY KEY (run, sheet, row)
) WITHOUT ROWID;
CREATE INDEX rows_by_fingerprint ON rows (target, resource, fingerprint, ordinal) WHERE fingerprint != '';
CREATE INDEX rows_by_key ON rows (target, resource, key) WHERE key != '';
"""
# A step per version: what brings a journal of version N to N + 1.
_MIGRATIONS: Mapping[int, str] = {0: _TABLES}

# What an earlier row with this status says of a new row of the same content; the first that there is counts.
_WEIGHT = {
    Status.SENDING: 0,
    Status.UNKNOWN: 0,
    Status.CREATED: 1,
    Status.UPDATED: 1,
}
_IN_ONE_QUERY = 400


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row as a run begins: `status` is `not sent`, or what is already certain (`invalid`, `unchanged`, `unknown`).

    `fingerprint` is the keyed hash of the whole row, `open_fingerprint` that without secret columns, both "" for a row
    that could not be read; `ordinal` counts equal rows of one file from 1. `key` is the natural key's text or, where it
    is secret, its keyed hash; "" where there is none. A row that updates a record is known by `id:` and that ID.
    """

    sheet: str
    row: int
    resource: str
    action: str
    status: Status
    fingerprint: str = ""
    ordinal: int = 0
    open_fingerprint: str = ""
    key: str = ""
    id: str = ""
    error: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal knows of a row of an earlier run, or of this one."""

    run: str
    sheet: str
    row: int
    status: Status
    id: str
    fingerprint: str
    ordinal: int
    open_fingerprint: str
    key: str


def default_path() -> Path:
    """The journal in the user's data folder."""
    return Path(platformdirs.user_data_dir("bulkload", appauthor=False)) / "journal.sqlite"


def _now() -> datetime:
    return datetime.now().astimezone()


class Journal:
    """An open journal. Every method that writes has committed when it returns; errors of the disk are `DiskError`."""

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = _now) -> None:
        """Open the journal at `path`, made with mode 0600 if it isn't there.

        Raises DiskError if it can't be, and UsageError for a journal of a newer version.
        """
        self.path = path
        self._clock = clock
        self._lock = threading.RLock()
        with self._trouble():
            create_private(path)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._migrate()
            self._key: bytes = self._db.execute("SELECT key FROM secret").fetchone()[0]

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        """One thread at a time, and one kind of error for all that a disk and SQLite can do."""
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            raise DiskError(
                f"The journal {self.path} can't be used: {error}. "
                "Make room or choose another place with --journal; nothing more is sent."
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._trouble():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _migrate(self) -> None:
        with self._transaction():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise UsageError(
                    f"The journal {self.path} was written by a newer bulkload. Install that, or name another --journal."
                )
            for step in range(version, VERSION):
                for statement in _MIGRATIONS[step].split(";"):
                    self._db.execute(statement)
            if version == 0:
                self._db.execute("INSERT INTO secret VALUES (?)", (secrets.token_bytes(32),))
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    def keyed_hash(self, text: str) -> str:
        """A hash that only this journal's key can make, so that the file tells nothing of what was hashed."""
        return hmac.new(self._key, text.encode(), hashlib.blake2b).hexdigest()[:32]

    @property
    def hmac_key(self) -> bytes:
        """The journal's own key, made when the journal was."""
        return self._key

    # Runs

    def begin(self, *, file: str, sha256: str, connection: str, target: str) -> Run:
        """Record that a run begins."""
        started = self._clock()
        run = Run(
            id=f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
            file=file,
            sha256=sha256,
            connection=connection,
            target=target,
            user=_user(),
            started=started,
        )
        with self._transaction():
            self._db.execute(
                "INSERT INTO runs (id, file, sha256, connection, target, user, started) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (run.id, file, sha256, connection, target, run.user, started.isoformat()),
            )
        return run

    def end(self, run: str) -> None:
        """Record that a run has come to its end."""
        with self._transaction():
            self._db.execute("UPDATE runs SET ended = ? WHERE id = ?", (self._clock().isoformat(), run))

    def result_written(self, run: str, path: str) -> None:
        """Record where the run's result stands."""
        with self._transaction():
            self._db.execute("UPDATE runs SET result = ? WHERE id = ?", (path, run))

    def runs(self) -> list[Run]:
        """All runs, newest first, with the counts of their rows."""
        with self._trouble():
            found = self._db.execute("SELECT * FROM runs ORDER BY started DESC, id DESC").fetchall()
            return [self._run(row) for row in found]

    def run(self, run: str | None = None) -> Run:
        """The run of that ID or of a unique beginning of it; the newest for None. Raises UsageError."""
        known = self.runs()
        found = [one for one in known if run is None or one.id == run] or [
            one for one in known if run and one.id.startswith(run)
        ]
        if not found or (run is not None and len(found) > 1):
            what = f'no run "{run}"' if run and not found else "no run yet" if not found else f'several runs "{run}..."'
            raise UsageError(f"The journal {self.path} has {what}. See: bulkload runs")
        return found[0]

    def _run(self, row: sqlite3.Row) -> Run:
        return Run(
            **{name: row[name] for name in ("id", "file", "sha256", "connection", "target", "user", "result")},
            started=datetime.fromisoformat(row["started"]),
            ended=datetime.fromisoformat(row["ended"]) if row["ended"] else None,
            counts=self.counts(row["id"]),
        )

    def counts(self, run: str, sheet: str | None = None) -> dict[Status, int]:
        """How many rows of the run, or of one of its sheets, have each status; a row still in flight is `unknown`."""
        query = "SELECT status, count(*) FROM rows WHERE run = ? AND (? IS NULL OR sheet = ?) GROUP BY status"
        counts: dict[Status, int] = {}
        with self._trouble():
            for status, count in self._db.execute(query, (run, sheet, sheet)):
                shown = _shown(status)
                counts[shown] = counts.get(shown, 0) + count
        return counts

    def sheets(self, run: str) -> list[str]:
        """The names of the sheets that the run's rows came from."""
        with self._trouble():
            return [name for (name,) in self._db.execute("SELECT DISTINCT sheet FROM rows WHERE run = ?", (run,))]

    def purge(self, run: str) -> None:
        """Forget a run and its rows: a later import of the same rows will send them again."""
        with self._transaction():
            self._db.execute("DELETE FROM runs WHERE id = ?", (run,))

    # Rows

    def add(self, run: str, target: str, rows: Iterable[NewRow]) -> None:
        """Record rows of a run that go to this target, with room for their outcome."""
        now = self._clock().isoformat()
        with self._transaction():
            self._db.executemany(
                "INSERT INTO rows (run, sheet, row, target, resource, action, fingerprint, ordinal, open_fingerprint,"
                " key, status, id, error, note, http_status, attempts, request_id, time)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '', ?)",
                (
                    (
                        run, row.sheet, row.row, target, row.resource, row.action, row.fingerprint, row.ordinal,
                        row.open_fingerprint, row.key, row.status, row.id, row.error, row.note,
                        None if row.status is Status.NOT_SENT else now,
                    )
                    for row in rows
                ),
            )  # fmt: skip

    def write(self, run: str, intents: Sequence[tuple[str, int]], outcomes: Sequence[Outcome]) -> None:
        """Commit in one transaction what is about to be sent, as (sheet, row), and what has come back."""
        now = self._clock().isoformat()
        with self._transaction():
            self._db.executemany(
                "UPDATE rows SET status = 'sending', attempts = attempts + 1, sent = ? "
                "WHERE run = ? AND sheet = ? AND row = ?",
                [(now, run, sheet, row) for sheet, row in intents],
            )
            self._db.executemany(
                "UPDATE rows SET status = ?, id = ?, error = ?, note = ?, http_status = ?, request_id = ?, time = ? "
                "WHERE run = ? AND sheet = ? AND row = ?",
                [
                    (one.status, one.id, one.error, one.note, one.http_status, one.request_id, now,
                     run, one.sheet, one.row)
                    for one in outcomes
                ],
            )  # fmt: skip

    def outcomes(self, run: str, sheet: str, first: int, last: int) -> dict[int, Outcome]:
        """The outcomes of the sheet's rows from `first` to `last`, by row number."""
        query = "SELECT * FROM rows WHERE run = ? AND sheet = ? AND row BETWEEN ? AND ? ORDER BY row"
        with self._trouble():
            return {row["row"]: _outcome(row) for row in self._db.execute(query, (run, sheet, first, last))}

    def all_outcomes(self, run: str) -> Iterator[Outcome]:
        """The outcomes of all rows of a run, sheet by sheet."""
        query = "SELECT * FROM rows WHERE run = ? AND (sheet, row) > (?, ?) ORDER BY sheet, row LIMIT 10000"
        place: tuple[str, int] = ("", 0)
        while True:
            with self._trouble():
                some = [_outcome(row) for row in self._db.execute(query, (run, *place))]
            if not some:
                return
            yield from some
            place = (some[-1].sheet, some[-1].row)

    def waiting(self, run: str, sheet: str, first: int, last: int) -> dict[int, tuple[str, str]]:
        """The sheet's rows from `first` to `last` that are still to be sent: row number → (action, known ID or "")."""
        query = (
            "SELECT row, action, id FROM rows "
            "WHERE run = ? AND sheet = ? AND row BETWEEN ? AND ? AND status = 'not sent' ORDER BY row"
        )
        with self._trouble():
            return {row: (action, record) for row, action, record in self._db.execute(query, (run, sheet, first, last))}

    def known(self, target: str, resource: str, fingerprints: Sequence[str]) -> dict[tuple[str, int], Known]:
        """Rows of any run on the target with these fingerprints that are done or may be, by (fingerprint, ordinal)."""
        return {
            (row.fingerprint, row.ordinal): row for row in self._known(target, resource, "fingerprint", fingerprints)
        }

    def known_keys(self, target: str, resource: str, keys: Sequence[str]) -> dict[str, Known]:
        """Rows of any run on the target with these natural keys that are done or may be, by key."""
        return {row.key: row for row in self._known(target, resource, "key", keys)}

    def _known(self, target: str, resource: str, column: str, values: Sequence[str]) -> list[Known]:
        """What stands last wins in a dict: the weightiest status, and of those the latest."""
        found: list[tuple[int, str, Known]] = []
        statuses = ", ".join(f"'{status}'" for status in _WEIGHT)
        for start in range(0, len(values), _IN_ONE_QUERY):
            some = values[start : start + _IN_ONE_QUERY]
            marks = ", ".join("?" * len(some))
            query = (
                f"SELECT * FROM rows WHERE target = ? AND resource = ? AND {column} IN ({marks})"  # noqa: S608
                f" AND {column} != '' AND status IN ({statuses})"
            )
            with self._trouble():
                found += [
                    (-_WEIGHT[Status(row["status"])], row["time"] or row["sent"] or "", _known_row(row))
                    for row in self._db.execute(query, (target, resource, *some))
                ]
        return [row for _, _, row in sorted(found, key=lambda one: one[:2])]

    def claimed(self, target: str, run: str, sheet: str, rows: Sequence[int]) -> dict[int, Known]:
        """The rows of an earlier run on this target that a result workbook speaks of, by source row.

        The sheet may have been renamed since where the run had only one. Empty where the run is not known here.
        """
        names = self.sheets(run)
        if sheet not in names and len(names) == 1:
            sheet = names[0]
        found: dict[int, Known] = {}
        for start in range(0, len(rows), _IN_ONE_QUERY):
            some = rows[start : start + _IN_ONE_QUERY]
            marks = ", ".join("?" * len(some))
            query = f"SELECT * FROM rows WHERE target = ? AND run = ? AND sheet = ? AND row IN ({marks})"  # noqa: S608
            with self._trouble():
                found |= {row["row"]: _known_row(row) for row in self._db.execute(query, (target, run, sheet, *some))}
        return found

    def has_run(self, run: str) -> bool:
        """Whether this journal knows the run."""
        with self._trouble():
            return self._db.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is not None


def _shown(status: str) -> Status:
    """A row in flight is `unknown` to all who read the journal later."""
    return Status.UNKNOWN if status == Status.SENDING else Status(status)


def _outcome(row: Mapping[str, Any] | sqlite3.Row) -> Outcome:
    time = row["time"] or row["sent"]
    cut_off = "Sent, but the program was cut off before an answer came: it may exist."
    return Outcome(
        sheet=row["sheet"],
        row=row["row"],
        status=_shown(row["status"]),
        id=row["id"],
        error=cut_off if row["status"] == Status.SENDING else row["error"],
        note=row["note"],
        http_status=row["http_status"],
        attempts=row["attempts"],
        request_id=row["request_id"],
        time=datetime.fromisoformat(time) if time else None,
        run=row["run"],
    )


def _known_row(row: sqlite3.Row) -> Known:
    names = ("run", "sheet", "row", "id", "fingerprint", "ordinal", "open_fingerprint", "key")
    return Known(status=Status(row["status"]), **{name: row[name] for name in names})


def _user() -> str:
    """The signed-in user's name; a container's user may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
