"""The commands as a person and a script use them: what they print, what they write, how they end."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from bulkload import cli
from samples.make import GOOD, fill
from tests.support import write_csv
from tests.test_pipeline import destinations, routes

COMMANDS = sorted(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


Captured = pytest.CaptureFixture[str]


def summary(arguments: list[str], capsys: Captured) -> tuple[int, dict[str, object]]:
    status = cli.run([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_sentence_of_help_and_an_example(command: str, capsys: Captured) -> None:
    assert cli.run([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Example: bulkload {command}" in text
    assert re.search(r"^  [A-Z][^.]*\.", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "rows", "status"),
    [
        ([], routes(3), 0),
        ([], [*routes(2), {"accessCode": "1"}], 1),
        (["--fault", "500-after:2"], routes(4), 3),
        (["--fault", "lost:2"], routes(4), 3),
        (["--limit", "2"], routes(4), 0),
        (["--fault", "no-such:1"], routes(1), 2),
        (["--connection", "x"], routes(1), 2),
        (["--rate", "fast"], routes(1), 2),
        (["--no-such-option"], routes(1), 2),
    ],
    ids=["good", "faulty", "server fault", "lost", "limit", "fault", "both", "rate", "option"],
)
def test_exit_status(arguments: list[str], rows: list[dict[str, object]], status: int, folder: Path) -> None:
    file = write_csv(folder / "called-route.csv", rows)
    assert cli.run(["import", str(file), "--sandbox", "--quiet", *arguments]) == status


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", "nowhere.xlsx", "--sandbox"],
        ["check", "nowhere.xlsx"],
        ["check", "called-route.csv", "--resource", "no-such"],
        ["import", "called-route.csv"],
        ["import", "called-route.csv", "-c", "no-such"],
        ["template", "destnation"],
        ["resources", "--api", "nowhere.yaml"],
        ["result"],
        ["result", "no-such-run"],
        ["sandbox", "no-such"],
        ["import", "called-route.csv", "--sandbox", "--journal", "called-route.csv"],
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_said_in_a_line_without_a_traceback(
    arguments: list[str], folder: Path, capsys: Captured
) -> None:
    write_csv(folder / "called-route.csv", routes(1))
    assert cli.run(arguments) in (2, 74)
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    assert printed.err.strip().endswith((".", "}", '"', "runs", "resources")), printed.err


def test_the_summary_for_programs(folder: Path, capsys: Captured) -> None:
    file = write_csv(folder / "called-route.csv", [*routes(2), {"accessCode": "1", "devicetype": 2}])
    status, told = summary(["import", str(file), "--sandbox"], capsys)
    assert (status, told["exit_status"], told["rows"]) == (1, 1, 3)
    assert told["counts"] == {"called-route": {"created": 2, "invalid": 1}}
    assert told["results"] == [
        str(folder / "called-route.result.csv"),
        str(folder / "called-route.result.problems.csv"),
    ]
    problems = told["problems"]
    assert isinstance(problems, list)
    assert {problem["first"] for problem in problems} == {
        "called-route!B4 (Device type)",
        "called-route!C4 (Device ID)",
    }


def test_a_dry_run_masks_secrets_and_sends_nothing(folder: Path, capsys: Captured) -> None:
    fill(folder / "pbx.xlsx", {"myreports/pbx-3cx": GOOD["myreports/pbx-3cx"]})
    assert cli.run(["import", "pbx.xlsx", "--sandbox", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "POST http://127.0.0.1" in printed
    assert "accept-charges: true" in printed
    assert "Authorization: ••••••" in printed
    assert '"password": "••••••"' in printed
    assert "password-password" not in printed
    assert "Dry run, nothing was sent: 2 to send." in printed
    assert cli.run(["runs"]) == 0
    assert "pbx.xlsx" not in capsys.readouterr().out


def test_check_writes_a_marked_copy_that_can_be_imported(folder: Path, capsys: Captured) -> None:
    fill(folder / "d.xlsx", {"cinnox/destination": [*destinations(1), {"displayName": "x", "types": "FAX"}]})
    assert cli.run(["check", "d.xlsx", "-o", "checked.xlsx"]) == 1
    assert "Marked copy: checked.xlsx" in capsys.readouterr().out
    assert cli.run(["import", "checked.xlsx", "--sandbox", "-q"]) == 1
    assert cli.run(["check", "checked.xlsx", "-q"]) == 1


def test_resources_says_what_is_left_out_and_why(folder: Path, capsys: Captured) -> None:
    address = {"type": "object", "properties": {"street": {"type": "string"}}}
    from tests.support import document

    path = document(folder / "things.json", {
        "type": "object", "properties": {"name": {"type": "string"}, "address": address}
    })  # fmt: skip
    assert cli.run(["resources", "--api", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "things/things: Things" in printed
    assert "left out: address" in printed
    assert cli.run(["resources", "cinnox/destination"]) == 0
    assert "Display name *" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["resources"], ["resources", "cinnox/destination"]])
def test_what_reads_no_sheet_does_not_wait_for_pandas_or_the_web(arguments: list[str]) -> None:
    heavy = {"pandas", "numpy", "pandera", "httpx", "aiohttp", "starlette", "uvicorn", "openpyxl", "xlsxwriter"}
    asked = f"import sys; from bulkload import cli; cli.run({arguments}); sys.exit(str({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert done.stderr == "set()\n"


def test_purge_forgets_a_run(folder: Path, capsys: Captured) -> None:
    file = write_csv(folder / "called-route.csv", routes(1))
    _, told = summary(["import", str(file), "--sandbox"], capsys)
    assert cli.run(["runs", "--purge", str(told["run"])]) == 0
    capsys.readouterr()
    assert cli.run(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_off_a_terminal_sending_wants_a_yes(folder: Path, sandbox_process: Path, capsys: Captured) -> None:
    write_csv(folder / "called-route.csv", routes(2))
    arguments = ["import", "called-route.csv", "-c", "aicc-sandbox"]
    assert cli.run(arguments) == 2
    assert "Take --yes" in capsys.readouterr().err
    assert cli.run([*arguments, "--yes", "-q"]) == 0


def test_against_a_sandbox_that_keeps_running_the_second_import_is_unchanged(
    folder: Path, sandbox_process: Path, capsys: Captured
) -> None:
    fill(folder / "everything.xlsx", GOOD)
    connections = [word for api in ("cinnox", "myreports", "aicc") for word in ("-c", f"{api}-sandbox")]
    status, first = summary(["import", "everything.xlsx", "--yes", *connections], capsys)
    assert (status, first["counts"]["Destinations"]) == (0, {"created": 3})  # type: ignore[index]
    status, second = summary(["import", "everything.xlsx", "--yes", *connections], capsys)
    assert status == 0
    assert {word for count in second["counts"].values() for word in count} == {"unchanged"}  # type: ignore[attr-defined]


@pytest.fixture
def sandbox_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`bulkload sandbox` in a process of its own; what it prints is written into bulkload.toml and the environment."""
    command = [sys.executable, "-c", "from bulkload.cli import main; main()", "sandbox"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ.copy()) as process:
        assert process.stdout
        lines: list[str] = []
        while not (lines and lines[-1] == "\n" and sum("rate" in line for line in lines) == 3):
            lines.append(process.stdout.readline())
        for name, value in re.findall(r"export (\w+)=(\S+)", "".join(lines)):
            monkeypatch.setenv(name, value)
        toml = folder / "bulkload.toml"
        toml.write_text("".join(lines), encoding="utf-8")
        yield toml
        process.terminate()
        process.wait(timeout=10)


