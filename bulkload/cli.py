"""The commands: options, help with an example, exit status. The work is done elsewhere."""

import contextlib
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from bulkload.errors import BulkloadError, UsageError

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
File = Annotated[Path, typer.Argument(metavar="FILE", help="The filled-in .xlsx, .xlsm, .xls, .ods, .csv or .tsv.")]
ApiFile = Annotated[list[str] | None, typer.Option("--api", metavar="FILE", help="An OpenAPI document (or a name).")]
ResourceName = Annotated[str | None, typer.Option("--resource", metavar="R", help="What each sheet's rows become.")]
SheetName = Annotated[str | None, typer.Option("--sheet", metavar="NAME", help="Only this sheet.")]
HeaderRow = Annotated[int | None, typer.Option("--header-row", metavar="N", min=1, help="The row with the titles.")]
Encoding = Annotated[str | None, typer.Option("--encoding", metavar="E", help="Of a CSV: utf-8, cp1252, ...")]
Delimiter = Annotated[str | None, typer.Option("--delimiter", metavar="D", help="Of a CSV: one character, or tab.")]
DateFormat = Annotated[str | None, typer.Option("--date-format", metavar="F", help="Of text dates: DD/MM/YYYY.")]
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
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except typer.Exit as leaving:
        return leaving.exit_code
    except _WrongUsage as wrong:
        wrong.show()
        return 2
    except (KeyboardInterrupt, typer.Abort):
        say("Interrupted.")
        return 130
    except BulkloadError as trouble:
        say(str(trouble))
        return trouble.exit_code
    except OSError as trouble:
        # All that we read and write says its own words; what is left is the terminal, or what stands in its place.
        if not isinstance(trouble, BrokenPipeError):
            say(f"What was to be told can't be written: {trouble.strerror}.")
        return 74
    except Exception:
        say("This is a fault of bulkload, not of your file. Please report it, with its log.")
        return 70


def say(line: str) -> None:
    """A line on stderr."""
    sys.stderr.write(f"{line}\n")


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

    from bulkload import catalogue, tell

    apis = catalogue.apis(api)
    if name is None or name in apis:
        tell.api_overview(tell.console(), [apis[name]] if name else apis.values())
    else:
        from bulkload import recognise

        tell.resource_columns(tell.console(), recognise.find_resource(name, apis))


