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

from bulkload import facts, tell
from bulkload.connection import base_url
from bulkload.errors import BulkloadError, NotConfirmed, UsageError
from bulkload.job import Job, Preview, Progress, Report, Silent
from bulkload.journal import Journal
from bulkload.models import Status, rows_in_words
from bulkload.pipeline import dry_run as planned
from bulkload.progress import Bars, Lines, between_bars
from bulkload.run import Course
from bulkload.system import as_typed, create_private
from bulkload.threads import INTERRUPTED

log = logging.getLogger("bulkload")


def say(line: str) -> None:
    """A line on stderr."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(line)


@dataclass(frozen=True, slots=True)
class Voice:
    """How loud a command is. `log_file` is None for a file of its own beside the journal."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    log_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Talk:
    """What a run says to a person while it runs, and at its end; `options` are those that the next command wants."""

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
        # What was read was said before the first row was sent.
        closing_words(course.report, status, self.voice, log_path=self.log_path, options=self.options, read=False)
        return status

    def told(self, line: str) -> None:
        """Say what a person should know while nothing moves."""
        log.info("%s", line)
        if not self.voice.quiet:
            with between_bars(sys.stderr):
                say(line)

    def confirm(self, *, asked: bool) -> Callable[[Preview], bool]:
        """What asks a person before the first row is sent."""
        return lambda preview: _agreed(preview, asked=asked, quiet=self.voice.quiet or self.voice.as_json)


@contextlib.contextmanager
def talk(journal: Journal, options: Sequence[str], voice: Voice) -> Iterator[Talk]:
    """Talk of a run while this is entered; `options` are those that the next command will want, too."""
    with _logging(voice, journal.path) as log_path, _progress(quiet=voice.quiet) as progress:
        yield Talk(progress, log_path, options, voice)


class _LogFile(logging.FileHandler):
    """A log whose disk is full is no reason to say anything else than what became of the rows."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Write nothing, where logging would print a traceback."""


@contextlib.contextmanager
def _logging(voice: Voice, journal: Path) -> Iterator[Path]:
    """Log our own words to a file that only its owner may read; other libraries' words may hold secrets."""
    path = voice.log_file or journal.parent / "logs" / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}.log"
    try:
        create_private(path)
        handler = _LogFile(path, encoding="utf-8")
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
        with contextlib.suppress(OSError):
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
            (preview.read.hidden_rows, "hidden in the sheet and sent too"),
        )
        if count
    ]
    asked = asked and preview.to_send > 0
    if not quiet or asked:
        for line in (*preview.read.told(tell.DETAILS), *preview.remarks):
            say(line)
        say("\n".join(f"To {where}" for where in preview.where))
        lasts = f" It takes about {tell.seconds(preview.seconds)} at the set rate." if preview.to_send else ""
        say(f"Rows: {', '.join(parts)}.{lasts}")
    if not asked:
        return True
    if not sys.stdin.isatty():
        raise NotConfirmed("Nobody is here to be asked. Take --yes to send without being asked; nothing was sent.")
    return typer.confirm("Send?", err=True)


# Requests that a dry run shows where no --limit says otherwise.
_REQUESTS = 5
_PLANNED = {Status.NOT_SENT: "to send", Status.UNCHANGED: "done already"}


def dry_run(job: Job, journal: Journal, voice: Voice) -> int:
    """Show the requests of the first rows, and count the rest; for a program, the same as values."""
    out, report = tell.console(), Report()
    most, shown, refused = job.limit or _REQUESTS, list[Any](), 0
    for new, made, part, resource in planned(job, journal, report):
        where = base_url(part.connection, part.api)
        if made and len(shown) < most:
            signed = [scheme.field for scheme in resource.create.security if scheme.place == "header"]
            shown.append(facts.request(made, where, resource, signed))
            if not (voice.as_json or voice.quiet):
                tell.request(out, shown[-1])
        elif new.error and new.fingerprint and not (voice.as_json or voice.quiet):
            # What no check finds but the journal: the row was sent before.
            refused += 1
            if refused <= tell.GROUPS:
                out.print(f"{new.sheet} row {new.row}: {new.status}: {new.error}", soft_wrap=True)
    status = 1 if report.total(Status.INVALID) else 0
    if voice.as_json:
        print(json.dumps({**facts.closing(report, status), "requests": shown}, ensure_ascii=False))  # noqa: T201
    elif not voice.quiet:
        _say_read(out, report)
        tell.problems(out, report.causes, "--json counts them all.")
        said = ((report.total(status), _PLANNED.get(status, status)) for status in Status)
        counts = ", ".join(f"{count:,} {word}" for count, word in said if count)
        more = report.total(Status.NOT_SENT) > most and not job.limit
        rest = f" The first {most} requests are shown; --limit N shows so many." if more else ""
        out.print(f"Dry run, nothing was sent: {counts}.{rest}", soft_wrap=True)
    return status


