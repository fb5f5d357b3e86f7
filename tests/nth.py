"""Let the n-th call of a kind fail in an import, for every n; go on, and see by the server's ledger what became of it.

    python -m tests.nth --all

Each start is a real process, forked from one that has everything imported, and strace makes a system call of one of
its threads fail. Which calls there are to fail, a rehearsal tells: the same import, with strace only looking on.
"""

import argparse
import csv
import json
import multiprocessing
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields, replace
from multiprocessing.connection import Connection
from pathlib import Path
from zipfile import BadZipFile

from bulkload import cli
from bulkload.models import DONE
from tests.faults import SECRET, SHEET, Mix, Things, document
from tests.support import result_rows

ROWS = 30
# The threads of an import, by their names.
THREADS = ("MainThread", "sending", "reading")
# What stands where the result goes before the run.
OLD = b"the result of an earlier day"
CONCURRENCY = 4
# The most rounds of going on and settling; then whatever is left stays.
_ROUNDS = 4

_FORKED = multiprocessing.get_context("forkserver")
# A process has one such server for all its tests, and the last to say so decides what that has imported.
_FORKED.set_forkserver_preload(["__main__", __name__, "tests.kill_loop", "bulkload.pipeline"])


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call: strace's names of it, how it fails, and the exit statuses that the command may then have.

    Only calls count whose line in strace's log holds `on`, where {} stands for the folder of the run.
    """

    calls: str
    error: str
    on: str
    ends: frozenset[int]

    def __contains__(self, line: str) -> bool:
        return line.partition("(")[0] in self.calls.replace("?", "").split(",")


# Trouble with the network is a row's, and none with the disk; what comes in may be refused before it is sent.
_NET, _DISK, _INPUT = frozenset({0, 1, 2, 3}), frozenset({0, 74}), frozenset({0, 1, 2, 74})
KINDS = {
    "journal write": Kind("pwrite64", "ENOSPC", "<{}/", _DISK),
    "journal read": Kind("pread64", "EIO", "<{}/", _DISK),
    "journal sync": Kind("fdatasync", "EIO", "<{}/", _DISK),
    "file write": Kind("write", "ENOSPC", "<{}/", _DISK),
    "file read": Kind("read", "EIO", "<{}/", _INPUT),
    "file sync": Kind("fsync", "EIO", "<{}", _DISK),
    "file length": Kind("ftruncate", "ENOSPC", "<{}/", _DISK),
    "replace": Kind("?rename,renameat,renameat2", "EIO", '"{}/', _DISK),
    "open": Kind("openat", "EIO", '"{}/', _INPUT),
    "connect": Kind("connect", "ENETUNREACH", "<TCP:", _NET),
    "send": Kind("sendto", "ECONNRESET", "<TCP:", _NET),
    "receive": Kind("recvfrom", "ECONNRESET", "<TCP:", _NET),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """The `nth` call of a kind in one thread of an import fails; with `on`, all those after it too."""

    thread: str
    kind: str
    nth: int
    on: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.nth}{' and on' if self.on else ''} ({self.thread})"


@dataclass(slots=True)
class Figures:
    """What ledger, journal and result say at the end, summed over all faults.

    `hits` counts the faults whose call came to be, `ends` the exit statuses of the imports that they hit. All else
    should be nought: rows made twice, lost, or with another record's ID; outcomes that the journal had and has no more;
    arrivals without a committed intent; results neither old nor whole; files left behind; tracebacks; exit statuses
    that say something else; runs that never came to their end. `stories` tell of the faults where one is not.
    """

    faults: int = 0
    hits: int = 0
    duplicates: int = 0
    lost: int = 0
    wrong_ids: int = 0
    forgotten: int = 0
    without_intent: int = 0
    broken_results: int = 0
    litter: int = 0
    tracebacks: int = 0
    odd_ends: int = 0
    unfinished: int = 0
    seconds: float = 0.0
    ends: Counter[int] = field(default_factory=Counter)
    stories: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> dict[str, int]:
        """What should be nought and isn't."""
        names = [one.name for one in fields(self)][2:-3]
        return {name: count for name in names if (count := getattr(self, name))}

    @property
    def statuses(self) -> str:
        """The exit statuses: `0 (5 times), 74 (20 times)`."""
        return ", ".join(f"{status} ({count} times)" for status, count in sorted(self.ends.items()))

    def add(self, other: "Figures") -> None:
        """Add another's figures to these."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def __str__(self) -> str:
        numbers = [f"{one.name.replace('_', ' '):15}{getattr(self, one.name):>9,.4g}" for one in fields(self)[:-2]]
        return "\n".join([*numbers, f"exit status    {self.statuses}", *self.stories])


def why_not() -> str:
    """Why no call can be made to fail here, "" where it can."""
    if not sys.platform.startswith("linux"):
        return "strace is a program for Linux"
    if not shutil.which("strace"):
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else ""


# A start of the program


@dataclass(frozen=True, slots=True)
class Ended:
    """How a start ended: the exit status, what was printed, and strace's log of the thread that it looked at."""

    status: int
    said: str
    calls: tuple[str, ...] = ()

    @property
    def hits(self) -> tuple[str, ...]:
        """The calls that were made to fail."""
        return tuple(line for line in self.calls if "(INJECTED)" in line)


