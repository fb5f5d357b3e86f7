"""A run from file to result: read → validate → plan → send → write. The order of the work stands here alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bulkload import plan, write
from bulkload.auth import SignIn
from bulkload.connection import Connection, base_url
from bulkload.errors import NotConfirmed, UnusableFile
from bulkload.job import Job, Part, Preview, Progress, Report, divide, open_file, refuse_empty
from bulkload.journal import Journal, Known, NewRow
from bulkload.models import Book, Claim, Finding, Frame, Outcome, Request, Run, Severity, Status
from bulkload.recognise import Assigned, Recognised
from bulkload.resource import Resource
from bulkload.result import own_left_out, result_sheet, write_result
from bulkload.send import INTERRUPTED, Outgoing, Sender, outcomes
from bulkload.transport import Transport, Wire
from bulkload.validate import Checked, Seen, Validator, claims


@dataclass(frozen=True, slots=True)
class Batch:
    """A frame that was read, checked and planned."""

    assigned: Assigned
    frame: Frame
    checked: Checked
    planned: tuple[NewRow, ...]


class Import:
    """One run. Iterate over `outcomes()` to make it happen; then `report` tells of it."""

    def __init__(self, job: Job, journal: Journal, progress: Progress, confirm: Callable[[Preview], bool]) -> None:
        self.job = job
        self.report = Report()
        self._journal = journal
        self._progress = progress
        self._confirm = confirm
        self.run: Run

    def outcomes(self) -> Iterator[Outcome]:
        """The whole way of a file, each outcome yielded once it is in the journal."""
        book, found = open_file(self.job)
        parts = divide(self.job, found, self._journal)
        self.run = self._begin(book, parts)
        preview = self._check(parts, found)
        if preview.to_send:
            self._agree(preview)
            for part in parts:
                yield from self._send(part)
        self._journal.end(self.run.id)
        self._write(found)

    def _begin(self, book: Book, parts: Sequence[Part]) -> Run:
        self.report.run = self._journal.begin(
            file=str(Path(book.path).resolve()),
            sha256=book.sha256,
            connection=", ".join(dict.fromkeys(part.connection.name for part in parts)),
            target="; ".join(part.target for part in parts),
        )
        return self.report.run

    def _check(self, parts: Sequence[Part], found: Recognised) -> Preview:
        """Check and plan every row and put it into the journal, before the first is sent."""
        preview = Preview(tuple(_where(part) for part in parts), remarks=found.remarks)
        self._progress.phase("Checking", None)
        for part in parts:
            preview.hidden_rows += sum(assigned.sheet.hidden_rows for assigned in part.sheets)
            sent = 0
            for batch in plan_rows(self.job, part, self._journal):
                self._journal.add(self.run.id, part.target, batch.planned)
                self._progress.step(len(batch.frame.text))
                sent += _count(preview, batch)
            rate = part.limits(self.job).rate
            preview.seconds += sent * rate.seconds / rate.count
        return preview

    def _agree(self, preview: Preview) -> None:
        """Ask before sending; a run that nobody wanted leaves no trace."""
        try:
            if not self._confirm(preview):
                raise NotConfirmed("Nothing was sent.")
        except BaseException:
            self._journal.purge(self.run.id)
            raise

    def _send(self, part: Part) -> Iterator[Outcome]:
        """Send the rows of one API that are still to be sent, and tell each outcome."""
        if INTERRUPTED in self.report.stopped:
            return
        limits = part.limits(self.job)
        sender = Sender(self.run.id, self._journal, limits)
        waiting = self._journal.counts(self.run.id).get(Status.NOT_SENT, 0)
        self._progress.phase(f"Sending to {part.connection.name}", min(waiting, self.job.limit or waiting))

        def transport(url: str) -> Transport:
            return Transport(_wire(part.connection, url, limits.concurrency))

        async def start(tell: Callable[[Outcome], None]) -> None:
            sign_in = SignIn(part.api, part.connection, transport)
            async with transport(base_url(part.connection, part.api)) as wire:
                await sender.send(outgoing(part, self._journal, self.run.id), wire, sign_in, tell)
            self.report.notes += sign_in.notes

        for outcome in outcomes(start, sender):
            self._progress.outcome(outcome)
            yield outcome
        if sender.stopped:
            self.report.stopped.append(sender.stopped)

    def _write(self, found: Recognised) -> None:
        counts = self._journal.counts(self.run.id)
        self._progress.phase("Writing the result", sum(counts.values()))
        self.report.limited = bool(self.job.limit) and not self.report.stopped
        write_result(self.job, self._journal, self.run, found, self.report, self._progress)


def check(job: Job, checked_copy: Path | None = None) -> Report:
    """Every problem of a file, offline; `checked_copy` is where a marked copy goes, if one is wanted."""
    _, found = open_file(job)
    report = Report(remarks=list(found.remarks))
    seen: dict[str, Seen] = {}

    def frames(assigned: Assigned) -> Iterator[write.ResultFrame]:
        validator = Validator(assigned, seen.setdefault(assigned.resource.full_name, Seen()))
        invalid = rows = 0
        for frame in assigned.sheet.frames():
            checked = validator.check(frame)
            report.findings += checked.findings
            invalid += len(checked.invalid)
            rows += len(frame.text)
            yield write.ResultFrame(own_left_out(assigned, frame), checked.findings, {})
        report.rows += rows
        report.counts[assigned.sheet.name] = {Status.INVALID: invalid, Status.NOT_SENT: rows - invalid}

    sheets = [result_sheet(assigned, frames(assigned)) for assigned in found.assigned]
    if checked_copy is None:
        for sheet in sheets:
            for _ in sheet.frames:
                pass
    else:
        summary = write.Summary(pairs=(("File", str(job.file)),), counts=report.counts)
        report.results = write.write_result(checked_copy, sheets, summary, outcomes=False)
    report.facts = [f"{a.sheet.name}: {fact}" for a in found.assigned for fact in a.sheet.facts]
    refuse_empty(job.file, report.rows)
    return report


def dry_run(job: Job, journal: Journal) -> Iterator[tuple[NewRow, Request | None, Part, Resource]]:
    """What an import would do with each row, and the request where it would send one. Nothing here can send."""
    _, found = open_file(job)
    for part in divide(job, found, journal):
        for batch in plan_rows(job, part, journal):
            rows = {row.number: row for row in batch.checked.rows}
            for new in batch.planned:
                made = None
                if new.status is Status.NOT_SENT:
                    made = plan.request(
                        batch.assigned.resource,
                        new.sheet,
                        rows[new.row],
                        new.action,
                        new.id,
                        part.connection.settings,
                        part.connection.headers,
                    )
                yield new, made, part, batch.assigned.resource


def plan_rows(job: Job, part: Part, journal: Journal) -> Iterator[Batch]:
    """Read, check and plan the rows of one API, frame by frame. Raises UnusableFile where there are none."""
    seen: dict[str, Seen] = {}
    counted: dict[str, plan.Counted] = {}
    rows = 0
    for assigned in part.sheets:
        name = assigned.resource.full_name
        validator = Validator(assigned, seen.setdefault(name, Seen()))
        planner = plan.Planner(
            assigned.resource,
            assigned.sheet.name,
            part.target,
            journal,
            counted.setdefault(name, plan.Counted()),
            job.wishes,
        )
        for frame in assigned.sheet.frames():
            rows += len(frame.text)
            known = _known_rows(job, part, assigned, frame, journal)
            done = plan.made_already(known)
            checked = validator.check(frame, done.keys())
            invalid = [_invalid(assigned, row, checked.findings) for row in sorted(checked.invalid)]
            planned = [*planner.done(checked.done, done), *planner.decide(checked.rows, known), *invalid]
            yield Batch(assigned, frame, checked, tuple(sorted(planned, key=lambda new: new.row)))
    refuse_empty(job.file, rows)


def outgoing(part: Part, journal: Journal, run: str) -> Iterator[list[Outgoing]]:
    """The requests of the run's rows that are still to be sent: the file is read again, a frame at a time."""
    for assigned in part.sheets:
        resource = assigned.resource
        validator = Validator(assigned, Seen())
        for frame in assigned.sheet.frames():
            numbers = frame.text.index
            waiting = journal.waiting(run, assigned.sheet.name, int(numbers[0]), int(numbers[-1]))
            batch = []
            for row in validator.read(frame):
                if row.number in waiting:
                    action, record = waiting[row.number]
                    connection = part.connection
                    made = plan.request(
                        resource, assigned.sheet.name, row, action, record, connection.settings, connection.headers
                    )
                    operation = resource.update if action == plan.UPDATE and resource.update else resource.create
                    batch.append(Outgoing(made, operation, record))
            yield batch


