"""A bad file goes through the real door: what is said of it and would be sent, and what a process of its own takes."""

import json
import subprocess
import sys
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

# Runs the command that follows and tells, as JSON, how it ended and the peak memory in KiB of the largest process in
# it. A process of its own, since a process starts with the peak of the one that it was made from. The limits (seconds
# of CPU, bytes of memory, of each process) are far more than any refusal takes: they end a file that hangs the program.
_MEASURE = """
import json, os, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(child, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_maxrss, used.ru_utime + used.ru_stime]))
"""


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

    def check_apart(self, file: Path) -> Ended:
        """`bulkload check` in a process of its own."""
        program = [sys.executable, "-c", "from bulkload.cli import main; main()", *self._arguments(file)]
        with (self.folder / "said").open("w+", encoding="utf-8") as said:
            measured = subprocess.run(
                [sys.executable, "-I", "-S", "-c", _MEASURE, *program],
                stdout=subprocess.PIPE,
                stderr=said,
                check=True,
                text=True,
            )
            said.seek(0)
            *printed, ended = measured.stdout.splitlines()
            status, peak, cpu = json.loads(ended)
            return Ended(status, "\n".join([*printed, said.read()]), peak / 1024, cpu)

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
