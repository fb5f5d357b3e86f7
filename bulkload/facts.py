"""What a program reads instead of words: the end of a run, its causes and requests, as values for JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bulkload.causes import Cause
from bulkload.job import Report
from bulkload.models import MASK, Request, Run, Severity, Status
from bulkload.resource import Resource
from bulkload.tell import GROUPS


def closing(report: Report, status: int, log_path: Path | None = None, following: str = "") -> dict[str, Any]:
    """The closing words for a program: `total` are the counts of all sheets, `problems` the first causes of how many.

    `read` is what was read of each sheet. Every key is always there; what isn't known is null.
    """
    causes = report.causes.problems()
    return {
        "exit_status": status,
        "run": report.run.id if report.run else None,
        "rows": report.rows,
        "total": {str(key): report.total(key) for key in Status if report.total(key)},
        "counts": {
            sheet: {str(key): count for key, count in counts.items()} for sheet, counts in report.counts.items()
        },
        "problem_kinds": len(causes),
        "errors": report.causes.count(Severity.ERROR),
        "warnings": report.causes.count(Severity.WARNING),
        "problems": [_of_cause(cause) for cause in causes[:GROUPS]],
        "read": report.read.facts() if report.read else None,
        "remarks": report.remarks,
        "notes": report.notes,
        "stopped": report.stopped,
        "results": [str(path) for path in report.results],
        "log": str(log_path) if log_path else None,
        "next": following or None,
    }


def of_run(run: Run) -> dict[str, Any]:
    """A run for a program; `ended` and `result` are null where there is none."""
    return {
        "run": run.id,
        "file": run.file,
        "sha256": run.sha256,
        "connection": run.connection,
        "target": run.target,
        "user": run.user,
        "started": run.started.isoformat(),
        "ended": run.ended.isoformat() if run.ended else None,
        "result": run.result or None,
        "counts": {str(status): count for status, count in run.counts.items()},
    }


def _of_cause(cause: Cause) -> dict[str, Any]:
    """A cause for a program: `first` is where it stands first, as a person sees it."""
    first = cause.first
    return {
        "severity": first.severity,
        "problem": cause.text,
        "message": first.message,
        "rows": cause.rows,
        "first": first.place,
        "sheet": first.sheet,
        "column": first.title or None,
        "cell": first.cell,
    }


def request(made: Request, base_url: str, resource: Resource, signed: Sequence[str]) -> dict[str, Any]:
    """A request of a dry run, with secrets masked; `signed` are the headers that signing in adds."""
    query = "&".join(f"{name}={value}" for name, value in made.query)
    return {
        "sheet": made.sheet,
        "row": made.row,
        "action": made.action,
        "method": made.method,
        "url": f"{base_url}{made.path}{'?' if query else ''}{query}",
        "headers": {**made.headers, **dict.fromkeys(signed, MASK)},
        "body": masked(made.body, resource),
    }


def masked(body: Mapping[str, Any] | None, resource: Resource) -> Any:
    """The body with the values of secret columns masked."""
    hidden = {column.pointer[1:] for column in resource.columns if column.secret}
    return None if body is None else {name: MASK if name in hidden else value for name, value in body.items()}
