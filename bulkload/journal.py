"""The durable record of runs and rows: one SQLite file, the intent in it before the first byte of a request leaves.

Never a body, never a secret: rows are known by keyed hashes of their content.
"""

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import platformdirs

from bulkload.database import Database
from bulkload.errors import BulkloadError, UsageError
from bulkload.models import Once, Outcome, Run, Status
from bulkload.system import lock, network_share, user_name

# Step N brings a journal of version N to N + 1, the first an empty file to version 1. Steps that a release has carried
# are never edited: a change of the tables is a step more at the end.
MIGRATIONS: tuple[str, ...] = (
    """
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
""",
    """
ALTER TABLE rows ADD COLUMN once TEXT NOT NULL DEFAULT '';
ALTER TABLE rows ADD COLUMN once_until TEXT;
""",
)

# A row that is about to be sent: sheet, row number and, where the API knows such keys, its idempotency key.
Intent = tuple[str, int] | tuple[str, int, Once]

# What an earlier row with this status says of a new row of the same content; the first that there is counts.
_WEIGHT = {
    Status.SENDING: 0,
    Status.UNKNOWN: 0,
    Status.CREATED: 1,
    Status.UPDATED: 1,
}
_IN_ONE_QUERY = 400
# What stands behind the name of a sheet for rows that are in the file no more.
GONE = " (gone)"
_CUT_OFF = "Sent, but the program was cut off before an answer came: it may exist."


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row as a run begins: `status` is `not sent`, or what is already certain (`invalid`, `unchanged`, `unknown`).

    `fingerprint` is the keyed hash of the whole row, `open_fingerprint` that without secret columns, both "" for a row
    that could not be read; `ordinal` counts equal rows of one file from 1. `key` is the natural key's text or, where it
    is secret, its keyed hash; "" where there is none. The key of a row that updates a record is `id:` and that ID.
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


@dataclass(frozen=True, slots=True)
class Repeat:
    """A row that was sent with an idempotency key: what was to be done, the record's known ID or "", and its content.

    `unsure` says that it may have been done: then it may go out again with that key alone, while that lives.
    """

    action: str
    id: str
    fingerprint: str
    once: Once
    unsure: bool


@dataclass(frozen=True, slots=True)
class OpenRow:
    """A row that may exist, or whose ID isn't known: what the API may be asked about."""

    outcome: Outcome
    action: str
    resource: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Changes:
    """How a run's rows of one resource follow their file: `moved` ones have another place, `replaced` ones are planned
    anew, `gone` ones are in the file no more, `dropped` ones neither, and nothing was made of them; `new` ones weren't
    in it before."""

    moved: tuple[tuple[Known, NewRow], ...] = ()
    replaced: tuple[tuple[Known, NewRow], ...] = ()
    gone: tuple[Known, ...] = ()
    dropped: tuple[Known, ...] = ()
    new: tuple[NewRow, ...] = ()


def default_path() -> Path:
    """The journal in the user's data folder."""
    return Path(platformdirs.user_data_dir("bulkload", appauthor=False)) / "journal.sqlite"


def _now() -> datetime:
    return datetime.now().astimezone()