def test_a_program_that_reads_only_the_first_line_is_no_fault_of_ours() -> None:
    command = f"{sys.executable} -c 'from bulkload.cli import main; main()' resources | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_a_dry_run_says_what_is_wrong_with_the_rows_that_it_would_not_send(folder: Path, capsys: Captured) -> None:
    write_csv(folder / "called-route.csv", [*routes(1), {"accessCode": "1", "devicetype": "FAX", "deviceId": 1}])
    assert cli.run(["import", "called-route.csv", "--sandbox", "--dry-run"]) == 1
    printed = capsys.readouterr().out
    assert 'called-route row 3: invalid: B3: "FAX" is' in printed
    assert printed.endswith("Dry run, nothing was sent: 1 invalid, 1 to send.\n")


def test_the_next_command_of_a_result_written_again_can_be_pasted(folder: Path, capsys: Captured) -> None:
    write_csv(folder / "called-route.csv", [*routes(1), {"accessCode": "1"}])
    journal = ["--journal", "my journal.sqlite"]
    assert cli.run(["import", "called-route.csv", "--sandbox", "-q", *journal]) == 1
    assert cli.run(["result", *journal]) == 0
    following = capsys.readouterr().out.splitlines()[-1].partition("and: ")[2]
    words = shlex.split(following)
    assert words[:2] == ["bulkload", "import"]
    assert words[3:] == ["--sandbox", *journal]
    assert cli.run([*words[1:], "-q"]) == 1


def test_runs_fit_a_terminal(folder: Path, capsys: Captured) -> None:
    write_csv(folder / "called-route.csv", routes(2))
    assert cli.run(["import", "called-route.csv", "--sandbox", "-q"]) == 0
    assert cli.run(["runs"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}  [-0-9]{10} [0-9:]{5}  called-route.csv → sandbox", first)
    assert second == "    2 created"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_log_or_a_terminal_that_takes_nothing_changes_no_outcome(folder: Path, capsys: Captured) -> None:
    file = write_csv(folder / "called-route.csv", routes(2))
    assert cli.run(["import", str(file), "--sandbox", "--log", "/dev/full", "-q", "-v"]) == 0
    assert capsys.readouterr() == ("", "")
    command = [sys.executable, "-c", "from bulkload.cli import main; main()", "resources"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (74, False)
