"""The durable record of runs and rows: one SQLite file, the intent in it before the first byte of a request leaves.

Never a body, never a secret: rows are known by keyed hashes of their content.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import platformdirs

from bulkload.errors import BulkloadError
from bulkload.ledger import CUT_OFF, GONE, Ledger
from bulkload.models import Once, Outcome, Status
from bulkload.rows import Changes, Intent, Known, NewRow, OpenRow, Repeat
from bulkload.runs import local, now, stored
from bulkload.system import network_share

__all__ = ["GONE", "MIGRATIONS", "Changes", "Intent", "Journal", "Known", "NewRow", "OpenRow", "Repeat", "default_path"]

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
    """
ALTER TABLE runs ADD COLUMN by_row TEXT;
ALTER TABLE rows ADD COLUMN because TEXT NOT NULL DEFAULT '';
""",
)


def default_path() -> Path:
    """The journal in the user's data folder."""
    return Path(platformdirs.user_data_dir("bulkload", appauthor=False)) / "journal.sqlite"


class Journal(Ledger):
    """An open journal. Every method that writes has committed when it returns."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime] = now,
        monotonic: Callable[[], float] = time.monotonic,
        migrations: Sequence[str] = MIGRATIONS,
        share: Callable[[Path], str] = network_share,
    ) -> None:
        """Open the journal at `path`: see Runs. `monotonic` is a clock in seconds that nobody can set."""
        super().__init__(path, clock=clock, migrations=migrations, share=share)
        self._monotonic = monotonic
        self._opened = (clock(), monotonic())
        self._given_up: dict[tuple[str, str, int], float] = {}

    def add(self, run: str, target: str, rows: Iterable[NewRow]) -> None:
        """Record rows of a run that go to this target, with room for their outcome.

        The action of a row that isn't to be sent is "": so it stays out of the indexes, and a file that is imported
        every night costs the same every night.
        """
        with self._transaction():
            self._insert(run, target, rows)

    def _insert(self, run: str, target: str, rows: Iterable[NewRow]) -> None:
        now = stored(self._clock())
        self._db.executemany(
            "INSERT INTO rows (run, sheet, row, target, resource, action, fingerprint, ordinal, open_fingerprint,"
            " key, status, id, error, note, because, http_status, attempts, request_id, time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '', ?)",
            (
                (
                    run, row.sheet, row.row, target, row.resource,
                    row.action if row.status is Status.NOT_SENT else "", row.fingerprint, row.ordinal,
                    row.open_fingerprint, row.key, row.status, row.id, row.error, row.note, row.because,
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
        now = stored(self._clock())
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
                     stored(one.time) if one.time else now, run, one.sheet, one.row)
                    for one in outcomes
                ],
            ).rowcount  # fmt: skip
            # Of no rows at all, SQLite says -1.
            if max(begun, 0) != len(intents) or max(ended, 0) != len(outcomes):
                raise BulkloadError(f"The journal's rows of run {run} are not those that were to be sent.")
        moment = self._monotonic()
        for one in outcomes:
            if one.status is Status.UNKNOWN and one.time is None:
                self._given_up[run, one.sheet, one.row] = moment

    def age(self, outcome: Outcome) -> float:
        """The seconds since a row was given up; endless for one that was never sent.

        Who sets the clock changes nothing of that while this journal is open. Of what was given up before, only the
        times are known that the clock showed: then, and when the journal was opened.
        """
        moment = self._given_up.get((outcome.run, outcome.sheet, outcome.row))
        if moment is not None:
            return self._monotonic() - moment
        if outcome.time is None:
            return math.inf
        began, opened = self._opened
        return max((began - outcome.time).total_seconds() + self._monotonic() - opened, 0.0)

    def rearrange(self, run: str, target: str, resource: str, changes: Changes) -> None:
        """Let a run's rows of one resource follow their file; those of which no change tells stay where they are.

        A row without a fingerprint is forgotten: the file says anew what is wrong with it. A row that is gone stands
        under its sheet's name and GONE from now on.
        """
        mine = (run, target, resource)
        with self._transaction():
            self._db.execute(
                "DELETE FROM rows WHERE run = ? AND target = ? AND resource = ? AND fingerprint = ''", mine
            )
            # Out of the way first: the places are those that other rows have left.
            self._db.executemany(
                "UPDATE rows SET row = -row WHERE run = ? AND sheet = ? AND row = ?",
                [(run, old.sheet, old.row) for old in changes.old()],
            )
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
                    (CUT_OFF, stored(min(now, local(row["sent"]) + timedelta(seconds=deadline))), run, *row[:2])
                    for row in cut_off
                ],
            )


def _once(once: Once | None = None) -> tuple[str, str | None]:
    return (once.key, stored(once.until)) if once else ("", None)