class Journal(Database):
    """An open journal. Every method that writes has committed when it returns."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime] = _now,
        migrations: Sequence[str] = MIGRATIONS,
        share: Callable[[Path], str] = network_share,
    ) -> None:
        """Open the journal at `path`, made with mode 0600 if it isn't there.

        Raises DiskError if it can't be or stands on a network share (`share` tells: SQLite's locks don't hold there),
        and UsageError for a journal of a newer version or a database that is none.
        """
        super().__init__(path, migrations, share=share)
        self._clock = clock

    def keyed_hash(self, text: str) -> str:
        """A hash that only this journal's key can make, so that the file tells nothing of what was hashed."""
        return hashlib.blake2b(text.encode(), key=self._key, digest_size=16).hexdigest()

    @property
    def hmac_key(self) -> bytes:
        """The journal's own key, made when the journal was."""
        return self._key

    @contextmanager
    def hold(self, target: str, run: str) -> Iterator[None]:
        """Keep every other run with this journal away from the target, until the end of this one or of its process.

        Raises UsageError that names the run at work, at once.
        """
        journal = self.path.resolve()
        path = journal.with_name(f"{journal.name}.{self.keyed_hash(target)[:12]}.lock")
        words = f"run {run}, process {os.getpid()}, since {self._clock().isoformat(timespec='seconds')}"
        with ExitStack() as stack:
            try:
                stack.enter_context(lock(path, words))
            except BlockingIOError as held:
                raise UsageError(
                    f"Another run is at work on {target} ({held.strerror}). Wait until it has ended, or stop it."
                ) from held
            except OSError as error:
                raise self._disk_error(error) from error
            yield

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
            user=user_name(),
            started=started,
        )
        with self._transaction():
            self._db.execute(
                "INSERT INTO runs (id, file, sha256, connection, target, user, started) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (run.id, file, sha256, connection, target, run.user, _stored(started)),
            )
        return run

    def agreed(self, run: str) -> None:
        """Record that all rows of a run stand here and that they may be sent."""
        with self._transaction():
            self._db.execute("UPDATE runs SET agreed = ? WHERE id = ?", (_stored(self._clock()), run))

    def is_agreed(self, run: str) -> bool:
        """Whether a run came as far as sending. If it was cut off before, some of its rows may not stand here."""
        with self._trouble():
            return bool(self._db.execute("SELECT agreed FROM runs WHERE id = ?", (run,)).fetchone()["agreed"])

    def file_is(self, run: str, file: str, sha256: str) -> None:
        """Record that a run's file has changed, and its rows have followed."""
        with self._transaction():
            self._db.execute("UPDATE runs SET file = ?, sha256 = ? WHERE id = ?", (file, sha256, run))

    def end(self, run: str) -> None:
        """Record that a run has come to its end."""
        with self._transaction():
            self._db.execute("UPDATE runs SET ended = ? WHERE id = ?", (_stored(self._clock()), run))

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
        query = "SELECT * FROM runs WHERE substr(id, 1, length(?)) = ? ORDER BY started DESC, id DESC"
        with self._trouble():
            found = self._db.execute(query, (run or "", run or "")).fetchall()
            found = [row for row in found if row["id"] == run] or found
            if len(found) == 1 or (found and run is None):
                return self._run(found[0])
        what = "no run yet" if run is None else f'several runs "{run}..."' if found else f'no run "{run}"'
        raise UsageError(f"The journal {self.path} has {what}. See: bulkload runs")

    def _run(self, row: sqlite3.Row) -> Run:
        return Run(
            **{name: row[name] for name in ("id", "file", "sha256", "connection", "target", "user", "result")},
            started=_local(row["started"]),
            ended=_local(row["ended"]) if row["ended"] else None,
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

    def resources(self, run: str) -> list[str]:
        """The full names of the resources that the run's rows were for."""
        with self._trouble():
            return [name for (name,) in self._db.execute("SELECT DISTINCT resource FROM rows WHERE run = ?", (run,))]

    def to_send(self, run: str) -> dict[str, int]:
        """How many rows of the run are not sent or failed, or unknown with a key that still lives, by action."""
        query = (
            "SELECT action, count(*) FROM rows WHERE run = ? AND (status IN ('not sent', 'failed')"
            " OR (status = 'unknown' AND action != '' AND once_until > ?)) GROUP BY action"
        )
        with self._trouble():
            return dict(self._db.execute(query, (run, _stored(self._clock()))).fetchall())

    def give_up(self, run: str, deadline: float) -> None:
        """Call the rows unknown that were in flight when the run was cut off; nobody may be at work on it.

        The API may have had their requests until then, which is not known, but no longer than `deadline` seconds after
        they were sent: from then on it is to be given its time.
        """
        now = self._clock()
        with self._transaction():
            cut_off = self._db.execute(
                "SELECT sheet, row, sent FROM rows WHERE run = ? AND status = 'sending'", (run,)
            ).fetchall()
            self._db.executemany(
                "UPDATE rows SET status = 'unknown', error = ?, time = ? WHERE run = ? AND sheet = ? AND row = ?",
                [
                    (_CUT_OFF, _stored(min(now, _local(row["sent"]) + timedelta(seconds=deadline))), run, *row[:2])
                    for row in cut_off
                ],
            )

    def open_rows(self, run: str, target: str) -> list[OpenRow]:
        """The run's rows on this target that may exist, and those that were created without an ID being known.

        Rows that are unknown because of another run are that run's to ask about.
        """
        query = (
            "SELECT * FROM rows WHERE run = ? AND target = ? AND action != ''"
            " AND (status IN ('unknown', 'sending') OR (status = 'created' AND id = ''))"
        )
        with self._trouble():
            return [
                OpenRow(_outcome(row), row["action"], row["resource"], row["fingerprint"])
                for row in self._db.execute(query, (run, target))
            ]

    def unknown_in(self, run: str) -> list[str]:
        """The runs whose rows have to be settled for this one's unknown rows: itself, or those that sent them."""
        query = (
            "SELECT run FROM rows WHERE run = ?1 AND action != '' AND status IN ('unknown', 'sending') UNION "
            "SELECT other.run FROM rows AS mine JOIN rows AS other ON other.target = mine.target"
            " AND other.resource = mine.resource AND other.fingerprint = mine.fingerprint AND other.fingerprint != ''"
            " AND other.action != '' AND other.status IN ('unknown', 'sending')"
            " WHERE mine.run = ?1 AND mine.action = '' AND mine.status = 'unknown' ORDER BY 1"
        )
        with self._trouble():
            return [name for (name,) in self._db.execute(query, (run,))]

    def rearrange(self, run: str, target: str, resource: str, changes: Changes) -> None:
        """Let a run's rows of one resource follow their file. A row without a fingerprint is forgotten: the file says
        anew what is wrong with it. A row that is gone stands under its sheet's name and GONE from now on."""
        mine = (run, target, resource)
        with self._transaction():
            self._db.execute(
                "DELETE FROM rows WHERE run = ? AND target = ? AND resource = ? AND fingerprint = ''", mine
            )
            # Out of the way first: the places are those that other rows have left.
            self._db.execute("UPDATE rows SET row = -row WHERE run = ? AND target = ? AND resource = ?", mine)
            self._db.executemany(
                "DELETE FROM rows WHERE run = ? AND sheet = ? AND row = ?",
                [(run, old.sheet, -old.row) for old in (*changes.dropped, *(old for old, _ in changes.replaced))],
            )
            self._db.executemany(
                "UPDATE rows SET sheet = ?, row = ? WHERE run = ? AND sheet = ? AND row = ?",
                [(new.sheet, new.row, run, old.sheet, -old.row) for old, new in changes.moved],
            )
            self._db.executemany(
                "UPDATE rows SET sheet = ?,"
                " row = (SELECT coalesce(max(abs(row)), 1) + 1 FROM rows WHERE run = ? AND sheet = ?)"
                " WHERE run = ? AND sheet = ? AND row = ?",
                [
                    (old.sheet + GONE, run, old.sheet + GONE, run, old.sheet, -old.row)
                    for old in changes.gone
                    if not old.sheet.endswith(GONE)
                ],
            )
            self._db.execute("UPDATE rows SET row = -row WHERE run = ? AND row < 0", (run,))
            self._insert(run, target, [*(new for _, new in changes.replaced), *changes.new])

    def purge(self, run: str) -> None:
        """Forget a run and its rows: a later import of the same rows will send them again."""
        with self._transaction():
            self._db.execute("DELETE FROM runs WHERE id = ?", (run,))

    # Rows

    def add(self, run: str, target: str, rows: Iterable[NewRow]) -> None:
        """Record rows of a run that go to this target, with room for their outcome.

        The action of a row that isn't to be sent is "": so it stays out of the indexes, and a file that is imported
        every night costs the same every night.
        """
        with self._transaction():
            self._insert(run, target, rows)

    def _insert(self, run: str, target: str, rows: Iterable[NewRow]) -> None:
        now = _stored(self._clock())
        self._db.executemany(
            "INSERT INTO rows (run, sheet, row, target, resource, action, fingerprint, ordinal, open_fingerprint,"
            " key, status, id, error, note, http_status, attempts, request_id, time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '', ?)",
            (
                (
                    run, row.sheet, row.row, target, row.resource,
                    row.action if row.status is Status.NOT_SENT else "", row.fingerprint, row.ordinal,
                    row.open_fingerprint, row.key, row.status, row.id, row.error, row.note,
                    None if row.status is Status.NOT_SENT else now,
                )
                for row in rows
            ),
        )  # fmt: skip

    def write(self, run: str, intents: Sequence[Intent], outcomes: Sequence[Outcome]) -> None:
        """Commit in one transaction what is about to be sent and what has come back.

        Raises BulkloadError, and writes nothing, for a row that isn't there or an intent to send one that is not
        `not sent` or `failed`, nor unknown with that very key: no fault of ours elsewhere shall send a row twice. An
        outcome without a time is of now; a row that is settled later keeps the time of its try.
        """
        now = _stored(self._clock())
        with self._transaction():
            begun = self._db.executemany(
                "UPDATE rows SET status = 'sending', attempts = attempts + 1, sent = ?1, time = NULL, once = ?2,"
                " once_until = ?3 WHERE run = ?4 AND sheet = ?5 AND row = ?6"
                " AND (status IN ('not sent', 'failed') OR (status = 'unknown' AND once = ?2 AND once != ''))",
                [(now, *_once(*once), run, sheet, row) for sheet, row, *once in intents],
            ).rowcount
            ended = self._db.executemany(
                "UPDATE rows SET status = ?, id = ?, error = ?, note = ?, http_status = ?, request_id = ?, time = ? "
                "WHERE run = ? AND sheet = ? AND row = ?",
                [
                    (one.status, one.id, one.error, one.note, one.http_status, one.request_id,
                     _stored(one.time) if one.time else now, run, one.sheet, one.row)
                    for one in outcomes
                ],
            ).rowcount  # fmt: skip
            # Of no rows at all, SQLite says -1.
            if max(begun, 0) != len(intents) or max(ended, 0) != len(outcomes):
                raise BulkloadError(f"The journal's rows of run {run} are not those that were to be sent.")

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
        """The sheet's rows from `first` to `last` that are still to be sent: row number → (action, known ID or "").

        A row that failed is one of them: the API did nothing with it.
        """
        query = (
            "SELECT row, action, id FROM rows WHERE run = ? AND sheet = ? AND row BETWEEN ? AND ?"
            " AND status IN ('not sent', 'failed') ORDER BY row"
        )
        with self._trouble():
            return {row: (action, record) for row, action, record in self._db.execute(query, (run, sheet, first, last))}

    def repeatable(self, run: str, sheet: str, first: int, last: int) -> dict[int, Repeat]:
        """The sheet's rows from `first` to `last` that were sent with a key and may be sent again, by row number."""
        query = (
            "SELECT row, action, id, fingerprint, status, once, once_until FROM rows WHERE run = ? AND sheet = ?"
            " AND row BETWEEN ? AND ? AND action != '' AND once != '' AND status IN ('not sent', 'failed', 'unknown')"
        )
        with self._trouble():
            return {
                row["row"]: Repeat(
                    row["action"], row["id"], row["fingerprint"],
                    Once(row["once"], _local(row["once_until"])), row["status"] == Status.UNKNOWN,
                )
                for row in self._db.execute(query, (run, sheet, first, last))
            }  # fmt: skip

    def rows(self, run: str, target: str, resource: str) -> list[Known]:
        """What a run knows of its rows of one resource: what a file that is read again is matched with."""
        query = "SELECT * FROM rows WHERE run = ? AND target = ? AND resource = ? ORDER BY sheet, row"
        with self._trouble():
            return [_known_row(row) for row in self._db.execute(query, (run, target, resource))]

    def known(self, target: str, resource: str, fingerprints: Iterable[str]) -> dict[str, dict[int, Known]]:
        """Rows of any run on the target that are done or may be: fingerprint → ordinal → the row."""
        found: dict[str, dict[int, Known]] = {}
        for row in self._known(target, resource, "fingerprint", fingerprints):
            found.setdefault(row.fingerprint, {})[row.ordinal] = row
        return found

    def known_keys(self, target: str, resource: str, keys: Iterable[str]) -> dict[str, Known]:
        """Rows of any run on the target with these natural keys that are done or may be, by key."""
        return {row.key: row for row in self._known(target, resource, "key", keys)}

    def _known(self, target: str, resource: str, column: str, wanted: Iterable[str]) -> list[Known]:
        """What stands last wins in a dict: the weightiest status, and of those the latest.

        A row that was not to be sent says nothing: where it is `unknown`, another is, and that one is found itself.
        """
        found: list[tuple[int, str, Known]] = []
        values = list(dict.fromkeys(wanted))
        statuses = ", ".join(f"'{status}'" for status in _WEIGHT)
        for start in range(0, len(values), _IN_ONE_QUERY):
            some = values[start : start + _IN_ONE_QUERY]
            marks = ", ".join("?" * len(some))
            query = (
                f"SELECT * FROM rows WHERE target = ? AND resource = ? AND {column} IN ({marks})"  # noqa: S608
                f" AND {column} != '' AND action != '' AND status IN ({statuses})"
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
        names = [name for name in self.sheets(run) if not name.endswith(GONE)]
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


def _stored(time: datetime) -> str:
    """Times stand in UTC, all of one length, so that their order as text is their order in time."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _once(once: Once | None = None) -> tuple[str, str | None]:
    return (once.key, _stored(once.until)) if once else ("", None)


def _local(time: str) -> datetime:
    return datetime.fromisoformat(time).astimezone()


def _shown(status: str) -> Status:
    """A row in flight is `unknown` to all who read the journal later."""
    return Status.UNKNOWN if status == Status.SENDING else Status(status)


def _outcome(row: Mapping[str, Any] | sqlite3.Row) -> Outcome:
    time = row["time"] or row["sent"]
    return Outcome(
        sheet=row["sheet"],
        row=row["row"],
        status=_shown(row["status"]),
        id=row["id"],
        error=_CUT_OFF if row["status"] == Status.SENDING else row["error"],
        note=row["note"],
        http_status=row["http_status"],
        attempts=row["attempts"],
        request_id=row["request_id"],
        time=_local(time) if time else None,
        run=row["run"],
    )


def _known_row(row: sqlite3.Row) -> Known:
    names = ("run", "sheet", "row", "id", "fingerprint", "ordinal", "open_fingerprint", "key")
    return Known(status=Status(row["status"]), **{name: row[name] for name in names})
