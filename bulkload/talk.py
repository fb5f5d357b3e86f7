"""What a command says: what is about to happen, how it goes, how it ended, and what to do next."""

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from bulkload import tell
from bulkload.connection import base_url
from bulkload.errors import BulkloadError, NotConfirmed, UsageError
from bulkload.job import Job, Preview, Progress, Report, Silent
from bulkload.journal import Journal
from bulkload.models import Run, Status
from bulkload.pipeline import dry_run as planned
from bulkload.progress import Bars, Lines
from bulkload.run import Course
from bulkload.system import create_private
from bulkload.threads import INTERRUPTED

log = logging.getLogger("bulkload")


def say(line: str) -> None:
    """A line on stderr."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(line)


def console() -> Console:
    """Where tables and answers go: stdout."""
    return Console(highlight=False, markup=False)


@dataclass(frozen=True)
class Voice:
    """How loud a command is. `log_file` is None for a file of its own beside the journal."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    log_file: Path | None = None


@dataclass(frozen=True)
class Talk:
    """What a run says to a person while it runs, and at its end."""

    progress: Progress
    log_path: Path
    options: Sequence[str]
    voice: Voice

    def follow(self, course: Course) -> int:
        """Make the run happen, tell of it, and give the exit status."""
        for _ in course.outcomes():
            pass
        self.progress.close()
        status = exit_status(course.report)
        log.info("run %s ended with %d", course.run.id, status)
        closing_words(course.report, status, self.voice, log_path=self.log_path, options=self.options)
        return status

    def told(self, line: str) -> None:
        """Say what a person should know while nothing moves."""
        log.info("%s", line)
        if not self.voice.quiet:
            self.progress.close()
            say(line)

    def confirm(self, *, asked: bool) -> Callable[[Preview], bool]:
        """What asks a person before the first row is sent."""
        return lambda preview: _agreed(preview, asked=asked, quiet=self.voice.quiet or self.voice.as_json)


@contextlib.contextmanager
def talk(journal: Journal, options: Sequence[str], voice: Voice) -> Iterator[Talk]:
    """Talk of a run while this is entered; `options` are those that the next command will want, too."""
    with _logging(voice, journal.path) as log_path, _progress(quiet=voice.quiet) as progress:
        yield Talk(progress, log_path, options, voice)


@contextlib.contextmanager
def _logging(voice: Voice, journal: Path) -> Iterator[Path]:
    """Log our own words to a file that only its owner may read; other libraries' words may hold secrets."""
    path = voice.log_file or journal.parent / "logs" / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}.log"
    try:
        create_private(path)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--log {path}: can't be written: {error.strerror}. Name another file.") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.DEBUG if voice.verbose else logging.INFO)
    log.propagate = False
    try:
        yield path
    except BulkloadError as trouble:
        log.error("%s", trouble)
        raise
    except Exception:
        log.exception("a fault of bulkload")
        say(f"Log: {path}")
        raise
    finally:
        log.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress]:
    if quiet:
        yield Silent()
        return
    progress = Bars() if sys.stderr.isatty() else Lines()
    try:
        yield progress
    finally:
        progress.close()


def _agreed(preview: Preview, *, asked: bool, quiet: bool) -> bool:
    """Say what is about to happen, and ask, if a person is to be asked."""
    parts = [
        f"{count:,} {word}"
        for count, word in (
            (preview.creates, "to create"),
            (preview.updates, "to update"),
            (preview.unchanged, "done already"),
            (preview.invalid, "with errors, which are not sent"),
            (preview.unknown, "unknown from before, which are not sent"),
            (preview.warnings, "with a warning"),
            (preview.hidden_rows, "hidden in the sheet, which are sent too"),
        )
        if count
    ]
    if not quiet or asked:
        for remark in preview.remarks:
            say(remark)
        say("\n".join(f"To {where}" for where in preview.where))
        say(f"Rows: {', '.join(parts)}. It takes about {tell.seconds(preview.seconds)} at the set rate.")
    if not asked:
        return True
    if not sys.stdin.isatty():
        raise NotConfirmed("Nobody is here to be asked. Take --yes to send without being asked; nothing was sent.")
    return typer.confirm("Send?", err=True)


