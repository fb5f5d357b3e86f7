"""The same as a library: `bulkload.open_api("cinnox")["destination"].template(path)`, `bulkload.import_file(path)`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandera.pandas as pa

from bulkload import openapi, pipeline, schema, template
from bulkload.connection import Connection, choose
from bulkload.job import Job, Silent
from bulkload.journal import Journal, default_path
from bulkload.models import Outcome
from bulkload.resource import Api, Resource
from bulkload.settings import load_connections


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
    connection: Connection | str | None = None,
    api: str | Path | None = None,
    resource: str | None = None,
    limit: int | None = None,
    journal: Path | None = None,
    result: Path | None = None,
) -> Iterator[Outcome]:
    """Import a file without being asked, and yield what becomes of each row that is sent, as it becomes known.

    `connection` is a name in bulkload.toml, a Connection of your own, or None for the only one of the API. Rows that
    are not sent (invalid, unchanged) stand in the result, which is written once the last outcome was taken. Raises
    what stands in `bulkload.errors`.
    """
    names = [api] if api else openapi.BUILT_IN
    apis = {opened.name: opened for opened in map(openapi.open_api, names)}

    def connect(wanted: Api) -> Connection:
        if isinstance(connection, Connection):
            return connection
        return choose(load_connections(), connection, wanted)

    job = Job(Path(file), apis, connect, resource=resource, limit=limit, result=result)
    with Journal(journal or default_path()) as opened:
        yield from pipeline.Import(job, opened, Silent(), lambda _: True, lambda _: None).outcomes()
