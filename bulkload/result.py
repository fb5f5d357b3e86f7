"""The result of a run, made out of its sheet and the journal; it can be made again at any time."""

import glob
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import pandas as pd

from bulkload import system, write
from bulkload.account import untold
from bulkload.doors import settings
from bulkload.errors import DiskError, UnusableFile, UsageError
from bulkload.intake import Intake
from bulkload.job import Job, Progress, Report, Silent, open_again
from bulkload.journal import Journal
from bulkload.models import FRAME_ROWS, Book, Finding, Frame, Outcome, Run, Severity, Status
from bulkload.recognise import Assigned, Recognised
from bulkload.seen import Seen
from bulkload.validate import Validator


def foresee(job: Job, journal: Journal, run: Run) -> tuple[str, ...]:
    """What a person must know of a run's result before the first row is sent."""
    rows = {sheet: sum(journal.counts(run.id, sheet).values()) for sheet in journal.sheets(run.id)}
    return write.foresee(job.result or result_path(job.file), rows)


def refuse_place(job: Job) -> None:
    """Raise UsageError or DiskError where the result can't be written, or would take the place of its own file."""
    path = job.result or result_path(job.file)
    write.refuse_ending(path)
    if path.exists() and job.file.exists() and path.samefile(job.file):
        raise UsageError(f"-o {path}: the file itself stands there, and would be lost. Name another.")
    system.refuse_place(path)


def write_result(job: Job, journal: Journal, run: Run, found: Recognised, report: Report, progress: Progress) -> None:
    """Write the result of a run and put into the report what it tells.

    `report.rows` counts what the file holds and `report.counts` what the journal does, so that one can miss the other.
    """
    seen: dict[str, Seen] = {}
    report.read = read = Intake(job.file, found)

    def result_frame(assigned: Assigned, validator: Validator, frame: Frame) -> write.ResultFrame:
        numbers = frame.text.index
        if numbers.empty:  # it only counts blank rows
            read.add(assigned.sheet.name, frame, ())
            return write.ResultFrame(own_left_out(assigned, frame))
        rows = journal.outcomes(run.id, assigned.sheet.name, int(numbers[0]), int(numbers[-1]))
        done = {row for row, outcome in rows.items() if outcome.status is Status.UNCHANGED}
        findings = validator.check(frame, done.intersection(numbers)).findings
        read.add(assigned.sheet.name, frame, findings)
        report.causes.add(findings)
        report.causes.add(_of_outcome(one) for one in untold(rows.values(), findings))
        report.rows += len(numbers)
        progress.step(len(numbers))
        return write.ResultFrame(own_left_out(assigned, frame), problems_of(findings), rows, frame.spoilt)

    def frames(assigned: Assigned) -> Iterator[write.ResultFrame]:
        name = assigned.resource.full_name
        if name not in seen:
            targets = journal.targets(run.id, name)
            seen[name] = Seen(settings(targets[0]) if targets else {})
        validator = Validator(assigned, seen[name])
        return map(partial(result_frame, assigned, validator), assigned.sheet.frames())

    for assigned in found.assigned:
        counts = journal.counts(run.id, assigned.sheet.name)
        report.counts[assigned.sheet.name] = counts
        if assigned.resource.note and counts.get(Status.CREATED):
            report.notes.append(f"{assigned.sheet.name}: {assigned.resource.note}")
    report.remarks = [*found.remarks, *report.remarks]
    sheets = [result_sheet(assigned, frames(assigned)) for assigned in found.assigned]
    # Rows that are in the file no more are accounted for, too.
    here = {assigned.sheet.name for assigned in found.assigned}
    sheets += [_statuses(journal, run, sheet, report) for sheet in journal.sheets(run.id) if sheet not in here]
    _write(journal, run, sheets, report, job.result or result_path(job.file, journal.run(run.id).result))


def _of_outcome(one: Outcome) -> Finding:
    severity = Severity.WARNING if one.status is Status.UNKNOWN else Severity.ERROR
    return Finding(one.sheet, one.row, None, "", "", one.status, one.error, severity)


def result_again(job: Job, journal: Journal, run: Run) -> Report:
    """The result of an earlier run. If its file is gone, the table of statuses alone.

    Raises UnusableFile if another file stands in its place.
    """
    report = Report(run=run)
    report.hear(journal)
    if not job.file.exists():
        report.remarks.append(f"{job.file} is gone: the result holds the statuses alone.")
        write_statuses(job, journal, run, report)
        return report
    book, found = open_again(job, journal, run)
    refuse_place(job)
    refuse_other_file(job, book, run)
    write_result(job, journal, run, found, report, Silent())
    return report


def write_statuses(job: Job, journal: Journal, run: Run, report: Report) -> None:
    """Write the result of a run whose file can't be read, and put into the report what it tells."""
    sheets = [_statuses(journal, run, sheet, report) for sheet in journal.sheets(run.id)]
    _write(journal, run, sheets, report, job.result or result_path(Path(job.file.name), run.result))


