"""What a person reads, line by line, and what a program reads instead."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from bulkload import facts, talk, tell
from bulkload.causes import Causes
from bulkload.intake import Intake
from bulkload.job import Preview, Report
from bulkload.models import MASK, Finding, Frame, Run, Severity, Sheet, Status
from bulkload.recognise import Assigned, Recognised
from bulkload.talk import Voice, closing_words, exit_status
from bulkload.threads import INTERRUPTED
from tests.support import APIS

RUN = Run(
    "20261122-104211-7f3a", "/data/of/the/year/destinations.xlsx", "0" * 64, "cinnox-live", "https://x", "ann",
    datetime(2026, 11, 22, 10, 42, 11, tzinfo=UTC), datetime(2026, 11, 22, 10, 43, tzinfo=UTC),
    counts={Status.CREATED: 1234, Status.INVALID: 3, Status.UNKNOWN: 1},
)  # fmt: skip
OPTIONS = ["--connection", "cinnox-live", "--journal", "my journal.sqlite"]


def report(counts: Mapping[Status, int], result: str = "d.result.xlsx", **more: Any) -> Report:
    return Report(
        counts={"Destinations": dict(counts)}, rows=sum(counts.values()), run=RUN, results=(Path(result),), **more
    )


def causes(*findings: Finding) -> Causes:
    found = Causes()
    found.add(findings)
    return found


def intake(hidden_rows: int = 0) -> Intake:
    """What was read of a sheet of two rows."""
    resource = APIS["cinnox"].resources["destination"]
    sheet = Sheet("Destinations", ("Display name",), 1, lambda: iter(()))
    read = Intake(Path("d.xlsx"), Recognised((Assigned(sheet, resource, {}),)))
    read.add("Destinations", Frame(pd.DataFrame({1: ["a", "b"]}, index=[2, 3]), hidden_rows=hidden_rows), ())
    return read


def words(
    capsys: pytest.CaptureFixture[str], told: Report, options: list[str] | None = None, **more: Any
) -> tuple[int, list[str]]:
    """The exit status and the closing words, line by line; blanks at the end of a line left out."""
    status = exit_status(told)
    closing_words(told, status, Voice(), options=OPTIONS if options is None else options, **more)
    return status, [line.rstrip() for line in capsys.readouterr().out.splitlines()]


RESULT = "Result: d.result.xlsx"
QUOTED = "--connection cinnox-live --journal 'my journal.sqlite'"
RESOLVE = f"Next: bulkload resolve {RUN.id} {QUOTED}"
RESUME = f"Next: bulkload resume {RUN.id} {QUOTED}"
CORRECT = f"Next: correct the red rows of the result, save, and: bulkload import d.result.xlsx {QUOTED}"


@pytest.mark.parametrize(
    ("told", "status", "expected"),
    [
        (report({Status.CREATED: 12}), 0, ["Sheet         created  rows", "Destinations       12    12", RESULT]),
        (
            report({Status.UNCHANGED: 12}), 0,
            ["Sheet         unchanged  rows", "Destinations         12    12",
             "Nothing to send: all 12 rows are done already.", RESULT],
        ),
        (
            report({Status.UNCHANGED: 1}), 0,
            ["Sheet         unchanged  rows", "Destinations          1     1",
             "Nothing to send: the row is done already.", RESULT],
        ),
        (
            report({Status.CREATED: 1, Status.REJECTED: 2}), 1,
            ["Sheet         created  rejected  rows", "Destinations        1         2     3", RESULT, CORRECT],
        ),
        (
            report({Status.CREATED: 1, Status.INVALID: 1, Status.UNKNOWN: 1}), 3,
            ["Sheet         created  invalid  unknown  rows", "Destinations        1        1        1     3",
             RESULT, RESOLVE],
        ),
        (
            report({Status.CREATED: 1, Status.UNKNOWN: 2}, unknown_in=["first", RUN.id], repeated_in=[RUN.id]), 3,
            ["Sheet         created  unknown  rows", "Destinations        1        2     3", RESULT, RESUME],
        ),
        (
            report({Status.CREATED: 1, Status.FAILED: 1, Status.NOT_SENT: 1234}, stopped=["The API was down."]), 1,
            ["Sheet         created  failed  not sent   rows", "Destinations        1       1     1,234  1,236",
             "Stopped: The API was down.", RESULT, RESUME],
        ),
        (
            report({Status.CREATED: 1, Status.NOT_SENT: 1}, stopped=[INTERRUPTED]), 130,
            ["Sheet         created  not sent  rows", "Destinations        1         1     2",
             "Stopped: Interrupted.", RESULT, RESUME],
        ),
        (
            report({Status.CREATED: 1, Status.NOT_SENT: 1}, limited=True), 0,
            ["Sheet         created  not sent  rows", "Destinations        1         1     2", RESULT, RESUME],
        ),
    ],
    ids=["good", "unchanged", "one unchanged", "rejected", "unknown", "key", "stopped", "interrupted", "limited"],
)  # fmt: skip
def test_the_closing_words(told: Report, status: int, expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert words(capsys, told) == (status, expected)


def test_what_is_read_and_noted_is_said_too(capsys: pytest.CaptureFixture[str]) -> None:
    told = report({Status.CREATED: 1}, remarks=["An older template."], read=intake(), notes=["Off."])
    ending = ["Sheet         created  rows", "Destinations        1     1", "Off.", RESULT, "Log: a.log"]
    _, lines = words(capsys, told, log_path=Path("a.log"))
    assert lines == ["Read d.xlsx", "  Destinations: 2 rows for cinnox/destination, below the header in row 1",
                     "An older template.", *ending]  # fmt: skip
    assert words(capsys, told, log_path=Path("a.log"), read=False)[1] == ending


def test_several_sheets_are_added_up(capsys: pytest.CaptureFixture[str]) -> None:
    told = replace(report({Status.CREATED: 2}), rows=5)
    told.counts["Agents"] = {Status.CREATED: 1, Status.INVALID: 2}
    status, lines = words(capsys, told, [])
    assert (status, lines[:4]) == (1, [
        "Sheet         created  invalid  rows", "Destinations        2        0     2",
        "Agents              1        2     3",
        "All                 3        2     5"])  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "following"),
    [
        ({Status.INVALID: 1}, "Next: correct the red rows of the result, save, and: "
         "bulkload import 'my d.result.xlsx' --sandbox"),
        ({Status.UNKNOWN: 1}, "Next: this stand-in is gone with its records; import again, or keep one running: "
         "bulkload sandbox"),
        ({Status.CREATED: 1}, "Result: my d.result.xlsx"),
    ],
)  # fmt: skip
def test_after_a_stand_in_nothing_is_asked_of_it(
    counts: Mapping[Status, int], following: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words(capsys, report(counts, "my d.result.xlsx"), ["--sandbox"])[1][-1] == following


def test_counts_that_do_not_add_up_are_a_fault_of_ours() -> None:
    assert exit_status(replace(report({Status.CREATED: 2}), rows=3)) == 70


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({Status.NOT_SENT: 1}, "1 row, no errors. Nothing was sent."),
        ({Status.NOT_SENT: 1234}, "1,234 rows, no errors. Nothing was sent."),
        ({Status.NOT_SENT: 1, Status.INVALID: 1}, "2 rows, 1 with errors. Nothing was sent."),
    ],
)
def test_the_words_of_a_check(counts: Mapping[Status, int], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert words(capsys, report(counts), checked=True)[1] == [said, "Marked copy: d.result.xlsx"]


# Problems


def finding(row: int, cause: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding("Destinations", row, 4, "Types", "FAX", "enum", f"{cause} is wrong", severity, cause)


def shown(findings: list[Finding], **console: Any) -> list[str]:
    out = Console(width=console.pop("width", 80), highlight=False, markup=False, **console)
    with out.capture() as capture:
        tell.problems(out, causes(*findings), "all of them stand in d.result.xlsx.")
    return capture.get().splitlines()


def test_problems_stand_by_cause_errors_first_and_the_most_frequent_first() -> None:
    findings = [finding(7, "w", Severity.WARNING), finding(8, "a"), finding(9, "b"), finding(10, "b")]
    assert shown(findings) == [
        "error    Types: b",
        "         2 rows, first Destinations!D9, D10",
        "error    Destinations!D8 (Types): a is wrong",
        "warning  Destinations!D7 (Types): w is wrong",
    ]


def test_a_cause_that_goes_on_after_the_value_has_a_subject() -> None:
    long = [finding(row, "is too long.")._replace(message=f'"{row}" is too long.') for row in (7, 8, 9, 10, 11)]
    places = '         5 rows, first Destinations!D7 ("FAX"), D8, D9'
    assert shown(long) == ["error    Types: The value is too long.", places]
    first = long[0]._replace(value=f"a\n{'b' * 50}")
    assert shown([first, *long[1:]])[1] == places.replace("FAX", f"a {'b' * 38}…")


def test_a_whole_row_is_called_so() -> None:
    rows = [finding(row, "x")._replace(column=None, title="") for row in (7, 8)]
    assert shown(rows) == ["error    x", "         2 rows, first Destinations row 7, row 8"]
    assert shown(rows[:1]) == ["error    Destinations row 7: x is wrong"]


def test_notes_are_no_problems() -> None:
    assert shown([finding(7, "read as text", Severity.NOTE)]) == []


def test_on_a_narrow_terminal_a_problem_is_broken_between_words_under_its_text() -> None:
    told = finding(7, "A thing that takes more than forty characters to say")
    assert [line.rstrip() for line in shown([told], width=40, force_terminal=True, color_system=None)] == [
        "error    Destinations!D7 (Types): A",
        "         thing that takes more than",
        "         forty characters to say is",
        "         wrong",
    ]
    assert shown([told], width=40) == [f"error    {told}"]


@pytest.mark.parametrize(("kinds", "last"), [
    (20, "error    Destinations!D20 (Types): 20 is wrong"),
    (21, "and 1 more kind of problem; all of them stand in d.result.xlsx."),
    (5000, "and 980 more kinds of problem, and 4,000 cells with yet others; all of them stand in d.result.xlsx."),
])  # fmt: skip
def test_a_long_list_of_problems_ends_after_twenty(kinds: int, last: str) -> None:
    lines = shown([finding(row, str(row)) for row in range(1, kinds + 1)])
    assert (len(lines), lines[-1]) == (min(kinds, 21), last)


def test_words_in_brackets_are_words_and_no_markup() -> None:
    assert shown([finding(7, "[red]x[/red]")]) == ["error    Destinations!D7 (Types): [red]x[/red] is wrong"]


# For programs


def test_the_facts_hold_all_that_the_words_do(capsys: pytest.CaptureFixture[str]) -> None:
    told = report({Status.CREATED: 1, Status.UNKNOWN: 2, Status.FAILED: 0}, stopped=["Down."], notes=["Off."],
                  remarks=["Old."], read=intake(3),
                  causes=causes(finding(7, "b"), finding(8, "b"), finding(9, "n", Severity.NOTE)))  # fmt: skip
    closing_words(told, 3, Voice(as_json=True), log_path=Path("a.log"), options=["--sandbox"])
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert json.loads(printed) == {
        "exit_status": 3,
        "run": RUN.id,
        "rows": 3,
        "total": {"created": 1, "unknown": 2},
        "counts": {"Destinations": {"created": 1, "unknown": 2, "failed": 0}},
        "problem_kinds": 1,
        "errors": 2,
        "warnings": 0,
        "problems": [
            {
                "severity": "error",
                "problem": "b",
                "message": "b is wrong",
                "rows": 2,
                "first": "Destinations!D7 (Types)",
                "sheet": "Destinations",
                "column": "Types",
                "cell": "D7",
            }
        ],
        "read": intake(3).facts(),
        "remarks": ["Old."],
        "notes": ["Off."],
        "stopped": ["Down."],
        "results": ["d.result.xlsx"],
        "log": "a.log",
        "next": "this stand-in is gone with its records; import again, or keep one running: bulkload sandbox",
    }


def test_the_facts_of_nothing_have_the_same_keys(capsys: pytest.CaptureFixture[str]) -> None:
    closing_words(Report(), 0, Voice(as_json=True))
    facts = json.loads(capsys.readouterr().out)
    assert {key for key, value in facts.items() if value is None} == {"run", "log", "next", "read"}
    assert len(facts) == 16


def test_a_thousand_kinds_of_problem_are_counted_and_the_first_shown(capsys: pytest.CaptureFixture[str]) -> None:
    told = report({Status.INVALID: 1000}, causes=causes(*(finding(row, str(row)) for row in range(1, 1001))))
    closing_words(told, 1, Voice(as_json=True))
    facts = json.loads(capsys.readouterr().out)
    assert (facts["problem_kinds"], len(facts["problems"])) == (1000, 20)


def test_who_wants_quiet_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    closing_words(report({Status.CREATED: 1}), 0, Voice(quiet=True))
    assert capsys.readouterr() == ("", "")


# Before sending


def test_what_is_about_to_happen_is_said_whole(capsys: pytest.CaptureFixture[str]) -> None:
    where = ("CINNOX at https://x (connection live)",)
    preview = Preview(where, intake(6), 1234, 1, 2, 3, 4, 5, 5400.0, ("Remark.",))
    assert talk._agreed(preview, asked=False, quiet=False)
    assert capsys.readouterr().err.splitlines() == [
        "Read d.xlsx",
        "  Destinations: 2 rows for cinnox/destination, below the header in row 1",
        "    6 hidden rows are read like all others",
        "Remark.",
        "To CINNOX at https://x (connection live)",
        "Rows: 1,234 to create, 1 to update, 2 done already, 4 with errors, which are not sent, "
        "3 unknown from before, which are not sent, 5 with a warning, 6 hidden in the sheet and sent too. "
        "It takes about 1 h 30 min at the set rate.",
    ]


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (0, "1 s"),
        (0.6, "1 s"),
        (89, "89 s"),
        (90, "2 min"),
        (5300, "88 min"),
        (5400, "1 h 30 min"),
        (7260, "2 h 1 min"),
    ],
)
def test_lengths_of_time(length: float, said: str) -> None:
    assert tell.seconds(length) == said


# Runs and requests


@pytest.mark.parametrize("width", [80, 40])
def test_runs_stand_on_two_lines_each_that_no_terminal_breaks(width: int) -> None:
    long = replace(RUN, file="/x/destinations-of-the-whole-year-2026-final.xlsx", connection="cinnox-live, aicc-live")
    cut_off = replace(RUN, id="20261122-104211-7f3b", ended=None, counts={})
    console = Console(width=width, highlight=False, markup=False)
    with console.capture() as capture:
        tell.runs(console, [long, cut_off])
    assert capture.get().splitlines() == [
        f"{RUN.id}  2026-11-22 10:42  destinations-of-the-whole-year-2026-final.xlsx → cinnox-live, aicc-live",
        "    1,234 created, 3 invalid, 1 unknown",
        "20261122-104211-7f3b  2026-11-22 10:42, not ended  destinations.xlsx → cinnox-live",
        "    no rows",
    ]


def test_a_body_is_shown_without_its_secrets() -> None:
    three = APIS["myreports"].resources["pbx-3cx"]
    body = {"name": "n", "licenseKey": "secret-1", "password": "secret-2", "_type": "x"}
    assert facts.masked(body, three) == {"name": "n", "licenseKey": MASK, "password": MASK, "_type": "x"}
    assert facts.masked(None, three) is None
