"""What the journal costs: the same rows sent with it, and with one that never writes while it sends."""

import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from itertools import islice
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from bulkload.connection import Connection
from bulkload.job import Job, Preview, Silent
from bulkload.journal import Intent, Journal
from bulkload.models import Outcome, Status
from bulkload.openapi import open_api
from bulkload.pipeline import Import
from bulkload.resource import Rate
from tests.support import document, write_csv
from tests.wire import Exchange, FaultServer

ROWS = 2_000
IN_FLIGHT = 16
# Seconds that the server takes for a request.
PAUSE = 0.020


class Kept(Journal):
    """The journal, with a look at the clock: how many commits there were, and how many seconds they took."""

    commits = 0
    seconds = 0.0

    def write(self, run: str, intents: Sequence[Intent], outcomes: Sequence[Outcome]) -> None:
        """Commit, and count."""
        began = time.perf_counter()
        super().write(run, intents, outcomes)
        self.commits += 1
        self.seconds += time.perf_counter() - began


class Forgetful(Kept):
    """A journal that knows its rows and writes nothing of what becomes of them."""

    def write(self, run: str, intents: Sequence[Intent], outcomes: Sequence[Outcome]) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds from the first row sent to the last outcome told: by the clock, of the processor's time, in commits."""

    wall: float
    cpu: float
    commits: float
    in_commits: float


def main(rounds: int = 8) -> None:
    """Send the rows again and again, now with the one journal and now with the other, and print what each costs.

    What else the machine does only ever adds to a time: the shortest is the truest.
    """
    print(
        f"{ROWS:,} rows, {IN_FLIGHT} in flight, {PAUSE * 1000:g} ms a request: {ROWS * PAUSE / IN_FLIGHT:g} s at best"
    )
    kept: list[Cost] = []
    forgot: list[Cost] = []
    with _served() as url, tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            # Each goes first as often as the other.
            for kind in (Kept, Forgetful) if number % 2 else (Forgetful, Kept):
                (kept if kind is Kept else forgot).append(_send(kind, Path(folder, f"{number}-{kind.__name__}"), url))
            print(f"round {number + 1:2}: {_beside(kept[-1], forgot[-1])}", flush=True)
    print(f"median:   {_beside(_each(statistics.median, kept), _each(statistics.median, forgot))}")
    print(f"shortest: {_beside(_each(min, kept), _each(min, forgot))}")


def _beside(kept: Cost, forgot: Cost) -> str:
    return (
        f"{kept.wall:.2f} s with the journal, {forgot.wall:.2f} s without: {kept.wall / forgot.wall - 1:+.1%}; "
        f"processor {kept.cpu:.2f} s, {forgot.cpu:.2f} s: {kept.cpu / forgot.cpu - 1:+.1%}; "
        f"{kept.in_commits:.2f} s in {kept.commits:,.0f} commits"
    )


def _each(of: Callable[[list[float]], float], costs: Sequence[Cost]) -> Cost:
    """The median, or another figure, of each column."""
    return Cost(*(of(list(column)) for column in zip(*map(astuple, costs), strict=True)))


def _send(kind: type[Kept], folder: Path, url: str) -> Cost:
    """What it costs to send the rows with a new journal of this kind."""
    folder.mkdir()
    api = open_api(
        str(document(folder / "things.json", {"type": "object", "properties": {"name": {"type": "string"}}}))
    )
    file = write_csv(folder / "things.csv", [{"name": f"Thing {row}"} for row in range(ROWS)])
    connection = Connection("bench", api.name, url, rate=Rate(1_000_000, 1.0), concurrency=IN_FLIGHT)
    began: list[tuple[float, float]] = []

    def confirm(preview: Preview) -> bool:
        began.append(_now())
        return True

    job = Job(file, {api.name: api}, lambda _: connection, resolve=False)
    journal = kind(folder / "journal.sqlite")
    with journal:
        outcomes = Import(job, journal, Silent(), confirm, lambda line: None).outcomes()
        # What comes after the last of them is the result.
        told = list(islice(outcomes, ROWS))
        (wall, cpu), (wall_before, cpu_before) = _now(), began[0]
        assert [*outcomes] == [] and {outcome.status for outcome in told} == {Status.CREATED}
        return Cost(wall - wall_before, cpu - cpu_before, journal.commits, journal.seconds)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


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
