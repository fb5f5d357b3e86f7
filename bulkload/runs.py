"""The journal's runs: when, from which file, where to, with what counts; and the lock that keeps two of them apart."""

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from bulkload.database import Database
from bulkload.errors import UsageError
from bulkload.models import Run, Status
from bulkload.system import lock, network_share, user_name


def now() -> datetime:
    """The time in this place."""
    return datetime.now().astimezone()


class Runs(Database):
    """The runs of an open journal."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime] = now,
        migrations: Sequence[str],
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
    def hold(self, target: str, run: str, key: str = "") -> Iterator[None]:
        """Keep every other run with this journal away from the target, until the end of this one or of its process.

        With `key`, keep from it those alone that want the same key of it.

        Raises UsageError that names the run at work, at once.
        """
        journal = self.path.resolve()
        path = journal.with_name(f"{journal.name}.{self.keyed_hash(target + key)[:12]}.lock")
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

    def begin(self, *, file: str, sha256: str, connection: str, target: str, by_row: Collection[str] = ()) -> Run:
        """Record that a run begins; `by_row` are the settings of the target that columns of its sheets stand in for."""
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
                "INSERT INTO runs (id, file, sha256, connection, target, user, started, by_row)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (run.id, file, sha256, connection, target, run.user, stored(started), " ".join(map(quote, by_row))),
            )
        return run

    def doors(self) -> set[tuple[str, frozenset[str] | None]]:
        """The targets of all runs, each with the settings that columns stood in for: None where that isn't known."""
        with self._trouble():
            found = self._db.execute("SELECT DISTINCT target, by_row FROM runs").fetchall()
        return {
            (target, None if names is None else frozenset(map(unquote, names.split())))
            for targets, names in found
            for target in targets.split("; ")
        }

    def agreed(self, run: str) -> None:
        """Record that all rows of a run stand here and that they may be sent."""
        with self._transaction():
            self._db.execute("UPDATE runs SET agreed = ? WHERE id = ?", (stored(self._clock()), run))

    def is_agreed(self, run: str) -> bool:
        """Whether a run came as far as sending. If it was cut off before, some of its rows may not stand here."""
        with self._trouble():
            return bool(self._db.execute("SELECT agreed FROM runs WHERE id = ?", (run,)).fetchone()["agreed"])

    def file_is(self, run: str, file: str, sha256: str, by_row: Collection[str] = ()) -> None:
        """Record that a run's file has changed, and its rows have followed; `by_row` is what `begin` has, from now on.

        What columns stood in for before stays, and stays not known where it isn't.
        """
        with self._transaction():
            self._db.execute(
                "UPDATE runs SET file = ?, sha256 = ?, by_row = by_row || ' ' || ? WHERE id = ?",
                (file, sha256, " ".join(map(quote, by_row)), run),
            )

    def end(self, run: str) -> None:
        """Record that a run has come to its end."""
        with self._transaction():
            self._db.execute("UPDATE runs SET ended = ? WHERE id = ?", (stored(self._clock()), run))

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
            started=local(row["started"]),
            ended=local(row["ended"]) if row["ended"] else None,
            counts=self.counts(row["id"]),
        )

    def counts(self, run: str, sheet: str | None = None) -> dict[Status, int]:
        """How many rows of the run, or of one of its sheets, have each status; a row still in flight is `unknown`."""
        query = "SELECT status, count(*) FROM rows WHERE run = ? AND (? IS NULL OR sheet = ?) GROUP BY status"
        counts: dict[Status, int] = {}
        with self._trouble():
            for status, count in self._db.execute(query, (run, sheet, sheet)):
                seen = shown(status)
                counts[seen] = counts.get(seen, 0) + count
        return counts

    def sheets(self, run: str) -> list[str]:
        """The names of the sheets that the run's rows came from."""
        with self._trouble():
            return [name for (name,) in self._db.execute("SELECT DISTINCT sheet FROM rows WHERE run = ?", (run,))]

    def targets(self, run: str, resource: str = "") -> list[str]:
        """Where the run's rows went to, or were to go; of a resource by its full name, "" for those of all."""
        query = "SELECT DISTINCT target FROM rows WHERE run = ? AND ? IN ('', resource)"
        with self._trouble():
            return [name for (name,) in self._db.execute(query, (run, resource))]

    def resources(self, run: str) -> list[str]:
        """The full names of the resources that the run's rows were for."""
        with self._trouble():
            return [name for (name,) in self._db.execute("SELECT DISTINCT resource FROM rows WHERE run = ?", (run,))]

    def has_run(self, run: str) -> bool:
        """Whether this journal knows the run."""
        with self._trouble():
            return self._db.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is not None

    def purge(self, run: str) -> None:
        """Forget a run and its rows: a later import of the same rows will send them again."""
        with self._transaction():
            self._db.execute("DELETE FROM runs WHERE id = ?", (run,))


def stored(time: datetime) -> str:
    """Times stand in UTC, all of one length, so that their order as text is their order in time."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def local(time: str) -> datetime:
    """A time as it stands in the journal, in this place."""
    return datetime.fromisoformat(time).astimezone()


def shown(status: str) -> Status:
    """A row in flight is `unknown` to all who read the journal later."""
    return Status.UNKNOWN if status == Status.SENDING else Status(status)
