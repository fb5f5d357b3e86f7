"""The commands as a person and a script use them: what they print, what they write, how they end."""

import ast
import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import openpyxl
import pytest
import typer

from bulkload import cli
from bulkload.arrange import sandbox_toml
from bulkload.models import RESULT_COLUMNS
from bulkload.sandbox import Fault, Sandbox
from samples.make import GOOD, fill
from tests.support import APIS, write_csv
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


def test_check_writes_a_marked_copy_that_can_be_corrected_and_imported(folder: Path, capsys: Captured) -> None:
    faulty = {**destinations(1)[0], "displayName": "x", "types": "FAX"}
    fill(folder / "d.xlsx", {"cinnox/destination": [*destinations(1), faulty]})
    assert cli.run(["check", "d.xlsx", "-o", "checked.xlsx"]) == 1
    assert "Marked copy: checked.xlsx" in capsys.readouterr().out
    assert cli.run(["check", "checked.xlsx", "-q"]) == 1
    book = openpyxl.load_workbook("checked.xlsx")
    assert book.sheetnames == ["Destinations", "Summary", "Problems", "_bulkload"]
    (cell,) = (cell for row in book["Destinations"].iter_rows(min_row=2) for cell in row if cell.value == "FAX")
    assert (cell.coordinate, cell.fill.fgColor.rgb) == ("E3", "FFF28B82")
    assert cell.comment
    assert cell.comment.text == '"FAX" is not one of PHONE, STAFF, TRUNK.'
    cell.value = "PHONE"
    book.save("checked.xlsx")
    status, told = summary(["import", "checked.xlsx", "--sandbox"], capsys)
    assert (status, told["counts"], told["remarks"]) == (0, {"Destinations": {"created": 2}}, [])
    assert told["read"]["left_alone"] == []  # type: ignore[index]


@pytest.mark.parametrize(
    ("output", "status", "says"),
    [
        ("d.xlsx", 2, "-o d.xlsx: the file itself stands there, and would be lost. Name another.\n"),
        ("d.pdf", 2, '"d.pdf": a result is written as .xlsx or .csv. Choose one of these endings.\n'),
        (
            "none/d.xlsx",
            74,
            "none/d.xlsx can't be written: No such file or directory. Choose another place with -o.\n",
        ),
    ],
)
def test_a_result_that_could_not_be_written_is_refused_before_a_row_is_sent(
    output: str, status: int, says: str, folder: Path, capsys: Captured
) -> None:
    fill(folder / "d.xlsx", {"aicc/called-route": routes(2)})
    before = (folder / "d.xlsx").read_bytes()
    assert cli.run(["import", "d.xlsx", "--sandbox", "--yes", "-q", "-o", output]) == status
    assert capsys.readouterr().err == says
    assert (folder / "d.xlsx").read_bytes() == before
    assert cli.run(["runs"]) == 0
    assert capsys.readouterr().out == ""


def test_what_a_csv_result_guards_is_the_same_row_without_the_result_s_columns(
    folder: Path, sandbox_process: Path, capsys: Captured
) -> None:
    write_csv(folder / "called-route.csv", [{**row, "accessCode": f"+49{row['accessCode']}"} for row in routes(2)])
    arguments = ["-c", "aicc-sandbox", "--yes"]
    assert cli.run(["import", "called-route.csv", *arguments, "-q"]) == 0
    lines = _lines(folder / "called-route.result.csv")
    assert all(str(line[0]).startswith("'+49") for line in lines[1:])
    with (folder / "stripped.csv").open("w", newline="") as file:
        csv.writer(file).writerows([line[: -len(RESULT_COLUMNS)] for line in lines])
    status, told = summary(["import", "stripped.csv", "--resource", "aicc/called-route", *arguments], capsys)
    assert (status, told["counts"]) == (0, {"stripped": {"unchanged": 2}})
    assert cli.run(["check", "stripped.csv", "--resource", "aicc/called-route"]) == 0
    assert "Access code: Removed the apostrophe in front, " in capsys.readouterr().out


