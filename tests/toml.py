"""What the tests of connections share: a real bulkload.toml in a folder, what is said of it, and a small API."""

import os
from pathlib import Path
from typing import Any

from bulkload.connection import Connection
from bulkload.document import Document
from bulkload.errors import SettingsError
from bulkload.openapi import read_api
from bulkload.resource import Api
from bulkload.settings import load_connections

CANARY = "canary-9f3b-secret"
# How a message names the connection that `only` makes.
X = 'bulkload.toml, connection "x"'
IN_THE_CLEAR = "is http://, which anybody on the way can read: write https://, or set allow_http = true"


def load(folder: Path, text: str, **environ: str) -> dict[str, Connection]:
    (folder / "bulkload.toml").write_text(text, encoding="utf-8")
    return load_connections(None, folder, folder / "no such folder", environ)


def only(folder: Path, lines: str, **environ: str) -> Connection:
    """The one connection `x` that these lines make."""
    return load(folder, f"[connections.x]\n{lines}", **environ)["x"]


def said(error: SettingsError, folder: Path) -> list[str]:
    """What an error says, line by line, with the folder left out of it."""
    return str(error).replace(f"{folder}{os.sep}", "").splitlines()


def api(**document: Any) -> Api:
    """An API `things` with one resource, and whatever else is given."""
    body = {"type": "object", "properties": {"name": {"type": "string"}}}
    create = {"requestBody": {"content": {"application/json": {"schema": body}}}, "responses": {}}
    base = {"openapi": "3.1.0", "info": {"title": "Things", "version": "1"}, "paths": {"/things": {"post": create}}}
    return read_api(Document({**base, **document}, "things.yaml"), "things")
