"""The frames of a file on their way through the steps: read, checked, planned, and turned into requests."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from bulkload import plan
from bulkload.calls import Calls
from bulkload.counted import Counted
from bulkload.doors import settings
from bulkload.errors import UnusableFile
from bulkload.job import Job, Part, refuse_empty
from bulkload.journal import Journal, Known, NewRow
from bulkload.models import CREATE, Claim, Frame, Severity, Status
from bulkload.recognise import Assigned
from bulkload.seen import Seen
from bulkload.threads import seldom_collecting
from bulkload.underway import Outgoing
from bulkload.validate import Checked, Validator, claims

# Requests that are made at a time: enough to keep the sending busy while the next are made.
_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class Batch:
    """A frame that was read, checked and planned."""

    assigned: Assigned
    frame: Frame
    checked: Checked
    planned: tuple[NewRow, ...]


def plan_rows(job: Job, part: Part, journal: Journal) -> Iterator[Batch]:
    """Read, check and plan the rows of one API, frame by frame. Raises UnusableFile where there are none.

    Nothing here holds a frame while the next is read: whoever lets go of a batch has its memory back.
    """
    seen: dict[str, Seen] = {}
    counted: dict[str, Counted] = {}
    rows = 0

    @seldom_collecting()
    def batch(assigned: Assigned, validator: Validator, planner: plan.Planner, frame: Frame) -> Batch:
        nonlocal rows
        rows += len(frame.text)
        known = _known_rows(job, part, assigned, frame, journal)
        done = plan.made_already(known)
        checked = validator.check(frame, done.keys())
        valid = [*planner.done(checked.done, done), *planner.decide(checked.rows, checked.by_column, known)]
        planned = sorted([*valid, *_invalid(assigned, checked)], key=lambda new: new.row)
        return Batch(assigned, frame, checked, tuple(planned))

    for assigned in part.sheets:
        name = assigned.resource.full_name
        validator = Validator(assigned, seen.setdefault(name, Seen(settings(part.target))))
        planner = plan.Planner(
            assigned.resource,
            assigned.sheet.name,
            part.target,
            journal,
            counted.setdefault(name, Counted()),
            job.wishes,
        )
        yield from map(partial(batch, assigned, validator, planner), assigned.sheet.frames())
    refuse_empty(job.file, rows)


def outgoing(part: Part, journal: Journal, run: str) -> Iterator[list[Outgoing]]:
    """The requests of the run's rows that are still to be sent, some at a time; the file is read again for them."""

    def batches(validator: Validator, planner: plan.Planner, calls: Calls, frame: Frame) -> Iterator[list[Outgoing]]:
        numbers = frame.text.index
        if numbers.empty:  # it only counts blank rows
            return
        place = (run, planner.sheet, int(numbers[0]), int(numbers[-1]))
        waiting, repeatable = journal.waiting(*place), journal.repeatable(*place)
        found = []
        for row in validator.read(frame):
            repeat = repeatable.get(row.number)
            if repeat and repeat.unsure and planner.prints.whole(row.values) == repeat.fingerprint:
                waiting[row.number] = (repeat.action, repeat.id)
            if row.number in waiting:
                action, record = waiting[row.number]
                once, unsure = (repeat.once, repeat.unsure) if repeat else (None, False)
                found.append(Outgoing(calls.call(row, action, record), calls.operation(action), record, once, unsure))
            if len(found) == _AT_A_TIME:
                yield found
                found = []
        yield found

    for assigned in part.sheets:
        resource, sheet, connection = assigned.resource, assigned.sheet, part.connection
        validator = Validator(assigned, Seen())
        planner = plan.Planner(resource, sheet.name, part.target, journal, Counted())
        calls = Calls(resource, sheet.name, connection.settings, connection.headers)
        yield from chain.from_iterable(map(partial(batches, validator, planner, calls), sheet.frames()))


def _known_rows(job: Job, part: Part, assigned: Assigned, frame: Frame, journal: Journal) -> dict[int, Known]:
    """What the journal knows of the rows of a result that is imported again, by row number of this file."""
    said: defaultdict[str, dict[int, Claim]] = defaultdict(dict)
    if not job.wishes.again:
        for row, claim in claims(assigned, frame).items():
            said[claim.run][row] = claim
    known: dict[int, Known] = {}
    for run, mine in said.items():
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


def _invalid(assigned: Assigned, checked: Checked) -> Iterator[NewRow]:
    """The rows that a check failed, each with all that is wrong with it."""
    errors: defaultdict[int, list[str]] = defaultdict(list)
    for finding in checked.findings:
        if finding.severity is Severity.ERROR:
            errors[finding.row].append(f"{finding.cell}: {finding.message}")
    for row in checked.invalid:
        yield NewRow(
            assigned.sheet.name, row, assigned.resource.full_name, CREATE, Status.INVALID, error=" ".join(errors[row])
        )


def values_of(part: Part, journal: Journal, fingerprints: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """The values of the file's rows that have one of these fingerprints, by fingerprint."""
    found: dict[str, Mapping[str, Any]] = {}
    for assigned in part.sheets:
        validator = Validator(assigned, Seen())
        planner = plan.Planner(assigned.resource, assigned.sheet.name, part.target, journal, Counted())
        for frame in assigned.sheet.frames():
            for row in validator.read(frame):
                if (content := planner.prints.whole(row.values)) in fingerprints:
                    found[content] = row.values
            if len(found) == len(fingerprints):
                return found
    return found