@dataclass(frozen=True, slots=True)
class Desk:
    """The folder of a run, and a server beside it."""

    folder: Path
    server: Things

    @property
    def journal(self) -> Path:
        return self.folder / "journal.sqlite"

    @property
    def result(self) -> Path:
        return self.folder / "result.xlsx"

    def prepare(self) -> None:
        """Write what a person would have: the file, the API's document, a connection and its secret, an old result."""
        with (self.folder / f"{SHEET}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["sku", "name", "amount"])
            rows.writerows([f"S{row}", f"Thing {row}", row] for row in range(2, ROWS + 2))
        (self.folder / "things.json").write_text(json.dumps(document()), encoding="utf-8")
        (self.folder / "secret.txt").write_text(SECRET, encoding="utf-8")
        self.result.write_bytes(OLD)
        (self.folder / "bulkload.toml").write_text(
            f"""
[connections.nth]
api = "things.json"
base_url = "{self.server.url}"
rate = "100000/s"
concurrency = {CONCURRENCY}
deadline = "5s"
settle = "0.2s"
credentials = {{ secret = "file:secret.txt" }}
""",
            encoding="utf-8",
        )

    def start(self, verb: str, thread: str = "", look: Sequence[str] = ()) -> Ended:
        """Start `import`, `resume` or `resolve`, and wait for its end; strace does with the thread what `look` says."""
        words = [verb, *([str(self.folder / f"{SHEET}.csv")] if verb == "import" else [])]
        words += ["--yes"] if verb != "resolve" else []
        words += ["-c", "nth", "--config", str(self.folder / "bulkload.toml"), "--journal", str(self.journal)]
        words += ["-o", str(self.result), "-q"]
        with tempfile.TemporaryDirectory() as aside:
            said, log = Path(aside, "said"), Path(aside, "log")
            here, there = _FORKED.Pipe()
            process = _FORKED.Process(target=_be_the_program, args=(words, said, thread, there))
            process.start()
            there.close()
            with here:
                tracer = _look(here, ["-o", str(log), *look]) if thread else None
                process.join()
            if tracer:
                tracer.communicate()
            self.server.wait_until_quiet()
            calls = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else ()
            return Ended(process.exitcode or 0, said.read_text(encoding="utf-8"), tuple(calls))

    def outcomes(self) -> dict[tuple[str, int], tuple[str, str]]:
        """What the journal holds, opened from outside: (run, row) → status and ID; the newest run last."""
        query = "SELECT run, row, status, rows.id FROM rows JOIN runs ON runs.id = run ORDER BY started, run, row"
        try:
            with closing(sqlite3.connect(f"{self.journal.as_uri()}?mode=ro", uri=True)) as db:
                return {(run, row): (status, record) for run, row, status, record in db.execute(query)}
        except sqlite3.OperationalError:
            return {}

    def newest(self) -> dict[str, tuple[str, str]]:
        """What the journal says of the SKUs of the newest run: status and ID."""
        outcomes = self.outcomes()
        newest = next(reversed(outcomes), ("", 0))[0]
        return {f"S{row}": said for (run, row), said in outcomes.items() if run == newest}

    def written(self) -> dict[str, tuple[str, str]]:
        """What the result says of the SKUs: status and ID. Empty where it is the old one, or no whole one."""
        try:
            rows = result_rows(self.result, SHEET)
        except (OSError, BadZipFile, KeyError, ValueError):
            return {}
        return {row["sku"]: (row["Import status"], row["Import ID"] or "") for row in rows}


def _be_the_program(words: Sequence[str], said: Path, thread: str, gate: Connection) -> None:
    """Run a command, with what it prints in a file; its thread of that name waits at the gate to be taken hold of."""
    with said.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)

    def meet(*_: object) -> None:
        sys.setprofile(None)
        if threading.current_thread().name == thread:
            threading.setprofile(None)
            gate.send(threading.get_native_id())
            gate.recv()

    # Every thread calls this as it begins.
    threading.setprofile(meet)
    meet()
    sys.exit(cli.run(list(words)))


