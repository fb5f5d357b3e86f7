"""Kill a loader again and again while it sends, make it go on, and see by the server's ledger what became of every row.

    python -m tests.kill_loop --rows 20000 --kills 200 --mix ten --seed 1

Each start is a real process, forked from one that has everything imported, and each kill a real SIGKILL: so many
requests after the start, the first at the earliest, and a moment more.
"""

import argparse
import csv
import json
import multiprocessing
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from itertools import chain, cycle
from pathlib import Path
from typing import Any, Protocol

from bulkload import cli
from bulkload.models import DONE, Status
from tests import naive
from tests.faults import DEADLINE, MIXES, SECRET, SHEET, Things, Try, document, row_of

# The longest, in seconds, from the arrival that a kill waits for to the kill.
_DELAY = 0.02
# How many rows that went wrong are told of.
_STORIES = 5
# The most look-ups before a kill of a start that settles: about half of them come to their end.
_FEW = 60
# What a person does after the first start, over and over.
_THEN = ("go on", "go on", "settle")
# How many starts there are once all kills are used; then whatever is left stays.
_STARTS = 20

Work = tuple[Callable[..., None], tuple[Any, ...]]

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["__main__", __name__, "bulkload.pipeline"])


@dataclass(frozen=True, slots=True)
class Plan:
    """One loop: how many rows and kills, which of MIXES, and how many requests at once.

    With `keys` the API has no look-up but knows idempotency keys.
    """

    rows: int
    kills: int
    mix: str
    seed: int = 1
    concurrency: int = 16
    keys: bool = False

    @property
    def skus(self) -> range:
        """The numbers of the file's rows: row 1 is the header."""
        return range(2, self.rows + 2)


@dataclass(slots=True)
class Figures:
    """What a loop showed.

    `hits` are kills with requests in flight, `ended` starts that came to their end. Rows: `duplicates` have more than
    one record; `lost` are told wrongly or not at all, as created where the server has no record or as not made where it
    has one; `wrong_ids` have an ID that is not their record's; `missing_ids` are told as created without an ID that was
    to be had, or with no note why; `unnamed` are so for a reason: no look-up, and the answer with the ID was cut.
    `dustbin` were called unknown though nothing was in doubt, kills aside; `unknown` are so at the end.
    `without_intent` counts the arrivals that the journal did not know of. `stories` tell what happened to
    the first rows with more than one record.
    """

    kills: int = 0
    hits: int = 0
    duplicates: int = 0
    lost: int = 0
    wrong_ids: int = 0
    missing_ids: int = 0
    unnamed: int = 0
    dustbin: int = 0
    without_intent: int = 0
    unknown: int = 0
    created: int = 0
    arrivals: int = 0
    look_ups: int = 0
    ended: int = 0
    seconds: float = 0.0
    stories: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        numbers = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "stories"}
        lines = [f"{name.replace('_', ' '):15}{number:>9,.4g}" for name, number in numbers.items()]
        return "\n".join([*lines, *self.stories])


class Loader(Protocol):
    """What is killed.

    `process` gives what runs as a process, a function and its arguments, for `begin`, `go on` and `settle`. `look` is
    called after each; it gives whether all is done. `judge` adds what the loader itself says to the figures.
    """

    @property
    def journal(self) -> Path | None: ...

    def process(self, verb: str) -> Work: ...

    def look(self, server: Things, *, killed: bool) -> bool: ...

    def judge(self, server: Things, figures: Figures) -> None: ...


# What is killed


