"""One SQLite file that holds what must not be lost: private, durable at each commit, brought up to date by itself."""

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from bulkload.errors import DiskError, UsageError
from bulkload.system import create_private, network_share

# Seconds that the end of the program waits at most for a commit that is under way.
_LEAVING = 0.2
# KiB, which SQLite takes as a negative number. Fingerprints come in no order, so that rows are added all over their
# index: a million of them in three quarters of the time that SQLite's own 2 MiB take.
_CACHE = -65_536
# "bulk" in the head of the file: by it a journal is told from another program's database.
_APPLICATION = 0x62756C6B

_DAMAGED = (
    "The journal {path} is damaged, or no journal ({error}). Put a copy of it back, or name another with --journal: "
    "that one doesn't know what was sent before."
)
_IN_USE = "The journal {path} is being written by another program ({error}). Try again when that has ended."
_UNUSABLE = (
    "The journal {path} can't be used: {error}. "
    "Make room, or choose another place with --journal; nothing more is sent."
)
_WORDS = {sqlite3.SQLITE_CORRUPT: _DAMAGED, sqlite3.SQLITE_NOTADB: _DAMAGED, sqlite3.SQLITE_BUSY: _IN_USE}


class Database:
    """The file, open. One thread at a time uses it; all that a disk and SQLite can do is a DiskError.

    `migrations` bring a file up to date: step N brings one of version N to N + 1, the first an empty file to version 1,
    with a table `secret` for the key that is made then.
    """

    def __init__(
        self,
        path: Path,
        migrations: Sequence[str],
        *,
        share: Callable[[Path], str] = network_share,
    ) -> None:
        """Open the file at `path`, made with mode 0600 if it isn't there.

        Raises DiskError if it can't be or stands on a network share (`share` tells: SQLite's locks don't hold there),
        and UsageError for a journal of a newer version or a database that is none.
        """
        self.path = path
        self._lock = threading.RLock()
        if kind := share(path):
            raise DiskError(
                f"The journal {path} would stand on a network share ({kind}), where it can't be kept safe. "
                "Choose a place on this machine's own disk with --journal."
            )
        with self._trouble(), ExitStack() as stack:
            create_private(path)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            stack.callback(self._db.close)
            self._db.row_factory = sqlite3.Row
            self._prepare(migrations)
            self._key: bytes = self._db.execute("SELECT key FROM secret").fetchone()["key"]
            stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # SQLite would wait for a commit whose disk hangs, and whoever leaves can't. What it will be is not lost.
        if self._lock.acquire(timeout=_LEAVING):
            try:
                self._db.close()
            finally:
                self._lock.release()

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        """One thread at a time, and one kind of error for all that a disk and SQLite can do."""
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            raise self._disk_error(error) from error

    def _disk_error(self, error: Exception) -> DiskError:
        # The low byte is the family: SQLite tells apart a dozen ways in which a disk can fail.
        family = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return DiskError(_WORDS.get(family, _UNUSABLE).format(path=self.path, error=error))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._trouble():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                # On a full disk SQLite may have taken everything back already.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _prepare(self, migrations: Sequence[str]) -> None:
        """Set the connection up and bring the tables up to date."""
        version = self._version(migrations)
        self._write_ahead()
        # Every commit is on the disk when it returns, and what was purged is overwritten.
        for setting in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON", f"cache_size = {_CACHE}"):
            self._pragma(setting)
        if version < len(migrations):
            with self._transaction():
                # Asked again: another process may have been faster.
                self._migrate(self._version(migrations), migrations)

    def _write_ahead(self) -> None:
        """Switch to WAL: the one thing that SQLite doesn't wait for while another process is at it too."""
        mode = None
        while mode is None:
            try:
                mode = self._pragma("journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                # This does wait, or gives up after the usual time.
                self._db.execute("BEGIN EXCLUSIVE")
                self._db.execute("COMMIT")
        if mode != "wal":
            raise sqlite3.OperationalError("its file system can't share memory between processes")

    def _pragma(self, words: str) -> Any:
        row = self._db.execute(f"PRAGMA {words}").fetchone()
        return row[0] if row else None

    def _version(self, migrations: Sequence[str]) -> int:
        """The version of the file's tables, 0 for an empty file. Raises UsageError for one that can't be ours."""
        version = int(self._pragma("user_version"))
        empty = not self._pragma("schema_version")
        if not empty and self._pragma("application_id") != _APPLICATION:
            raise UsageError(f"{self.path} is the database of another program. Name another --journal.")
        if version > len(migrations):
            raise UsageError(
                f"The journal {self.path} was written by a newer bulkload. Install that, or name another --journal."
            )
        return version

    def _migrate(self, version: int, migrations: Sequence[str]) -> None:
        """Take the steps that the file lacks; all of them or, where the disk fails, none."""
        for step in migrations[version:]:
            for statement in step.split(";"):
                self._db.execute(statement)
        if version == 0:
            self._db.execute("INSERT INTO secret VALUES (?)", (secrets.token_bytes(32),))
            self._pragma(f"application_id = {_APPLICATION}")
        self._pragma(f"user_version = {len(migrations)}")