def refuse_other_file(job: Job, book: Book, run: Run) -> None:
    """Raise UnusableFile where a result would lay the run's outcomes beside rows that are not theirs."""
    if book.sha256 != run.sha256:
        raise UnusableFile(
            f"{job.file} is not the file that run {run.id} imported: it has changed since. Name that file, or let the "
            f"run follow it: bulkload resume {run.id}"
        )


def result_path(file: Path, own: str = "") -> Path:
    """`NAME.result.xlsx` beside the file, numbered where another run's result has that name; `own` is this run's."""
    ending = ".csv" if file.suffix.lower() in (".csv", ".tsv") else ".xlsx"
    stem = re.sub(r"\.result(-[0-9]+)?$", "", file.stem)
    number, path = 1, file.with_name(f"{stem}.result{ending}")
    while _taken(path) and str(path.resolve()) != own:
        number += 1
        path = file.with_name(f"{stem}.result-{number}{ending}")
    return path


def _taken(path: Path) -> bool:
    """Whether a result stands there; one of several sheets as CSV is several files."""
    parts = path.parent.glob(f"{glob.escape(path.stem)}.*.csv") if path.suffix == ".csv" else ()
    return path.exists() or any(parts)


def result_sheet(assigned: Assigned, frames: Iterable[write.ResultFrame]) -> write.ResultSheet:
    """A sheet of the result: the input's columns in their order, an earlier result's own ones left out."""
    own = assigned.own.values()
    headings = {place: title for place, title in enumerate(assigned.sheet.header, 1) if place not in own}
    return write.ResultSheet(
        name=assigned.sheet.name,
        headings=tuple(headings.values()),
        columns=tuple(assigned.columns.get(position) for position in headings),
        resource=assigned.resource,
        frames=frames,
    )


def marked_sheet(assigned: Assigned, frames: Iterable[write.ResultFrame]) -> write.ResultSheet:
    """A sheet of a marked copy: every column of the input. That of a result still says which of its rows are done."""
    header = assigned.sheet.header
    columns = tuple(assigned.columns.get(position) for position in range(1, len(header) + 1))
    return write.ResultSheet(assigned.sheet.name, header, columns, assigned.resource, frames)


def problems_of(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that stand at their cells; how a cell was read is told once for all of its kind."""
    return tuple(finding for finding in findings if finding.severity is not Severity.NOTE)


def own_left_out(assigned: Assigned, frame: Frame) -> pd.DataFrame:
    """The text of a frame without the columns that an earlier result added."""
    return frame.text.drop(columns=list(assigned.own.values()))


def _statuses(journal: Journal, run: Run, sheet: str, report: Report) -> write.ResultSheet:
    """The rows of a sheet as the journal alone knows them."""
    report.counts[sheet] = journal.counts(run.id, sheet)

    def frames() -> Iterator[write.ResultFrame]:
        mine = (outcome for outcome in journal.all_outcomes(run.id) if outcome.sheet == sheet)
        while some := {outcome.row: outcome for outcome in islice(mine, FRAME_ROWS)}:
            report.rows += len(some)
            yield write.ResultFrame(pd.DataFrame(index=pd.Index(list(some), name="row")), (), some)

    return write.ResultSheet(sheet, (), (), None, frames())


def _write(journal: Journal, run: Run, sheets: list[write.ResultSheet], report: Report, path: Path) -> None:
    notes = (*report.remarks, *report.notes, *(f"Stopped: {why}" for why in report.stopped))
    read = report.read.lines if report.read else list
    summary = write.Summary(_about(journal.run(run.id)), report.counts, notes, read)
    try:
        report.results = write.write_result(path, sheets, summary, tell=report.remarks.append)
    except DiskError as trouble:
        raise DiskError(f"{trouble} What became of each row is known: bulkload result {run.id} -o FILE") from trouble
    in_parts = all(one.name.startswith(f"{path.stem}.") and one != path for one in report.results)
    place = str((path if in_parts else report.results[0]).resolve())
    if in_parts and journal.run(run.id).result == place:
        # What stood in one file is old now; whoever has it open keeps it.
        with suppress(OSError):
            path.unlink(missing_ok=True)
    journal.result_written(run.id, place)


def _about(run: Run) -> tuple[tuple[str, str], ...]:
    return (
        ("File", run.file),
        ("SHA-256", run.sha256),
        ("Connection", run.connection),
        ("Sent to", run.target),
        ("Run", run.id),
        ("Started", _time(run.started)),
        ("Ended", _time(run.ended) if run.ended else "cut off"),
        ("By", run.user),
        ("Program", f"bulkload {version('bulkload')}"),
    )


def _time(when: datetime) -> str:
    return when.isoformat(timespec="seconds")
