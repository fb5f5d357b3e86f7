"""What is told of a cell: put into words once for all cells of one text, then laid at each cell's place."""

from collections.abc import Mapping
from dataclasses import dataclass

from bulkload.models import MASK, Finding, Severity, column_letter
from bulkload.resource import Column

# How much of a value a message quotes.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Said:
    """A Finding without its place: `message` is whole, `value` is masked if it is secret."""

    rule: str
    message: str
    value: str
    severity: Severity = Severity.ERROR
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """The cells of one sheet: `positions` has the 1-based position of each column that the sheet has, by its name."""

    sheet: str
    positions: Mapping[str, int]

    def finding(self, row: int, column: Column | None, said: Said) -> Finding:
        """What is said, at a cell, or of a whole row where there is no column."""
        position, title, message = None, "", said.message
        if column:
            position, title = self.positions.get(column.name), column.title
            if position is None:
                message = f"{title}: {message} The sheet has no such column: add it."
        return Finding(self.sheet, row, position, title, said.value, said.rule, message, said.severity, said.cause)

    def named(self, row: int, column: Column | None) -> str:
        """A cell as a message names it: `Destinations!D7`, or `Destinations row 7` where no single cell is meant."""
        position = self.positions.get(column.name) if column else None
        return f"{self.sheet}!{column_letter(position)}{row}" if position else f"{self.sheet} row {row}"


def of_value(column: Column, rule: str, value: str, says: str, severity: Severity = Severity.ERROR) -> Said:
    """What is said of a value, which stands in quotes before it. A value not allowed is a cause of its own."""
    shown = MASK if column.secret and value else value
    message = f"{quoted(shown)} {says}"
    return Said(rule, message, shown, severity, message if rule == "enum" else says)


def of_cell(column: Column | None, rule: str, message: str, value: str, severity: Severity = Severity.ERROR) -> Said:
    """What is said in a sentence of its own."""
    return Said(rule, message, MASK if column and column.secret and value else value, severity)


def quoted(value: str) -> str:
    """A value in quotes, short and on one line: control characters are written out."""
    shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
    plain = (one if one.isprintable() else one.encode("unicode_escape").decode() for one in shown)
    return f'"{shown if shown.isprintable() else "".join(plain)}"'
