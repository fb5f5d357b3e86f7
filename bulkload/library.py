"""The same as a library: `bulkload.open_api("cinnox")["destination"].template(path)`, `bulkload.import_file(path)`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandera.pandas as pa

from bulkload import arrange, catalogue, openapi, pipeline, schema, template
from bulkload.connection import Connection, choose
from bulkload.job import Job, Silent
from bulkload.models import Outcome
from bulkload.resource import Api, Resource


@dataclass(frozen=True, slots=True)
class Importable:
    """A resource, with what is derived from it."""

    resource: Resource

    @property
    def schema(self) -> pa.DataFrameSchema:
        """The pandera schema of a typed sheet: columns by field name, blank cells NA, list columns of Python lists."""
        return schema.build(self.resource)

    def template(self, path: str | Path) -> Path:
        """Write an empty workbook, or the header row if the path ends in .csv; gives the path. Raises DiskError."""
        return template.write([self.resource], Path(path))


@dataclass(frozen=True, slots=True)
class OpenedApi(Mapping[str, Importable]):
    """An API: its resources by name."""

    api: Api

    def __getitem__(self, name: str) -> Importable:
        return Importable(self.api.resources[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.api.resources)

    def __len__(self) -> int:
        return len(self.api.resources)


def open_api(api: str | Path) -> OpenedApi:
    """The API of that name (`cinnox`), or the one that an OpenAPI document describes. Raises UnusableDocument."""
    return OpenedApi(openapi.open_api(api))


def import_file(
    file: str | Path,
    *,
    connection: Connection | str | Sequence[str] | None = None,
    api: str | Path | None = None,
    resource: str | None = None,
    limit: int | None = None,
    journal: str | Path | None = None,
    result: str | Path | None = None,
    config: str | Path | None = None,
) -> Iterator[Outcome]:
    """Import a file without being asked, and yield what becomes of each row that is sent, as it becomes known.

    Nothing happens before the first outcome is asked for, and the result is written once the last was taken; rows that
    are not sent (invalid, unchanged) stand there. A row whose ID, or whose fate, is found out afterwards comes again:
    the last word counts. `connection` is a Connection of your own, a name in bulkload.toml (or in `config`), one name
    per API, or None for the only one of each. `journal` and `result` are where those stand instead of their usual
    places. Raises what stands in `bulkload.errors`.
    """
    apis, connect = _place(connection, api, config)
    job = Job(Path(file), apis, connect, resource=resource, limit=limit, result=Path(result) if result else None)
    with arrange.journal(Path(journal) if journal else None) as opened:
        yield from pipeline.Import(job, opened, Silent(), lambda _: True, lambda _: None).outcomes()


def _place(
    connection: Connection | str | Sequence[str] | None, api: str | Path | None, config: str | Path | None
) -> tuple[dict[str, Api], arrange.Connect]:
    """The APIs at hand, and what gives the connection of each."""
    if isinstance(connection, Connection):
        own = connection
        names = [str(api)] if api else [*openapi.BUILT_IN, own.api]
        return catalogue.apis(names), lambda wanted: choose({own.name: own}, own.name, wanted)
    named = [connection] if isinstance(connection, str) else list(connection or ())
    where = Path(config) if config else None
    return catalogue.apis([str(api)] if api else None, named, where), arrange.chooser(named, where)
