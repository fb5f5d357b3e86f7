"""What was read, for a person in a few lines and for a program as values; fed frame by frame by whatever reads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkload.causes import Cause, Causes
from bulkload.models import Finding, Frame, Severity, rows_in_words
from bulkload.recognise import Assigned, Recognised


@dataclass(slots=True)
class _SheetRead:
    """What was read of one sheet so far."""

    assigned: Assigned
    causes: Causes
    rows: int = 0
    blank_rows: int = 0
    hidden_rows: int = 0


class Intake:
    """What was read of a file: its sheets with what was counted in them, and the sheets left alone."""

    def __init__(self, file: Path, found: Recognised) -> None:
        self._file = file
        self._left_alone = found.left_alone
        self._of_file = found.facts
        self._sheets = {assigned.sheet.name: _SheetRead(assigned, Causes()) for assigned in found.assigned}
        for sheet in self._sheets.values():
            sheet.causes.add(sheet.assigned.notes)

    @property
    def hidden_rows(self) -> int:
        """The rows that a person doesn't see in the sheets, and that are read all the same."""
        return sum(sheet.hidden_rows for sheet in self._sheets.values())

    def add(self, sheet: str, frame: Frame, findings: Iterable[Finding]) -> None:
        """Take in a frame of a sheet and what was found in it, of which only the notes count here."""
        one = self._sheets[sheet]
        one.rows += len(frame.text)
        one.blank_rows += frame.blank_rows
        one.hidden_rows += frame.hidden_rows
        one.causes.add(finding for finding in findings if finding.severity is Severity.NOTE)

    def lines(self, most: int | None = None) -> list[str]:
        """What was read, in lines for a person; of the details of each sheet the first `most` alone."""
        lines = [*self._of_file]
        for sheet in self._sheets.values():
            lines.append(_headline(sheet))
            lines += [f"  {line}" for line in _first(_details(sheet), most)]
        return [*lines, *_first(map(str, self._left_alone), most)]

    def told(self, most: int) -> list[str]:
        """The same for a terminal, below the name of the file."""
        return [f"Read {self._file}", *(f"  {line}" for line in self.lines(most))]

    def facts(self) -> dict[str, Any]:
        """The same for a program. `encoding` and `delimiter` are null for a workbook."""
        return {
            "file": str(self._file),
            "facts": list(self._of_file),
            "sheets": [_facts(sheet) for sheet in self._sheets.values()],
            "left_alone": [
                {"sheet": one.sheet.name, "hidden": one.sheet.hidden, "why": one.why} for one in self._left_alone
            ],
        }


def _headline(one: _SheetRead) -> str:
    sheet, hidden = one.assigned.sheet, " (the sheet is hidden)" if one.assigned.sheet.hidden else ""
    what = f"{rows_in_words(one.rows)} for {one.assigned.resource.full_name}"
    return f"{sheet.name}{hidden}: {what}, below the header in row {sheet.header_row}"


def _details(one: _SheetRead) -> Iterator[str]:
    """What else a person should know of a sheet, the least expected first."""
    sheet = one.assigned.sheet
    if one.hidden_rows:
        yield f"{_rows(one.hidden_rows, 'hidden')} read like all others"
    if one.blank_rows:
        yield f"{_rows(one.blank_rows, 'blank')} skipped"
    if own := one.assigned.own:
        yield f"columns of an earlier result, which are not sent: {', '.join(own)}"
    if sheet.encoding:
        yield f"encoding {sheet.encoding}, delimiter {sheet.delimiter}"
    yield from sheet.facts
    for note in one.causes.notes():
        yield f"{note.first.title}: {_counted(note)}" if note.first.title else _counted(note)
    if others := one.causes.others[Severity.NOTE]:
        yield f"and {others:,} cells read in yet other ways"


def _counted(note: Cause) -> str:
    """`read as the text that the cell shows: 12 cells, first D7, D9, D12`."""
    cells = f"{note.cells:,} cell{'' if note.cells == 1 else 's'}"
    return f"{note.text.rstrip('.')}: {cells}, {'' if note.cells == 1 else 'first '}{', '.join(note.places)}"


def _facts(one: _SheetRead) -> dict[str, Any]:
    sheet = one.assigned.sheet
    return {
        "sheet": sheet.name,
        "hidden": sheet.hidden,
        "resource": one.assigned.resource.full_name,
        "header_row": sheet.header_row,
        "rows": one.rows,
        "blank_rows": one.blank_rows,
        "hidden_rows": one.hidden_rows,
        "columns": [column.title for column in one.assigned.columns.values()],
        "columns_ignored": list(one.assigned.own),
        "encoding": sheet.encoding or None,
        "delimiter": sheet.delimiter or None,
        "facts": list(sheet.facts),
        "notes": [
            {"note": note.text, "column": note.first.title or None, "cells": note.cells, "first": note.first.cell}
            for note in one.causes.notes()
        ],
    }


def _rows(count: int, what: str) -> str:
    """`1 hidden row is`, `1,234 blank rows are`."""
    return f"{count:,} {what} {'row is' if count == 1 else 'rows are'}"


def _first(lines: Iterable[str], most: int | None) -> list[str]:
    """The first lines, and how many more there are."""
    found = list(lines)
    if most is None or len(found) <= most:
        return found
    more = f"and {len(found) - most + 1:,} more, which the sheet Summary and --json tell"
    return [*found[: most - 1], more]
