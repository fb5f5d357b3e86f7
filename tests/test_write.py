"""Results: every row, what became of it, and text that stays text."""

import csv
import os
import re
import stat
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pandas as pd
import pytest
from openpyxl import load_workbook

from bulkload import stamp
from bulkload.dress import shown
from bulkload.errors import DiskError, UsageError
from bulkload.models import MASK, RESULT_COLUMNS, Finding, Outcome, Severity, Status
from bulkload.openapi import open_api
from bulkload.report import Problem, Problems
from bulkload.resource import Column
from bulkload.system import write_whole
from bulkload.write import ResultFrame, ResultSheet, Summary, foresee, write_result

DESTINATION = open_api("cinnox").resources["destination"]
KAZOO = open_api("myreports").resources["pbx-kazoo"]
RED, AMBER, FAULT, WARNED, NONE = "FFFBDDDD", "FFFFE8A6", "FFF28B82", "FFFFF6D6", "00000000"
TIME = datetime(2025, 11, 22, 3, 4, 5, tzinfo=UTC)


def frame(rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> pd.DataFrame:
    index = pd.Index(numbers, name="row")
    return pd.DataFrame(rows, columns=range(1, len(rows[0]) + 1), index=index, dtype="str")


def plain_sheet(rows: Sequence[Sequence[str]], *, name: str = "Sheet", **more: Any) -> ResultSheet:
    """A sheet of text columns A, B, C..., its rows numbered from 2."""
    titles = tuple(chr(ord("A") + place) for place in range(len(rows[0])))
    columns = tuple(Column(title, title, "body", f"/{title}", "string", {"type": "string"}) for title in titles)
    frames = [ResultFrame(frame(rows, range(2, len(rows) + 2)), **more)]
    return ResultSheet(name, titles, columns, None, frames)


def outcome(row: int, status: Status, **more: Any) -> Outcome:
    return Outcome("Sheet", row, status, run="run-1", **more)


def values(path: Path, sheet: str) -> list[tuple[Any, ...]]:
    book = load_workbook(path)
    rows = list(book[sheet].iter_rows(values_only=True))
    book.close()
    return rows


def stamped(path: Path) -> tuple[stamp.Stamp, ...]:
    return stamp.parse([[str(cell) for cell in row if cell is not None] for row in values(path, stamp.SHEET)])


def test_a_result_has_the_rows_in_order_with_what_became_of_each(tmp_path: Path) -> None:
    text = frame([["", "0012", "*"], ["", "=1+1", "FAX"], ["9", "x", "*"]], [3, 5, 8])
    headings, columns = ("Destination ID", "Display name *", "types"), tuple(DESTINATION.columns[i] for i in (0, 1, 4))
    fault = '"FAX" is not one of PHONE, STAFF, TRUNK.'
    findings = [Finding("In", 5, 3, "Types", "FAX", "enum", fault)]
    outcomes = {
        3: Outcome("In", 3, Status.CREATED, id="00077", http_status=200, attempts=1, time=TIME, run="run-1"),
        5: Outcome("In", 5, Status.INVALID, run="run-1"),
    }
    sheet = ResultSheet("In", headings, columns, DESTINATION, [ResultFrame(text, findings, outcomes)])
    path = tmp_path / "in.result.xlsx"
    assert write_result(path, [sheet], Summary()) == (path,)
    local = TIME.astimezone().isoformat(timespec="seconds")
    assert values(path, "In") == [
        (*headings, *RESULT_COLUMNS),
        (None, "0012", "*", "created", "00077", None, "200", "1", local, "run-1", "3"),
        (None, "=1+1", "FAX", "invalid", None, f"Types: {fault}", *[None] * 3, "run-1", "5"),
        ("9", "x", "*", *[None] * 7, "8"),
    ]  # fmt: skip
    book = load_workbook(path)
    assert book.sheetnames == ["In", "Summary", "Problems", "_bulkload"]
    assert {cell.data_type for row in book["In"].iter_rows() for cell in row if cell.value is not None} == {"s"}
    assert stamped(path) == (stamp.stamp("In", DESTINATION),)


@pytest.mark.parametrize(
    ("status", "colour"),
    [(status, RED) for status in (Status.INVALID, Status.REJECTED, Status.FAILED)]
    + [(Status.UNKNOWN, AMBER)]
    + [(status, NONE) for status in (Status.CREATED, Status.UPDATED, Status.UNCHANGED, Status.NOT_SENT)],
)
def test_rows_that_need_a_person_are_filled(status: Status, colour: str, tmp_path: Path) -> None:
    path = tmp_path / "result.xlsx"
    write_result(path, [plain_sheet([["a", ""]], outcomes={2: outcome(2, status)})], Summary())
    fills = {cell.fill.fgColor.rgb for cell in load_workbook(path)["Sheet"][2]}
    assert fills == {colour}


def test_the_very_cells_at_fault_are_marked_and_bear_notes(tmp_path: Path) -> None:
    findings = [
        Finding("Sheet", 2, 2, "B", "b", "enum", "one thing."),
        Finding("Sheet", 2, 2, "B", "b", "enum", "another thing.", Severity.WARNING),
        Finding("Sheet", 2, 3, "C", "c", "rule", "beware.", Severity.WARNING),
        Finding("Sheet", 2, None, "", "", "rule", "of the row."),
    ]
    path = tmp_path / "result.xlsx"
    invalid = {2: outcome(2, Status.INVALID), 3: outcome(3, Status.CREATED, note="found by its key")}
    write_result(path, [plain_sheet([["a", "b", "c"]] * 2, findings=findings, outcomes=invalid)], Summary())
    rows = load_workbook(path)["Sheet"]
    marked = [(cell.fill.fgColor.rgb, cell.comment and cell.comment.text) for cell in rows[2][:4]]
    assert marked == [
        (RED, "of the row."),
        (FAULT, "one thing.\nanother thing."),
        (WARNED, "beware."),
        (RED, None),
    ]
    assert rows["F2"].value == "of the row.; B: one thing."
    assert rows["D3"].comment is not None
    assert rows["D3"].comment.text == "found by its key"


def test_the_apis_own_words_win_over_findings(tmp_path: Path) -> None:
    findings = [Finding("Sheet", 2, 1, "A", "a", "enum", "a finding.")]
    path = tmp_path / "result.xlsx"
    refused = {2: outcome(2, Status.INVALID, error="edited after it was done")}
    write_result(path, [plain_sheet([["a"]], findings=findings, outcomes=refused)], Summary())
    assert values(path, "Sheet")[1][3] == "edited after it was done"


def test_a_checked_copy_has_marks_and_no_columns_of_the_tool(tmp_path: Path) -> None:
    findings = [Finding("Sheet", 3, 1, "A", "c", "enum", "wrong.")]
    path = tmp_path / "checked.xlsx"
    write_result(path, [plain_sheet([["a", "b"], ["c", ""]], findings=findings)], Summary(), outcomes=False)
    sheet = load_workbook(path)["Sheet"]
    assert values(path, "Sheet") == [("A", "B"), ("a", "b"), ("c", None)]
    assert [cell.fill.fgColor.rgb for row in sheet["A2:B3"] for cell in row] == [NONE, NONE, FAULT, RED]
    assert values(path, "Summary")[1:3] == [("Sheet", "Rows read", "With errors", "With warnings"), ("Sheet", 2, 1, 0)]


def test_secrets_are_masked_wherever_a_cell_is_filled(tmp_path: Path) -> None:
    secret = next(place for place, column in enumerate(KAZOO.columns) if column.secret)
    rows = [["x"] * len(KAZOO.columns), [""] * len(KAZOO.columns)]
    rows[0][secret] = "canary-7"
    finding = Finding("K", 2, secret + 1, KAZOO.columns[secret].heading, "canary-7", "enum", "wrong.")
    headings = tuple(column.heading for column in KAZOO.columns)
    for name in ("result.xlsx", "result.csv"):
        sheet = ResultSheet("K", headings, KAZOO.columns, KAZOO, [ResultFrame(frame(rows, [2, 3]), [finding])])
        written = write_result(tmp_path / name, [sheet], Summary())
        for path in written:
            if path.suffix == ".csv":
                assert "canary-7" not in path.read_text(encoding="utf-8-sig")
                continue
            with ZipFile(path) as file:
                assert not any(b"canary-7" in file.read(part) for part in file.namelist())
            assert [row[secret] for row in values(path, "K")][1:] == [MASK, None]


def test_what_a_workbook_cannot_hold_is_written_out_and_told() -> None:
    assert shown("a\x00\x0b\t\n\r\x1f\ud800\ufffe\uffffé😀") == "a\\x00\\x0b\t\n\r\\x1f\\ud800\\ufffe\\uffffé😀"


def test_long_text_is_cut_with_a_mark_in_a_workbook_and_whole_in_a_csv(tmp_path: Path) -> None:
    texts = ["x" * 32_767, "x" * 32_768, "😀" * 20_000]
    sheet = plain_sheet([[text] for text in texts])
    write_result(tmp_path / "r.xlsx", [sheet], Summary(), outcomes=False)
    cells = [row[0] for row in values(tmp_path / "r.xlsx", "Sheet")][1:]
    assert cells[0] == texts[0]
    assert [cell[-28:] for cell in cells[1:]] == [
        "xxxx… [cut, 32768 characters]"[-28:],
        "😀😀😀😀… [cut, 20000 characters]"[-28:],
    ]
    assert max(len(cell.encode("utf-16-le")) // 2 for cell in cells) == 32_767
    assert ("Cells with what no workbook can hold, written out (\\x0b) or cut: 2",) in [
        row[:1] for row in values(tmp_path / "r.xlsx", "Summary")
    ]
    write_result(tmp_path / "r.csv", [sheet], Summary(), outcomes=False)
    csv.field_size_limit(131_072)
    with (tmp_path / "r.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row[0] for row in csv.reader(file)][1:] == texts


def test_the_counts_add_up_and_say_how_to_go_on(tmp_path: Path) -> None:
    counts = {"One": {Status.CREATED: 3, Status.UNKNOWN: 1}, "Two": {Status.CREATED: 2}}
    summary = Summary((("File", "in.xlsx"), ("Who", "ann")), counts, ("Created disabled.",))
    sheets = [plain_sheet([["a"]], name=name) for name in counts]
    write_result(tmp_path / "r.xlsx", sheets, summary)
    rows = values(tmp_path / "r.xlsx", "Summary")
    table = {row[0]: row[1:4] for row in rows[2:11]}
    assert rows[1] == ("Status", "One", "Two", "All sheets", "What to do")
    assert table == {
        "created": (3, 2, 5), "updated": (0, 0, 0), "unchanged": (0, 0, 0), "invalid": (0, 0, 0),
        "rejected": (0, 0, 0), "failed": (0, 0, 0), "unknown": (1, 0, 1), "not sent": (0, 0, 0), "Rows read": (4, 2, 6),
    }  # fmt: skip
    assert [bool(row[4]) for row in rows[2:10]] == [True, False, False, False, False, False, True, False]
    assert {("File", "in.xlsx"), ("Who", "ann"), ("Created disabled.", None)} <= {row[:2] for row in rows}


def test_problems_are_grouped_by_cause_and_listed_one_by_one(tmp_path: Path) -> None:
    findings = [Finding("Sheet", row, 1, "A", "FAX", "enum", f"no {row}.", cause="unknown FAX") for row in (2, 3)]
    findings.append(Finding("Sheet", 2, 2, "B", "x", "rule", "beware.", Severity.WARNING))
    refused = {4: outcome(4, Status.REJECTED, error="name taken")}
    path = tmp_path / "r.xlsx"
    write_result(path, [plain_sheet([["a", "x"]] * 3, findings=findings, outcomes=refused)], Summary())
    one_by_one = [
        ("Sheet", "Cell", "Column", "Value", "Problem", "Kind"),
        ("Sheet", "A2", "A", "FAX", "no 2.", "error"),
        ("Sheet", "B2", "B", "x", "beware.", "warning"),
        ("Sheet", "A3", "A", "FAX", "no 3.", "error"),
        ("Sheet", "row 4", None, None, "name taken", "rejected"),
    ]
    rows = values(path, "Problems")
    assert rows[2:6] == [
        ("First sheet", "First cell", "Column", "How many", "Problem", "Kind"),
        ("Sheet", "A2", "A", 2, "unknown FAX", "error"),
        ("Sheet", "B2", "B", 1, "beware.", "warning"),
        ("Sheet", "row 4", None, 1, "name taken", "rejected"),
    ]
    assert rows[8:] == one_by_one


def test_a_sheet_too_long_goes_on_in_the_next_and_is_stamped_too(tmp_path: Path) -> None:
    text = frame([[str(number)] for number in range(5)], range(2, 7))
    sheets = [
        ResultSheet(name, ("Display name",), DESTINATION.columns[1:2], DESTINATION, [ResultFrame(text)])
        for name in ("Data", "Data (2)")
    ]
    path = tmp_path / "r.xlsx"
    write_result(path, sheets, Summary(), outcomes=False, sheet_rows=3)
    book = load_workbook(path)
    names = ["Data", "Data (3)", "Data (4)", "Data (2)", "Data (2) (2)", "Data (2) (3)"]
    assert book.sheetnames == [*names, "Summary", "Problems", "_bulkload"]
    assert [[row[0] for row in values(path, name)[1:]] for name in names] == [["0", "1"], ["2", "3"], ["4"]] * 2
    assert [mark.sheet for mark in stamped(path)] == names


def test_several_sheets_become_a_csv_each_and_the_problems_one_more(tmp_path: Path) -> None:
    findings = [Finding("Sheet", 2, 1, "A", "=x", "enum", "wrong.")]
    sheets = [plain_sheet([["=x"]], name=name, findings=findings) for name in ("One", "one/../", "problems")]
    written = write_result(tmp_path / "in.result.csv", sheets, Summary())
    names = ["in.result.One.csv", "in.result.one_.._.csv", "in.result.problems (2).csv", "in.result.problems.csv"]
    assert [path.name for path in written] == names
    assert written[0].read_bytes().decode("utf-8-sig").splitlines() == [
        ",".join(("A", *RESULT_COLUMNS)),
        "'=x,,,A: wrong.,,,,,2",
    ]
    assert written[3].read_bytes().decode("utf-8-sig").splitlines() == [
        "Sheet,Cell,Column,Value,Problem,Kind",
        *["Sheet,A2,A,'=x,wrong.,error"] * 3,
    ]


@pytest.mark.parametrize("name", ["r.xlsx", "r.csv"])
def test_a_sheet_whose_file_is_gone_is_the_statuses_alone(name: str, tmp_path: Path) -> None:
    gone = ResultFrame(pd.DataFrame(index=pd.Index([2, 3])), (), {2: outcome(2, Status.CREATED, id="7")})
    (path, *_) = write_result(tmp_path / name, [ResultSheet("S", (), (), None, [gone])], Summary())
    if path.suffix == ".xlsx":
        rows = [[cell or "" for cell in row] for row in values(path, "S")]
    else:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    assert rows == [
        list(RESULT_COLUMNS),
        ["created", "7", "", "", "", "", "run-1", "2"],
        ["", "", "", "", "", "", "", "3"],
    ]


def test_what_looks_like_a_formula_stays_text_when_its_cell_is_edited(tmp_path: Path) -> None:
    """In text format it does by itself; elsewhere Excel would run it once somebody presses F2 and Enter."""
    columns = tuple(Column(kind, kind, "body", f"/{kind}", kind, {"type": kind}) for kind in ("string", "integer"))
    texts = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x", "'=1", "1", "{=1}", "http://a.b"]
    found = [Finding("S", 2, 2, "integer", "=1+1", "type", "wrong.")]
    frames = [ResultFrame(frame([[text, text] for text in texts], range(2, 16)), found)]
    path = tmp_path / "r.xlsx"
    write_result(path, [ResultSheet("S", ("string", "integer"), columns, None, frames)], Summary(), outcomes=False)
    book = load_workbook(path)
    cells = list(book["S"].iter_rows(min_row=2))
    assert {row[0].number_format for row in cells} == {"@"}
    assert [row[1].quotePrefix for row in cells] == [True] * 11 + [False] * 3
    assert cells[0][1].fill.fgColor.rgb == FAULT
    assert not any(cell.hyperlink or cell.data_type != "s" for row in cells for cell in row)


def test_rows_of_many_blocks_and_frames_stand_where_they_belong(tmp_path: Path) -> None:
    """With numbers that leave gaps, marks on the last rows, and each sheet as large as it says it is."""
    numbers = [*range(3, 5_503), *range(6_000, 6_100)]
    found = [Finding("Sheet", 6_099, 2, "B", "x", "enum", "wrong."), Finding("Sheet", 6_099, None, "", "", "r", "row.")]
    first = ResultFrame(frame([[str(number), ""] for number in numbers], numbers), found)
    second = ResultFrame(frame([["last", "x"]], [7_000]), (), {7_000: outcome(7_000, Status.UNKNOWN, note="a note")})
    sheet = plain_sheet([["", ""]])
    path = tmp_path / "r.xlsx"
    write_result(path, [ResultSheet("S", sheet.headings, sheet.columns, None, [first, second])], Summary())
    rows = load_workbook(path)["S"]
    assert rows.dimensions == "A1:J5602"
    assert [rows.cell(row, 1).value for row in range(2, 5_603)] == [*map(str, numbers), "last"]
    assert [rows.cell(row, 10).value for row in range(2, 5_603)] == [*map(str, numbers), "7000"]
    noted = {cell.coordinate: cell.comment.text for row in rows.iter_rows(min_row=2) for cell in row if cell.comment}
    assert noted == {"A5601": "row.", "B5601": "wrong.", "C5602": "a note"}
    assert [rows.cell(row, 2).fill.fgColor.rgb for row in (5_600, 5_601, 5_602)] == [NONE, FAULT, AMBER]
    with ZipFile(path) as file:
        assert b'<dimension ref="A1:J5602"/>' in file.read("xl/worksheets/sheet1.xml")


def test_a_note_of_how_a_cell_was_read_marks_no_cell(tmp_path: Path) -> None:
    found = [Finding("Sheet", 2, 1, "A", "a\xa0", "cleaned", "A blank was taken off.", Severity.NOTE)]
    path = tmp_path / "r.xlsx"
    write_result(path, [plain_sheet([["a"]], findings=found)], Summary(), outcomes=False)
    cell = load_workbook(path)["Sheet"]["A2"]
    assert (cell.comment, cell.fill.fgColor.rgb) == (None, NONE)
    assert ("Sheet", "A2", "A", "a\xa0", "A blank was taken off.", "note") in values(path, "Problems")


def test_a_row_is_as_high_as_its_error_and_no_higher(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    outcomes = {2: outcome(2, Status.FAILED, error="short"), 3: outcome(3, Status.FAILED, error="word " * 30)}
    write_result(path, [plain_sheet([["a"], ["b"]], outcomes=outcomes)], Summary())
    rows = load_workbook(path)["Sheet"].row_dimensions
    assert (rows[2].height, rows[3].height) == (None, 45)


def test_the_same_rows_make_the_same_file(tmp_path: Path) -> None:
    found = [Finding("Sheet", 2, 1, "A", "=x", "enum", "wrong.")]
    for name in ("one.xlsx", "two.xlsx"):
        outcomes = {2: outcome(2, Status.INVALID), 3: outcome(3, Status.UNKNOWN)}
        write_result(tmp_path / name, [plain_sheet([["=x"], ["y"]], findings=found, outcomes=outcomes)], Summary())
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()


def test_the_problems_kept_are_bounded_in_characters(tmp_path: Path) -> None:
    problems = Problems()
    for row in range(20_000):
        problems.add(Problem("S", f"A{row}", "A", "v" * 100_000, "p" * 100_000, "error"), f"{row} " + "c" * 100_000)
    lines = list(problems.lines())
    assert sum(len("".join(line)) for line in lines) < 31_000_000
    assert lines[0] == ("S", "A0", "A", f"{'v' * 2_000}…", f"{'p' * 2_000}…", "error")
    assert lines[-1][4] == f"... and {20_000 - len(lines) + 1:,} more."


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_that_rows_are_too_many_for_a_sheet_is_said_before(ending: str) -> None:
    path = Path(f"a.result.{ending}")
    assert foresee(path, {"One": 1_048_575}) == ()
    says = {
        "xlsx": "the result goes on in a sheet of its own for each so many.",
        "csv": "a spreadsheet program shows no more of the CSV. Take -o NAME.xlsx for a result in several sheets.",
    }
    assert foresee(path, {"One": 7, "Two": 1_048_576}) == (
        f"Two has 1,048,576 rows, and a sheet holds 1,048,575 below its header: {says[ending]}",
    )


def test_another_ending_is_a_wrong_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.xlsx or \.csv"):
        write_result(tmp_path / "r.ods", [plain_sheet([["a"]])], Summary())


@pytest.mark.parametrize("name", ["r.xlsx", "r.csv"])
def test_a_result_that_fails_on_the_way_leaves_the_old_one_whole_and_nothing_else(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("old")

    def frames() -> Any:
        yield ResultFrame(frame([["a"]], [2]))
        raise RuntimeError("the input is gone")

    columns = plain_sheet([["a"]]).columns
    with pytest.raises(RuntimeError, match="the input is gone"):
        write_result(path, [ResultSheet("S", ("A",), columns, None, frames())], Summary())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["r.xlsx", "r.csv"])
def test_a_result_that_cannot_be_replaced_gets_a_number(name: str, tmp_path: Path) -> None:
    """A folder of that name stands in for a file that is open in Excel."""
    (tmp_path / name).mkdir()
    second, third = (tmp_path / name.replace(".", f" ({number}).") for number in (2, 3))
    told: list[str] = []
    assert write_result(tmp_path / name, [plain_sheet([["a"]])], Summary(), tell=told.append)[0] == second
    assert told == [f"{name} can't be replaced, as when it is open elsewhere: {second.name} was written instead."]
    before = second.read_bytes()
    assert write_result(tmp_path / name, [plain_sheet([["b"]])], Summary())[0] == third
    assert second.read_bytes() == before


@pytest.mark.parametrize("name", ["r.xlsx", "r.csv"])
def test_where_nothing_can_be_written_the_error_names_path_and_reason(name: str, tmp_path: Path) -> None:
    path = tmp_path / "absent" / name
    with pytest.raises(DiskError, match=re.escape(f"{path} can't be written: No such file or directory.")):
        write_result(path, [plain_sheet([["a"]])], Summary())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path) -> None:
    def fill(_: Path) -> None:
        Path("/dev/full").write_text("x")

    with pytest.raises(DiskError, match=r"can't be written: No space left on device\. Make room"):
        write_whole(tmp_path / "r.xlsx", fill)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or sys.platform == "cygwin", reason="Windows knows no modes")
def test_only_its_owner_may_read_a_result(tmp_path: Path) -> None:
    for name in ("r.xlsx", "r.csv"):
        for path in write_result(tmp_path / name, [plain_sheet([["a"]])], Summary()):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_finding_of_a_whole_row_fills_its_first_cell_and_counts(tmp_path: Path) -> None:
    total = Finding("Sheet", 2, None, "", "Total", "total", "a total?", Severity.WARNING)
    path = tmp_path / "c.xlsx"
    write_result(path, [plain_sheet([["Total", "2"]], findings=[total])], Summary(), outcomes=False)
    cell = load_workbook(path)["Sheet"]["A2"]
    assert cell.comment
    assert (cell.fill.fgColor.rgb, cell.comment.text) == ("FFFFF6D6", "a total?")
    assert values(path, "Summary")[2][:4] == ("Sheet", 1, 0, 1)