@dataclass(slots=True)
class Bulkload:
    """The program itself, by its commands; its journal and its result are what it is judged by."""

    plan: Plan
    folder: Path
    journal: Path = field(init=False)
    cut_off: dict[str, int] = field(default_factory=dict)
    dustbin: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.journal = self.folder / "journal.sqlite"

    def process(self, verb: str) -> Work:
        """`import`, `resume` or `resolve`."""
        words = {
            "begin": ["import", str(self.folder / f"{SHEET}.csv"), "--yes"],
            "go on": ["resume", "--yes"],
            "settle": ["resolve"],
        }[verb]
        where = ["-c", "loop", "--config", str(self.folder / "bulkload.toml"), "--journal", str(self.journal), "-q"]
        return _run_command, ([*words, *where],)

    def look(self, server: Things, *, killed: bool) -> bool:
        """Look at the journal after a start; whether all is done.

        A row that a kill cut off may be called unknown, whatever the server did with it, until it is tried again.
        """
        rows = self._rows()
        if killed:
            self.cut_off |= {sku: len(server.tries[sku]) for sku, (status, *_) in rows.items() if status == "sending"}
        unknown = {sku for sku, (status, *_) in rows.items() if status == Status.UNKNOWN}
        strange = {sku for sku in unknown if not self._in_doubt(sku, server.tries[sku])}
        # Sent, and cut off by an outage before the server read it.
        self.unread |= {sku for sku in strange if self._attempts(sku) > len(server.tries[sku])}
        self.dustbin |= strange if len(self.unread) > server.cut else strange - self.unread
        return all(status in DONE for status, *_ in rows.values())

    def _in_doubt(self, sku: str, tries: Sequence[Try]) -> bool:
        """Whether nobody but the server can know what became of a row.

        A look-up has settled all tries before the last. With a key the row went again unsettled: what is answered then
        tells of an earlier try only if it is «done».
        """
        if self.cut_off.get(sku) == len(tries) or (tries and not tries[-1].clean):
            return True
        earlier = sku in self.cut_off or not all(one.clean for one in tries)
        return self.plan.keys and earlier and tries[-1].answer != "201"

    def judge(self, server: Things, figures: Figures) -> None:
        """Hold what the journal and the result say against what the server has."""
        figures.dustbin = len(self.dustbin)
        said, written = self._rows(), self._result()
        for row in self.plan.skus:
            held = {str(record["id"]) for record in server.records[f"S{row}"]}
            status, record, note = said.get(f"S{row}", ("", "", ""))
            result, result_record = written.get(f"S{row}", ("", ""))
            created = status in DONE
            figures.created += created
            figures.unknown += status == Status.UNKNOWN
            figures.lost += result != status or (status != Status.UNKNOWN and created != bool(held))
            ids = {record, result_record}
            figures.wrong_ids += created and bool(held) and not ids - {""} <= held
            unnamed = ids == {""} and bool(note) and self._id_was_cut(server.tries[f"S{row}"])
            figures.unnamed += created and unnamed
            figures.missing_ids += created and "" in ids and not unnamed

    def _id_was_cut(self, tries: Sequence[Try]) -> bool:
        """Whether the last answer held the ID and was cut, and no look-up could have asked for it again."""
        return self.plan.keys and tries[-1].fault == "201, body cut"

    def _rows(self) -> dict[str, tuple[str, str, str]]:
        """What the journal says of each row of the newest run: status, ID and note."""
        query = "SELECT row, status, id, note FROM rows WHERE run = (SELECT id FROM runs ORDER BY started DESC LIMIT 1)"
        with closing(self._open()) as db:
            return {f"S{row}": (status, record, note) for row, status, record, note in db.execute(query)}

    def _attempts(self, sku: str) -> int:
        """How often the row was about to be sent, in all runs."""
        with closing(self._open()) as db:
            ((attempts,),) = db.execute("SELECT sum(attempts) FROM rows WHERE row = ?", (row_of(sku),))
        return int(attempts)

    def _result(self) -> dict[str, tuple[str, str]]:
        """What the result says of each row: status and ID."""
        query = "SELECT result FROM runs ORDER BY started DESC LIMIT 1"
        with closing(self._open()) as db:
            ((result,),) = db.execute(query)
        with Path(result).open(encoding="utf-8-sig", newline="") as file:
            return {row["sku"]: (row["Import status"], row["Import ID"]) for row in csv.DictReader(file)}

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.journal.as_uri()}?mode=ro", uri=True)


@dataclass(slots=True)
class Naive:
    """The negative control."""

    plan: Plan
    folder: Path
    journal: None = None

    def process(self, verb: str) -> Work:
        """The same whatever it is asked: it knows only to start."""
        url = (self.folder / "url.txt").read_text(encoding="utf-8")
        return naive.start, (self.folder / f"{SHEET}.csv", url, SECRET, self._done, self.plan.concurrency)

    def look(self, server: Things, *, killed: bool) -> bool:
        """Whether it has written down every row."""
        return len(self._written()) >= self.plan.rows

    def judge(self, server: Things, figures: Figures) -> None:
        """It tells nothing but which rows it has sent."""
        figures.created = len(self._written())

    @property
    def _done(self) -> Path:
        return self.folder / "done.txt"

    def _written(self) -> set[str]:
        return set(self._done.read_text(encoding="utf-8").split()) if self._done.exists() else set()


def _run_command(words: list[str]) -> None:
    sys.exit(cli.run(words))


# The loop