@app.command()
def template(
    names: Annotated[list[str], typer.Argument(metavar="RESOURCE...", help="One sheet for each.")],
    output: Output = None,
    api: ApiFile = None,
) -> None:
    """Write an empty workbook (or .csv) to fill in.

    Example: bulkload template cinnox/destination -o destinations.xlsx
    """

    from bulkload import catalogue, recognise
    from bulkload import template as templates

    apis = catalogue.apis(api)
    found = [recognise.find_resource(name, apis) for name in names]
    path = output or Path("-".join([found[0].full_name.replace("/", "-"), *(one.name for one in found[1:])]) + ".xlsx")
    if path.exists():
        raise UsageError(f"{path} is there already, and may be filled in. Name another file with -o.")
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
    date_format: DateFormat = None,
    config: Config = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Show every problem of a file, offline, before anything is sent; -o writes a marked copy.

    Example: bulkload check destinations.xlsx -o destinations.checked.xlsx
    """

    from bulkload.read import ReadOptions, open_book

    reading = ReadOptions(sheet, header_row, encoding, delimiter, date_format)
    book = open_book(file, reading)  # all else takes a while to be loaded, and a file of no use needn't wait for it
    from bulkload import arrange, catalogue, pipeline, talk
    from bulkload.job import Job
    from bulkload.models import Severity

    job = Job(file, catalogue.apis(api, config=config), arrange.no_connection, resource, reading, book=book)
    report = pipeline.check(job, output)
    status = 1 if report.causes.count(Severity.ERROR) else 0
    talk.closing_words(report, status, talk.Voice(as_json, quiet), checked=True)
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
    date_format: DateFormat = None,
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

    from bulkload.read import ReadOptions, open_book

    if sandbox and connection:
        raise UsageError("--sandbox is a connection of its own: leave out --connection.")
    if again and update:
        raise UsageError("--again makes new records and --update changes old ones: take one of the two.")
    if fault and not sandbox:
        raise UsageError("--fault is for --sandbox only.")
    reading = ReadOptions(sheet, header_row, encoding, delimiter, date_format)
    book = open_book(file, reading)  # as in check
    from bulkload import arrange, catalogue, talk
    from bulkload.job import Job
    from bulkload.pipeline import Import
    from bulkload.plan import Wishes

    apis = catalogue.apis(api, connection, config)
    with contextlib.ExitStack() as stack:
        connect = stack.enter_context(arrange.sandbox(apis, fault)) if sandbox else arrange.chooser(connection, config)
        opened = stack.enter_context(arrange.journal(journal))
        job = Job(
            file, apis, connect, resource, reading, book=book,
            wishes=Wishes(again, update), trust_result=trust_result, result=output, limit=limit, stop_after=stop_after,
            resolve=not no_resolve, rate=arrange.rate(rate), concurrency=concurrency,
            wait_for_api=arrange.wait_for_api(wait_for_api),
        )  # fmt: skip
        if dry_run:
            return talk.dry_run(job, opened, talk.Voice(as_json, quiet))
        options = arrange.Found(connection, config, api, resource, journal).options(sandbox=sandbox)
        asked = not sandbox and not yes
        saying = stack.enter_context(talk.talk(opened, options, talk.Voice(as_json, quiet, verbose, log_file)))
        return saying.follow(Import(job, opened, saying.progress, saying.confirm(asked=asked), saying.told))


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
    date_format: DateFormat = None,
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

    from bulkload import arrange, talk
    from bulkload.pipeline import Resume
    from bulkload.read import ReadOptions

    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(arrange.journal(journal))
        found = opened.run(run)
        reading = ReadOptions(sheet, header_row, encoding, delimiter, date_format)
        job = replace(
            arrange.job_of(found, opened, file, connection, config, api, reading, resource),
            result=output, limit=limit, stop_after=stop_after, as_new=as_new, resolve=not no_resolve,
            rate=arrange.rate(rate), concurrency=concurrency, wait_for_api=arrange.wait_for_api(wait_for_api),
        )  # fmt: skip
        options = arrange.Found(connection, config, api, resource, journal).options(found)
        saying = stack.enter_context(talk.talk(opened, options, talk.Voice(as_json, quiet, verbose, log_file)))
        return saying.follow(Resume(job, opened, saying.progress, saying.confirm(asked=not yes), saying.told).of(found))


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
    date_format: DateFormat = None,
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

    Example: bulkload resolve --made 'Destinations!7=5f3a9c1e' --not-made 'Destinations!9'
    """

    from bulkload import arrange, talk
    from bulkload.pipeline import Resolve
    from bulkload.read import ReadOptions

    words: dict[str, str | None] = dict.fromkeys(not_made or ())
    for text in made or ():
        place, equals, record = text.rpartition("=")
        if not equals:
            raise UsageError(f"--made {text}: write it as ROW=ID, like Destinations!7=5f3a9c1e.")
        words[place] = record
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(arrange.journal(journal))
        found = opened.run(run)
        reading = ReadOptions(sheet, header_row, encoding, delimiter, date_format)
        job = replace(
            arrange.job_of(found, opened, file, connection, config, api, reading, resource),
            result=output, words=words, rate=arrange.rate(rate), concurrency=concurrency,
        )  # fmt: skip
        options = arrange.Found(connection, config, api, resource, journal).options(found)
        saying = stack.enter_context(talk.talk(opened, options, talk.Voice(as_json, quiet, verbose, log_file)))
        return saying.follow(Resolve(job, opened, saying.progress, saying.confirm(asked=False), saying.told).of(found))


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
    date_format: DateFormat = None,
    config: Config = None,
    journal: JournalFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Write the result of a run again; if its file is gone, the table of statuses alone.

    Example: bulkload result 20261122-104211-7f3a
    """

    from bulkload import arrange, talk
    from bulkload.read import ReadOptions
    from bulkload.result import result_again

    with arrange.journal(journal) as opened:
        found = opened.run(run)
        reading = ReadOptions(sheet, header_row, encoding, delimiter, date_format)
        job = replace(arrange.job_of(found, opened, file, None, config, api, reading), result=output)
        report = result_again(job, opened, found)
        options = arrange.Found(None, config, api, None, journal).options(found)
    talk.closing_words(report, talk.exit_status(report), talk.Voice(as_json, quiet), options=options)
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

    from bulkload import arrange, facts, talk, tell

    with arrange.journal(journal) as opened:
        if purge:
            forgotten = opened.run(purge)
            opened.purge(forgotten.id)
            talk.say(f"Run {forgotten.id} is forgotten: its rows would be sent again.")
            return
        found = opened.runs()
    if as_json:
        print(json.dumps([facts.of_run(one) for one in found], ensure_ascii=False))  # noqa: T201
    else:
        tell.runs(tell.console(), found)


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

    from bulkload import arrange, catalogue
    from bulkload.sandbox import Fault, Sandbox

    apis = catalogue.apis(api)
    unknown = [name for name in names or () if name not in apis]
    if unknown:
        raise UsageError(f'There is no API "{unknown[0]}". Those there are: {", ".join(apis)}.')
    played = [apis[name] for name in names] if names else list(apis.values())
    with Sandbox(played, [Fault.parse(text) for text in fault or ()], port) as world:
        print(arrange.sandbox_toml(world, played, dict(zip(apis, api or (), strict=False))), flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            world.serve()
