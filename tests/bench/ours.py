"""One import by bulkload, with a look at the clock between its phases.

python -m tests.bench.ours FILE DOCUMENT URL RESULT IN_FLIGHT [dry]
"""

import json
import sys
from collections import Counter
from pathlib import Path

from bulkload import pipeline
from bulkload.connection import Connection
from bulkload.job import Job, Report
from bulkload.journal import Journal
from bulkload.models import Outcome, Status
from bulkload.openapi import open_api
from bulkload.resource import Rate
from tests.bench.stages import Stages, peak, peak_of_children


class Watch:
    """A progress that only looks at the clock."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    def phase(self, name: str, total: int | None) -> None:
        """A stage begins."""
        self._stages.begin(name.split()[0].lower())

    def step(self, rows: int) -> None:
        """Nothing to do."""

    def outcome(self, outcome: Outcome) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def main(file: str, document: str, url: str, result: str, in_flight: str, dry: str = "") -> None:
    """Import the file, or only plan it, and print what each stage took as JSON."""
    api = open_api(document)
    connection = Connection("bench", api.name, url, rate=Rate(1_000_000, 1.0), concurrency=int(in_flight))
    job = Job(Path(file), {api.name: api}, lambda _: connection, result=Path(result))
    stages = Stages()
    counts: Counter[str] = Counter()
    with Journal(Path(f"{result}.journal")) as journal:
        stages.begin("opening")
        if dry:
            for new, *_ in pipeline.dry_run(job, journal, Report()):
                counts[new.status] += 1
        else:
            run = pipeline.Import(job, journal, Watch(stages), lambda _: True, lambda _: None)
            for _ in run.outcomes():
                pass
            counts.update({str(status): run.report.total(status) for status in Status})
    found = {"stages": stages.ended(), "counts": counts, "peak": peak(), "peak_of_children": peak_of_children()}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
