"""What checking and planning cost: the same rows all good, and half of them bad, with every message made."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from bulkload import plan
from bulkload.counted import Counted
from bulkload.header import match_header
from bulkload.journal import Journal
from bulkload.models import FRAME_ROWS, Frame, Sheet
from bulkload.openapi import open_api
from bulkload.resource import Resource
from bulkload.seen import Seen
from bulkload.validate import Validator
from tests.support import document

ROWS = 100_000
Row = Callable[[int, bool], Mapping[str, str]]

# Twelve columns of all types, a natural key among them.
TWELVE = {
    "type": "object",
    "required": ["code", "name"],
    "properties": {
        "code": {"type": "string", "pattern": "^[0-9]{7}$"},
        "name": {"type": "string", "minLength": 1, "maxLength": 40},
        "mail": {"type": "string", "format": "email"},
        "count": {"type": "integer", "minimum": 0},
        "amount": {"type": "number"},
        "active": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["A", "B", "C"]}},
        **{f"note{number}": {"type": "string", "maxLength": 40} for number in range(5)},
    },
}


def main(rounds: int = 3) -> None:
    """Check and plan the rows again and again, and print the processor's time; the shortest is the truest."""
    with tempfile.TemporaryDirectory() as folder:
        said = {"x-bulkload": {"resource": "thing", "title": "Things", "key": ["code"]}}
        thing = open_api(str(document(Path(folder, "things.json"), TWELVE, **said))).resources["thing"]
        for resource, row in ((open_api("cinnox").resources["destination"], _destination), (thing, _thing)):
            good = min((_cost(resource, row, bad=False, folder=Path(folder)) for _ in range(rounds)), key=sum)
            bad = min((_cost(resource, row, bad=True, folder=Path(folder)) for _ in range(rounds)), key=sum)
            print(
                f"{resource.full_name}, {ROWS:,} rows: "
                f"{sum(good):.2f} s ({good[0]:.2f} checking, {good[1]:.2f} planning);"
                f" half of them bad {sum(bad):.2f} s ({bad[0]:.2f}, {bad[1]:.2f}): {sum(bad) / sum(good):.2f} times",
                flush=True,
            )


def _cost(resource: Resource, row: Row, *, bad: bool, folder: Path) -> tuple[float, float]:
    """Seconds of the processor's time for checking and for planning."""
    header = tuple(column.name for column in resource.columns)
    frames = list(_frames(header, row, bad=bad))
    assigned, _ = match_header(Sheet(resource.title, header, 1, lambda: iter(frames)), resource)
    checking = planning = 0.0
    with tempfile.TemporaryDirectory(dir=folder) as own, Journal(Path(own, "journal.sqlite")) as journal:
        validator = Validator(assigned, Seen())
        planner = plan.Planner(resource, resource.title, "target", journal, Counted())
        for frame in frames:
            began = time.process_time()
            checked = validator.check(frame)
            between = time.process_time()
            planned = planner.decide(checked.rows, checked.by_column, {})
            checking, planning = checking + between - began, planning + time.process_time() - between
            assert len(planned) + len(checked.invalid) == len(frame.text)
            assert bool(checked.findings) is bad
    return checking, planning


def _frames(header: tuple[str, ...], row: Row, *, bad: bool) -> Iterator[Frame]:
    for start in range(0, ROWS, FRAME_ROWS):
        rows = [row(number, bad and number % 2 == 1) for number in range(start, start + FRAME_ROWS)]
        columns = {at: [one.get(name, "") for one in rows] for at, name in enumerate(header, 1)}
        numbers = pd.RangeIndex(start + 2, start + 2 + FRAME_ROWS, name="row")
        yield Frame(pd.DataFrame(columns, index=numbers, dtype="str"))


def _destination(number: int, bad: bool) -> dict[str, str]:
    return {
        "displayName": "x" * 50 if bad else f"Desk {number}",
        "supportLanguages": "en, zh",
        "supportLocations": "*",
        "types": "FAX" if bad else "PHONE",
        "phoneTargets": f"+8529{number:07}",
    }


def _thing(number: int, bad: bool) -> dict[str, str]:
    return {
        "code": f"x{number}" if bad else f"{number:07}",
        "name": f"Thing {number}",
        "mail": "nobody" if bad else f"p{number}@example.com",
        "count": str(number % 50),
        "amount": "1.5",
        "active": "TRUE",
        "tags": "A, B",
        **{f"note{one}": f"note {number if one % 2 else number % 1000}" for one in range(5)},
    }
