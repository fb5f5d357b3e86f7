"""A tenant as a setting and the same tenant as a column are two doors to one place: no row goes through both."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from bulkload import pipeline
from bulkload.connection import target
from bulkload.doors import at, without
from bulkload.errors import UsageError
from bulkload.job import Job, Report, Silent
from bulkload.journal import Journal
from bulkload.models import Outcome
from bulkload.plan import Wishes
from bulkload.sandbox import Fault, Sandbox
from samples.make import GOOD
from tests.support import APIS, Desk, connection, statuses, write_csv

KAZOO = "myreports/pbx-kazoo"
TENANT = "CUSTOMER_TENANT_ID"
A, B, C = (f"{number}0ce1111-2222-4333-8444-555566667777" for number in (1, 2, 3))
CHARGES = {"accept-charges": "true"}
KNOWN = {TENANT: [A, B, C], "appID": ["1", "2", "3"]}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(list(APIS.values()), known=KNOWN) as started:
        yield started


@pytest.fixture
def desk(tmp_path: Path, sandbox: Sandbox) -> Desk:
    return Desk(tmp_path, sandbox)


def rows(*accounts: str) -> list[dict[str, Any]]:
    return [{**GOOD[KAZOO][0], "accountId": account} for account in accounts]


def by_setting(desk: Desk, tenant: str, some: list[dict[str, Any]], **options: Any) -> Report:
    desk.changes["settings"] = {**CHARGES, TENANT: tenant}
    file = write_csv(desk.folder / "setting.csv", some)
    return desk.import_(file, resource=KAZOO, **options)[0]


def by_column(desk: Desk, some: list[tuple[str, dict[str, Any]]], setting: str = "", **options: Any) -> Report:
    desk.changes["settings"] = {**CHARGES, **({TENANT: setting} if setting else {})}
    file = write_csv(desk.folder / "column.csv", [{TENANT: tenant, **row} for tenant, row in some])
    return desk.import_(file, resource=KAZOO, **options)[0]


def made(desk: Desk) -> list[tuple[str, str]]:
    """The tenant and the account of each record that was asked for."""
    return sorted((path.split("/")[-2], body["accountId"]) for _, path, body in desk.sent())


ACCOUNTS = "a" * 32, "b" * 32


def test_what_a_setting_has_sent_a_column_sends_no_more(desk: Desk) -> None:
    one, two = rows(*ACCOUNTS)
    assert statuses(by_setting(desk, A, [one])) == {"created": 1}
    assert statuses(by_column(desk, [(A, one)])) == {"unchanged": 1}
    assert statuses(by_column(desk, [(A, one)], setting=B)) == {"unchanged": 1}
    assert statuses(by_column(desk, [(A, two), (A, one)], setting=A)) == {"created": 1, "unchanged": 1}
    assert len(desk.sent()) == 2


@pytest.mark.parametrize("setting", ["", A, B])
def test_what_a_column_has_sent_a_setting_sends_no_more(desk: Desk, setting: str) -> None:
    one, two = rows(*ACCOUNTS)
    assert statuses(by_column(desk, [(A, one), (B, two)], setting=setting)) == {"created": 2}
    assert statuses(by_setting(desk, A, [one])) == statuses(by_setting(desk, B, [two])) == {"unchanged": 1}
    assert statuses(by_column(desk, [(A, one), (B, two)], setting=C)) == {"unchanged": 2}
    assert len(desk.sent()) == 2


def test_equal_rows_of_two_tenants_are_two_records_through_every_door(desk: Desk) -> None:
    (one,) = rows(ACCOUNTS[0])
    assert statuses(by_setting(desk, A, [one])) == {"created": 1}
    assert statuses(by_column(desk, [(A, one), (B, one)])) == {"unchanged": 1, "created": 1}
    assert statuses(by_setting(desk, B, [one])) == {"unchanged": 1}
    assert statuses(by_setting(desk, C, [one])) == {"created": 1}
    assert len(desk.sent()) == 3


def workbook(desk: Desk, *sheets: list[dict[str, Any]]) -> Path:
    """A sheet for each list of rows, `Sheet1` and on."""
    book = openpyxl.Workbook(write_only=True)
    for number, some in enumerate(sheets, 1):
        sheet = book.create_sheet(f"Sheet{number}")
        for row in ([*some[0]], *([*map(str, one.values())] for one in some)):
            sheet.append(row)
    path = desk.folder / "sheets.xlsx"
    book.save(path)
    return path


@pytest.mark.parametrize("column_first", [True, False])
def test_a_key_stands_once_in_a_file_whichever_door_its_sheets_go_through(desk: Desk, column_first: bool) -> None:
    """Once for each tenant, whose ID is the same in capitals; the result marks the later row as the import does."""
    one, two = rows(*ACCOUNTS)
    by_tenant = [{TENANT: A if column_first else A.upper(), **one}, {TENANT: B, **one}]
    sheets = [by_tenant, [one, two]] if column_first else [[one, two], by_tenant]
    desk.changes["settings"] = {**CHARGES, TENANT: A}
    report, _ = desk.import_(workbook(desk, *sheets), resource=KAZOO)
    assert statuses(report) == {"created": 3, "invalid": 1}
    assert made(desk) == [(A, ACCOUNTS[0]), (A, ACCOUNTS[1]), (B, ACCOUNTS[0])]
    (cause,) = report.causes.problems()
    first, later = ("E2", "D2") if column_first else ("D2", "E2")
    assert (cause.first.sheet, cause.first.cell) == ("Sheet2", later)
    assert f" in Sheet1!{first} already. Take one of the two rows out." in cause.first.message


def test_a_key_known_through_another_door_is_told_apart(desk: Desk) -> None:
    (one,) = rows(ACCOUNTS[0])
    by_setting(desk, A, [one])
    other = {**one, "name": "Another name"}
    assert statuses(by_column(desk, [(A, other)])) == {"invalid": 1}
    assert statuses(by_column(desk, [(A, one)], wishes=Wishes(again=True))) == {"created": 1}


@pytest.mark.parametrize("first_by_column", [True, False])
def test_what_is_unknown_through_one_door_is_not_sent_through_the_other(tmp_path: Path, first_by_column: bool) -> None:
    (one,) = rows(ACCOUNTS[0])
    with Sandbox(list(APIS.values()), faults=[Fault.parse("lost:1")], known=KNOWN) as sandbox:
        desk = Desk(tmp_path, sandbox)
        reports = [
            by_column(desk, [(A, one)], resolve=False) if column else by_setting(desk, A, [one], resolve=False)
            for column in (first_by_column, not first_by_column)
        ]
        assert [statuses(report) for report in reports] == [{"unknown": 1}] * 2
        assert reports[0].run
        assert [report.unknown_in for report in reports] == [[reports[0].run.id]] * 2
        assert len(desk.sent()) == 1


def go_on(desk: Desk, course: type[pipeline.Resume | pipeline.Resolve], file: Path, **options: Any) -> Report:
    job = Job(file, APIS, lambda api: connection(desk.sandbox, api, **desk.changes), resource=KAZOO, **options)
    with Journal(desk.journal) as journal:
        one = course(job, journal, Silent(), lambda preview: True, lambda line: None).of(journal.run())
        list(one.outcomes())
    return one.report


def test_a_run_goes_on_after_another_door_has_made_its_row(desk: Desk) -> None:
    one, two = rows(*ACCOUNTS)
    by_setting(desk, B, [one])
    by_column(desk, [(A, one), (A, two), (B, one)], limit=1)
    report = go_on(desk, pipeline.Resume, desk.folder / "column.csv")
    assert statuses(report) == {"created": 2, "unchanged": 1}
    assert len(desk.sent()) == 3


def test_a_column_that_a_file_gets_before_its_run_goes_on_is_a_door_too(desk: Desk) -> None:
    one, two = rows(*ACCOUNTS)
    by_setting(desk, A, [one, two], limit=1)
    file = write_csv(desk.folder / "setting.csv", [{TENANT: B, **one}])
    go_on(desk, pipeline.Resume, file, as_new=True)
    assert statuses(by_setting(desk, B, [one])) == {"unchanged": 1}
    assert len(desk.sent()) == 2


def test_an_unknown_row_of_a_tenant_is_settled_and_known_at_the_other_door(tmp_path: Path) -> None:
    (one,) = rows(ACCOUNTS[0])
    with Sandbox(list(APIS.values()), faults=[Fault.parse("lost:1")], known=KNOWN) as sandbox:
        desk = Desk(tmp_path, sandbox)
        by_column(desk, [(A, one)], resolve=False)
        report = go_on(desk, pipeline.Resolve, desk.folder / "column.csv", words={"2": "P1"})
        assert statuses(report) == {"created": 1}
        assert statuses(by_setting(desk, A, [one])) == {"unchanged": 1}


def forget_columns(desk: Desk) -> None:
    """Leave the journal as it was before it kept which settings columns stood in for."""
    with closing(sqlite3.connect(desk.journal)) as file:
        file.executescript(
            "ALTER TABLE runs DROP COLUMN by_row; ALTER TABLE rows DROP COLUMN because; PRAGMA user_version = 2"
        )


def test_a_journal_of_before_knows_its_rows_through_every_door(desk: Desk) -> None:
    one, two = rows(*ACCOUNTS)
    by_column(desk, [(A, one)], setting=C)
    by_setting(desk, B, [two])
    forget_columns(desk)
    assert statuses(by_setting(desk, A, [one, two])) == {"unchanged": 1, "created": 1}
    assert statuses(by_column(desk, [(A, one), (B, two)])) == {"unchanged": 2}
    assert len(desk.sent()) == 3


def test_a_record_that_is_one_more_through_another_door_stands_for_one_more_row(desk: Desk) -> None:
    """Two equal rows of one file are two records, whichever door each has come through."""
    destination = {"displayName": "Desk", "supportLanguages": "en", "supportLocations": "*", "types": "PHONE",
                   "phoneTargets": "+85291234567"}  # fmt: skip

    def imported(app: str, some: list[dict[str, str]]) -> dict[str, int]:
        desk.changes["settings"] = {"appID": app}
        return statuses(desk.import_(write_csv(desk.folder / "a.csv", some), resource="cinnox/destination")[0])

    assert imported("1", [destination]) == {"created": 1}
    through = {"appID": "1", **destination}
    assert imported("2", [through, through]) == {"unchanged": 1, "created": 1}
    assert imported("1", [destination] * 2) == {"unchanged": 2}
    assert imported("1", [destination] * 3) == {"unchanged": 2, "created": 1}
    assert imported("3", [through] * 3) == {"unchanged": 3}


def test_a_sheet_of_tenants_keeps_a_run_to_one_of_them_away_and_two_tenants_go_side_by_side(desk: Desk) -> None:
    (one,) = rows(ACCOUNTS[0])
    told: list[str] = []

    def meanwhile(tenant: str) -> Outcome | None:
        other = Desk(desk.folder, desk.sandbox)
        try:
            told.append(str(statuses(by_setting(other, tenant, [one]))))
        except UsageError as error:
            told.append(str(error))
        return None

    def importing(settings: dict[str, str], row: dict[str, Any], tenant: str) -> None:
        file = write_csv(desk.folder / "first.csv", [row])
        job = Job(file, APIS, lambda api: connection(desk.sandbox, api, settings=settings), resource=KAZOO)
        with Journal(desk.journal) as journal:
            course = pipeline.Import(
                job, journal, Silent(), lambda preview: meanwhile(tenant) is None, lambda line: None
            )
            list(course.outcomes())

    importing({**CHARGES, TENANT: A}, one, B)
    importing(CHARGES, {TENANT: C, **one}, A)
    assert told[0] == "{'created': 1}"
    assert told[1].startswith(f"Another run is at work on {desk.sandbox.base_url('myreports')} (run ")
    assert statuses(by_setting(desk, C, [one])) == {"unchanged": 1}


def test_a_target_names_the_settings_of_a_row_as_that_of_a_connection_does(sandbox: Sandbox) -> None:
    api = APIS["cinnox"]
    one = connection(sandbox, api, settings={"appID": "1 2:3"})
    two = replace(one, settings={"appID": "ü="})
    assert at(target(one, api, b""), {"appID": "ü="}) == target(two, api, b"")
    assert at(sandbox.base_url("cinnox"), {"appID": "1 2:3"}) == target(one, api, b"")
    assert without(target(one, api, b""), {"appID"}) == sandbox.base_url("cinnox")
