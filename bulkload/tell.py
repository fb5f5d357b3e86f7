"""What a person reads on the terminal: resources, previews, problems, dry runs, the closing table."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bulkload.models import MASK, RESULT_STATUSES, Finding, Request, Run, Severity, Status, rows_in_words
from bulkload.resource import Api, Column, Resource

# Of a long list the first so many are told.
GROUPS = 20
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


@dataclass(frozen=True, slots=True)
class Cause:
    """Findings of one cause: how many rows have it, and the first of them."""

    text: str
    rows: int
    first: Finding


def causes(findings: Iterable[Finding]) -> list[Cause]:
    """Findings grouped by sheet, column and cause: errors before warnings, the most frequent first."""
    groups: dict[tuple[str, int | None, str, Severity], list[Any]] = {}
    for finding in findings:
        key = (finding.sheet, finding.column, finding.cause or finding.message, finding.severity)
        group = groups.setdefault(key, [finding, 0])
        group[1] += 1
    found = [Cause(text, rows, first) for (_, _, text, _), (first, rows) in groups.items()]
    return sorted(found, key=lambda cause: (cause.first.severity is Severity.WARNING, -cause.rows))


def problems(console: Console, findings: Sequence[Finding], where: str) -> None:
    """The findings, those of one cause in one line, at most GROUPS of them; `where` says where the others stand."""
    found = causes(findings)
    for cause in found[:GROUPS]:
        word, style = ("warning", "yellow") if cause.first.severity is Severity.WARNING else ("error", "red")
        times = f" ({rows_in_words(cause.rows)}, this is the first)" if cause.rows > 1 else ""
        text = Text.assemble((word, style), " ", (cause.first.place, "bold"), f": {cause.first.message}{times}")
        console.print(text, soft_wrap=True)
    if len(found) > GROUPS:
        rest = len(found) - GROUPS
        console.print(f"and {rest:,} more kind{'' if rest == 1 else 's'} of problem; {where}", soft_wrap=True)


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


def request(console: Console, made: Request, base_url: str, resource: Resource, signed: Sequence[str]) -> None:
    """A request of a dry run, with secrets masked; `signed` are the headers that signing in adds."""
    query = "&".join(f"{name}={value}" for name, value in made.query)
    console.print(Text(f"{made.sheet} row {made.row}: {made.action}", style="bold"))
    console.print(Text(f"  {made.method} {base_url}{made.path}{'?' if query else ''}{query}"), soft_wrap=True)
    for name, value in {**made.headers, **dict.fromkeys(signed, MASK)}.items():
        console.print(Text(f"  {name}: {value}"), soft_wrap=True)
    console.print(Text(f"  {json.dumps(masked(made.body, resource), ensure_ascii=False)}"), soft_wrap=True)


def masked(body: Mapping[str, Any] | None, resource: Resource) -> Any:
    """The body with the values of secret columns masked."""
    hidden = {column.pointer[1:] for column in resource.columns if column.secret}
    return None if body is None else {name: MASK if name in hidden else value for name, value in body.items()}


def seconds(length: float) -> str:
    """A length of time as a person says it."""
    if length < 90:
        return f"{max(1, round(length))} s"
    minutes = round(length / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