def dry_run(job: Job, journal: Journal) -> int:
    """Show the requests of the first rows, and count the rest."""
    out = console()
    shown, counts, found = job.limit or 5, dict.fromkeys(Status, 0), 0
    for new, made, part, resource in planned(job, journal):
        counts[new.status] += 1
        found += new.status is Status.INVALID
        if made and shown:
            shown -= 1
            signed = [scheme.field for scheme in resource.create.security if scheme.place == "header"]
            tell.request(out, made, base_url(part.connection, part.api), resource, signed)
    said = ", ".join(f"{count:,} {_PLANNED.get(status, status)}" for status, count in counts.items() if count)
    out.print(f"Dry run, nothing was sent: {said}.")
    return 1 if found else 0


_PLANNED = {"not sent": "to send"}


def exit_status(report: Report) -> int:
    """The exit status, the first that holds."""
    if sum(sum(count.values()) for count in report.counts.values()) != report.rows:
        log.error("the counts don't add up to %d rows: %s", report.rows, report.counts)
        return 70
    if INTERRUPTED in report.stopped:
        return 130
    if report.total(Status.UNKNOWN):
        return 3
    unsent = 0 if report.limited else report.total(Status.NOT_SENT)
    return 1 if unsent or report.total(Status.INVALID, Status.REJECTED, Status.FAILED) else 0


def closing_words(
    report: Report,
    status: int,
    voice: Voice,
    *,
    log_path: Path | None = None,
    options: Sequence[str] = (),
    checked: bool = False,
) -> None:
    """The closing words: problems by cause, the counts, where the result stands, and what to do next."""
    if voice.as_json:
        print(json.dumps(_facts(report, status, log_path), ensure_ascii=False))  # noqa: T201
        return
    if voice.quiet:
        return
    out = console()
    for line in (*report.remarks, *report.facts):
        out.print(line, soft_wrap=True)
    tell.problems(out, report.findings)
    if checked:
        out.print(_verdict(report))
    else:
        tell.counts_table(out, report.counts, report.rows)
    for note in report.notes:
        out.print(note, soft_wrap=True)
    for why in report.stopped:
        out.print(f"Stopped: {why}", style="red", soft_wrap=True)
    for path in report.results:
        out.print(f"{'Marked copy' if checked else 'Result'}: {path}", soft_wrap=True)
    if log_path:
        out.print(f"Log: {log_path}", soft_wrap=True)
    if not checked and (following := _next(report, options)):
        out.print(f"Next: {following}", soft_wrap=True)


def _verdict(report: Report) -> str:

    wrong = report.total(Status.INVALID)
    good = f"{report.rows:,} rows, no errors." if not wrong else f"{report.rows:,} rows, {wrong:,} with errors."
    return f"{good} Nothing was sent."


def _next(report: Report, options: Sequence[str]) -> str:
    """The one thing to do now: a command that can be pasted, with the options of this one."""
    if not report.results or not report.run:
        return ""
    path = str(report.results[0])
    result_again = " ".join(["bulkload import", f'"{path}"' if " " in path else path, *options])
    sandbox = "--sandbox" in options
    if report.total(Status.UNKNOWN) and not sandbox:
        return " ".join(["bulkload resolve", report.run.id, *options])
    if report.total(Status.FAILED, Status.NOT_SENT) and not sandbox:
        return " ".join(["bulkload resume", report.run.id, *options])
    if report.total(Status.INVALID, Status.REJECTED):
        return f"correct the red rows of the result, save, and: {result_again}"
    if report.total(Status.UNKNOWN, Status.FAILED, Status.NOT_SENT):
        return "this stand-in is gone with its records; import again, or keep one running: bulkload sandbox"
    return ""


def _facts(report: Report, status: int, log_path: Path | None) -> dict[str, Any]:

    return {
        "exit_status": status,
        "run": report.run.id if report.run else None,
        "rows": report.rows,
        "counts": {
            sheet: {str(key): count for key, count in counts.items()} for sheet, counts in report.counts.items()
        },
        "problems": [
            {
                "severity": cause.first.severity,
                "problem": cause.text,
                "rows": cause.rows,
                "first": cause.first.place,
            }
            for cause in tell.causes(report.findings)
        ],
        "read": [*report.remarks, *report.facts],
        "notes": report.notes,
        "stopped": report.stopped,
        "results": [str(path) for path in report.results],
        "log": str(log_path) if log_path else None,
    }


def run_facts(run: Run) -> dict[str, Any]:
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
