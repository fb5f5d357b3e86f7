"""Rows as the journal takes them and gives them back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bulkload.models import Once, Outcome, Status

# A row that is about to be sent: sheet, row number and, where the API knows such keys, its idempotency key.
Intent = tuple[str, int] | tuple[str, int, Once]


class NewRow(NamedTuple):
    """A row as a run begins; there is one for each, and a frozen dataclass would take twice as long to make.

    `status` is `not sent`, or what is already certain (`invalid`, `unchanged`, `unknown`).

    `fingerprint` is the keyed hash of the whole row, `open_fingerprint` that without secret columns, both "" for a row
    that could not be read; `ordinal` counts equal rows of one file from 1. `key` is the natural key's text or, where it
    is secret, its keyed hash; "" where there is none. The key of a row that updates a record is `id:` and that ID.
    `because` is the run that an `unknown` row waits for: a row of it went out, and may be this one.
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
    because: str = ""


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

    def old(self) -> Iterator[Known]:
        """The rows as the run had them, of which something is said here."""
        yield from (old for old, _ in (*self.moved, *self.replaced))
        yield from (*self.gone, *self.dropped)
