"""A run from file to result: read → validate → plan → send → write. The order of the work stands here alone."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Self

from bulkload import write
from bulkload.batches import Batch, plan_rows
from bulkload.calls import Calls
from bulkload.connection import base_url
from bulkload.errors import NotConfirmed, UnusableFile, UsageError
from bulkload.follow import Follower
from bulkload.hold import hold_parts, hold_targets
from bulkload.intake import Intake
from bulkload.job import Job, Part, Preview, Report, divide, open_again, open_file, refuse_empty
from bulkload.journal import Journal, NewRow, OpenRow
from bulkload.match import Matched
from bulkload.models import UPDATE, Book, Outcome, Request, Run, Severity, Status
from bulkload.recognise import Assigned, Recognised
from bulkload.resolve import by_word
from bulkload.resource import Resource
from bulkload.result import foresee, marked_sheet, problems_of, refuse_other_file, refuse_place, write_statuses
from bulkload.run import Course
from bulkload.seen import Seen
from bulkload.threads import seldom_collecting
from bulkload.validate import Validator

_LISTED = 20


class Import(Course):
    """A file becomes a run. Iterate over `outcomes()` to make it happen."""

    def outcomes(self) -> Iterator[Outcome]:
        """The whole way of a file, each outcome yielded once it is in the journal."""
        book, found = open_file(self.job)
        refuse_place(self.job)
        parts = divide(self.job, found, self.journal)
        self.run = self.report.run = self._begin(book, parts)
        with ExitStack() as stack:
            with self._undone():
                stack.enter_context(hold_parts(self.journal, parts, self.run))
                self._plan(parts, found)
            yield from self.send_all(parts)
            self.write(found)

    def _begin(self, book: Book, parts: Sequence[Part]) -> Run:
        return self.journal.begin(
            file=str(Path(book.path).resolve()),
            sha256=book.sha256,
            connection=", ".join(dict.fromkeys(part.connection.name for part in parts)),
            target="; ".join(part.target for part in parts),
            by_row=_by_row(parts),
        )

    @contextmanager
    def _undone(self) -> Iterator[None]:
        """What comes to nothing before the first row is sent leaves no trace."""
        try:
            yield
        except BaseException:
            self.journal.purge(self.run.id)
            raise

    def _plan(self, parts: Sequence[Part], found: Recognised) -> None:
        """Check and plan every row and put it into the journal, then ask."""
        preview = self._checked(parts, found)
        if not self.confirm(preview):
            raise NotConfirmed("Nothing was sent.")
        self.journal.agreed(self.run.id)

    def _checked(self, parts: Sequence[Part], found: Recognised) -> Preview:
        preview = Preview(_where(parts), Intake(self.job.file, found), remarks=found.remarks)
        self.progress.phase("Checking", None)
        for part in parts:
            sent = sum(map(partial(self._record, preview, part), plan_rows(self.job, part, self.journal)))
            _add_time(preview, part, self.job, sent)
        preview.remarks += foresee(self.job, self.journal, self.run)
        return preview

    def _record(self, preview: Preview, part: Part, batch: Batch) -> int:
        """Put a batch into the journal; gives how many of its rows will be sent."""
        self.journal.add(self.run.id, part.target, batch.planned)
        self.progress.step(len(batch.frame.text))
        return _count(preview, batch)


class _Continued(Course):
    """A run that has begun before."""

    def of(self, run: Run) -> Self:
        """Go on with this run."""
        self.run = self.report.run = run
        return self

    def _opened(self) -> tuple[Book, Recognised, tuple[Part, ...]]:
        """The file and its parts. Raises UsageError for a run of which not all rows stand in the journal."""
        if not self.journal.is_agreed(self.run.id):
            raise UsageError(f"Run {self.run.id} was cut off before anything was sent. Import the file again.")
        book, found = open_again(self.job, self.journal, self.run)
        refuse_place(self.job)
        parts = divide(self.job, found, self.journal)
        _refuse_other_target(self.run, parts)
        return book, found, parts

    def _held(self, parts: Sequence[Part]) -> ExitStack:
        """Keep others away while this is entered; what was in flight at a cut is unknown from now on."""
        with ExitStack() as stack:
            stack.enter_context(hold_parts(self.journal, parts, self.run))
            self.journal.give_up(self.run.id, max(part.connection.deadline for part in parts))
            return stack.pop_all()


class Resume(_Continued):
    """A run goes on with its rows that are not sent or failed; never with those that are unknown."""

    def outcomes(self) -> Iterator[Outcome]:
        """Find the run's rows in the file as it is now, then go the rest of the way."""
        book, found, parts = self._opened()
        with self._held(parts):
            read = Intake(self.job.file, found)
            self._follow(book, parts, read)
            self._agree(parts, found, self.journal.to_send(self.run.id), read)
            yield from self.send_all(parts)
            self.write(found)

    def _follow(self, book: Book, parts: Sequence[Part], read: Intake) -> None:
        """Find the run's rows in the file as it is now; other runs may have made some of them meanwhile."""
        self.progress.phase("Checking", None)
        for part in parts:
            follower = Follower(self.journal, self.run.id, part.target)
            for _ in map(partial(_take, follower, read), plan_rows(self.job, part, self.journal)):
                pass
            for name in dict.fromkeys(assigned.resource.full_name for assigned in part.sheets):
                matched = follower.matched(name)
                self._tell(matched)
                follower.rearrange(name, matched)
        self.journal.file_is(self.run.id, str(self.job.file.resolve()), book.sha256, _by_row(parts))

    def _tell(self, matched: Matched) -> None:
        """List what a person must know of a changed file. Raises UsageError where it isn't clear what became what."""
        if matched.unclear and not self.job.as_new:
            gone = ", ".join(f"{row.sheet} row {row.row}" for row in matched.vanished[:_LISTED])
            come = ", ".join(f"{row.sheet} row {row.row}" for row in matched.new[:_LISTED])
            raise UsageError(
                f"{self.job.file} has changed: rows of the run are gone (once {gone}) and others are new ({come}). "
                "They may be the same rows, edited. Undo the change, or take --as-new to send the new ones."
            )
        self.report.remarks += [
            f"{pair.new.sheet} row {pair.new.row} was edited after it was sent ({pair.old.status}): the edit is not "
            "sent. Undo it, or make the change in the system itself."
            for pair in matched.refused
        ]
        if matched.vanished:
            self.report.remarks.append(f"{len(matched.vanished):,} rows of the run are no longer in the file.")

    def _agree(self, parts: Sequence[Part], found: Recognised, to_send: Mapping[str, int], read: Intake) -> None:
        preview = Preview(_where(parts), read, remarks=(*found.remarks, *self.report.remarks))
        preview.updates = to_send.get(UPDATE, 0)
        preview.creates = sum(to_send.values()) - preview.updates
        counts = self.journal.counts(self.run.id)
        preview.unchanged = sum(counts.get(status, 0) for status in (Status.CREATED, Status.UPDATED, Status.UNCHANGED))
        preview.invalid = counts.get(Status.INVALID, 0)
        preview.unknown = counts.get(Status.UNKNOWN, 0)
        for part in parts:
            _add_time(preview, part, self.job, preview.to_send)
        preview.remarks += foresee(self.job, self.journal, self.run)
        if not self.confirm(preview):
            raise NotConfirmed("Nothing was sent.")


