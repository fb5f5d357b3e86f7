"""What reading a workbook costs, against calamine's bare rows: ours, with all that it tells of each cell; and with
everything that `bulkload check` does besides: damage looked for, cells cleaned and validated, all of it counted."""

import statistics
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import xlsxwriter

from tests.support import document

COLUMNS = 12
DAYS = 800
# What the columns are, so that each of them is checked.
_TYPES: dict[int, dict[str, Any]] = {
    1: {"type": "string", "pattern": r"^\+[0-9]{8,15}$"},
    2: {"type": "string", "enum": ["PHONE", "STAFF", "TRUNK"]},
    3: {"type": "string", "minLength": 8},
    4: {"type": "integer", "minimum": 1},
    5: {"type": "number", "minimum": 0},
    6: {"type": "string", "format": "date"},
    7: {"type": "string", "format": "email"},
    9: {"type": "string", "pattern": "^[0-9]{3}$"},
    10: {"type": "boolean"},
}
# Each reader in a process of its own: prints its processor seconds, children's too, and its peak memory in MiB.
_MEASURE = """
import gc, resource, sys, time
from pathlib import Path
{setup}
begun = time.process_time()
{read}
# A child counts once it has been waited for, which is when nothing holds it any more.
alone = time.monotonic() + 20
while any(task.joinpath("children").read_text() for task in Path("/proc/self/task").iterdir()):
    assert time.monotonic() < alone, "a child is left"
    gc.collect()
    time.sleep(0.01)
own, of_child = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
peak = max(of_child.ru_maxrss, {own} * own.ru_maxrss)
print(time.process_time() - begun + of_child.ru_utime + of_child.ru_stime, peak // 1024)
"""
_OURS = {
    "setup": "from bulkload.read import open_book",
    "read": "book = open_book(Path(sys.argv[1]))\nfor _ in book.sheets[0].frames(): pass\ndel _, book",
    "own": "0",
}
_CHECK = {
    "setup": """
from bulkload import arrange, catalogue, pipeline
from bulkload.job import Job
from bulkload.read import ReadOptions
import pandera.backends.pandas.register  # pandera imports it with its first check
job = Job(Path(sys.argv[1]), catalogue.apis([sys.argv[2]]), arrange.no_connection, None, ReadOptions())
""",
    "read": """
report = pipeline.check(job)
assert (report.rows, len(report.causes.problems())) == (int(sys.argv[3]), 0), report
del report
""",
    "own": "0",
}
_CALAMINE = {
    "setup": "import python_calamine",
    "read": "rows = python_calamine.CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0).to_python()",
    "own": "1",
}


def make(path: Path, rows: int) -> Path:
    """A workbook as Excel writes it: shared strings, half of them of few values, numbers, dates, booleans."""
    book = xlsxwriter.Workbook(path, {"tmpdir": str(path.parent)})
    sheet = book.add_worksheet("Data")
    day, code, text = (book.add_format({"num_format": one}) for one in ("yyyy-mm-dd", "000", "@"))
    sheet.write_row(0, 0, [f"Column {place}" for place in range(COLUMNS)])
    for number in range(1, rows + 1):
        sheet.write_string(number, 0, f"name {number}")
        sheet.write_string(number, 1, f"+8529{number:07}", text)
        sheet.write_string(number, 2, ("PHONE", "STAFF", "TRUNK")[number % 3])
        sheet.write_string(number, 3, f"{number:08}", text)
        sheet.write_number(number, 4, number)
        sheet.write_number(number, 5, number * 7919 % 10**6 / 100)
        sheet.write_datetime(number, 6, date(2024, 1, 1) + timedelta(number % DAYS), day)
        sheet.write_string(number, 7, f"someone{number}@example.com")
        sheet.write_string(number, 8, ("en", "zh", "fr", "de")[number % 4])
        sheet.write_number(number, 9, number % 1000, code)
        sheet.write_boolean(number, 10, number % 2 == 0)
        sheet.write_string(number, 11, f"a longer remark about row {number} & more")
    book.close()
    return path


def described(path: Path) -> Path:
    """An OpenAPI document of what the rows are, column 0 being their natural key."""
    text = {"type": "string", "maxLength": 60}
    schema = {"type": "object", "properties": {f"Column {at}": _TYPES.get(at, text) for at in range(COLUMNS)}}
    said = {"resource": "thing", "title": "Data", "key": ["Column 0"]}
    return document(path, schema, **{"x-bulkload": said})


def measured(reader: dict[str, str], *arguments: object) -> tuple[float, int]:
    """Processor seconds and peak memory in MiB of one reading."""
    program = _MEASURE.format(**reader)
    words = [sys.executable, "-c", program, *map(str, arguments)]
    said = subprocess.run(words, capture_output=True, text=True, check=True)
    seconds, peak = said.stdout.split()
    return float(seconds), int(peak)


def main(rounds: int = 5, rows: int = 100_000) -> None:
    """Measure by turns, and print the shortest and the median of each, and of their ratio to calamine's."""
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder) / "a.xlsx", rows)
        described_in = described(Path(folder) / "a.json")
        turns = [
            (measured(_OURS, path), measured(_CHECK, path, described_in, rows), measured(_CALAMINE, path))
            for _ in range(rounds)
        ]
    print(f"{rows:,} rows x {COLUMNS} columns, processor time of parent and child, {rounds} rounds")
    bare = [turn[2][0] for turn in turns]
    for name, at in (("ours, rows alone", 0), ("ours, with everything", 1), ("calamine's bare rows", 2)):
        seconds = [turn[at][0] for turn in turns]
        ratios = [mine / theirs for mine, theirs in zip(seconds, bare, strict=True)]
        print(
            f"{name}: shortest {min(seconds):.2f} s, median {statistics.median(seconds):.2f} s; "
            f"{min(seconds) / min(bare):.2f} times the shortest, median of the ratios {statistics.median(ratios):.2f}"
        )
    print(f"Peak of the child: {max(turn[0][1] for turn in turns)} MiB.")