def _look(gate: Connection, words: Sequence[str]) -> "subprocess.Popen[str] | None":
    """Let strace take hold of the thread that comes to the gate, and let it pass. None where none comes."""
    try:
        number = gate.recv()
    except EOFError:
        return None
    command = ["strace", "-yy", "-s", "0", "-p", str(number), *words]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr
    said = tracer.stderr.readline()
    assert "attached" in said, said
    gate.send(None)
    return tracer


# The faults


def rehearse(folder: Path) -> list[Fault]:
    """Every call of each kind in each thread of an import that goes well."""
    every = ",".join(kind.calls for kind in KINDS.values())
    faults = []
    for thread in THREADS:
        with at_desk(folder / thread) as desk:
            ended = desk.start("import", thread, [f"--trace={every}"])
            assert ended.status == 0, ended.said
            faults += [
                Fault(thread, name, nth)
                for name, kind in KINDS.items()
                for nth, line in enumerate((line for line in ended.calls if line in kind), 1)
                if kind.on.format(desk.folder) in line
            ]
    return faults


def fail(fault: Fault, folder: Path) -> Figures:
    """Let a call fail in an import, go on until all is done, and judge. The folder must be empty."""
    began = time.monotonic()
    with at_desk(folder) as desk:
        kind = KINDS[fault.kind]
        injection = f"{kind.calls}:error={kind.error}:when={fault.nth}{'+' if fault.on else ''}"
        first = desk.start("import", fault.thread, [f"--trace={kind.calls}", f"--inject={injection}"])
        hits = [line for line in first.hits if kind.on.format(folder) in line]
        # Another call may have come in its place: one within the program, which can't fail in this way.
        figures = aftermath(desk, first, kind.ends) if hits else Figures()
    figures.faults, figures.hits = 1, bool(hits)
    figures.ends = Counter([first.status] if hits else [])
    figures.seconds = time.monotonic() - began
    if figures.wrong:
        said = "\n  ".join([*hits, *first.said.splitlines()])
        figures.stories = [f"{fault}: exit {first.status}, {figures.wrong}\n  {said}"]
    return figures


