"""What a result says of each row: its cells, what became of it, and what hangs on its cells."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import pandas as pd

from bulkload.causes import cause_of
from bulkload.cells import Spoilt, spoilt_mark
from bulkload.dress import STATUS_LOOKS, Look
from bulkload.models import MASK, Finding, Outcome, Severity, Status
from bulkload.report import Problem, Problems
from bulkload.resource import Column, Resource

# Rows that are made into text at a time: bounds memory, and is enough to work on whole columns.
_BLOCK = 5_000


@dataclass(frozen=True, slots=True)
class ResultFrame:
    """At most FRAME_ROWS rows of the input, what was found in them and what became of them.

    `text` is that of `models.Frame` without the tool's own columns; its labels stay the positions in the input, which
    the findings name. `outcomes` is by row number; a row without one has a blank status. `spoilt` are that frame's.
    """

    text: pd.DataFrame
    findings: Sequence[Finding] = ()
    outcomes: Mapping[int, Outcome] = field(default_factory=dict)
    spoilt: Sequence[Spoilt] = ()


@dataclass(frozen=True, slots=True)
class ResultSheet:
    """One sheet of the input: its headings as they stand, without the tool's own, and what each means.

    `columns` is as long as `headings`, None where one is no column of the resource. `resource` None: a sheet that is
    none's. `frames` may be read once only.
    """

    name: str
    headings: tuple[str, ...]
    columns: tuple[Column | None, ...]
    resource: Resource | None
    frames: Iterable[ResultFrame]


@dataclass(slots=True)
class Mark:
    """What hangs on a cell: messages, and the look of one at fault."""

    look: Look | None = None
    messages: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows to write: the cells of each column, the look of each row, and marks by place of row and column."""

    columns: tuple[list[str], ...]
    looks: list[Look]
    marks: Mapping[int, Mapping[int, Mark]]

    def parts(self, room: int, sheet: int) -> Iterator["Block"]:
        """The rows, parted where a sheet that has `room` for so many is full, and each next that holds `sheet`."""
        start = 0
        while start < len(self.looks):
            end, room = start + room, sheet
            yield Block(
                tuple(column[start:end] for column in self.columns),
                self.looks[start:end],
                {row - start: marks for row, marks in self.marks.items() if start <= row < end},
            )
            start = end


def blocks(result: ResultSheet, frame: ResultFrame, problems: Problems, *, outcomes: bool) -> Iterator[Block]:
    """The rows of a frame in their order, with the tool's own columns if `outcomes`, and their problems on the way."""
    places = {int(label): place for place, label in enumerate(frame.text.columns)}
    secret: set[int | None] = {
        label for label, column in zip(places, result.columns, strict=True) if column and column.secret
    }
    found = _by_row(frame.findings, secret, problems)
    for start in range(0, len(frame.text), _BLOCK):
        text = frame.text.iloc[start : start + _BLOCK]
        numbers = text.index.tolist()
        done = [frame.outcomes.get(number) for number in numbers]
        here = {row: found[number] for row, number in enumerate(numbers) if number in found}
        columns = [_masked(text[label].tolist(), hide=label in secret) for label in places]
        for row, label, kind in _faulty(frame.spoilt, numbers, here):
            if label not in secret:
                column = columns[places[label]]
                column[row] = spoilt_mark(kind, column[row])
        marks = {row: _marks(findings, places) for row, findings in here.items()}
        if outcomes:
            for row, outcome in enumerate(done):
                if outcome and outcome.note:
                    marks.setdefault(row, {}).setdefault(len(places), Mark()).messages.append(outcome.note)
            for one in untold(filter(None, done), chain.from_iterable(here.values())):
                problems.add(Problem(result.name, f"row {one.row}", "", "", one.error, one.status), one.error)
            columns += _own_columns(numbers, done, here)
        yield Block(tuple(columns), [_look(one, here.get(row, ())) for row, one in enumerate(done)], marks)


def _by_row(findings: Iterable[Finding], secret: Container[int | None], problems: Problems) -> dict[int, list[Finding]]:
    """The findings by row number, from left to right; each is a problem to tell."""
    found: dict[int, list[Finding]] = {}
    for finding in sorted(findings, key=lambda one: (one.row, one.column or 0)):
        found.setdefault(finding.row, []).append(finding)
        value = MASK if finding.column in secret and finding.value else finding.value
        problem = Problem(finding.sheet, finding.cell, finding.title, value, finding.message, finding.severity)
        problems.add(problem, cause_of(finding))
    return found


def _masked(texts: list[str], *, hide: bool) -> list[str]:
    return [MASK if text else "" for text in texts] if hide else texts


def _faulty(
    spoilt: Sequence[Spoilt], numbers: Sequence[int], found: Mapping[int, Iterable[Finding]]
) -> Iterator[tuple[int, int, str]]:
    """The cells of these rows that the file has spoilt and that can't be sent: place of the row, label and kind."""
    places = {number: row for row, number in enumerate(numbers)} if spoilt else {}
    for cell in spoilt:
        row = places.get(cell.row, -1)
        if any(one.column == cell.column and one.rule == cell.kind for one in found.get(row, ())):
            yield row, cell.column, cell.kind


def _marks(findings: Iterable[Finding], places: Mapping[int, int]) -> dict[int, Mark]:
    """What hangs on the cells of a row: on the first what concerns the whole row, on none how something was read."""
    marks: dict[int, Mark] = {}
    for finding in findings:
        if finding.severity is Severity.NOTE:
            continue
        mark = marks.setdefault(places.get(finding.column or 0, 0), Mark())
        mark.messages.append(finding.message)
        # A row with an error is filled as it is; a warning of a whole row would not be seen.
        if finding.severity is Severity.WARNING:
            mark.look = mark.look or Look.WARNED
        elif finding.column in places:
            mark.look = Look.FAULT
    return marks


def _look(outcome: Outcome | None, findings: Iterable[Finding]) -> Look:
    if outcome is not None:
        return STATUS_LOOKS.get(outcome.status, Look.PLAIN)
    return Look.RED if any(finding.severity is Severity.ERROR for finding in findings) else Look.PLAIN


def _own_columns(
    numbers: Sequence[int], done: Sequence[Outcome | None], found: Mapping[int, Sequence[Finding]]
) -> Iterator[list[str]]:
    """The cells under RESULT_COLUMNS; times are local with offset."""
    yield [one.status if one else "" for one in done]
    yield [one.id if one else "" for one in done]
    yield [_error(one, found.get(row, ())) for row, one in enumerate(done)]
    yield [str(one.http_status or "") if one else "" for one in done]
    yield [str(one.attempts or "") if one else "" for one in done]
    yield [one.time.astimezone().isoformat(timespec="seconds") if one and one.time else "" for one in done]
    yield [one.run if one else "" for one in done]
    yield [str(number) for number in numbers]


def _error(outcome: Outcome | None, findings: Iterable[Finding]) -> str:
    """What is wrong with a row: the API's own words win, else the title and message of each cell at fault."""
    if outcome and (outcome.error or outcome.status is not Status.INVALID):
        return outcome.error
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    return "; ".join(f"{error.title}: {error.message}" if error.title else error.message for error in errors)


def untold(done: Iterable[Outcome], findings: Iterable[Finding]) -> Iterator[Outcome]:
    """What has become a problem by what happened to its row, before or on the way: no finding tells of it."""
    faulty = {finding.row for finding in findings if finding.severity is Severity.ERROR}
    for one in done:
        became = one.status in (Status.REJECTED, Status.FAILED, Status.UNKNOWN)
        if one.error and (became or (one.status is Status.INVALID and one.row not in faulty)):
            yield one
