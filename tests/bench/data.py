"""The sheets that the benches send: twelve columns of everyday values, a share of the rows with a mistake in it."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xlsxwriter

_KINDS = ("PHONE", "STAFF", "TRUNK")
_CITIES = ("Hong Kong", "São Paulo", "Zürich", "Kraków", "Singapore")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["code", "name", "kind"],
    "properties": {
        "code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{8}$"},
        "name": {"type": "string", "maxLength": 40},
        "kind": {"type": "string", "enum": list(_KINDS)},
        "email": {"type": "string", "pattern": "^[^@ ]+@[^@ ]+$"},
        "phone": {"type": "string", "minLength": 8, "maxLength": 16},
        "city": {"type": "string", "maxLength": 30},
        "department": {"type": "string", "maxLength": 30},
        "priority": {"type": "integer", "minimum": 1, "maximum": 9},
        "weight": {"type": "number", "minimum": 0},
        "active": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 15}, "maxItems": 5},
        "note": {"type": "string", "maxLength": 200},
    },
}
COLUMNS = tuple(SCHEMA["properties"])


def document(path: Path) -> Path:
    """An OpenAPI document of one resource, `things`, with these columns; `code` is its natural key."""
    made = {"type": "object", "properties": {"id": {"type": "string"}}}
    create = {
        "operationId": "createThing",
        "x-bulkload": {"key": ["code"], "id": ["$response.body#/id"]},
        "requestBody": {"required": True, "content": {"application/json": {"schema": SCHEMA}}},
        "responses": {"201": {"description": "made", "content": {"application/json": {"schema": made}}}},
    }
    info = {"title": "Things", "version": "1"}
    path.write_text(json.dumps({"openapi": "3.1.0", "info": info, "paths": {"/things": {"post": create}}}))
    return path


def rows(count: int, bad: float) -> Iterator[list[str]]:
    """The rows as text; of each 1/bad rows the last has a kind that is not allowed. Every code is another."""
    every = round(1 / bad) if bad else 0
    for number in range(1, count + 1):
        yield [
            f"BL{number:08}",
            f"Support line {number}",
            "FAX" if every and number % every == 0 else _KINDS[number % 3],
            f"line.{number}@example.com",
            f"+8529{number % 10_000_000:07}",
            _CITIES[number % 5],
            f"Department {number % 97}",
            str(number % 9 + 1),
            f"{number % 1000 / 10:.1f}",
            "TRUE" if number % 2 else "FALSE",
            f"tag{number % 13}, tag{number % 7}",
            f"Made for the bench, row {number}",
        ]


def write_xlsx(path: Path, count: int, bad: float) -> Path:
    """The rows as a workbook, all cells text, as the template has them."""
    with xlsxwriter.Workbook(path, {"constant_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("Things")
        for at, row in enumerate(_with_header(count, bad)):
            for place, text in enumerate(row):
                sheet.write_string(at, place, text)
    return path


def write_csv(path: Path, count: int, bad: float) -> Path:
    """The rows as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(_with_header(count, bad))
    return path


def _with_header(count: int, bad: float) -> Iterator[list[str]]:
    yield list(COLUMNS)
    yield from rows(count, bad)
