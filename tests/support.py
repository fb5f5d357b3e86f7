"""What the tests of whole runs share: a stand-in API that stays, a folder, a journal, and a person's hands."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl

from bulkload import pipeline
from bulkload.connection import Connection
from bulkload.credential import Credential
from bulkload.job import Job, Report, Silent
from bulkload.journal import Journal
from bulkload.models import Outcome
from bulkload.openapi import BUILT_IN, open_api
from bulkload.resource import Api, Rate
from bulkload.sandbox import Sandbox

APIS = {name: open_api(name) for name in BUILT_IN}


def connection(sandbox: Sandbox, api: Api, **changes: Any) -> Connection:
    """A connection to the stand-in, as bulkload.toml would have it."""
    credentials = {name: Credential.in_memory(name, value) for name, value in sandbox.credentials(api).items()}
    given = {
        "name": f"{api.name}-test",
        "api": api.name,
        "base_url": sandbox.base_url(api.name),
        "settings": sandbox.settings(api),
        "credentials": credentials,
        "rate": Rate(1000, 1.0),
        "deadline": 5.0,
        **changes,
    }
    return Connection(**given)


@dataclass
class Desk:
    """A folder with a journal, from which files are imported into one stand-in API."""

    folder: Path
    sandbox: Sandbox
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def journal(self) -> Path:
        """Where the journal stands."""
        return self.folder / "journal.sqlite"

    def import_(self, file: Path, **options: Any) -> tuple[Report, list[Outcome]]:
        """Import a file and give what it tells."""
        apis = options.pop("apis", APIS)
        job = Job(file, apis, lambda api: connection(self.sandbox, api, **self.changes), **options)
        with Journal(self.journal) as journal:
            one = pipeline.Import(job, journal, Silent(), lambda preview: True, lambda line: None)
            outcomes = list(one.outcomes())
        return one.report, outcomes

    def sent(self) -> list[tuple[str, str, Any]]:
        """The creates and updates that arrived: method, path and JSON body."""
        helpers = ("/tokenByAkSk", "/query", "/queryCalledRoute")
        return [
            (arrived.method, arrived.path, arrived.json)
            for arrived in self.sandbox.requests
            if not arrived.path.endswith(helpers) and arrived.method != "GET"
        ]


def statuses(report: Report) -> dict[str, int]:
    """The counts of all sheets, by status; noughts left out."""
    total: dict[str, int] = {}
    for counts in report.counts.values():
        for status, count in counts.items():
            total[str(status)] = total.get(str(status), 0) + count
    return {status: count for status, count in total.items() if count}


def result_rows(path: Path, sheet: str) -> list[dict[str, Any]]:
    """The rows of a sheet of a result, by title."""
    book = openpyxl.load_workbook(path)
    header, *rows = book[sheet].iter_rows(values_only=True)
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A CSV with the rows' field names as header."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *([str(row.get(name, "")) for name in names] for row in rows)]
    text = "\r\n".join(",".join(f'"{cell}"' if set(cell) & set(',"\n') else cell for cell in line) for line in lines)
    path.write_text(text + "\r\n", encoding="utf-8")
    return path


def document(path: Path, schema: Mapping[str, Any], **more: Any) -> Path:
    """A small OpenAPI document `things`, whose rows have this schema."""
    made = {"type": "object", "properties": {"id": {"type": "string"}}}
    answer = {"description": "made", "content": {"application/json": {"schema": made}}}
    data = {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": {
            "/things": {
                "post": {
                    "operationId": "createThing",
                    "requestBody": {"content": {"application/json": {"schema": dict(schema)}}},
                    "responses": {"201": answer},
                    **more,
                }
            }
        },
    }
    path.write_text(json.dumps(data), encoding="utf-8")
    return path
