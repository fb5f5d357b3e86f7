"""What reading a workbook costs: ours, with all that it tells of each cell, against calamine's bare rows."""

import statistics
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

import xlsxwriter

COLUMNS = 12
DAYS = 800
# Each reader in a process of its own: prints its processor seconds, children's too, and its peak memory in MiB.
_MEASURE = """
import resource, sys, time
from pathlib import Path
{setup}
begun = time.process_time()
{read}
own, of_child = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
peak = max(of_child.ru_maxrss, {own} * own.ru_maxrss)
print(time.process_time() - begun + of_child.ru_utime + of_child.ru_stime, peak // 1024)
"""
_OURS = {
    "setup": "from bulkload.read import open_book",
    "read": "book = open_book(Path(sys.argv[1]))\nfor _ in book.sheets[0].frames(): pass\ndel _, book",
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


def measured(reader: dict[str, str], path: Path) -> tuple[float, int]:
    """Processor seconds and peak memory in MiB of one reading."""
    program = _MEASURE.format(**reader)
    said = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    seconds, peak = said.stdout.split()
    return float(seconds), int(peak)


def main(rounds: int = 3, rows: int = 100_000) -> None:
    """Measure by turns, and print the median of each and of their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder) / "a.xlsx", rows)
        pairs = [(measured(_OURS, path), measured(_CALAMINE, path)) for _ in range(rounds)]
    ours, theirs = ([pair[place][0] for pair in pairs] for place in (0, 1))
    ratio = statistics.median(mine / bare for mine, bare in zip(ours, theirs, strict=True))
    peak = max(mine[1] for mine, _ in pairs)
    print(f"{rows:,} rows x {COLUMNS} columns: ours {statistics.median(ours):.2f} s of processor time,")
    print(f"calamine's bare rows {statistics.median(theirs):.2f} s: {ratio:.2f} times. Peak of the child: {peak} MiB.")
