"""A run that stopped goes on, and its unknown rows are settled: nothing is sent twice, nothing is lost."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from bulkload.errors import UnusableFile, UsageError
from bulkload.job import Job, Report, Silent
from bulkload.journal import Journal
from bulkload.models import Outcome
from bulkload.pipeline import Resolve, Resume
from bulkload.read import ReadOptions
from bulkload.result import result_again
from bulkload.sandbox import Fault, Sandbox
from samples.make import GOOD, fill
from tests.support import APIS, Desk, connection, statuses, write_csv
from tests.test_pipeline import destinations, read_csv, routes

SETTLE = {"settle": 0.2}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(list(APIS.values())) as sandbox:
        yield Desk(tmp_path, sandbox, dict(SETTLE))


def go_on(kind: type[Resume] | type[Resolve], desk: Desk, file: Path, **options: Any) -> tuple[Report, list[Outcome]]:
    job = Job(file, APIS, lambda api: connection(desk.sandbox, api, **desk.changes), **options)
    with Journal(desk.journal) as journal:
        run = journal.run(options.pop("run", None))
        one = kind(job, journal, Silent(), lambda preview: True, lambda line: None).of(run)
        outcomes = list(one.outcomes())
    return one.report, outcomes


def access_codes(desk: Desk) -> list[str]:
    return sorted(record["body"]["accessCode"] for record in desk.sandbox.records("aicc/called-route"))


# Resume


def test_resume_sends_the_rest_of_a_limited_run(desk: Desk) -> None:
    file = write_csv(desk.folder / "called-route.csv", routes(7))
    first, _ = desk.import_(file, limit=3)
    report, outcomes = go_on(Resume, desk, file, resolve=False)
    assert (statuses(first), statuses(report)) == ({"created": 3, "not sent": 4}, {"created": 7})
    assert len(outcomes) == 4
    assert first.run and report.run and first.run.id == report.run.id
    assert access_codes(desk) == sorted(route["accessCode"] for route in routes(7))
    assert first.results == report.results


def test_a_file_that_was_sorted_and_shortened_does_no_harm(desk: Desk) -> None:
    rows = routes(12)
    file = write_csv(desk.folder / "called-route.csv", rows)
    desk.import_(file, limit=5)
    made = set(access_codes(desk))
    left = [row for number, row in enumerate(rows) if number not in (4, 9)]
    random.Random(7).shuffle(left)
    write_csv(file, left)
    report, _ = go_on(Resume, desk, file)
    assert access_codes(desk) == sorted(made | {row["accessCode"] for row in left})
    assert report.rows == sum(statuses(report).values()) == 10 + len(made - {row["accessCode"] for row in left})
    assert statuses(report) == {"created": report.rows}
    assert any("no longer in the file" in remark for remark in report.remarks)


def test_a_row_that_was_not_sent_may_be_corrected_and_one_that_was_may_not(desk: Desk) -> None:
    file = write_csv(desk.folder / "called-route.csv", routes(4))
    _, sent = desk.import_(file, limit=2)
    done = {outcome.row for outcome in sent}
    rows = [{**row, "deviceId": 9} for row in routes(4)]
    write_csv(file, rows)
    report, _ = go_on(Resume, desk, file)
    assert statuses(report) == {"created": 4}
    held = [record["body"] for record in desk.sandbox.records("aicc/called-route")]
    devices = {body["accessCode"]: body["deviceId"] for body in held}
    assert devices == {row["accessCode"]: 1 if number in done else 9 for number, row in enumerate(rows, 2)}
    assert sum("edited after it was sent" in remark for remark in report.remarks) == 2


def test_rows_gone_and_rows_new_stop_until_a_person_says_so(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", destinations(3))
    desk.import_(file, limit=1)
    write_csv(file, [*destinations(2), {**destinations(3)[2], "displayName": "Renamed"}])
    with pytest.raises(UsageError, match="--as-new"):
        go_on(Resume, desk, file)
    assert len(desk.sent()) == 1
    report, _ = go_on(Resume, desk, file, as_new=True)
    assert statuses(report) == {"created": 3}
    names = {record["body"]["displayName"] for record in desk.sandbox.records("cinnox/destination")}
    assert names == {"Desk 0", "Desk 1", "Renamed"}


def test_rows_that_another_run_made_meanwhile_are_not_sent_again(desk: Desk) -> None:
    file = write_csv(desk.folder / "called-route.csv", routes(6))
    first, _ = desk.import_(file, limit=2)
    desk.import_(file, limit=2)
    assert first.run
    job = Job(file, APIS, lambda api: connection(desk.sandbox, api, **desk.changes))
    with Journal(desk.journal) as journal:
        run = journal.run(first.run.id)
        list(Resume(job, journal, Silent(), lambda preview: True, lambda line: None).of(run).outcomes())
        counts = {str(status): count for status, count in journal.counts(run.id).items()}
    assert counts == {"created": 4, "unchanged": 2}
    assert len(desk.sandbox.records("aicc/called-route")) == 6


def test_a_run_goes_on_only_where_it_began(desk: Desk) -> None:
    file = write_csv(desk.folder / "called-route.csv", routes(4))
    desk.import_(file, limit=2)
    with Sandbox(list(APIS.values())) as other, pytest.raises(UsageError, match="points to"):
        go_on(Resume, Desk(desk.folder, other), file)


def test_resume_of_a_workbook_with_several_sheets(desk: Desk) -> None:
    file = desk.folder / "everything.xlsx"
    fill(file, GOOD)
    first, _ = desk.import_(file, limit=1)
    assert statuses(first) == {"created": 1, "not sent": 11}
    report, _ = go_on(Resume, desk, file)
    assert statuses(report) == {"created": 12}


# Resolve


def lossy(folder: Path, *faults: str) -> tuple[Sandbox, Desk]:
    sandbox = Sandbox(list(APIS.values()), [Fault.parse(fault) for fault in faults])
    return sandbox, Desk(folder, sandbox, {**SETTLE, "deadline": 1.0})


def test_lost_answers_are_settled_by_asking(tmp_path: Path) -> None:
    """`lost` did the work, `reset` did not; the journal can't tell, the API can."""
    sandbox, desk = lossy(tmp_path, "lost:3", "reset:4")
    with sandbox:
        file = write_csv(tmp_path / "called-route.csv", routes(12))
        first, _ = desk.import_(file, resolve=False)
        unknown = statuses(first)["unknown"]
        report, _ = go_on(Resolve, desk, file)
        assert unknown >= 5
        assert statuses(report).keys() == {"created", "failed"}
        sandbox._faults = ()
        last, _ = go_on(Resume, desk, file)
        assert statuses(last) == {"created": 12}
        assert access_codes(desk) == sorted(route["accessCode"] for route in routes(12))
        ids = {record["body"]["accessCode"]: record["id"] for record in sandbox.records("aicc/called-route")}
    rows = read_csv(last.results[0])
    assert {row["accessCode"]: row["Import ID"] for row in rows} == ids
    assert all(row["Import status"] == "created" for row in rows)