# Small things


def _known_rows(job: Job, part: Part, assigned: Assigned, frame: Frame, journal: Journal) -> dict[int, Known]:
    """What the journal knows of the rows of a result that is imported again, by row number of this file."""
    said = {} if job.wishes.again else claims(assigned, frame)
    known: dict[int, Known] = {}
    for run in dict.fromkeys(claim.run for claim in said.values()):
        mine = {row: claim for row, claim in said.items() if claim.run == run}
        if journal.has_run(run):
            sources = journal.claimed(
                part.target, run, assigned.sheet.name, [claim.source_row for claim in mine.values()]
            )
            known |= {row: sources[claim.source_row] for row, claim in mine.items() if claim.source_row in sources}
        elif job.trust_result:
            known |= {row: _trusted(assigned, claim) for row, claim in mine.items() if claim.id}
        else:
            raise UnusableFile(
                f"{job.file}: sheet {assigned.sheet.name} is a result of run {run}, which this journal doesn't know. "
                "Take --trust-result if its rows with an ID are done, or --again to send every row."
            )
    return known


def _trusted(assigned: Assigned, claim: Claim) -> Known:
    return Known(
        run=claim.run,
        sheet=assigned.sheet.name,
        row=claim.source_row,
        status=Status.CREATED,
        id=claim.id,
        fingerprint="",
        ordinal=0,
        open_fingerprint="",
        key="",
    )