def aftermath(desk: Desk, first: Ended, ends: frozenset[int] = _DISK) -> Figures:
    """Go on after an import that may have stopped, until all is done, and judge."""
    figures = Figures()
    figures.tracebacks = "Traceback" in first.said
    # 2 says that nothing was sent.
    figures.odd_ends = first.status not in ends or (first.status == 2 and bool(desk.server.tries))
    figures.broken_results = desk.result.read_bytes() != OLD and len(desk.written()) != ROWS
    recorded = {place: said for place, said in desk.outcomes().items() if said[0] in DONE}
    figures.unfinished = not (first.status == 0 or _go_on(desk))
    now = desk.outcomes()
    figures.forgotten = sum(now.get(place) != said for place, said in recorded.items())
    figures.litter = sum(path.name.startswith(".") or "(" in path.name for path in desk.folder.iterdir())
    _judge(desk, figures)
    return figures


def _go_on(desk: Desk) -> bool:
    """Do what a person does after a run that stopped; whether it came to its end."""
    for _ in range(_ROUNDS):
        # Where nothing was sent yet, there is no run to go on with.
        ended = desk.start("resume")
        ended = desk.start("import") if ended.status == 2 else ended
        if ended.status == 3:
            ended = desk.start("resolve")
        if ended.status == 0:
            return True
    return False


def _judge(desk: Desk, figures: Figures) -> None:
    """Hold what the journal and the result say against what the server has."""
    said, written = desk.newest(), desk.written()
    for sku in (f"S{row}" for row in range(2, ROWS + 2)):
        held = {str(record["id"]) for record in desk.server.records[sku]}
        (status, record), (told, shown) = said.get(sku, ("", "")), written.get(sku, ("", ""))
        figures.duplicates += len(held) > 1
        figures.lost += not held or status not in DONE or told != status
        figures.wrong_ids += bool(held) and not {record, shown} <= held
    figures.without_intent = sum(not one.intent for tries in desk.server.tries.values() for one in tries)


@contextmanager
def at_desk(folder: Path) -> Iterator[Desk]:
    """A folder with all that an import takes, and a server that works as it should."""
    folder.mkdir(parents=True, exist_ok=True)
    with Things(Mix(), journal=folder / "journal.sqlite", pause=0.002) as server:
        desk = Desk(folder, server)
        desk.prepare()
        yield desk


def fail_each(faults: Iterable[Fault], known: Sequence[Fault]) -> Figures:
    """The figures of many faults, one after the other; `known` are all that the rehearsal found.

    Time decides how commits are grouped, who makes them and what wakes a thread, so the n-th call may be another one or
    never come. Then other calls of its kind are taken instead, by chance, those of its thread first, until one is hit.
    """
    figures = Figures()
    for fault in faults:
        others = [replace(one, on=fault.on) for one in known if one.kind == fault.kind]
        random.Random(str(fault)).shuffle(others)
        others.sort(key=lambda one: one.thread != fault.thread)
        for other in dict.fromkeys([fault, *others]):
            with tempfile.TemporaryDirectory() as folder:
                one = fail(other, Path(folder))
            if one.hits:
                break
        figures.add(one)
    return figures


def main() -> None:
    """Let calls fail and print the figures, kind by kind."""
    parser = argparse.ArgumentParser(prog="python -m tests.nth", description=__doc__)
    parser.add_argument("--all", action="store_true", help="Every call there is, not some of each kind.")
    parser.add_argument("--kind", choices=KINDS, action="append", help="Only this one.")
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        faults = rehearse(Path(folder))
    total = Figures()
    for kind in said.kind or KINDS:
        of_kind = [fault for fault in faults if fault.kind == kind]
        figures = fail_each(of_kind if said.all else some(of_kind, seed=said.seed), of_kind)
        print(f"{kind:15}{figures.faults:>4} faults, {figures.hits} hits, exit {figures.statuses}", flush=True)
        total.add(figures)
    print(total)


def some(faults: Sequence[Fault], most: int = 2, seed: int = 1) -> list[Fault]:
    """A few faults of each thread."""
    chance = random.Random(seed)
    by_thread = [[fault for fault in faults if fault.thread == thread] for thread in THREADS]
    return [fault for mine in by_thread for fault in chance.sample(mine, min(most, len(mine)))]


if __name__ == "__main__":
    main()
