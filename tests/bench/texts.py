"""What reading a CSV costs: the program's frames beside the bare records of the csv module, of one file."""

import csv
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

ROWS = 1_000_000
_COLUMNS = 12


def main(rounds: int = 3) -> None:
    """Read a file of a million rows each way, in a process of its own, and print processor time and peak memory.

    What else the machine does only ever adds to a time: the shortest is the truest.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = _made(Path(folder, "people.csv"))
        print(f"{ROWS:,} rows of {_COLUMNS} cells, {path.stat().st_size / 1e6:.0f} MB")
        for name, read in (("csv module, strict", _bare), ("opened", _opened), ("opened and read", _read)):
            costs = [_apart(read, path) for _ in range(rounds)]
            seconds, peak = min(cost[0] for cost in costs), max(cost[1] for cost in costs)
            print(f"{name:20} {seconds:6.2f} s of processor time, {peak:4.0f} MiB at most", flush=True)


def _made(path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(f"Column {column}" for column in range(_COLUMNS)) + "\r\n")
        for row in range(ROWS):
            file.write(
                f"{row:07},Name of person {row},+85290{row:06},PHONE,person{row}@example.com,"
                f'"Street {row % 977}, City",'
                f"2026-01-{row % 28 + 1:02},TRUE,{row * 7919 % 100_003},,caf\u00e9 {row % 13},x\r\n"
            )
    return path


def _apart(read: Callable[[Path], None], path: Path) -> tuple[float, float]:
    """Processor seconds and peak MiB of a process that reads the file; the imports are not counted as time."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_measured, args=(read, path, there))
    process.start()
    cost: tuple[float, float] = here.recv()
    process.join()
    return cost


def _measured(read: Callable[[Path], None], path: Path, pipe: Connection) -> None:
    import_module("bulkload.read")
    began = time.process_time()
    read(path)
    pipe.send((time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _bare(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        assert sum(1 for _ in csv.reader(file, strict=True)) == ROWS + 1


def _opened(path: Path) -> None:
    from bulkload.read import open_book

    open_book(path)


def _read(path: Path) -> None:
    from bulkload.read import open_book

    (sheet,) = open_book(path).sheets
    assert sum(len(frame.text) for frame in sheet.frames()) == ROWS