class FewAtATime(Resolve):
    asked_about = 2


@pytest.mark.parametrize("kind", [Resolve, FewAtATime])
def test_ids_that_create_did_not_return_are_filled_in(desk: Desk, kind: type[Resolve]) -> None:
    file = write_csv(desk.folder / "called-route.csv", routes(3))
    _, outcomes = desk.import_(file, resolve=False)
    assert {outcome.id for outcome in outcomes} == {""}
    report, _ = go_on(kind, desk, file)
    ids = {record["id"] for record in desk.sandbox.records("aicc/called-route")}
    assert {row["Import ID"] for row in read_csv(report.results[0])} == ids


def test_a_record_with_other_values_is_left_to_a_person(tmp_path: Path) -> None:
    sandbox, desk = lossy(tmp_path, "reset:1")
    with sandbox:
        file = write_csv(tmp_path / "called-route.csv", routes(1))
        desk.import_(file, resolve=False)
        sandbox._faults = ()
        other = Desk(tmp_path / "other", sandbox)
        other.folder.mkdir()
        other.import_(write_csv(other.folder / "called-route.csv", [{**routes(1)[0], "deviceId": 5}]))
        report, _ = go_on(Resolve, desk, file)
        (row,) = read_csv(report.results[0])
        assert row["Import status"] == "unknown"
        assert "with other values. Yours?" in row["Import error"]


def test_an_api_without_a_look_up_takes_a_persons_word(tmp_path: Path) -> None:
    sandbox, desk = lossy(tmp_path, "lost:2")
    with sandbox:
        file = tmp_path / "d.xlsx"
        fill(file, {"cinnox/destination": destinations(6)})
        first, _ = desk.import_(file)
        assert statuses(first) == {"created": 3, "unknown": 3}
        unknown = [row for row in rows_of(first.results[0]) if row["Import status"] == "unknown"]
        report, _ = go_on(Resolve, desk, file)
        assert statuses(report) == {"created": 3, "unknown": 3}
        unknown = [row for row in rows_of(report.results[0]) if row["Import status"] == "unknown"]
        assert all("Look for Display name Desk" in str(row["Import error"]) for row in unknown)
        first_row, second_row, _ = (f"Destinations!{row['Source row']}" for row in unknown)
        words = {first_row: "5f3a9c1e", second_row: None}
        report, _ = go_on(Resolve, desk, file, words=words)
        assert statuses(report) == {"created": 4, "failed": 1, "unknown": 1}
        assert "5f3a9c1e" in {row["Import ID"] for row in rows_of(report.results[0])}
        with pytest.raises(UsageError, match="no unknown row"):
            go_on(Resolve, desk, file, words={first_row: None})


