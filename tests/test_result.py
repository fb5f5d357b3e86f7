"""The result of a run: where it stands, what it holds when its file has changed or is gone, and that it counts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from bulkload.batches import outgoing
from bulkload.errors import UnusableFile
from bulkload.job import Job, Preview, Report, Silent, divide, open_file
from bulkload.journal import Journal
from bulkload.models import Status
from bulkload.pipeline import Import, Resume
from bulkload.recognise import Recognised
from bulkload.result import result_again, result_path, write_result
from bulkload.sandbox import Sandbox
from bulkload.talk import exit_status
from samples.make import GOOD, fill
from tests.support import APIS, Desk, connection, result_rows, statuses, write_csv
from tests.test_pipeline import destinations, read_csv, routes


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(list(APIS.values())) as sandbox:
        yield Desk(tmp_path, sandbox)


def job(desk: Desk, file: Path, result: Path | None = None) -> Job:
    return Job(file, APIS, lambda api: connection(desk.sandbox, api), result=result)


def again(desk: Desk, file: Path, run: str | None = None, result: Path | None = None) -> Report:
    with Journal(desk.journal) as journal:
        return result_again(job(desk, file, result), journal, journal.run(run))


# Where it stands


@pytest.mark.parametrize(
    ("file", "result"),
    [
        ("a.xlsx", "a.result.xlsx"),
        ("a.xlsm", "a.result.xlsx"),
        ("a.xls", "a.result.xlsx"),
        ("a.ODS", "a.result.xlsx"),
        ("a.csv", "a.result.csv"),
        ("a.TSV", "a.result.csv"),
        ("a.result.xlsx", "a.result.xlsx"),
        ("a.result-2.xlsx", "a.result.xlsx"),
        ("a.results-2026.xlsx", "a.results-2026.result.xlsx"),
        ("a.resulting.v2.xlsx", "a.resulting.v2.result.xlsx"),
        ("2026.11.22.xlsx", "2026.11.22.result.xlsx"),
    ],
)
def test_a_result_stands_beside_its_file(tmp_path: Path, file: str, result: str) -> None:
    assert result_path(tmp_path / file) == tmp_path / result


def test_another_runs_result_is_never_replaced_and_ones_own_is(tmp_path: Path) -> None:
    file, first, second = (tmp_path / name for name in ("a.xlsx", "a.result.xlsx", "a.result-2.xlsx"))
    first.touch()
    assert result_path(file) == second
    assert result_path(file, str(first)) == first
    second.touch()
    assert result_path(file) == tmp_path / "a.result-3.xlsx"
    assert result_path(file, str(second)) == second
    assert result_path(first) == tmp_path / "a.result-3.xlsx"


def test_each_run_of_a_file_has_a_result_of_its_own(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", destinations(2))
    first, _ = desk.import_(file)
    second, _ = desk.import_(file)
    assert [report.results[0].name for report in (first, second)] == [
        "destination.result.csv", "destination.result-2.csv"]  # fmt: skip
    assert first.run
    older = again(desk, file, first.run.id)
    assert older.results == first.results
    assert [row["Import status"] for row in read_csv(older.results[0])] == ["created"] * 2
    assert [row["Import status"] for row in read_csv(second.results[0])] == ["unchanged"] * 2


@pytest.mark.parametrize("name", ["destination.csv", "Destinations.xlsx"])
def test_a_result_that_took_another_name_is_told(desk: Desk, name: str) -> None:
    """A folder of that name stands in for a file that is open in Excel."""
    rows = destinations(1)
    file = desk.folder / name
    fill(file, {"cinnox/destination": rows}) if file.suffix == ".xlsx" else write_csv(file, rows)
    before = file.read_bytes()
    taken, other = (desk.folder / f"own{number}{file.suffix}" for number in ("", " (2)"))
    taken.mkdir()
    report, _ = desk.import_(file, result=taken)
    assert report.results[0] == other
    assert f"{taken.name} can't be replaced, as when it is open elsewhere: {other.name} was written instead." in (
        report.remarks
    )
    assert file.read_bytes() == before


def test_a_result_too_long_for_a_sheet_is_said_before_the_first_row_is_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkload.write.SHEET_ROWS", 3)
    seen: list[Preview] = []

    def confirm(preview: Preview) -> bool:
        seen.append(preview)
        return True

    file = write_csv(desk.folder / "destination.csv", destinations(3))
    with Journal(desk.journal) as journal:
        list(Import(job(desk, file), journal, Silent(), confirm, print).outcomes())
    assert [remark for remark in seen[0].remarks if "rows" in remark] == [
        "destination has 3 rows, and a sheet holds 2 below its header: a spreadsheet program shows no more of the CSV. "
        "Take -o NAME.xlsx for a result in several sheets."
    ]


# Files that changed or are gone


def test_a_file_that_changed_is_refused(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", destinations(2))
    desk.import_(file)
    write_csv(file, destinations(1))
    with pytest.raises(UnusableFile, match="changed since"):
        again(desk, file)


@pytest.mark.parametrize("name", ["called-route.csv", "routes.xlsx"])
def test_rows_that_are_gone_are_accounted_for_on_a_sheet_of_their_own(desk: Desk, name: str) -> None:
    file, rows = desk.folder / name, routes(5)

    def write(some: list[dict[str, object]]) -> None:
        fill(file, {"aicc/called-route": some}) if file.suffix == ".xlsx" else write_csv(file, some)

    write(rows)
    first, made = desk.import_(file, limit=3)
    gone = min(outcome.row for outcome in made)
    write([row for number, row in enumerate(rows, 2) if number != gone])
    with Journal(desk.journal) as journal:
        run = Resume(job(desk, file), journal, Silent(), lambda _: True, lambda _: None).of(journal.run())
        list(run.outcomes())
    assert statuses(run.report) == {"created": 5}
    assert run.report.rows == 5
    written = again(desk, file)
    assert (written.rows, written.counts, written.results) == (5, run.report.counts, run.report.results)
    assert first.results[0].exists() is (file.suffix == ".xlsx")
    assert {sheet.endswith("(gone)"): sum(counts.values()) for sheet, counts in written.counts.items()} == {
        False: 4, True: 1}  # fmt: skip


def test_of_a_file_that_is_gone_the_statuses_are_left(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    file = desk.folder / "everything.xlsx"
    fill(file, GOOD)
    first, made = desk.import_(file)
    file.unlink()
    first.results[0].unlink()
    elsewhere = desk.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    report = again(desk, file)
    assert (report.rows, statuses(report)) == (12, {"created": 12})
    assert report.remarks == [f"{file} is gone: the result holds the statuses alone."]
    assert report.results == (Path("everything.result.xlsx"),)
    ids = {row["Import ID"] for sheet in report.counts for row in result_rows(report.results[0], sheet)}
    assert ids >= {outcome.id for outcome in made if outcome.id}
    assert "Summary" in openpyxl.load_workbook(report.results[0]).sheetnames


def test_a_frame_of_nothing_but_blank_rows_is_counted_and_sends_nothing(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", destinations(2))
    report, _ = desk.import_(file)
    assert report.run
    _, found = open_file(job(desk, file))
    (one,) = found.assigned
    blank = replace(frame := next(one.sheet.frames()), text=frame.text.iloc[:0], blank_rows=3)
    longer = replace(one, sheet=replace(one.sheet, frames=lambda: iter((frame, blank))))
    again = Report()
    with Journal(desk.journal) as journal:
        write_result(job(desk, file), journal, report.run, Recognised((longer,)), again, Silent())
        (part,) = divide(job(desk, file), Recognised((longer,)), journal)
        assert not any(outgoing(part, journal, report.run.id))
    assert (again.rows, exit_status(again)) == (2, 0)
    assert again.read
    (told,) = again.read.facts()["sheets"]
    assert (told["rows"], told["blank_rows"]) == (2, 3)


# That it counts


@pytest.mark.parametrize(("sql", "rows", "told"), [
    ("DELETE FROM rows WHERE row = 3", 3, 2),
    ("INSERT INTO rows SELECT run, sheet, 99, target, resource, action, 'x', ordinal, open_fingerprint, key, status, "
     "id, error, note, http_status, attempts, request_id, sent, time, once, once_until, because FROM rows "
     "WHERE row = 3", 3, 4),
])  # fmt: skip
def test_file_and_journal_are_counted_apart_so_that_they_can_disagree(
    desk: Desk, sql: str, rows: int, told: int
) -> None:
    file = write_csv(desk.folder / "destination.csv", destinations(3))
    desk.import_(file)
    with Journal(desk.journal) as journal:
        journal._db.execute(sql)
        report = result_again(job(desk, file), journal, journal.run())
    assert (report.rows, report.total(*Status)) == (rows, told)


def test_a_result_may_go_elsewhere(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", destinations(1))
    desk.import_(file)
    other = desk.folder / "other.xlsx"
    assert again(desk, file, result=other).results == (other,)
    with Journal(desk.journal) as journal:
        assert journal.run().result == str(other.resolve())
