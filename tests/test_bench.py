"""The benches run, in small: their figures are for people, but a bench that is broken tells nobody anything."""

import pytest

from tests.bench import reading
from tests.bench.whole import Settings, compare, dry, scale


def test_the_script_and_bulkload_make_the_same_records(capsys: pytest.CaptureFixture[str]) -> None:
    compare(Settings(rows=200, in_flight=8, latency=1.0, bad=0.01))
    said = capsys.readouterr().out
    assert said.count("'created': 198") == 2
    assert "times as fast" in said and "that the server's latency allows" in said


def test_files_of_different_sizes_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    scale(Settings(rows=0, in_flight=8, latency=0.0, bad=0.01), sizes=(100, 200))
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["100", "200"]


def test_a_dry_run_sends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    dry(Settings(rows=200, in_flight=8, latency=0.0, bad=0.01))
    assert "'not sent': 198, 'invalid': 2" in capsys.readouterr().out


def test_reading_is_measured_with_everything_and_without(capsys: pytest.CaptureFixture[str]) -> None:
    reading.main(rounds=1, rows=100)
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()][1:4] == [
        "ours, rows alone",
        "ours, with everything",
        "calamine's bare rows",
    ]