def _say_read(out: Console, report: Report) -> None:
    read = report.read.told(tell.DETAILS) if report.read else []
    for line in (*read, *report.remarks):
        out.print(line, soft_wrap=True)


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
    read: bool = True,
) -> None:
    """The closing words: problems by cause, the counts, where the result stands, and what to do next.

    `read` says what was read first, unless a person was told already.
    """
    following = "" if checked else _next(report, options)
    if voice.as_json:
        print(json.dumps(facts.closing(report, status, log_path, following), ensure_ascii=False))  # noqa: T201
        return
    if voice.quiet:
        return
    out = tell.console()
    if read:
        _say_read(out, report)
    tell.problems(out, report.causes, _all_problems(report, checked=checked))
    if checked:
        out.print(_verdict(report))
    else:
        tell.counts_table(out, report.counts, report.rows)
    for note in report.notes:
        out.print(note, soft_wrap=True)
    for why in report.stopped:
        out.print(f"Stopped: {why}", style="red", soft_wrap=True)
    if not checked and report.rows and report.total(Status.UNCHANGED) == report.rows:
        out.print(_nothing_to_send(report.rows))
    for path in report.results:
        out.print(f"{'Marked copy' if checked else 'Result'}: {path}", soft_wrap=True)
    if log_path:
        out.print(f"Log: {log_path}", soft_wrap=True)
    if following:
        out.print(f"Next: {following}", soft_wrap=True)


def _all_problems(report: Report, *, checked: bool) -> str:
    """Where the problems stand that are too many for a terminal."""
    if report.results:
        return f"all of them stand in {report.results[-1]}."
    return "-o writes them all into a marked copy." if checked else "all of them stand in the result."


def _verdict(report: Report) -> str:
    """What a check found, in a sentence."""
    wrong = report.total(Status.INVALID)
    return f"{rows_in_words(report.rows)}, {f'{wrong:,} with errors' if wrong else 'no errors'}. Nothing was sent."


def _nothing_to_send(rows: int) -> str:
    return f"Nothing to send: {'the row is' if rows == 1 else f'all {rows_in_words(rows)} are'} done already."


def _next(report: Report, options: Sequence[str]) -> str:
    """The one thing to do now: a command that can be pasted, with the options of this one."""
    if not report.results or not report.run:
        return ""
    import_again = as_typed(["bulkload", "import", str(report.results[0]), *options])
    sandbox = "--sandbox" in options
    if report.total(Status.UNKNOWN) and not sandbox:
        # While its key lives, to send a row again is what surely tells; and then it may live no more.
        verb, runs = ("resume", report.repeated_in) if report.repeated_in else ("resolve", report.unknown_in)
        # The unknown rows may be those of a run before: that one is to be settled.
        return as_typed(["bulkload", verb, *(runs[:1] or [report.run.id]), *options])
    if report.total(Status.FAILED, Status.NOT_SENT) and not sandbox:
        return as_typed(["bulkload", "resume", report.run.id, *options])
    if report.total(Status.INVALID, Status.REJECTED):
        rows = "red rows of" if report.results[0].suffix.lower() == ".xlsx" else "rows with errors in"
        return f"correct the {rows} the result, save, and: {import_again}"
    if report.total(Status.UNKNOWN, Status.FAILED, Status.NOT_SENT):
        return "this stand-in is gone with its records; import again, or keep one running: bulkload sandbox"
    return ""
