"""How far a run is, as a terminal and as a log show it."""

import os
import re
from io import StringIO
from pathlib import Path

import pytest

from bulkload.models import Outcome, Status
from bulkload.progress import Bars, Lines, between_bars


def outcome(row: int, status: Status = Status.CREATED) -> Outcome:
    return Outcome("S", row, status)


def lines(every: float) -> tuple[Lines, StringIO]:
    """Lines whose clock moves on by `every` seconds whenever it is looked at."""
    out, passed = StringIO(), [0.0]

    def clock() -> float:
        passed[0] += every
        return passed[0]

    return Lines(out, clock), out


def test_a_log_has_a_line_every_ten_seconds() -> None:
    progress, out = lines(every=3.0)
    progress.phase("Sending to live", 1234)
    for row in range(1234):
        progress.outcome(outcome(row, Status.CREATED if row % 2 else Status.UNKNOWN))
    said = out.getvalue().splitlines()
    assert said[0] == "Sending to live: 4 of 1,234 rows, 2 created, 2 unknown"
    assert 1234 / 5 < len(said) < 1234 / 3


def test_a_log_of_something_short_stays_empty() -> None:
    progress, out = lines(every=0.0)
    progress.phase("Checking", None)
    progress.step(50_000)
    progress.close()
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("total", "rows", "said"),
    [
        (None, 1, "Checking: 1 row\n"),
        (None, 50_000, "Checking: 50,000 rows\n"),
        (1, 1, "Checking: 1 of 1 row\n"),
        (0, 2, "Checking: 2 rows\n"),
    ],
)
def test_the_words_of_a_line(total: int | None, rows: int, said: str) -> None:
    progress, out = lines(every=10.0)
    progress.phase("Checking", total)
    progress.step(rows)
    assert out.getvalue() == said


def test_a_new_phase_counts_from_the_beginning() -> None:
    progress, out = lines(every=10.0)
    progress.phase("Sending", 2)
    progress.outcome(outcome(1))
    progress.phase("Writing the result", 2)
    progress.step(1)
    assert out.getvalue().splitlines() == ["Sending: 1 of 2 rows, 1 created", "Writing the result: 1 of 2 rows"]


def test_a_terminal_shows_a_bar_takes_it_away_and_lets_lines_stand_between() -> None:
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    reading, writing = pty.openpty()
    termios.tcsetwinsize(writing, (24, 80))
    with os.fdopen(writing, "w", encoding="utf-8") as terminal:
        bars = Bars(terminal)
        bars.step(1)  # Before the first phase there is no bar.
        bars.phase("Sending to live", 3)
        for row in range(3):
            bars.outcome(outcome(row, Status.REJECTED))
            with between_bars(terminal):
                terminal.write(f"line {row}\n")
        bars.close()
        bars.close()
        terminal.write("end")
        terminal.flush()
        shown = ""
        while not shown.endswith("end"):
            shown += os.read(reading, 1 << 16).decode()
    os.close(reading)
    assert "Sending to live:   0%" in shown
    assert "1 rejected" in shown
    assert [row for row in range(3) if f"line {row}\r\n" in shown] == [0, 1, 2]
    assert re.search(r"100%[^\r]*\r +\rend$", shown)


def test_bars_write_to_where_they_are_told(tmp_path: Path) -> None:
    with (tmp_path / "err").open("w+", encoding="utf-8") as out:
        bars = Bars(out)
        bars.phase("Checking", None)
        bars.step(7)
        bars.close()
        out.seek(0)
        assert "Checking" in out.read()