class Resolve(_Continued):
    """Settle a run's unknown rows: by a person's word, or by asking the API once it can know."""

    def outcomes(self) -> Iterator[Outcome]:
        """Take the words, ask about the rest, and write the result anew. To take them the journal is enough."""
        try:
            book, found, parts = self._opened()
        except UnusableFile as trouble:
            if not self.job.words:
                raise
            yield from self._words_alone(str(trouble))
            return
        refuse_other_file(self.job, book, self.run)
        with self._held(parts):
            yield from self._take_words([part.target for part in parts])
            for part in parts:
                yield from self.settle(part, wait=True)
            self.write(found)

    def _words_alone(self, trouble: str) -> Iterator[Outcome]:
        """Take the words where the file can't be read: without it the API can't be asked about the rest."""
        targets = self.journal.targets(self.run.id)
        with hold_targets(self.journal, targets, self.run):
            yield from self._take_words(targets)
            self.journal.end(self.run.id)
            self.report.hear(self.journal)
            self.report.remarks.append(f"{trouble} The result holds the statuses alone.")
            write_statuses(self.job, self.journal, self.run, self.report)

    def _take_words(self, targets: Sequence[str]) -> Iterator[Outcome]:
        """Write down what a person says of unknown rows. Raises UsageError for a row that isn't unknown."""
        if not self.job.words:
            return
        unknown = [
            row
            for target in targets
            for row in self.journal.open_rows(self.run.id, target)
            if row.outcome.status is Status.UNKNOWN
        ]
        meant = [(self._meant(place, unknown), record) for place, record in self.job.words.items()]
        for row, record in meant:
            outcome = by_word(row.outcome, row.action, made=record is not None, record=record or "")
            self.journal.write(self.run.id, (), [outcome])
            yield outcome

    def _meant(self, place: str, unknown: Sequence[OpenRow]) -> OpenRow:
        """The row that a person names as SHEET!ROW, or as ROW where no other sheet has such a one."""
        found = [row for row in unknown if place in (f"{row.outcome.sheet}!{row.outcome.row}", str(row.outcome.row))]
        if len(found) != 1:
            what = "stands for several unknown rows" if found else "is no unknown row"
            raise UsageError(f'"{place}" {what} of run {self.run.id}. Write it as SHEET!ROW.')
        return found[0]


