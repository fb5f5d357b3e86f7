"""The whole way of a file, sheet to result: bulkload beside the script that a colleague writes in an hour."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.bare import ask
from tests.bench.data import document, write_csv, write_xlsx
from tests.bench.server import served, waits

_MIB = 1 << 20
# Rows of the runs side by side of --scale.
SCALE = (10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Settings:
    """What to measure: `latency` is what the server takes for a request, in milliseconds, `bad` a share of the rows."""

    rows: int
    in_flight: int
    latency: float
    bad: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What one import took: seconds by the clock and of the processor by stage, and memory in bytes."""

    rows: int
    stages: tuple[tuple[str, float, float], ...]
    counts: dict[str, int]
    peak: int
    peak_of_children: int

    @property
    def wall(self) -> float:
        """Seconds by the clock, start-up left out."""
        return sum(wall for _, wall, _ in self.stages)

    @property
    def cpu(self) -> float:
        """Seconds of the processor."""
        return sum(cpu for *_, cpu in self.stages)

    def of(self, stage: str) -> float:
        """Seconds by the clock that one stage took."""
        return sum(wall for name, wall, _ in self.stages if name == stage)

    def lines(self, who: str) -> list[str]:
        """The stages as a table, and the sum."""
        found = [f"{who}: {self.rows:,} rows, {self.counts}"]
        for name, wall, cpu in (*self.stages, ("in all", self.wall, self.cpu)):
            found.append(f"  {name:9} {wall:8.2f} s  {cpu:8.2f} s of the processor  {self.rows / wall:9,.0f} rows/s")
        child = f", {self.peak_of_children / _MIB:,.0f} MiB in a child" if self.peak_of_children else ""
        return [*found, f"  memory    {self.peak / _MIB:8,.0f} MiB at its highest{child}"]


def compare(settings: Settings) -> None:
    """Run the script and then bulkload against one server (granian), and print what each takes and the ratio."""
    with tempfile.TemporaryDirectory() as folder, served(settings.latency / 1000, settings.in_flight) as url:
        file = write_xlsx(Path(folder, "things.xlsx"), settings.rows, settings.bad)
        print(f"granian, {settings.latency:g} ms a request; {settings.in_flight} in flight; {settings.bad:.0%} invalid")
        naive = _naive(file, url, settings.rows)
        print("\n".join(naive.lines("naive script")), flush=True)
        ours = _ours(file, url, settings)
        print("\n".join(ours.lines("bulkload")), flush=True)
        _tell_ideal(ours, settings, url)
    print(f"whole: {naive.wall / ours.wall:.1f} times as fast; sending {naive.of('sending') / ours.of('sending'):.1f}")


def alone(settings: Settings, ending: str = ".xlsx") -> None:
    """Only bulkload."""
    with tempfile.TemporaryDirectory() as folder, served(settings.latency / 1000, settings.in_flight) as url:
        write = write_xlsx if ending == ".xlsx" else write_csv
        ours = _ours(write(Path(folder, f"things{ending}"), settings.rows, settings.bad), url, settings)
        print("\n".join(ours.lines("bulkload")), flush=True)
        _tell_ideal(ours, settings, url)


def scale(settings: Settings, sizes: Sequence[int] = SCALE) -> None:
    """What a row costs in files of different sizes, from CSV to CSV."""
    first: Taken | None = None
    with tempfile.TemporaryDirectory() as folder, served(settings.latency / 1000, settings.in_flight) as url:
        for rows in sizes:
            place = Path(folder, str(rows))
            place.mkdir()
            file = write_csv(place / "things.csv", rows, settings.bad)
            taken = _ours(file, url, Settings(rows, settings.in_flight, settings.latency, settings.bad))
            first = first or taken
            a_row, at_first = taken.cpu / rows, first.cpu / first.rows
            print(
                f"{rows:10,} rows: {taken.wall:8.2f} s, {taken.wall / rows * 1e6:6.0f} µs a row, of the processor "
                f"{a_row * 1e6:6.0f} µs ({a_row / at_first:.2f} of the first), {taken.peak / _MIB:6,.0f} MiB",
                flush=True,
            )


def dry(settings: Settings) -> None:
    """A dry run of a CSV: what it takes, and the memory."""
    with tempfile.TemporaryDirectory() as folder:
        file = write_csv(Path(folder, "things.csv"), settings.rows, settings.bad)
        print("\n".join(_ours(file, "http://127.0.0.1:9", settings, "dry").lines("bulkload, dry run")), flush=True)


def _tell_ideal(ours: Taken, settings: Settings, url: str) -> None:
    """What was reached of what the latency allows, and what a client that does nothing else reaches just now."""
    if not settings.latency:
        return
    latency = settings.latency / 1000
    ideal = settings.in_flight / latency
    reached = ours.counts["created"] / ours.of("sending")
    bare = ask(url, settings.in_flight, int(ideal)).rate
    print(f"an answer takes {waits(url, latency, settings.in_flight) * 1000:.1f} ms in the median, with a bare client")
    print(f"sending: {reached:,.0f} of {ideal:,.0f} rows/s that the server's latency allows: {reached / ideal:.0%}")
    print(f"bare client: {bare:,.0f}, {bare / ideal:.0%}")


def _naive(file: Path, url: str, rows: int) -> Taken:
    return _taken(["tests.bench.naive", str(file), url, str(file.with_suffix(".naive.xlsx"))], rows)


def _ours(file: Path, url: str, settings: Settings, *more: str) -> Taken:
    words = [str(file), str(document(file.with_suffix(".json"))), url, str(file.with_suffix(f".result{file.suffix}"))]
    return _taken(["tests.bench.ours", *words, str(settings.in_flight), *more], settings.rows)


def _taken(words: Sequence[str], rows: int) -> Taken:
    done = subprocess.run([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    stages = tuple((stage["name"], stage["wall"], stage["cpu"]) for stage in said["stages"])
    return Taken(rows, stages, dict(said["counts"]), said["peak"], said.get("peak_of_children", 0))
