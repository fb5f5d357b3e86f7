"""What a command needs before it can begin: where to send, and the job."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bulkload.catalogue import apis
from bulkload.connection import Connection, choose
from bulkload.credential import Credential
from bulkload.errors import SettingsError, UsageError
from bulkload.job import Job
from bulkload.journal import Journal, default_path
from bulkload.models import Run
from bulkload.read import ReadOptions
from bulkload.resource import Api, Rate, parse_seconds
from bulkload.settings import load_connections

if TYPE_CHECKING:
    from bulkload.sandbox import Sandbox

Connect = Callable[[Api], Connection]

# The name of the connection to a stand-in that lives as long as its run.
SANDBOX = "sandbox"
_NO_FILES: Mapping[str, str] = MappingProxyType({})


def job_of(
    run: Run,
    journal: Journal,
    file: Path | None,
    connections: list[str] | None,
    config: Path | None,
    api: list[str] | None,
    reading: ReadOptions,
    resource: str | None = None,
) -> Job:
    """What goes on with a run: its file, its connections and its resource, unless others are named."""
    names = connections or [name for name in run.connection.split(", ") if name != SANDBOX]
    resources = set(journal.resources(run.id))
    return Job(
        file=file or Path(run.file),
        apis=apis(api, names, config),
        connect=chooser(names, config),
        resource=resource or (resources.pop() if len(resources) == 1 else None),
        reading=reading,
    )


@dataclass(frozen=True, slots=True)
class Found:
    """Where a command finds what it needs, as a person has named it; the next command is to find it as this one did."""

    connections: Sequence[str] | None = None
    config: Path | None = None
    api: Sequence[str] | None = None
    resource: str | None = None
    journal: Path | None = None

    def options(self, run: Run | None = None, *, sandbox: bool = False) -> list[str]:
        """The words for it. Connections that nobody has named are those of the `run` that goes on."""
        names = self.connections or (run.connection.split(", ") if run else ())
        sandbox = sandbox or SANDBOX in names
        named = {
            "--connection": () if sandbox else names,
            "--config": [self.config] if self.config else (),
            "--api": self.api or (),
            "--resource": [self.resource] if self.resource else (),
            "--journal": [self.journal] if self.journal else (),
        }
        words = [str(word) for option, values in named.items() for value in values for word in (option, value)]
        return ["--sandbox", *words] if sandbox else words


def rate(text: str | None) -> Rate | None:
    """The rate that a person asks for, None if for none. Raises UsageError."""
    try:
        return Rate.parse(text) if text else None
    except ValueError as error:
        raise UsageError(f"--rate: {error}") from error


def wait_for_api(text: str) -> float:
    """The seconds that a person lets the API be down. Raises UsageError."""
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise UsageError(f"--wait-for-api: {error}") from error


def no_connection(api: Api) -> Connection:
    """For what is offline: whoever asks for a connection is wrong. Raises SettingsError."""
    raise SettingsError(f"No connection is needed here, but one for {api.name} was asked for.")


def chooser(names: list[str] | None, config: Path | None) -> Connect:
    """Gives the connection of an API: of those named, if any are. Raises SettingsError for a name that isn't known."""
    known = load_connections(config)
    for name in names or ():
        if name not in known:
            raise SettingsError(f'There is no connection "{name}". Those there are: {", ".join(known) or "none"}.')

    def connect(api: Api) -> Connection:
        fitting = [name for name in names or () if known[name].api_name == api.name]
        return choose(known, fitting[0] if fitting else names[0] if names else None, api)

    return connect


@contextlib.contextmanager
def sandbox(apis: dict[str, Api], faults: list[str] | None) -> Iterator[Connect]:
    """A stand-in of its own for one run: a fresh world, which knows no earlier rows."""
    from bulkload.sandbox import Fault, Sandbox  # web server and all, which few runs need

    with Sandbox(list(apis.values()), [Fault.parse(text) for text in faults or ()]) as world:

        def connect(api: Api) -> Connection:
            credentials = world.credentials(api)
            return Connection(
                name=SANDBOX,
                api=api.name,
                base_url=world.base_url(api.name),
                settings=world.settings(api),
                credentials={name: Credential.in_memory(name, value) for name, value in credentials.items()},
                rate=Rate(1000, 1.0),
                sandbox=True,
            )

        yield connect


def sandbox_toml(world: "Sandbox", apis: list[Api], files: Mapping[str, str] = _NO_FILES) -> str:
    """What to write into bulkload.toml, and to set in the environment, to send to the stand-in.

    `files` are the documents of APIs that don't come with bulkload, by name.
    """
    lines = []
    for api in apis:
        credentials = world.credentials(api)
        prefix = f"SANDBOX_{api.name.upper()}".replace("-", "_")
        lines += [f"# export {prefix}_{name.upper()}={value}" for name, value in credentials.items()]
        kept = ", ".join(f'{name} = "env:{prefix}_{name.upper()}"' for name in credentials)
        settings = ", ".join(f'"{name}" = {json.dumps(value)}' for name, value in world.settings(api).items())
        lines += [
            f"[connections.{api.name}-sandbox]",
            f"api = {json.dumps(files.get(api.name, api.name))}",
            f'base_url = "{world.base_url(api.name)}"',
            f"settings = {{ {settings} }}",
            f"credentials = {{ {kept} }}",
            'rate = "1000/s"',
            "",
        ]
    return "\n".join(["# A stand-in that forgets everything when it ends. Write this into bulkload.toml:", "", *lines])


def journal(path: Path | None) -> Journal:
    """The journal at `path`, or the user's own."""
    return Journal(path or default_path())
