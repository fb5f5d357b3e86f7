"""What a person asks for, and what a run tells at its end: the words that the pipeline is written in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from bulkload import plan, read, recognise
from bulkload.causes import Causes
from bulkload.connection import Connection, complete, target
from bulkload.doors import account_names, by_row, without
from bulkload.errors import UnusableFile
from bulkload.intake import Intake
from bulkload.journal import Journal
from bulkload.models import Book, Outcome, Run, Status
from bulkload.recognise import Assigned
from bulkload.resource import Api, Rate
from bulkload.send import Limits


class Progress(Protocol):
    """Hears how far a run is; `total` is None where it isn't known yet."""

    def phase(self, name: str, total: int | None) -> None: ...

    def step(self, rows: int) -> None: ...

    def outcome(self, outcome: Outcome) -> None: ...

    def close(self) -> None: ...


class Silent:
    """Hears and says nothing."""

    def phase(self, name: str, total: int | None) -> None: ...

    def step(self, rows: int) -> None: ...

    def outcome(self, outcome: Outcome) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Job:
    """What a person asks for. `connect` gives the connection of an API; None for a check, which is offline.

    `rate`, `concurrency` and `limit` (rows to send at most) are None where the connection or the document decides.
    `wait_for_api` is in seconds. `resolve` asks about unknown rows at the end of a run. `as_new` sends rows that a
    changed file has anew. `words` says of unknown rows, as SHEET!ROW, that they were made as that ID (which may be ""),
    or, as None, that they were not. `book` is the file where it is open already, None where it is yet to be opened.
    """

    file: Path
    apis: Mapping[str, Api]
    connect: Callable[[Api], Connection]
    resource: str | None = None
    reading: read.ReadOptions = field(default_factory=read.ReadOptions)
    wishes: plan.Wishes = field(default_factory=plan.Wishes)
    trust_result: bool = False
    rate: Rate | None = None
    concurrency: int | None = None
    limit: int | None = None
    stop_after: int = 0
    result: Path | None = None
    wait_for_api: float = 600.0
    resolve: bool = True
    as_new: bool = False
    words: Mapping[str, str | None] = field(default_factory=dict)
    book: Book | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The sheets of a file that go to one API, and where."""

    api: Api
    connection: Connection
    target: str
    sheets: tuple[Assigned, ...]

    @property
    def by_row(self) -> frozenset[str]:
        """The settings that select the account and that columns of the sheets stand in for."""
        return frozenset().union(*(by_row(assigned.resource) for assigned in self.sheets))

    @property
    def place(self) -> str:
        """The target but for the settings that a column may stand in for: what holds all accounts of its rows."""
        return without(self.target, {name for one in self.api.resources.values() for name in account_names(one)})

    @property
    def settle(self) -> float:
        """The longest, in seconds, that the API may still work on a request that we gave up on."""
        said = self.connection.settle if self.connection.settle is not None else self.api.settle
        return max(60.0, 2 * self.connection.deadline) if said is None else said

    def limits(self, job: Job) -> Limits:
        """How fast to send: the command line's word, else the connection's, else the document's."""
        return Limits(
            rate=job.rate or self.connection.rate or self.api.rate,
            concurrency=job.concurrency or self.connection.concurrency or self.api.concurrency,
            limit=job.limit,
            stop_after=job.stop_after,
            wait_for_api=job.wait_for_api,
            deadline=self.connection.deadline,
            renew_on=self.api.token.renew_on if self.api.token else frozenset({401}),
        )


@dataclass(slots=True)
class Preview:
    """What a run is about to do, for a person to agree to. `seconds` is how long it takes at the set rate.

    `read` is what was read for it, `warnings` counts the rows that have one.
    """

    where: tuple[str, ...]
    read: Intake
    creates: int = 0
    updates: int = 0
    unchanged: int = 0
    unknown: int = 0
    invalid: int = 0
    warnings: int = 0
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()

    @property
    def to_send(self) -> int:
        """The rows that go out."""
        return self.creates + self.updates


@dataclass(slots=True)
class Report:
    """What a run, or a check, has to tell at its end. `unknown_in` are the runs whose rows are to be settled,
    `repeated_in` those of them that settle some by sending them again, with their key.

    `read` is None where no file was read: it is gone.
    """

    counts: dict[str, dict[Status, int]] = field(default_factory=dict)
    rows: int = 0
    causes: Causes = field(default_factory=Causes)
    read: Intake | None = None
    remarks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    results: tuple[Path, ...] = ()
    run: Run | None = None
    stopped: list[str] = field(default_factory=list)
    unknown_in: list[str] = field(default_factory=list)
    repeated_in: list[str] = field(default_factory=list)
    limited: bool = False

    def hear(self, journal: Journal) -> None:
        """Take from the journal where what is unknown can be settled."""
        assert self.run
        self.unknown_in = journal.unknown_in(self.run.id)
        self.repeated_in = [run for run in self.unknown_in if journal.repeats(run)]

    def total(self, *statuses: Status) -> int:
        """How many rows have one of these statuses."""
        return sum(count.get(status, 0) for count in self.counts.values() for status in statuses)


def open_file(job: Job) -> tuple[Book, recognise.Recognised]:
    """Open the file and find the resource of each sheet. Raises UnusableFile, and UsageError."""
    book = job.book or read.open_book(job.file, job.reading)
    found = recognise.recognise(book, job.apis, job.resource)
    return book, recognise.with_date_format(found, job.reading.date_format) if job.reading.date_format else found


def open_again(job: Job, journal: Journal, run: Run) -> tuple[Book, recognise.Recognised]:
    """Open the file of a run. Sheets that the run left alone (`--sheet`) are left alone; all count once renamed."""
    book, found = open_file(job)
    names = set(journal.sheets(run.id))
    mine = tuple(assigned for assigned in found.assigned if assigned.sheet.name in names)
    return book, replace(found, assigned=mine) if mine else found


def divide(job: Job, found: recognise.Recognised, journal: Journal) -> tuple[Part, ...]:
    """The parts of a file, an API each, with connections that have all they need. Raises SettingsError."""
    by_api: dict[str, list[Assigned]] = {}
    for assigned in found.assigned:
        by_api.setdefault(assigned.resource.api, []).append(assigned)
    parts = []
    for name, sheets in by_api.items():
        api = job.apis[name]
        connection = job.connect(api)
        for assigned in sheets:
            complete(connection, api, [assigned.resource], {column.name for column in assigned.columns.values()})
        parts.append(Part(api, connection, target(connection, api, journal.hmac_key), tuple(sheets)))
    return tuple(parts)


def refuse_empty(file: Path, rows: int) -> None:
    """Raise UnusableFile for a file with no row below its header."""
    if not rows:
        raise UnusableFile(f"{file}: there is no row below the header. Fill in at least one.")