def test_why_a_row_is_not_sent_that_was_edited_since_is_told_and_the_next_command_finds_all_that_this_one_did(
    folder: Path, sandbox_process: Path, capsys: Captured
) -> None:
    write_csv(folder / "may.csv", routes(2))
    arguments = ["--resource", "aicc/called-route", "-c", "aicc-sandbox", "--config", "bulkload.toml", "--yes"]
    assert cli.run(["import", "may.csv", *arguments, "-q"]) == 0
    header, first, second = map(list, _lines(folder / "may.result.csv"))
    first[header.index("deviceId")] = "22"
    with (folder / "edited.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, first, second])
    assert cli.run(["import", "edited.csv", *arguments]) == 1
    out = capsys.readouterr().out
    assert re.search(
        r"^error    edited row 2: Already created as ID \d+ in run .*, and edited since", out, re.MULTILINE
    )
    assert out.endswith(
        "Next: correct the rows with errors in the result, save, and: bulkload import edited.result.csv"
        " --connection aicc-sandbox --config bulkload.toml --resource aicc/called-route\n"
    )


def test_a_template_takes_no_file_s_place(folder: Path, capsys: Captured) -> None:
    fill(folder / "d.xlsx", {"aicc/called-route": routes(2)})
    before = (folder / "d.xlsx").read_bytes()
    assert cli.run(["template", "aicc/called-route", "-o", "d.xlsx"]) == 2
    says = "d.xlsx is there already, and may be filled in. Name another file with -o.\n"
    assert capsys.readouterr().err == says
    assert (folder / "d.xlsx").read_bytes() == before


@pytest.mark.parametrize("ending", [".xlsx", ".csv"])
def test_what_a_file_has_spoilt_stays_so_in_all_that_is_written_of_it(folder: Path, ending: str) -> None:
    """As the text that it shows, it would be sent the next time."""
    fill(folder / "d.xlsx", {"aicc/called-route": routes(5)})
    book = openpyxl.load_workbook("d.xlsx")
    sheet = book["Called routes"]
    sheet["A2"].number_format = "General"
    sheet["A2"], sheet["A3"], sheet["A4"] = 4412345678901234567, "#N/A", "=A6+1"
    book.save("d.xlsx")
    seen = []
    assert cli.run(["check", "d.xlsx", "-o", "checked.xlsx", "-q"]) == 1
    for name, result in (("d.xlsx", f"1{ending}"), ("checked.xlsx", f"2{ending}"), (f"1{ending}", "3.xlsx")):
        words = ["--resource", "aicc/called-route"] if name.endswith(".csv") else []
        assert cli.run(["import", name, "--sandbox", "--yes", "-q", "-o", result, *words]) == 1
        seen.append([(row[0], row[-8]) for row in _lines(Path(result))][1:])
    assert seen[0][:3] == [
        ("[rounded number: 4412345678901235000]", "invalid"),
        ("[error cell: #N/A]", "invalid"),
        ("[formula without value]", "invalid"),
    ]
    assert [status for _, status in seen[0][3:]] == ["created"] * 2
    assert seen[0] == seen[1] == seen[2]


def _lines(path: Path) -> list[Sequence[object]]:
    if path.suffix == ".xlsx":
        return list(openpyxl.load_workbook(path).worksheets[0].values)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_a_marked_copy_of_a_csv_is_a_workbook_of_its_very_text(folder: Path, capsys: Captured) -> None:
    write_csv(folder / "destination.csv", destinations(2))
    assert cli.run(["check", "destination.csv", "-o", "checked.csv"]) == 2
    says = "-o checked.csv: the marked copy is a workbook, whatever the file is. Name it .xlsx.\n"
    assert capsys.readouterr().err == says
    assert cli.run(["check", "destination.csv", "-o", "checked.xlsx", "-q"]) == 0
    assert cli.run(["import", "checked.xlsx", "--sandbox", "-q"]) == 0


def test_a_marked_copy_of_a_result_still_says_which_rows_are_done(
    folder: Path, sandbox_process: Path, capsys: Captured
) -> None:
    fill(folder / "d.xlsx", {"aicc/called-route": [*routes(2), {"accessCode": "1", "devicetype": "FAX"}]})
    arguments = ["-c", "aicc-sandbox", "--yes"]
    assert cli.run(["import", "d.xlsx", *arguments, "-q"]) == 1
    assert cli.run(["check", "d.result.xlsx", "-o", "checked.xlsx", "-q"]) == 1
    header = [cell.value for cell in openpyxl.load_workbook("checked.xlsx")["Called routes"][1]]
    assert header[-8:] == list(RESULT_COLUMNS)
    status, told = summary(["import", "checked.xlsx", *arguments], capsys)
    assert (status, told["counts"]) == (1, {"Called routes": {"unchanged": 2, "invalid": 1}})


def test_what_was_read_is_said_before_anything_is_sent_and_for_programs(folder: Path, capsys: Captured) -> None:
    (folder / "called-route.csv").write_text("accessCode;devicetype;deviceId\n00800;3;7\n", encoding="cp1252")
    assert cli.run(["import", "called-route.csv", "--sandbox", "--encoding", "cp1252"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[:3] == [
        "Read called-route.csv",
        "  called-route: 1 row for aicc/called-route, below the header in row 1",
        "    encoding cp1252, delimiter semicolon",
    ]
    assert "To " in said[3]
    for command in (["check"], ["import", "--sandbox"], ["import", "--sandbox", "--dry-run"]):
        _, told = summary([command[0], "called-route.csv", *command[1:], "--encoding", "cp1252"], capsys)
        assert told["read"] == {
            "file": "called-route.csv",
            "facts": [],
            "sheets": [
                {
                    "sheet": "called-route", "hidden": False, "resource": "aicc/called-route", "header_row": 1,
                    "rows": 1, "blank_rows": 0, "hidden_rows": 0,
                    "columns": ["Access code", "Device type", "Device ID"], "columns_ignored": [],
                    "encoding": "cp1252", "delimiter": "semicolon", "facts": [], "notes": [],
                }
            ],
            "left_alone": [],
        }  # fmt: skip


def test_how_a_cell_was_read_is_nowhere_called_an_error_or_a_warning(folder: Path, capsys: Captured) -> None:
    fill(folder / "d.xlsx", {"aicc/called-route": routes(1)})
    book = openpyxl.load_workbook("d.xlsx")
    book["Called routes"]["A2"] = 7  # a number in a column of text
    book.save("d.xlsx")
    for command in (["check", "d.xlsx", "-o", "made.xlsx"], ["import", "d.xlsx", "--sandbox", "-o", "made.xlsx"]):
        status, told = summary(command, capsys)
        assert (status, told["errors"], told["warnings"], told["problem_kinds"], told["problems"]) == (0, 0, 0, 0, [])
        assert '"note": "is a number in the file, and was read as the text that it shows."' in json.dumps(told["read"])
        made = openpyxl.load_workbook("made.xlsx")
        assert [cell.value for cell in made["Problems"]["A"]] == ["Problems", "None."]
        assert not any(cell.comment for cell in made["Called routes"][2])
        assert made["Called routes"]["A2"].fill.fill_type is None
        assert cli.run([*command[:2], *command[2:-2]]) == 0
        said = "".join(capsys.readouterr())
        assert "is a number in the file, and was read as the text that it shows: 1 cell, A2" in said
        assert not re.search("error +Called|error +[A-Z]|warning", said)


def test_a_dry_run_says_that_it_shows_the_first_requests_alone(folder: Path, capsys: Captured) -> None:
    fill(folder / "d.xlsx", {"aicc/called-route": routes(7)})
    for words, shown, says in (
        ([], 5, "7 to send. The first 5 requests are shown; --limit N shows so many.\n"),
        (["--limit", "6"], 6, "7 to send.\n"),
    ):
        assert cli.run(["import", "d.xlsx", "--sandbox", "--dry-run", *words]) == 0
        out = capsys.readouterr().out
        assert out.count("POST ") == shown
        assert out.endswith(says)


def test_a_dry_run_for_programs(folder: Path, capsys: Captured) -> None:
    fill(folder / "pbx.xlsx", {"myreports/pbx-3cx": [*GOOD["myreports/pbx-3cx"], {"name": "x"}]})
    status, told = summary(["import", "pbx.xlsx", "--sandbox", "--dry-run", "--limit", "1"], capsys)
    assert (status, told["rows"], told["total"], told["run"]) == (1, 3, {"not sent": 2, "invalid": 1}, None)
    requests = told["requests"]
    assert isinstance(requests, list)
    assert [(one["method"], one["row"], one["body"]["password"]) for one in requests] == [("POST", 2, "••••••")]
    assert told["problems"]


def test_where_there_is_nothing_to_send_nobody_is_asked_and_what_was_read_is_said(
    folder: Path, sandbox_process: Path, capsys: Captured
) -> None:
    write_csv(folder / "called-route.csv", [{**routes(1)[0], "deviceId": "x"}])
    assert cli.run(["import", "called-route.csv", "-c", "aicc-sandbox"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert (said[0], said[-1]) == ("Read called-route.csv", "Rows: 1 with errors, which are not sent.")


def test_a_total_at_the_end_is_told(folder: Path, capsys: Captured) -> None:
    write_csv(folder / "called-route.csv", [*routes(2), {"accessCode": "Total", "devicetype": "2"}])
    assert cli.run(["check", "called-route.csv"]) == 1
    says = "This row looks like a total, not like a record. Delete it if it is one."
    assert f"warning  called-route row 4: {says}" in capsys.readouterr().out.splitlines()


def test_warnings_alone_are_no_reason_to_fail(folder: Path, capsys: Captured) -> None:
    write_csv(folder / "destination.csv", destinations(1) * 2)
    status, told = summary(["check", "destination.csv"], capsys)
    assert (status, told["errors"], bool(told["warnings"])) == (0, 0, True)


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


# Which of all that is loaded in the course of a run a command may wait for only where it needs it.
_WITH_TABLES = ("pandas", "numpy", "pandera", "openpyxl", "xlsxwriter", "bulkload.pipeline", "bulkload.validate")
_WITH_THE_WEB = ("pycurl", "httpx", "starlette", "uvicorn", "bulkload.send", "bulkload.sandbox")
_WITH_SETTINGS_OR_A_WRONG_WORD = ("rapidfuzz", "bulkload.entries", "bulkload.declared", "bulkload.damage")


def loaded(arguments: list[str], names: tuple[str, ...]) -> list[str]:
    """Those of the modules that a command has loaded once it is done."""
    asked = f"import sys; from bulkload import cli; cli.run({arguments}); print([*({set(names)} & sys.modules.keys())])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    found: list[str] = ast.literal_eval(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("arguments", [["--help"], ["resources"]])
def test_what_reads_no_sheet_waits_for_nothing_that_it_has_no_use_for(arguments: list[str]) -> None:
    assert loaded(arguments, (*_WITH_TABLES, *_WITH_THE_WEB, *_WITH_SETTINGS_OR_A_WRONG_WORD)) == []


def test_to_show_one_resource_waits_for_neither_tables_nor_the_web() -> None:
    assert loaded(["resources", "cinnox/destination"], (*_WITH_TABLES, *_WITH_THE_WEB, "rapidfuzz")) == []


def test_settings_are_read_by_what_only_a_settings_file_needs(folder: Path) -> None:
    (folder / "bulkload.toml").write_text('[connections.c]\napi = "cinnox"\n', encoding="utf-8")
    assert loaded(["resources"], ("bulkload.entries",)) == ["bulkload.entries"]


@pytest.mark.parametrize("command", ["check", "import"])
@pytest.mark.parametrize("name", ["a.xlsx", "a.csv", "nowhere.xlsx"])
def test_a_file_that_is_of_no_use_is_refused_before_anything_else_is_loaded(
    command: str, name: str, folder: Path
) -> None:
    """A zip that unpacks to far more than it is, a gzip called .csv, and no file."""
    with zipfile.ZipFile(folder / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (1 << 20))
    (folder / "a.csv").write_bytes(b"\x1f\x8b\x08")
    assert loaded([command, name], (*_WITH_TABLES, *_WITH_THE_WEB, "bulkload.catalogue")) == []


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
    assert 'error    called-route!B3 (Device type): "FAX" is' in printed
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


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signals of this kind")
def test_ctrl_c_writes_the_result_and_says_how_to_go_on(folder: Path) -> None:
    api = APIS["aicc"]
    with Sandbox([api], [Fault("slow", 1, seconds=0.2)]) as world:
        toml = sandbox_toml(world, [api])
        (folder / "bulkload.toml").write_text(toml, encoding="utf-8")
        secrets = dict(re.findall(r"# export (\w+)=(.*)", toml))
        write_csv(folder / "called-route.csv", routes(300))
        words = ["import", "called-route.csv", "--yes", "--connection", "aicc-sandbox", "--journal", "journal.sqlite"]
        command = [sys.executable, "-c", "from bulkload.cli import main; main()", *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | secrets) as child:
            deadline = time.monotonic() + 60.0
            while len(world.requests) < 10 and child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            child.send_signal(signal.SIGINT)
            said = child.communicate(timeout=60)[0].splitlines()
        made = len(world.records("aicc/called-route"))
    assert child.returncode == 130, said
    assert "Stopped: Interrupted." in said
    next_words = r"Next: bulkload resume [-0-9a-f]+ --connection aicc-sandbox --journal journal.sqlite"
    assert re.fullmatch(next_words, said[-1])
    with (folder / "called-route.result.csv").open(encoding="utf-8-sig", newline="") as file:
        counts = Counter(row["Import status"] for row in csv.DictReader(file))
    assert counts == {"created": made, "not sent": 300 - made}
