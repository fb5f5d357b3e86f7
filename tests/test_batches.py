"""The frames of a file on their way through the steps."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from bulkload.batches import Batch, outgoing, plan_rows
from bulkload.connection import Connection
from bulkload.header import match_header
from bulkload.job import Job, Part
from bulkload.journal import Journal
from bulkload.models import Frame, Sheet
from bulkload.openapi import open_api

API = open_api("cinnox")
ROUTE = API.resources["destination"]


@pytest.fixture
def held() -> list[int]:
    """How many frames were in memory each time when the next was read."""
    return []


@pytest.fixture
def part(held: list[int]) -> Part:
    header = tuple(column.name for column in ROUTE.columns)
    first = ["Desk", *[""] * (len(header) - 1)]
    read: list[weakref.ref[pd.DataFrame]] = []

    def frames() -> Iterator[Frame]:
        for number in range(2, 6):
            gc.collect()
            held.append(sum(frame() is not None for frame in read))
            cells = {at: [text] for at, text in enumerate(first, 1)}
            frame = pd.DataFrame(cells, index=pd.Index([number], name="row"), dtype="str")
            read.append(weakref.ref(frame))
            yield Frame(frame)
            del frame

    assigned, faults = match_header(Sheet("Desks", header, 1, frames), ROUTE)
    assert not faults
    return Part(API, Connection("c", API.name, "http://127.0.0.1:9"), "t", (assigned,))


def test_no_frame_is_held_while_the_next_is_read(tmp_path: Path, part: Part, held: list[int]) -> None:
    job = Job(tmp_path / "desks.csv", {API.name: API}, lambda _: part.connection)
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert sum(map(_rows, plan_rows(job, part, journal))) == sum(map(len, outgoing(part, journal, "run"))) + 4
    assert held == [0] * 8


def _rows(batch: Batch) -> int:
    return len(batch.frame.text)