@pytest.mark.parametrize("trouble", ["gone", "unreadable"])
def test_a_persons_word_is_taken_though_the_file_cannot_be_read(tmp_path: Path, trouble: str) -> None:
    """The journal is enough for that; the API is not asked, since what was sent can't be compared."""
    sandbox, desk = lossy(tmp_path, "lost:1")
    with sandbox:
        file = write_csv(tmp_path / "called-route.csv", routes(3))
        desk.import_(file, resolve=False)
        file.unlink()
        if trouble == "unreadable":
            file.mkdir()
        asked = len(sandbox.requests)
        with pytest.raises(UnusableFile) as unusable:
            go_on(Resolve, desk, file)
        report, _ = go_on(Resolve, desk, file, words={"2": "R2", "called-route!3": None}, result=tmp_path / "r.csv")
        assert len(sandbox.requests) == asked
    assert statuses(report) == {"created": 1, "failed": 1, "unknown": 1}
    assert report.remarks == [f"{unusable.value} The result holds the statuses alone."]
    rows = read_csv(report.results[0])
    shown = [(row["Source row"], row["Import status"], row["Import ID"]) for row in rows]
    assert shown == [("2", "created", "R2"), ("3", "failed", ""), ("4", "unknown", "")]
    with Journal(desk.journal) as journal:
        assert report.unknown_in == [journal.run().id]


def rows_of(path: Path) -> list[dict[str, Any]]:
    header, *rows = openpyxl.load_workbook(path)["Destinations"].iter_rows(values_only=True)
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


def test_rows_are_not_asked_about_before_the_api_can_be_done_with_them(tmp_path: Path) -> None:
    sandbox, desk = lossy(tmp_path, "lost:2")
    desk.changes["settle"] = 60.0
    with sandbox:
        report, _ = desk.import_(write_csv(tmp_path / "called-route.csv", routes(4)))
        asked = {
            arrived.json["accessCode"] for arrived in sandbox.requests if arrived.path.endswith("queryCalledRoute")
        }
    assert statuses(report) == {"created": 2, "unknown": 2}
    rows = read_csv(report.results[0])
    assert asked == {row["accessCode"] for row in rows if row["Import status"] == "created"}


def test_a_bare_row_number_must_mean_one_row_alone(tmp_path: Path) -> None:
    sandbox, desk = lossy(tmp_path, "lost:1")
    with sandbox:
        file = tmp_path / "two.xlsx"
        fill(file, {"cinnox/destination": destinations(1), "aicc/called-route": routes(2)})
        desk.import_(file, resolve=False)
        desk.changes["settle"] = 3600.0
        with pytest.raises(UsageError, match='"2" stands for several unknown rows'):
            go_on(Resolve, desk, file, words={"Destinations!2": "5f3a9c1e", "2": None})
        with Journal(desk.journal) as journal:
            assert {str(status) for status in journal.run().counts} == {"unknown"}


def test_sheets_that_a_run_left_alone_stay_so(desk: Desk) -> None:
    file = desk.folder / "everything.xlsx"
    fill(file, GOOD)
    only = ReadOptions(sheet="Called routes")
    first, _ = desk.import_(file, reading=only, limit=1)
    assert statuses(first) == {"created": 1, "not sent": 2}
    report, _ = go_on(Resume, desk, file)
    assert (statuses(report), report.rows, len(desk.sent())) == ({"created": 3}, 3, 3)
    with Journal(desk.journal) as journal:
        again = result_again(Job(file, APIS, lambda api: connection(desk.sandbox, api)), journal, journal.run())
    assert (statuses(again), again.rows) == ({"created": 3}, 3)


def test_rows_may_leave_the_file_time_after_time(desk: Desk) -> None:
    """Each row that is gone keeps a place of its own in the table of those that are."""
    rows = routes(5)
    file = write_csv(desk.folder / "called-route.csv", rows)
    desk.import_(file, limit=4)
    for left in (rows[1:], rows[2:], rows[3:]):
        write_csv(file, left)
        report, _ = go_on(Resume, desk, file)
    assert statuses(report) == {"created": report.rows}
    assert {record["body"]["accessCode"] for record in desk.sandbox.records("aicc/called-route")} >= {"0000004"}
