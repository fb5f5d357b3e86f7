"""The APIs at hand: those that come with bulkload, and those of documents that a person or a connection names."""

from pathlib import Path

from bulkload.openapi import BUILT_IN, open_api
from bulkload.resource import Api
from bulkload.settings import load_connections


def apis(named: list[str] | None, connections: list[str] | None = None, config: Path | None = None) -> dict[str, Api]:
    """The documents given, else the APIs that come with bulkload and that connections speak of; by name."""
    if named:
        given = [open_api(name) for name in named]
        return {api.name: api for api in given}
    paths = [
        one.api
        for name, one in load_connections(config).items()
        if one.api not in BUILT_IN and (not connections or name in connections)
    ]
    return {api.name: api for api in map(open_api, [*BUILT_IN, *dict.fromkeys(paths)])}
