"""What a result costs to write: ours, beside a bare loop over XlsxWriter that writes the same texts and fills."""

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from xlsxwriter import Workbook

from bulkload.models import FRAME_ROWS, RESULT_COLUMNS, Finding, Outcome, Status
from bulkload.resource import Column
from bulkload.write import ResultFrame, ResultSheet, Summary, write_result

ROWS = 100_000
# The input's own; the tool adds eight.
COLUMNS = 10
# One row of so many is invalid, as in the bench of whole runs.
BAD = 100
_TIME = datetime(2025, 11, 22, 3, 4, 5, tzinfo=UTC)
_ERROR = '"FAX" is not one of PHONE, STAFF, TRUNK.'
_TITLES = tuple(f"Column {number}" for number in range(1, COLUMNS + 1))


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock and of the processor, and MiB of memory at the peak beyond what stood before."""

    wall: float
    cpu: float
    memory: float


def main(rounds: int = 3, rows: int = ROWS) -> None:
    """Write the same rows in turn with each writer, each time in a process of its own, and print the shortest times."""
    print(f"{rows:,} rows x {COLUMNS + len(RESULT_COLUMNS)} columns, one of {BAD} invalid")
    best: dict[str, Cost] = {}
    for number in range(rounds):
        for name in _WRITERS if number % 2 else reversed(_WRITERS):
            cost = _measured(name, rows)
            best[name] = min(best.get(name, cost), cost, key=lambda one: one.cpu)
    for name in _WRITERS:
        cost, ratio = best[name], best[name].cpu / best["bare XlsxWriter"].cpu
        print(f"{name:16} processor {cost.cpu:6.2f} s ({ratio:4.2f}), {cost.wall:6.2f} s, {cost.memory:5.0f} MiB")


def _measured(name: str, rows: int) -> Cost:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (name, rows))


def _measure(name: str, rows: int) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        # One frame at a time is in memory; they are made beforehand, so that they count as nobody's time.
        frames = list(_frames(rows))
        before, wall, cpu = _peak(), time.perf_counter(), time.process_time()
        _WRITERS[name](Path(folder), frames)
        return Cost(time.perf_counter() - wall, time.process_time() - cpu, _peak() - before)


def _peak() -> float:
    """The most memory that this process had, in MiB: Linux counts in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _frames(rows: int) -> Iterator[ResultFrame]:
    for start in range(2, rows + 2, FRAME_ROWS):
        numbers = range(start, min(start + FRAME_ROWS, rows + 2))
        text = pd.DataFrame(
            {
                place: [f"{number:08}" if place % 2 else f"Reception desk {number}" for number in numbers]
                for place in range(1, COLUMNS + 1)
            },
            index=pd.Index(numbers, name="row"),
            dtype="str",
        )
        bad = [number for number in numbers if not number % BAD]
        findings = [Finding("Bench", number, 3, _TITLES[2], "FAX", "enum", _ERROR) for number in bad]
        made = {
            number: Outcome("Bench", number, Status.CREATED, f"{number:020}", "", "", 201, 1, "", _TIME, "20251122-1")
            for number in numbers
        }
        invalid = {number: Outcome("Bench", number, Status.INVALID, run="20251122-1") for number in bad}
        yield ResultFrame(text, findings, made | invalid)


def _ours(ending: str) -> Callable[[Path, Sequence[ResultFrame]], None]:
    columns = tuple(Column(title, title, "body", f"/{title}", "string", {"type": "string"}) for title in _TITLES)

    def write(folder: Path, frames: Sequence[ResultFrame]) -> None:
        write_result(folder / f"result.{ending}", [ResultSheet("Bench", _TITLES, columns, None, frames)], Summary())

    return write


def _bare(folder: Path, frames: Sequence[ResultFrame]) -> None:
    """The cells alone: nothing is checked, masked, escaped, noted or summed up, and no problems are listed."""
    with Workbook(folder / "result.xlsx", {"constant_memory": True, "tmpdir": str(folder)}) as book:
        sheet = book.add_worksheet("Bench")
        plain, red = book.add_format({"num_format": "@"}), book.add_format({"num_format": "@", "bg_color": "#FBDDDD"})
        for place, title in enumerate((*_TITLES, *RESULT_COLUMNS)):
            sheet.write_string(0, place, title, plain)
        for frame in frames:
            for number, *cells in frame.text.itertuples(name=None):
                outcome = frame.outcomes[number]
                said = (outcome.status, outcome.id, outcome.error, str(outcome.http_status), str(outcome.attempts))
                style = red if outcome.status is Status.INVALID else plain
                at = outcome.time.astimezone().isoformat(timespec="seconds") if outcome.time else ""
                for place, text in enumerate((*cells, *said, at, outcome.run, str(number))):
                    sheet.write_string(number - 1, place, text, style)


_WRITERS: dict[str, Callable[[Path, Sequence[ResultFrame]], None]] = {
    "bare XlsxWriter": _bare,
    "result .xlsx": _ours("xlsx"),
    "result .csv": _ours("csv"),
}