def loop(plan: Plan, kind: Callable[[Plan, Path], Loader], folder: Path, *, pause: float = 0.01) -> Figures:
    """Run one loop in an empty folder. `pause` is the server's: see Things."""
    loader = kind(plan, folder)
    began = time.monotonic()
    with Things(MIXES[plan.mix], plan.seed, journal=loader.journal, pause=pause) as server:
        _prepare(plan, folder, server.url)
        figures = _Loop(plan, loader, server, random.Random(plan.seed)).run()
    loader.judge(server, figures)
    _count(server, figures)
    figures.seconds = time.monotonic() - began
    return figures


@dataclass(slots=True)
class _Loop:
    """One loop on its way."""

    plan: Plan
    loader: Loader
    server: Things
    chance: random.Random
    figures: Figures = field(default_factory=Figures)

    def run(self) -> Figures:
        """Start the loader until all is done, or nothing comes of it any more."""
        idle = 0
        for verb in chain(["begin"], cycle(_THEN)):
            killed = self.start(verb)
            idle = 0 if killed else idle + 1
            if self.loader.look(self.server, killed=killed) or idle == _STARTS:
                break
        return self.figures

    def start(self, verb: str) -> bool:
        """Start the loader, and kill it if kills are left; whether it was killed before it came to its end."""
        target, arguments = self.loader.process(verb)
        process = _FORKED.Process(target=target, args=arguments)
        in_flight: list[int] = []

        def kill(now: int) -> None:
            in_flight.append(now)
            process.kill()

        process.start()
        if self.figures.kills < self.plan.kills:
            self.server.arm(self.chance.randint(1, self._longest(verb)), self.chance.uniform(0, _DELAY), kill)
        process.join()
        self.server.disarm()
        self.server.wait_until_quiet()
        killed = process.exitcode == -signal.SIGKILL
        self.figures.kills += killed
        self.figures.hits += killed and in_flight[0] > 0
        self.figures.ended += not killed
        return killed

    def _longest(self, verb: str) -> int:
        """The most requests before a kill: at this pace the kills last as long as the rows do."""
        pace = (self.plan.rows - len(self.server.records)) / (self.plan.kills - self.figures.kills + 1)
        return _FEW if verb == "settle" else max(1, int(2 * pace))


def _prepare(plan: Plan, folder: Path, url: str) -> None:
    """Write what a person would have: the file, the API's document, a connection and its secret."""
    with (folder / f"{SHEET}.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sku", "name", "amount"])
        rows.writerows([f"S{row}", f"Thing {row}", row % 1000] for row in plan.skus)
    (folder / "things.json").write_text(json.dumps(document(keys=plan.keys)), encoding="utf-8")
    (folder / "secret.txt").write_text(SECRET, encoding="utf-8")
    (folder / "url.txt").write_text(url, encoding="utf-8")
    (folder / "bulkload.toml").write_text(
        f"""
[connections.loop]
api = "things.json"
base_url = "{url}"
rate = "100000/s"
concurrency = {plan.concurrency}
deadline = "{DEADLINE:g}s"
credentials = {{ secret = "file:secret.txt" }}
""",
        encoding="utf-8",
    )


def _count(server: Things, figures: Figures) -> None:
    """Take from the ledger what needs no word of the loader's."""
    tries = [one for each in server.tries.values() for one in each]
    figures.arrivals, figures.look_ups = len(tries), server.asked
    figures.without_intent = sum(not one.intent for one in tries)
    twice = [sku for sku, records in server.records.items() if len(records) > 1]
    figures.duplicates = len(twice)
    figures.stories = [_story(server.tries[sku], server.fired) for sku in twice[:_STORIES]]


def _story(tries: Sequence[Try], kills: Sequence[float]) -> str:
    """What the server saw of one row, with the kills between, in seconds from its first arrival."""
    began = tries[0].arrived
    seen = [(one.arrived, f"arrived ({one.fault or 'no fault'})") for one in tries]
    seen += [(one.done, f"made as {one.id}") for one in tries if one.id]
    seen += [(kill, "kill") for kill in kills if began <= kill <= tries[-1].arrived]
    return f"{tries[0].sku}: " + ", ".join(f"{when - began:.3f} {what}" for when, what in sorted(seen))


def main() -> None:
    """Run one loop by command and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill_loop", description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--mix", choices=MIXES, default="ten")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--naive", action="store_true", help="Kill the negative control instead.")
    parser.add_argument("--keys", action="store_true", help="Idempotency keys instead of look-ups.")
    said = parser.parse_args()
    plan = Plan(said.rows, said.kills, said.mix, said.seed, said.concurrency, said.keys)
    with tempfile.TemporaryDirectory() as folder:
        print(loop(plan, Naive if said.naive else Bulkload, Path(folder)))


if __name__ == "__main__":
    main()
