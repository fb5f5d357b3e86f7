"""What a person reads on the terminal: resources, previews, problems, dry runs, the closing table."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bulkload.causes import Cause, Causes
from bulkload.models import RESULT_STATUSES, Run, Severity, Status, rows_in_words
from bulkload.resource import Api, Column, Resource

# Of a long list the first so many are told, and of what was read of a sheet.
GROUPS = 20
DETAILS = 8
# Of a value so many characters are shown beside its cell.
_VALUE = 40
_STYLE = {
    Status.CREATED: "green",
    Status.UPDATED: "green",
    Status.INVALID: "red",
    Status.REJECTED: "red",
    Status.FAILED: "red",
    Status.UNKNOWN: "yellow",
}


def console() -> Console:
    """Where tables and answers go: stdout."""
    return Console(highlight=False, markup=False)


def problems(console: Console, causes: Causes, where: str) -> None:
    """What is wrong, by cause, at most GROUPS of them; `where` says where the others stand.

    A cause of one row is a line that begins with its cell; one of many says beneath how many and where the first are.
    """
    found = causes.problems()
    for cause in found[:GROUPS]:
        word, style = ("warning", "yellow") if cause.first.severity is Severity.WARNING else ("error", "red")
        margin = " " * (len("warning") + 2)
        text, beneath = _said(cause)
        _hanging(console, Text.assemble((word, style), margin[len(word) :], text), len(margin))
        if beneath:
            console.print(Text(f"{margin}{beneath}"), soft_wrap=True)
    if len(found) > GROUPS:
        rest, others = len(found) - GROUPS, causes.others[Severity.ERROR] + causes.others[Severity.WARNING]
        beyond = f", and {others:,} cells with yet others" if others else ""
        console.print(f"and {rest:,} more kind{'' if rest == 1 else 's'} of problem{beyond}; {where}", soft_wrap=True)


def _said(cause: Cause) -> tuple[Text, str]:
    """A cause in words, and how many rows have it where it is more than one."""
    first = cause.first
    if cause.rows == 1:
        return Text.assemble((first.place, "bold"), f": {first.message}"), ""
    title = (f"{first.title}: ", "bold") if first.title else ""
    cell, *others = cause.places
    # Where the cause is that of all values, the first of them shows what is meant.
    value = f" ({_quoted(first.value)})" if first.value and cause.text not in first.message else ""
    places = ", ".join([f"{first.sheet}{'!' if first.column else ' '}{cell}{value}", *others])
    return Text.assemble(title, cause.text), f"{rows_in_words(cause.rows)}, first {places}"


def _quoted(value: str) -> str:
    """A value in quotes, short and on one line."""
    line = " ".join(value.split())
    return f'"{line}"' if len(line) <= _VALUE else f'"{line[:_VALUE]}…"'


def _hanging(console: Console, text: Text, margin: int) -> None:
    """A line that a terminal breaks between words, what follows standing under its text; whole where nobody looks."""
    if not console.is_terminal:
        console.print(text, soft_wrap=True)
        return
    first, *others = text.wrap(console, console.width)
    rest = Text().join(others)
    console.print(first, soft_wrap=True)
    for line in rest.wrap(console, max(console.width - margin, margin)) if rest else ():
        console.print(Text(" " * margin).append_text(line), soft_wrap=True)


def counts_table(console: Console, counts: Mapping[str, Mapping[Status, int]], rows: int) -> None:
    """A line per sheet and a total; the columns that are nought everywhere are left out."""
    shown = [status for status in RESULT_STATUSES if any(count.get(status) for count in counts.values())]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Sheet")
    for status in shown:
        table.add_column(status, justify="right", style=_STYLE.get(status, ""))
    table.add_column("rows", justify="right")
    for sheet, count in counts.items():
        table.add_row(Text(sheet), *(f"{count.get(status, 0):,}" for status in shown), f"{sum(count.values()):,}")
    if len(counts) > 1:
        totals = [sum(count.get(status, 0) for count in counts.values()) for status in shown]
        table.add_row("All", *(f"{total:,}" for total in totals), f"{rows:,}", style="bold")
    console.print(table)


def runs(console: Console, found: Iterable[Run]) -> None:
    """Two lines a run: which, when, what and where to; then how many rows have which status."""
    for run in found:
        ended = "" if run.ended else ", not ended"
        when = f"  {run.started:%Y-%m-%d %H:%M}{ended}  {Path(run.file).name} → {run.connection}"
        console.print(Text.assemble((run.id, "bold"), when), soft_wrap=True)
        counts = [f"{run.counts[status]:,} {status}" for status in RESULT_STATUSES if run.counts.get(status)]
        console.print(Text(f"    {', '.join(counts) or 'no rows'}"), soft_wrap=True)


def api_overview(console: Console, apis: Iterable[Api]) -> None:
    """The resources of each API, and what could not become one."""
    for api in apis:
        console.print(Text.assemble((api.name, "bold"), f"  {api.title} {api.version}"))
        for resource in api.resources.values():
            required = ", ".join(column.title for column in resource.columns if column.required)
            console.print(Text(f"  {resource.full_name}: {resource.title}. Required: {required}"), soft_wrap=True)
            for name, reason in resource.left_out:
                console.print(Text(f"    left out: {name} ({reason})", style="yellow"), soft_wrap=True)
        for operation, reason in api.unsupported:
            console.print(Text(f"  not supported: {operation}: {reason}", style="yellow"), soft_wrap=True)


def resource_columns(console: Console, resource: Resource) -> None:
    """The columns of a resource."""
    console.print(Text.assemble((resource.full_name, "bold"), f"  {resource.title}"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("Column", "Field", "Type", "Meaning"):
        table.add_column(title, overflow="fold")
    for column in resource.columns:
        table.add_row(*(Text(cell) for cell in (column.heading, column.name, _type(column), column.description)))
    console.print(table)
    if resource.key:
        console.print(Text(f"One record per {' + '.join(resource.column(name).title for name in resource.key)}."))
    for name, reason in resource.left_out:
        console.print(Text(f"left out: {name} ({reason})", style="yellow"))


def _type(column: Column) -> str:
    kind = {"string": "text", "integer": "whole number", "number": "number", "boolean": "TRUE or FALSE"}[column.type]
    if column.enum:
        kind = ", ".join(str(value) for value in column.enum)
    return f"list of {kind}" if column.many else kind


def request(console: Console, facts: Mapping[str, Any]) -> None:
    """The facts of a request in lines."""
    console.print(Text(f"{facts['sheet']} row {facts['row']}: {facts['action']}", style="bold"))
    console.print(Text(f"  {facts['method']} {facts['url']}"), soft_wrap=True)
    for name, value in facts["headers"].items():
        console.print(Text(f"  {name}: {value}"), soft_wrap=True)
    console.print(Text(f"  {json.dumps(facts['body'], ensure_ascii=False)}"), soft_wrap=True)


def seconds(length: float) -> str:
    """A length of time as a person says it."""
    if length < 90:
        return f"{max(1, round(length))} s"
    minutes = round(length / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
