"""A bad file goes through the real door: what is said of it and would be sent, and what a process of its own takes."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bulkload import cli, pipeline
from bulkload.connection import Connection
from bulkload.errors import BulkloadError
from bulkload.job import Job, Report
from bulkload.journal import Journal
from bulkload.openapi import open_api
from bulkload.read import ReadOptions
from tests.bad_input.judge import SCHEMA, Kind, Rows
from tests.support import document

# Has bulkload at hand, and for each line of stdin (the file for what is said, and the arguments) runs it in a copy of
# itself: tells, as JSON, how that ended, and the peak memory in KiB of the largest process in it. The copy begins with
# the peak of this process, which has read nothing. The limits (seconds of CPU, bytes of memory, of each process) are
# far more than any refusal takes: they end a file that hangs the program.
_APART = """
import json, os, resource, sys
from bulkload import arrange, cli, pipeline, talk
for line in sys.stdin:
    said, *arguments = json.loads(line)
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0), os.dup2(file, 1), os.dup2(file, 2)
        sys.argv[1:] = arguments
        cli.main()
    _, status, used = os.wait4(child, 0)
    print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_maxrss, used.ru_utime + used.ru_stime]), flush=True)
"""


class Apart:
    """A process from which commands come into being, each in a process of its own; they begin at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _APART], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Apart":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, arguments: Sequence[str], said: Path) -> tuple[int, float, float]:
        """Run a command, which says what it says into a file; exit status, peak in KiB, seconds of CPU."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([str(said), *arguments]) + "\n")
        self._process.stdin.flush()
        status, peak, cpu = json.loads(self._process.stdout.readline())
        return status, peak, cpu


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: exit status (negative: a signal), what it said, peak memory in MiB, CPU in seconds."""

    status: int
    said: str
    peak: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Door:
    """A folder with the document of `things`, to which every file's rows come."""

    folder: Path

    @classmethod
    def of(cls, folder: Path) -> "Door":
        """Write the document into a folder."""
        document(folder / "things.json", SCHEMA)
        return cls(folder)

    def file(self, kind: Kind) -> Path:
        """Make the file of a kind, in a folder whose name says nothing that the judge listens for."""
        folder = self.folder / str(len(list(self.folder.iterdir())))
        folder.mkdir()
        path = folder / kind.file
        path.write_bytes(kind.make())
        return path

    def check(self, file: Path, sheet: str = "") -> int:
        """The exit status of `bulkload check`, in this process, which says what it says."""
        return cli.run(self._arguments(file, sheet))

    def check_apart(self, file: Path, apart: Apart) -> Ended:
        """`bulkload check` in a process of its own."""
        said = self.folder / "said"
        status, peak, cpu = apart.run(self._arguments(file), said)
        return Ended(status, said.read_text(encoding="utf-8"), peak / 1024, cpu)

    def rows(self, file: Path, sheet: str = "") -> Rows:
        """The rows that an import would send, by row number; none of a file that is refused."""
        api = open_api(self.folder / "things.json")
        here = Connection("nowhere", str(self.folder / "things.json"), base_url="http://127.0.0.1:9")
        job = Job(file, {api.name: api}, lambda _: here, "things", ReadOptions(sheet=sheet or None))
        with Journal(self.folder / "journal.sqlite") as journal:
            try:
                planned = [(new.row, made) for new, made, _, _ in pipeline.dry_run(job, journal, Report())]
            except BulkloadError:
                return {}
        bodies = {row: made.body or {} for row, made in planned if made}
        names = SCHEMA["properties"]
        return {row: tuple(body[name] for name in names if name in body) for row, body in bodies.items()}

    def _arguments(self, file: Path, sheet: str = "") -> list[str]:
        named = ["--sheet", sheet] if sheet else []
        return ["check", str(file), "--api", str(self.folder / "things.json"), "--resource", "things", *named]
