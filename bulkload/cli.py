"""The commands: options, help with an example, exit status. The work is done elsewhere."""

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from bulkload.errors import BulkloadError, NotConfirmed, SettingsError, UsageError

if TYPE_CHECKING:
    from bulkload.connection import Connection
    from bulkload.job import Job, Preview, Report
    from bulkload.journal import Journal
    from bulkload.models import Run
    from bulkload.resource import Api

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A filled-in spreadsheet becomes records in a REST API; every row is accounted for.",
)
log = logging.getLogger("bulkload")
log.addHandler(logging.NullHandler())

# The base of what typer says of a wrong command line. It has no public name: click's, or typer's own copy of it.
_WrongUsage: Any = typer.BadParameter.__mro__[2]

# What a person may say of the file
File = Annotated[Path, typer.Argument(metavar="FILE", help="The filled-in .xlsx, .xlsm, .csv or .tsv.")]
ApiFile = Annotated[list[str] | None, typer.Option("--api", metavar="FILE", help="An OpenAPI document (or a name).")]
ResourceName = Annotated[str | None, typer.Option("--resource", metavar="R", help="What each sheet's rows become.")]
SheetName = Annotated[str | None, typer.Option("--sheet", metavar="NAME", help="Only this sheet.")]
HeaderRow = Annotated[int | None, typer.Option("--header-row", metavar="N", min=1, help="The row with the titles.")]
Encoding = Annotated[str | None, typer.Option("--encoding", metavar="E", help="Of a CSV: utf-8, cp1252, ...")]
Delimiter = Annotated[str | None, typer.Option("--delimiter", metavar="D", help="Of a CSV: one character, or tab.")]
# Where to send and what to keep
Named = Annotated[list[str] | None, typer.Option("--connection", "-c", metavar="C", help="A name in bulkload.toml.")]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Instead of bulkload.toml.")]
JournalFile = Annotated[Path | None, typer.Option("--journal", metavar="FILE", help="Instead of the user's own.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")]
AsJson = Annotated[bool, typer.Option("--json", help="A summary for programs on stdout.")]
LogFile = Annotated[Path | None, typer.Option("--log", metavar="FILE", help="Where the log goes.")]
RateText = Annotated[str | None, typer.Option("--rate", metavar="10/s", help="Requests per time.")]
Concurrency = Annotated[
    int | None, typer.Option("--concurrency", metavar="N", min=1, help="Requests in flight at once.")
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Send N rows at most.")]
StopAfter = Annotated[
    int, typer.Option("--stop-after", metavar="N", min=0, help="Stop after N rejected rows; 0: never.")
]
WaitForApi = Annotated[str, typer.Option("--wait-for-api", metavar="10m", help="How long an API may be down.")]
NoResolve = Annotated[bool, typer.Option("--no-resolve", help="Don't ask about unknown rows at the end.")]
Yes = Annotated[bool, typer.Option("--yes", help="Send without being asked.")]
RunName = Annotated[str | None, typer.Argument(metavar="[RUN]", help="Its ID; the newest if left out.")]
Moved = Annotated[Path | None, typer.Argument(metavar="[FILE]", help="The input, if it was moved.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no tables.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every request in the log.")]


def main() -> None:
    """Run the command line and exit: the one place that turns an exception into a line for a person."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit status of a command."""
    try:
        status = app(arguments, standalone_mode=False)
        return status if isinstance(status, int) else 0
    except typer.Exit as leaving:
        return leaving.exit_code
    except _WrongUsage as wrong:
        wrong.show()
        return 2
    except (KeyboardInterrupt, typer.Abort):
        _say("Interrupted.")
        return 130
    except BulkloadError as trouble:
        log.error("%s", trouble)
        _say(str(trouble))
        return trouble.exit_code
    except BrokenPipeError:
        return 74
    except Exception:
        log.exception("a fault of bulkload")
        _say("This is a fault of bulkload, not of your file. Please report it; --log FILE holds what is needed.")
        return 70


def _say(line: str) -> None:
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(line)


def _console() -> Console:
    return Console(highlight=False, markup=False)


@app.callback()
def _commands() -> None:
    """A filled-in spreadsheet becomes records in a REST API; every row is accounted for."""


@app.command()
def resources(
    name: Annotated[str | None, typer.Argument(metavar="[API|RESOURCE]", help="Only this one.")] = None,
    api: ApiFile = None,
) -> None:
    """Show what can be imported, and its columns.

    Example: bulkload resources cinnox/destination
    """
    from bulkload import recognise, tell

    apis = _apis(api)
    if name is None or name in apis:
        tell.api_overview(_console(), [apis[name]] if name else apis.values())
    else:
        tell.resource_columns(_console(), recognise.find_resource(name, apis))


@app.command()
def template(
    names: Annotated[list[str], typer.Argument(metavar="RESOURCE...", help="One sheet for each.")],
    output: Output = None,
    api: ApiFile = None,
) -> None:
    """Write an empty workbook (or .csv) to fill in.

    Example: bulkload template cinnox/destination -o destinations.xlsx
    """
    from bulkload import recognise
    from bulkload import template as templates

    apis = _apis(api)
    found = [recognise.find_resource(name, apis) for name in names]
    path = output or Path("-".join([found[0].full_name.replace("/", "-"), *(one.name for one in found[1:])]) + ".xlsx")
    if output is None and path.exists():
        raise UsageError(f"{path} is there already. Name another file with -o.")
    print(templates.write(found, path))  # noqa: T201


@app.command()
def check(
    file: File,
    output: Output = None,
    resource: ResourceName = None,
    api: ApiFile = None,
    sheet: SheetName = None,
    header_row: HeaderRow = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    config: Config = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Show every problem of a file, offline, before anything is sent; -o writes a marked copy.

    Example: bulkload check destinations.xlsx -o destinations.checked.xlsx
    """
    from bulkload import pipeline

    job = _job(file, _apis(api, config=config), _no_connection, resource, (sheet, header_row, encoding, delimiter))
    report = pipeline.check(job, output)
    status = 1 if any(finding.severity == "error" for finding in report.findings) else 0
    _tell(report, status, as_json=as_json, quiet=quiet, checked=True)
    return status


@app.command(name="import")
def import_(
    file: File,
    connection: Named = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Send to a stand-in on this machine.")] = False,
    fault: Annotated[list[str] | None, typer.Option("--fault", metavar="NAME:EVERY", help="It misbehaves.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the requests; send nothing.")] = False,
    limit: Limit = None,
    stop_after: StopAfter = 0,
    output: Output = None,
    resource: ResourceName = None,
    api: ApiFile = None,
    sheet: SheetName = None,
    header_row: HeaderRow = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    rate: RateText = None,
    concurrency: Concurrency = None,
    wait_for_api: WaitForApi = "10m",
    no_resolve: NoResolve = False,
    again: Annotated[bool, typer.Option("--again", help="Send rows that are done already, too.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Change records whose key is known.")] = False,
    trust_result: Annotated[bool, typer.Option("--trust-result", help="A colleague's result: IDs are done.")] = False,
    yes: Yes = False,
    config: Config = None,
    journal: JournalFile = None,
    log_file: LogFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Send a file's rows to the API and write what became of each into a result beside it.

    Example: bulkload import destinations.xlsx --connection cinnox-live
    """
    from bulkload.pipeline import Import
    from bulkload.plan import Wishes

    if sandbox and connection:
        raise UsageError("--sandbox is a connection of its own: leave out --connection.")
    if fault and not sandbox:
        raise UsageError("--fault is for --sandbox only.")
    apis = _apis(api, connection, config)
    with contextlib.ExitStack() as stack:
        connect = stack.enter_context(_sandbox(apis, fault)) if sandbox else _chooser(connection, config)
        opened = stack.enter_context(_journal(journal))
        job = _job(
            file, apis, connect, resource, (sheet, header_row, encoding, delimiter),
            wishes=Wishes(again, update), trust_result=trust_result, result=output, limit=limit, stop_after=stop_after,
            resolve=not no_resolve, **_pace(rate, concurrency, wait_for_api),
        )  # fmt: skip
        if dry_run:
            return _dry_run(job, opened)
        options = ["--sandbox"] if sandbox else [f"--connection {name}" for name in connection or ()]
        options += [f"--journal {journal}"] if journal else []
        asked = not sandbox and not yes
        talk = stack.enter_context(_talk(opened, options, log_file, as_json=as_json, quiet=quiet, verbose=verbose))
        return talk.follow(Import(job, opened, talk.progress, talk.confirm(asked=asked), talk.told))


@app.command()
def resume(
    run: RunName = None,
    file: Moved = None,
    connection: Named = None,
    limit: Limit = None,
    stop_after: StopAfter = 0,
    output: Output = None,
    resource: ResourceName = None,
    api: ApiFile = None,
    sheet: SheetName = None,
    header_row: HeaderRow = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    rate: RateText = None,
    concurrency: Concurrency = None,
    wait_for_api: WaitForApi = "10m",
    no_resolve: NoResolve = False,
    as_new: Annotated[bool, typer.Option("--as-new", help="Send rows that are new in a changed file.")] = False,
    yes: Yes = False,
    config: Config = None,
    journal: JournalFile = None,
    log_file: LogFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Go on where a run stopped: with its rows that are not sent or failed, never with those that are unknown.

    Example: bulkload resume 20261122-104211-7f3a
    """
    from bulkload.pipeline import Resume

    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(_journal(journal))
        found = opened.run(run)
        job = _job_of(
            found, opened, file, connection, config, api, resource, (sheet, header_row, encoding, delimiter),
            result=output, limit=limit, stop_after=stop_after, as_new=as_new, resolve=not no_resolve,
            **_pace(rate, concurrency, wait_for_api),
        )  # fmt: skip
        options = _same_options(found, connection, journal)
        talk = stack.enter_context(_talk(opened, options, log_file, as_json=as_json, quiet=quiet, verbose=verbose))
        return talk.follow(Resume(job, opened, talk.progress, talk.confirm(asked=not yes), talk.told).of(found))


@app.command()
def resolve(
    run: RunName = None,
    file: Moved = None,
    made: Annotated[list[str] | None, typer.Option("--made", metavar="ROW=ID", help="This row was made.")] = None,
    not_made: Annotated[list[str] | None, typer.Option("--not-made", metavar="ROW", help="It was not.")] = None,
    connection: Named = None,
    output: Output = None,
    resource: ResourceName = None,
    api: ApiFile = None,
    sheet: SheetName = None,
    header_row: HeaderRow = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    rate: RateText = None,
    concurrency: Concurrency = None,
    config: Config = None,
    journal: JournalFile = None,
    log_file: LogFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Settle the unknown rows of a run: ask the API what became of them, or take a person's word.

    Example: bulkload resolve --made "Destinations!7=5f3a9c1e" --not-made "Destinations!9"
    """
    from bulkload.pipeline import Resolve

    words: dict[str, str | None] = dict.fromkeys(not_made or ())
    for text in made or ():
        place, equals, record = text.rpartition("=")
        if not equals:
            raise UsageError(f'--made {text}: write it as ROW=ID, like "Destinations!7=5f3a9c1e".')
        words[place] = record
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(_journal(journal))
        found = opened.run(run)
        job = _job_of(
            found, opened, file, connection, config, api, resource, (sheet, header_row, encoding, delimiter),
            result=output, words=words, **_pace(rate, concurrency, "10m"),
        )  # fmt: skip
        options = _same_options(found, connection, journal)
        talk = stack.enter_context(_talk(opened, options, log_file, as_json=as_json, quiet=quiet, verbose=verbose))
        return talk.follow(Resolve(job, opened, talk.progress, talk.confirm(asked=False), talk.told).of(found))


@app.command()
def result(
    run: RunName = None,
    file: Moved = None,
    output: Output = None,
    api: ApiFile = None,
    sheet: SheetName = None,
    header_row: HeaderRow = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    config: Config = None,
    journal: JournalFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Write the result of a run again; if its file is gone, the table of statuses alone.

    Example: bulkload result 20261122-104211-7f3a
    """
    from bulkload.result import result_again

    with _journal(journal) as opened:
        found = opened.run(run)
        job = _job_of(
            found, opened, file, None, config, api, None, (sheet, header_row, encoding, delimiter), result=output
        )
        report = result_again(job, opened, found)
    _tell(report, _status(report), as_json=as_json, quiet=quiet)
    return 0


@app.command()
def runs(
    journal: JournalFile = None,
    purge: Annotated[str | None, typer.Option("--purge", metavar="RUN", help="Forget this run and its rows.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was imported, when, where to, and with what counts.

    Example: bulkload runs
    """
    from bulkload import tell

    with _journal(journal) as opened:
        if purge:
            forgotten = opened.run(purge)
            opened.purge(forgotten.id)
            _say(f"Run {forgotten.id} is forgotten: its rows would be sent again.")
            return
        found = opened.runs()
    if as_json:
        print(json.dumps([_run_facts(one) for one in found], ensure_ascii=False))  # noqa: T201
    else:
        tell.runs_table(_console(), found)


@app.command()
def sandbox(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[API]...", help="Which to play; all if left out.")
    ] = None,
    api: ApiFile = None,
    port: Annotated[int, typer.Option("--port", metavar="N", help="0: any free one.")] = 0,
    fault: Annotated[list[str] | None, typer.Option("--fault", metavar="NAME:EVERY", help="It misbehaves.")] = None,
) -> None:
    """Run the stand-in API on this machine, to try things against, until Ctrl-C.

    Example: bulkload sandbox cinnox
    """
    from bulkload.sandbox import Fault, Sandbox

    apis = _apis(api)
    unknown = [name for name in names or () if name not in apis]
    if unknown:
        raise UsageError(f'There is no API "{unknown[0]}". Those there are: {", ".join(apis)}.')
    played = [apis[name] for name in names] if names else list(apis.values())
    with Sandbox(played, [Fault.parse(text) for text in fault or ()], port) as world:
        print(_sandbox_toml(world, played), flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            world.serve()


# What the commands share


def _apis(
    named: list[str] | None, connections: list[str] | None = None, config: Path | None = None
) -> "dict[str, Api]":
    """The APIs at hand: the documents given, else those that come with bulkload and that connections speak of."""
    from bulkload.openapi import BUILT_IN, open_api
    from bulkload.settings import load_connections

    if named:
        apis = [open_api(name) for name in named]
        return {api.name: api for api in apis}
    paths = [
        one.api
        for name, one in load_connections(config).items()
        if one.api not in BUILT_IN and (not connections or name in connections)
    ]
    return {api.name: api for api in map(open_api, [*BUILT_IN, *dict.fromkeys(paths)])}


def _job(
    file: Path, apis: "dict[str, Api]", connect: Any, resource: str | None, reading: tuple[Any, ...], **more: Any
) -> "Job":
    from bulkload.job import Job
    from bulkload.read import ReadOptions

    return Job(file, apis, connect, resource=resource, reading=ReadOptions(*reading), **more)


def _job_of(
    run: "Run",
    journal: "Journal",
    file: Path | None,
    connections: list[str] | None,
    config: Path | None,
    api: list[str] | None,
    resource: str | None,
    reading: tuple[Any, ...],
    **more: Any,
) -> "Job":
    """What goes on with a run: its file, its connections and its resource, unless others are named."""
    names = connections or [name for name in run.connection.split(", ") if name != "sandbox"]
    apis = _apis(api, names, config)
    resources = journal.resources(run.id)
    if resource is None and len(set(resources)) == 1:
        resource = resources[0]
    return _job(file or Path(run.file), apis, _chooser(names, config), resource, reading, **more)


def _same_options(run: "Run", connections: list[str] | None, journal: Path | None) -> list[str]:
    named = [f"--connection {name}" for name in connections or run.connection.split(", ")]
    return [*named, *([f"--journal {journal}"] if journal else [])]


def _pace(rate: str | None, concurrency: int | None, wait_for_api: str) -> dict[str, Any]:
    from bulkload.resource import Rate, parse_seconds

    try:
        return {
            "rate": Rate.parse(rate) if rate else None,
            "concurrency": concurrency,
            "wait_for_api": parse_seconds(wait_for_api),
        }
    except ValueError as error:
        raise UsageError(f"--rate, --wait-for-api: {error}") from error


@contextlib.contextmanager
def _journal(path: Path | None) -> "Iterator[Journal]":
    from bulkload.journal import Journal, default_path

    with Journal(path or default_path()) as opened:
        yield opened


@dataclass(frozen=True)
class _Talk:
    """What a run says to a person while it runs, and at its end."""

    progress: Any
    log_path: Path
    options: Sequence[str]
    as_json: bool
    quiet: bool

    def follow(self, course: Any) -> int:
        """Make the run happen, tell of it, and give the exit status."""
        for _ in course.outcomes():
            pass
        self.progress.close()
        status = _status(course.report)
        log.info("run %s ended with %d", course.run.id, status)
        _tell(
            course.report, status, as_json=self.as_json, quiet=self.quiet, log_path=self.log_path, options=self.options
        )
        return status

    def told(self, line: str) -> None:
        """Say what a person should know while nothing moves."""
        log.info("%s", line)
        if not self.quiet:
            self.progress.close()
            _say(line)

    def confirm(self, *, asked: bool) -> "Callable[[Preview], bool]":
        """What asks a person before the first row is sent."""
        return lambda preview: _agreed(preview, asked=asked, quiet=self.quiet or self.as_json)


@contextlib.contextmanager
def _talk(
    journal: "Journal", options: Sequence[str], log_file: Path | None, *, as_json: bool, quiet: bool, verbose: bool
) -> Iterator[_Talk]:
    with _logging(log_file, journal.path, verbose=verbose) as log_path, _progress(quiet=quiet) as progress:
        yield _Talk(progress, log_path, options, as_json, quiet)


def _no_connection(api: "Api") -> "Connection":
    raise SettingsError(f"No connection is needed here, but one for {api.name} was asked for.")


def _chooser(names: list[str] | None, config: Path | None) -> Any:
    """Gives the connection of an API: of those named, if any are."""
    from bulkload.connection import choose
    from bulkload.settings import load_connections

    known = load_connections(config)
    for name in names or ():
        if name not in known:
            raise SettingsError(f'There is no connection "{name}". Those there are: {", ".join(known) or "none"}.')

    def connect(api: "Api") -> "Connection":
        fitting = [name for name in names or () if known[name].api_name == api.name]
        return choose(known, fitting[0] if fitting else names[0] if names else None, api)

    return connect


@contextlib.contextmanager
def _sandbox(apis: "dict[str, Api]", faults: list[str] | None) -> Iterator[Any]:
    """A stand-in of its own for one run: a fresh world, which knows no earlier rows."""
    from bulkload.connection import Connection
    from bulkload.credential import Credential
    from bulkload.resource import Rate
    from bulkload.sandbox import Fault, Sandbox

    with Sandbox(list(apis.values()), [Fault.parse(text) for text in faults or ()]) as world:

        def connect(api: "Api") -> Connection:
            credentials = world.credentials(api)
            return Connection(
                name="sandbox",
                api=api.name,
                base_url=world.base_url(api.name),
                settings=world.settings(api),
                credentials={name: Credential.in_memory(name, value) for name, value in credentials.items()},
                rate=Rate(1000, 1.0),
                sandbox=True,
            )

        yield connect


def _sandbox_toml(world: Any, apis: "list[Api]") -> str:
    """What to write into bulkload.toml, and to set in the environment, to send to the stand-in."""
    lines = []
    for api in apis:
        credentials = world.credentials(api)
        prefix = f"SANDBOX_{api.name.upper()}".replace("-", "_")
        lines += [f"# export {prefix}_{name.upper()}={value}" for name, value in credentials.items()]
        kept = ", ".join(f'{name} = "env:{prefix}_{name.upper()}"' for name in credentials)
        settings = ", ".join(f'"{name}" = "{value}"' for name, value in world.settings(api).items())
        lines += [
            f"[connections.{api.name}-sandbox]",
            f'api = "{api.name}"',
            f'base_url = "{world.base_url(api.name)}"',
            f"settings = {{ {settings} }}",
            f"credentials = {{ {kept} }}",
            'rate = "1000/s"',
            "",
        ]
    return "\n".join(["# A stand-in that forgets everything when it ends. Write this into bulkload.toml:", "", *lines])


@contextlib.contextmanager
def _logging(path: Path | None, journal: Path, *, verbose: bool) -> Iterator[Path]:
    """Log our own words to a file that only its owner may read; other libraries' words may hold secrets."""
    from bulkload.system import create_private

    path = path or journal.parent / "logs" / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}.log"
    try:
        create_private(path)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--log {path}: can't be written: {error.strerror}. Name another file.") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.DEBUG if verbose else logging.INFO)
    log.propagate = False
    try:
        yield path
    finally:
        log.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def _progress(*, quiet: bool) -> Iterator[Any]:
    from bulkload.job import Silent
    from bulkload.progress import Bars, Lines

    if quiet:
        yield Silent()
        return
    progress = Bars() if sys.stderr.isatty() else Lines()
    try:
        yield progress
    finally:
        progress.close()


def _agreed(preview: "Preview", *, asked: bool, quiet: bool) -> bool:
    """Say what is about to happen, and ask, if a person is to be asked."""
    from bulkload.tell import seconds

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
            _say(remark)
        _say("\n".join(f"To {where}" for where in preview.where))
        _say(f"Rows: {', '.join(parts)}. It takes about {seconds(preview.seconds)} at the set rate.")
    if not asked:
        return True
    if not sys.stdin.isatty():
        raise NotConfirmed("Nobody is here to be asked. Take --yes to send without being asked; nothing was sent.")
    return typer.confirm("Send?", err=True)


def _dry_run(job: "Job", journal: Any) -> int:
    """Show the requests of the first rows, and count the rest."""
    from bulkload import pipeline, tell
    from bulkload.connection import base_url
    from bulkload.models import Status

    console = _console()
    shown, counts, found = job.limit or 5, dict.fromkeys(Status, 0), 0
    for new, made, part, resource in pipeline.dry_run(job, journal):
        counts[new.status] += 1
        found += new.status is Status.INVALID
        if made and shown:
            shown -= 1
            signed = [scheme.field for scheme in resource.create.security if scheme.place == "header"]
            tell.request(console, made, base_url(part.connection, part.api), resource, signed)
    said = ", ".join(f"{count:,} {_PLANNED.get(status, status)}" for status, count in counts.items() if count)
    console.print(f"Dry run, nothing was sent: {said}.")
    return 1 if found else 0


_PLANNED = {"not sent": "to send"}


def _status(report: "Report") -> int:
    """The exit status, the first that holds."""
    from bulkload.models import Status
    from bulkload.send import INTERRUPTED

    if sum(sum(count.values()) for count in report.counts.values()) != report.rows:
        log.error("the counts don't add up to %d rows: %s", report.rows, report.counts)
        return 70
    if INTERRUPTED in report.stopped:
        return 130
    if report.total(Status.UNKNOWN):
        return 3
    unsent = 0 if report.limited else report.total(Status.NOT_SENT)
    return 1 if unsent or report.total(Status.INVALID, Status.REJECTED, Status.FAILED) else 0


def _tell(
    report: "Report",
    status: int,
    *,
    as_json: bool,
    quiet: bool,
    log_path: Path | None = None,
    options: Sequence[str] = (),
    checked: bool = False,
) -> None:
    """The closing words: problems by cause, the counts, where the result stands, and what to do next."""
    from bulkload import tell

    if as_json:
        print(json.dumps(_facts(report, status, log_path), ensure_ascii=False))  # noqa: T201
        return
    if quiet:
        return
    console = _console()
    for line in (*report.remarks, *report.facts):
        console.print(line, soft_wrap=True)
    tell.problems(console, report.findings)
    if checked:
        console.print(_verdict(report))
    else:
        tell.counts_table(console, report.counts, report.rows)
    for note in report.notes:
        console.print(note, soft_wrap=True)
    for why in report.stopped:
        console.print(f"Stopped: {why}", style="red", soft_wrap=True)
    for path in report.results:
        console.print(f"{'Marked copy' if checked else 'Result'}: {path}", soft_wrap=True)
    if log_path:
        console.print(f"Log: {log_path}", soft_wrap=True)
    if not checked and (following := _next(report, options)):
        console.print(f"Next: {following}", soft_wrap=True)


def _verdict(report: "Report") -> str:
    from bulkload.models import Status

    wrong = report.total(Status.INVALID)
    good = f"{report.rows:,} rows, no errors." if not wrong else f"{report.rows:,} rows, {wrong:,} with errors."
    return f"{good} Nothing was sent."


def _next(report: "Report", options: Sequence[str]) -> str:
    """The one thing to do now: a command that can be pasted, with the options of this one."""
    from bulkload.models import Status

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


def _facts(report: "Report", status: int, log_path: Path | None) -> dict[str, Any]:
    from bulkload.tell import causes

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
            for cause in causes(report.findings)
        ],
        "read": [*report.remarks, *report.facts],
        "notes": report.notes,
        "stopped": report.stopped,
        "results": [str(path) for path in report.results],
        "log": str(log_path) if log_path else None,
    }


def _run_facts(run: Any) -> dict[str, Any]:
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