def check(job: Job, checked_copy: Path | None = None) -> Report:
    """Every problem of a file, offline; `checked_copy` is where a marked copy goes, if one is wanted.

    Raises UsageError for a copy that is no workbook.
    """
    if checked_copy and checked_copy.suffix.lower() != ".xlsx":
        raise UsageError(f"-o {checked_copy}: the marked copy is a workbook, whatever the file is. Name it .xlsx.")
    if checked_copy:
        refuse_place(replace(job, result=checked_copy))
    _, found = open_file(job)
    read = Intake(job.file, found)
    report = Report(remarks=list(found.remarks), read=read)
    seen: dict[str, Seen] = {}

    def frames(assigned: Assigned) -> Iterator[write.ResultFrame]:
        validator = Validator(assigned, seen.setdefault(assigned.resource.full_name, Seen()))
        counts = report.counts.setdefault(assigned.sheet.name, {Status.INVALID: 0, Status.NOT_SENT: 0})
        for frame in assigned.sheet.frames():
            with seldom_collecting():
                checked = validator.check(frame)
            read.add(assigned.sheet.name, frame, checked.findings)
            report.causes.add(checked.findings)
            report.rows += len(frame.text)
            counts[Status.INVALID] += len(checked.invalid)
            counts[Status.NOT_SENT] += len(frame.text) - len(checked.invalid)
            yield write.ResultFrame(frame.text, problems_of(checked.findings), {}, frame.spoilt)

    sheets = [marked_sheet(assigned, frames(assigned)) for assigned in found.assigned]
    if checked_copy is None:
        for sheet in sheets:
            for _ in sheet.frames:
                pass
    else:
        summary = write.Summary((("File", str(job.file)),), report.counts, found.remarks, read.lines)
        told = report.remarks.append
        report.results = write.write_result(checked_copy, sheets, summary, outcomes=False, tell=told)
    refuse_empty(job.file, report.rows)
    return report


def dry_run(job: Job, journal: Journal, report: Report) -> Iterator[tuple[NewRow, Request | None, Part, Resource]]:
    """What an import would do with each row, and the request where it would send one. Nothing here can send.

    The report is filled on the way, as that of a check is.
    """
    _, found = open_file(job)
    report.read = read = Intake(job.file, found)
    report.remarks += found.remarks
    for part in divide(job, found, journal):
        yield from chain.from_iterable(map(partial(_foreseen, report, read, part), plan_rows(job, part, journal)))


def _foreseen(
    report: Report, read: Intake, part: Part, batch: Batch
) -> Iterator[tuple[NewRow, Request | None, Part, Resource]]:
    """The rows of a batch with the requests of those that would be sent; the report takes the batch in."""
    resource, name, connection = batch.assigned.resource, batch.assigned.sheet.name, part.connection
    read.add(name, batch.frame, batch.checked.findings)
    report.causes.add(batch.checked.findings)
    report.rows += len(batch.frame.text)
    counts = report.counts.setdefault(name, {})
    calls = Calls(resource, name, connection.settings, connection.headers)
    rows = {row.number: row for row in batch.checked.rows}
    for new in batch.planned:
        counts[new.status] = counts.get(new.status, 0) + 1
        made = calls.call(rows[new.row], new.action, new.id) if new.status is Status.NOT_SENT else None
        yield new, made, part, resource


def _take(follower: Follower, read: Intake, batch: Batch) -> None:
    """Take in a batch of a run that goes on."""
    read.add(batch.assigned.sheet.name, batch.frame, batch.checked.findings)
    follower.add(batch.assigned.resource.full_name, batch.assigned.sheet.name, batch.planned)


def _count(preview: Preview, batch: Batch) -> int:
    """Add a batch to the preview; gives how many of its rows will be sent."""
    preview.read.add(batch.assigned.sheet.name, batch.frame, batch.checked.findings)
    sent = [new for new in batch.planned if new.status is Status.NOT_SENT]
    updates = sum(new.action == UPDATE for new in sent)
    preview.updates += updates
    preview.creates += len(sent) - updates
    for new in batch.planned:
        preview.unchanged += new.status is Status.UNCHANGED
        preview.unknown += new.status is Status.UNKNOWN
        preview.invalid += new.status is Status.INVALID
    preview.warnings += len({one.row for one in batch.checked.findings if one.severity is Severity.WARNING})
    return len(sent)


def _add_time(preview: Preview, part: Part, job: Job, rows: int) -> None:
    """Add how long the rows take at the set rate."""
    rate = part.limits(job).rate
    preview.seconds += rows * rate.seconds / rate.count


def _where(parts: Sequence[Part]) -> tuple[str, ...]:
    """Where each part goes, for a person."""
    return tuple(
        f"{part.api.title} at {base_url(part.connection, part.api)} (connection {part.connection.name})"
        for part in parts
    )


def _by_row(parts: Sequence[Part]) -> list[str]:
    """The settings that columns of the file stand in for."""
    return sorted({name for part in parts for name in part.by_row})


def _refuse_other_target(run: Run, parts: Sequence[Part]) -> None:
    """A run goes on where it began: rows that it knows are rows of that target alone. Raises UsageError."""
    targets = "; ".join(part.target for part in parts)
    if targets != run.target:
        raise UsageError(
            f"Run {run.id} sent to {run.target}, and the connection points to {targets}. Name the run's own "
            "connection, or import the file there as a run of its own."
        )
