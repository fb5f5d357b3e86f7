"""What the journal costs: the same rows sent with it, and with one that never writes while it sends."""

import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from bulkload.connection import Connection
from bulkload.job import Job, Preview, Silent
from bulkload.journal import Journal
from bulkload.models import Outcome, Status
from bulkload.openapi import open_api
from bulkload.pipeline import Import
from bulkload.resource import Rate
from tests.support import document, write_csv
from tests.wire import Exchange, FaultServer

ROWS = 4_000
IN_FLIGHT = 16
# Seconds that the server takes for a request.
PAUSE = 0.020


class Forgetful(Journal):
    """A journal that knows its rows and writes nothing of what becomes of them."""

    def write(self, run: str, intents: Sequence[tuple[str, int]], outcomes: Sequence[Outcome]) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds from the first row sent to the last outcome told: by the clock, and of the processor's time."""

    wall: float
    cpu: float


def main(rounds: int) -> None:
    """Send the rows again and again, now with the one journal and now with the other, and print what each costs."""
    print(
        f"{ROWS:,} rows, {IN_FLIGHT} in flight, {PAUSE * 1000:g} ms a request; {ROWS * PAUSE / IN_FLIGHT:g} s at best"
    )
    kept: list[Cost] = []
    forgot: list[Cost] = []
    with _served() as url, tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            # Each goes first as often as the other.
            for kind in (Journal, Forgetful) if number % 2 else (Forgetful, Journal):
                (kept if kind is Journal else forgot).append(
                    _send(kind, Path(folder, f"{number}-{kind.__name__}"), url)
                )
            print(f"round {number + 1}: {_beside(kept[-1], forgot[-1])}", flush=True)
    print(f"median:  {_beside(_median(kept), _median(forgot))}")


def _beside(kept: Cost, forgot: Cost) -> str:
    return (
        f"{kept.wall:.2f} s with the journal, {forgot.wall:.2f} s without: {kept.wall / forgot.wall - 1:+.1%}; "
        f"processor {kept.cpu:.2f} s, {forgot.cpu:.2f} s: {kept.cpu / forgot.cpu - 1:+.1%}"
    )


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs))


def _send(kind: type[Journal], folder: Path, url: str) -> Cost:
    """What it costs to send the rows with a new journal of this kind."""
    folder.mkdir()
    api = open_api(
        str(document(folder / "things.json", {"type": "object", "properties": {"name": {"type": "string"}}}))
    )
    file = write_csv(folder / "things.csv", [{"name": f"Thing {row}"} for row in range(ROWS)])
    connection = Connection("bench", api.name, url, rate=Rate(1_000_000, 1.0), concurrency=IN_FLIGHT)
    began: list[Cost] = []

    def confirm(preview: Preview) -> bool:
        began.append(_now())
        return True

    job = Job(file, {api.name: api}, lambda _: connection, resolve=False)
    with kind(folder / "journal.sqlite") as journal:
        outcomes = Import(job, journal, Silent(), confirm, lambda line: None).outcomes()
        # What comes after the last of them is the result.
        told = list(islice(outcomes, ROWS))
        ended = _now()
        assert [*outcomes] == [] and {outcome.status for outcome in told} == {Status.CREATED}
    return Cost(ended.wall - began[0].wall, ended.cpu - began[0].cpu)


def _now() -> Cost:
    return Cost(time.perf_counter(), time.process_time())


@contextmanager
def _served() -> Iterator[str]:
    """A server in a process of its own, so that it takes none of the sender's time."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,))
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        here.send(None)
        process.join()


def _serve(pipe: Pipe) -> None:
    """Serve until something comes through the pipe; the port goes through it first."""
    with FaultServer(_answer) as server:
        pipe.send(server.port)
        pipe.recv()


async def _answer(exchange: Exchange) -> None:
    made = 0
    while True:
        seen = await exchange.request()
        made += 1
        await asyncio.sleep(PAUSE)
        await exchange.answer(201, json.dumps({"id": f"{json.loads(seen.body)['name']}-{made}"}).encode())