def _invalid(assigned: Assigned, row: int, findings: Iterable[Finding]) -> NewRow:
    mine = [f for f in findings if f.row == row and f.severity is Severity.ERROR]
    error = " ".join(f"{finding.cell}: {finding.message}" for finding in mine)
    return NewRow(assigned.sheet.name, row, assigned.resource.full_name, plan.CREATE, Status.INVALID, error=error)


def _count(preview: Preview, batch: Batch) -> int:
    """Add a batch to the preview; gives how many of its rows will be sent."""
    sent = [new for new in batch.planned if new.status is Status.NOT_SENT]
    updates = sum(new.action == plan.UPDATE for new in sent)
    preview.updates += updates
    preview.creates += len(sent) - updates
    for new in batch.planned:
        preview.unchanged += new.status is Status.UNCHANGED
        preview.unknown += new.status is Status.UNKNOWN
        preview.invalid += new.status is Status.INVALID
    preview.warnings += sum(finding.severity is Severity.WARNING for finding in batch.checked.findings)
    return len(sent)


def _where(part: Part) -> str:
    return f"{part.api.title} at {base_url(part.connection, part.api)} (connection {part.connection.name})"


def _wire(connection: Connection, url: str, concurrency: int) -> Wire:
    certificate = [*connection.client_cert, None, None]
    return Wire(
        base_url=url,
        deadline=connection.deadline,
        in_flight=concurrency,
        proxy=connection.proxy.read() if connection.proxy else None,
        ca_file=connection.ca_file,
        client_cert=certificate[0],
        client_key=certificate[1],
    )
