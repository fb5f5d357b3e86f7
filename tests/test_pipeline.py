"""Whole runs against a stand-in API: every row has one status, the counts add up, and nothing is sent twice."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from bulkload import pipeline
from bulkload.errors import DiskError, NotConfirmed, SettingsError, SignInError, UnusableFile
from bulkload.job import Job, Preview, Report, Silent
from bulkload.journal import Journal
from bulkload.models import MASK, Severity, Status
from bulkload.openapi import open_api
from bulkload.plan import Wishes
from bulkload.read import ReadOptions
from bulkload.result import result_again, result_path
from bulkload.sandbox import Fault, Sandbox
from samples.make import FAULTY, GOOD, fill
from tests.support import APIS, Desk, connection, document, result_rows, statuses, write_csv
from tests.wire import dead_port


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(list(APIS.values())) as sandbox:
        yield Desk(tmp_path, sandbox)


def faulty_desk(folder: Path, *faults: str, **options: Any) -> tuple[Sandbox, Desk]:
    sandbox = Sandbox(list(APIS.values()), [Fault.parse(fault) for fault in faults], **options)
    return sandbox, Desk(folder, sandbox)


def destinations(count: int) -> list[dict[str, Any]]:
    return [
        {"displayName": f"Desk {number}", "supportLanguages": "en", "supportLocations": "*", "types": "PHONE",
         "phoneTargets": f"+8523002{number:04}"}
        for number in range(count)
    ]  # fmt: skip


def routes(count: int) -> list[dict[str, Any]]:
    return [{"accessCode": f"00{number:05}", "devicetype": 1, "deviceId": 1} for number in range(count)]


# Every row has one status


def test_all_good(desk: Desk) -> None:
    file = desk.folder / "everything.xlsx"
    fill(file, GOOD)
    report, outcomes = desk.import_(file)
    assert statuses(report) == {"created": 12}
    assert report.rows == 12 == len({(one.sheet, one.row) for one in outcomes}) == len(desk.sent())
    assert report.notes == ["Kazoo PBXs: Created disabled: it collects nothing until it is enabled in the portal."]
    held = {record["id"] for name in GOOD for record in desk.sandbox.records(name)}
    assert {outcome.id for outcome in outcomes if outcome.id} == held


def test_all_bad(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", [{**row, "types": "FAX"} for row in destinations(5)])
    report, outcomes = desk.import_(file)
    assert (statuses(report), outcomes, desk.sandbox.requests) == ({"invalid": 5}, [], [])
    assert [row["Import status"] for row in read_csv(report.results[0])] == ["invalid"] * 5


def test_faulty_rows_are_not_sent_and_the_others_are(desk: Desk) -> None:
    file = desk.folder / "everything.xlsx"
    fill(file, FAULTY)
    report, _ = desk.import_(file)
    assert statuses(report) == {"created": 6, "invalid": 19}
    assert len(desk.sent()) == 6
    for sheet, title, row in (("Destinations", "Types *", 2), ("Agent settings", "User ID *", 2)):
        cell = cell_of(report.results[0], sheet, title, row)
        assert cell.comment is not None, f"{sheet} {title}"


def test_half_rejected_by_the_api(tmp_path: Path) -> None:
    sandbox, desk = faulty_desk(tmp_path, "duplicate:1")
    with sandbox:
        first = write_csv(tmp_path / "called-route.csv", routes(10))
        desk.import_(first)
        second = Desk(tmp_path / "other", sandbox)
        second.folder.mkdir()
        report, _ = second.import_(write_csv(second.folder / "called-route.csv", routes(20)))
    assert statuses(report) == {"created": 10, "rejected": 10}
    rejected = [row for row in read_csv(report.results[0]) if row["Import status"] == "rejected"]
    assert {row["Import error"] for row in rejected} == {"data create failed"}
    assert {row["Import HTTP status"] for row in rejected} == {"200"}


def test_api_down_from_the_start(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", destinations(3))
    with dead_port() as port:
        desk.changes |= {"base_url": f"http://127.0.0.1:{port}"}
        report, _ = desk.import_(file)
    assert statuses(report) == {"failed": 3}
    assert all("refused" in row["Import error"] for row in read_csv(report.results[0]))


def test_api_down_half_way(desk: Desk) -> None:
    """The rows before are created, those in flight are unknown or failed, and every one is accounted for."""
    file = write_csv(desk.folder / "destination.csv", destinations(40))
    job = Job(file, APIS, lambda api: connection(desk.sandbox, api, deadline=2.0), concurrency=2, wait_for_api=0.5)
    stopped = False
    with Journal(desk.journal) as journal:
        one = pipeline.Import(job, journal, Silent(), lambda preview: True, lambda line: None)
        for number, _ in enumerate(one.outcomes()):
            if number == 9:
                desk.sandbox.__exit__()
                stopped = True
    report = one.report
    assert stopped
    assert report.rows == 40 == sum(statuses(report).values())
    assert statuses(report)["created"] >= 10
    assert statuses(report).keys() <= {"created", "failed", "unknown", "not sent"}
    assert len(desk.sandbox.records("cinnox/destination")) <= 40 - statuses(report).get("failed", 0)


def test_a_token_that_expires_half_way_is_renewed(tmp_path: Path) -> None:
    sandbox, desk = faulty_desk(tmp_path, "expired:25")
    with sandbox:
        report, _ = desk.import_(write_csv(tmp_path / "called-route.csv", routes(60)))
        calls = [arrived for arrived in sandbox.requests if arrived.path.endswith("tokenByAkSk")]
    assert statuses(report) == {"created": 60}
    assert 3 <= len(calls) <= 4
    assert len(sandbox.records("aicc/called-route")) == 60


def test_credentials_that_are_refused_stop_the_run_before_the_first_row(desk: Desk) -> None:
    from bulkload.credential import Credential

    wrong = {name: Credential.in_memory(name, "wrong") for name in ("app_key", "app_secret")}
    desk.changes |= {"credentials": wrong}
    file = write_csv(desk.folder / "called-route.csv", routes(5))
    with pytest.raises(SignInError):
        desk.import_(file)
    assert desk.sandbox.records("aicc/called-route") == []


def test_lost_answers_are_unknown_and_never_sent_again(tmp_path: Path) -> None:
    sandbox, desk = faulty_desk(tmp_path, "lost:4")
    with sandbox:
        file = write_csv(tmp_path / "destination.csv", destinations(12))
        first, _ = desk.import_(file)
        second, _ = desk.import_(file)
        held = sandbox.records("cinnox/destination")
    assert statuses(first) == {"created": 9, "unknown": 3}
    assert statuses(second) == {"unchanged": 9, "unknown": 3}
    assert len(held) == 12
    # It is the first run whose rows are to be settled, and both say so.
    assert first.run and first.unknown_in == second.unknown_in == [first.run.id]
    assert first.run
    unknown = [row for row in read_csv(second.results[0]) if row["Import status"] == "unknown"]
    assert all(first.run.id in row["Import error"] for row in unknown)


# Nothing is made twice


@pytest.mark.parametrize("name", GOOD)
def test_the_second_import_sends_nothing_and_knows_the_ids(desk: Desk, name: str) -> None:
    file = desk.folder / "sheet.xlsx"
    fill(file, {name: GOOD[name]})
    first, made = desk.import_(file)
    arrived = len(desk.sandbox.requests)
    second, outcomes = desk.import_(file)
    assert (statuses(second), outcomes) == ({"unchanged": len(GOOD[name])}, [])
    assert len(desk.sandbox.requests) == arrived
    title = APIS[name.partition("/")[0]].resources[name.partition("/")[2]].title
    ids = {row["Source row"]: row["Import ID"] for row in result_rows(second.results[0], title)}
    assert ids == {str(outcome.row): outcome.id for outcome in made}
    assert first.results != second.results


def test_two_equal_rows_are_two_records_and_stay_two(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", destinations(1) * 2)
    first, _ = desk.import_(file)
    second, _ = desk.import_(file)
    assert (statuses(first), statuses(second)) == ({"created": 2}, {"unchanged": 2})
    third, _ = desk.import_(write_csv(desk.folder / "destination.csv", destinations(1) * 3))
    assert statuses(third) == {"unchanged": 2, "created": 1}


def test_a_known_key_with_other_values_is_told_apart(desk: Desk) -> None:
    file = write_csv(desk.folder / "called-route.csv", routes(1))
    desk.import_(file)
    changed = write_csv(desk.folder / "called-route.csv", [{**routes(1)[0], "deviceId": 2}])
    report, _ = desk.import_(changed)
    (row,) = read_csv(report.results[0])
    assert statuses(report) == {"invalid": 1}
    assert "with other values" in row["Import error"]
    again, _ = desk.import_(changed, wishes=Wishes(again=True))
    assert statuses(again) == {"created": 1}


def test_update_changes_the_record_whose_key_is_known(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "required": ["sku"],
        "properties": {"sku": {"type": "string"}, "n": {"type": "integer"}},
    }
    path = document(tmp_path / "things.json", schema, **{"x-bulkload": {"key": ["sku"], "resource": "thing"}})
    data = json.loads(path.read_text())
    create = data["paths"]["/things"]["post"]
    item = {"parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]}
    patch = {
        "operationId": "update",
        "requestBody": create["requestBody"],
        "responses": {"200": create["responses"]["201"]},
    }
    data["paths"]["/things/{id}"] = {**item, "patch": patch}
    path.write_text(json.dumps(data))
    api = open_api(path)
    with Sandbox([api]) as sandbox:
        desk = Desk(tmp_path, sandbox)
        _, (made,) = desk.import_(write_csv(tmp_path / "thing.csv", [{"sku": "a", "n": 1}]), apis={"things": api})
        changed = write_csv(tmp_path / "thing.csv", [{"sku": "a", "n": 2}])
        report, (updated,) = desk.import_(changed, apis={"things": api}, wishes=Wishes(update=True))
        assert statuses(report) == {"updated": 1}
        assert updated.id == made.id
        assert [record["body"] for record in sandbox.records("things/thing")] == [{"sku": "a", "n": 2}]


# A result is imported again


def test_a_corrected_result_sends_only_what_was_not_done(desk: Desk) -> None:
    file = desk.folder / "3cx.xlsx"
    fill(file, {"myreports/pbx-3cx": FAULTY["myreports/pbx-3cx"]})
    good = {**GOOD["myreports/pbx-3cx"][0], "licenseKey": "another"}
    fill(file, {"myreports/pbx-3cx": [good, *FAULTY["myreports/pbx-3cx"][:1]]})
    first, _ = desk.import_(file)
    assert statuses(first) == {"created": 1, "invalid": 1}
    result = first.results[0]
    book = openpyxl.load_workbook(result)
    sheet = book["3CX PBXs"]
    titles = {str(cell.value): place for place, cell in enumerate(sheet[1], 1)}
    assert sheet.cell(2, titles["Password *"]).value == MASK
    sheet.cell(3, titles["Recording archive frequency *"], "00:20:00")
    book.save(result)
    masked, _ = desk.import_(result)
    assert statuses(masked) == {"unchanged": 1, "invalid": 1}
    for title, value in (("License key *", "typed-again"), ("Password *", "typed again")):
        sheet.cell(3, titles[title], value)
    book.save(result)
    second, _ = desk.import_(result)
    assert statuses(second) == {"unchanged": 1, "created": 1}
    assert len(desk.sandbox.records("myreports/pbx-3cx")) == 2


def test_a_done_row_that_was_edited_is_refused(desk: Desk) -> None:
    file = desk.folder / "sheet.xlsx"
    fill(file, {"cinnox/destination": destinations(2)})
    first, _ = desk.import_(file)
    book = openpyxl.load_workbook(first.results[0])
    book["Destinations"].cell(2, 2, "Another name")
    book.save(first.results[0])
    second, _ = desk.import_(first.results[0])
    assert statuses(second) == {"invalid": 1, "unchanged": 1}
    row = result_rows(second.results[0], "Destinations")[0]
    assert "edited since" in row["Import error"]


def test_a_colleagues_result_wants_a_word(desk: Desk) -> None:
    file = desk.folder / "sheet.xlsx"
    fill(file, {"cinnox/destination": destinations(2)})
    first, _ = desk.import_(file)
    other = Desk(desk.folder / "other", desk.sandbox)
    other.folder.mkdir()
    with pytest.raises(UnusableFile, match="which this journal doesn't know"):
        other.import_(first.results[0])
    trusted, _ = other.import_(first.results[0], trust_result=True)
    assert statuses(trusted) == {"unchanged": 2}
    again, _ = other.import_(first.results[0], wishes=Wishes(again=True))
    assert statuses(again) == {"created": 2}


def test_a_csv_result_is_imported_again_with_its_guards_taken_off(desk: Desk) -> None:
    rows = [{**row, "displayName": f"=1+{number}"} for number, row in enumerate(destinations(2))]
    file = write_csv(desk.folder / "destination.csv", rows)
    first, _ = desk.import_(file)
    assert read_csv(first.results[0])[0]["displayName"] == "'=1+0"
    second, _ = desk.import_(first.results[0], resource="destination")
    assert statuses(second) == {"unchanged": 2}


# Before anything is sent


def test_a_run_that_nobody_agreed_to_leaves_no_trace(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", [*destinations(2), {"displayName": "x"}])
    seen: list[Preview] = []

    def refuse(preview: Preview) -> bool:
        seen.append(preview)
        return False

    with Journal(desk.journal) as journal:
        job = Job(file, APIS, lambda api: connection(desk.sandbox, api))
        with pytest.raises(NotConfirmed):
            list(pipeline.Import(job, journal, Silent(), refuse, lambda line: None).outcomes())
        assert journal.runs() == []
    assert (seen[0].creates, seen[0].invalid, desk.sandbox.requests) == (2, 1, [])


def test_a_dry_run_shows_the_requests_and_sends_nothing(desk: Desk) -> None:
    file = write_csv(desk.folder / "called-route.csv", [*routes(2), {"accessCode": "1"}])
    with Journal(desk.journal) as journal:
        job = Job(file, APIS, lambda api: connection(desk.sandbox, api))
        report = Report()
        planned = list(pipeline.dry_run(job, journal, report))
        assert journal.runs() == []
    assert (statuses(report), report.causes.count(Severity.ERROR) > 0) == ({"not sent": 2, "invalid": 1}, True)
    assert [(new.row, str(new.status), made and made.body) for new, made, _, _ in planned] == [
        (2, "not sent", {"accessCode": "0000000", "devicetype": 1, "deviceId": 1}),
        (3, "not sent", {"accessCode": "0000001", "devicetype": 1, "deviceId": 1}),
        (4, "invalid", None),
    ]
    assert desk.sandbox.requests == []


def test_a_missing_setting_is_named_before_anything_is_sent(desk: Desk) -> None:
    file = desk.folder / "sheet.xlsx"
    fill(file, {"myreports/pbx-kazoo": GOOD["myreports/pbx-kazoo"]})
    desk.changes |= {"settings": {}}
    with pytest.raises(SettingsError) as error:
        desk.import_(file)
    assert "CUSTOMER_TENANT_ID" in str(error.value)
    assert "accept-charges" in str(error.value)
    assert desk.sandbox.requests == []


def test_a_file_without_rows_is_refused(desk: Desk) -> None:
    file = desk.folder / "sheet.xlsx"
    fill(file, {"cinnox/destination": []})
    with pytest.raises(UnusableFile, match="no row below the header"):
        desk.import_(file)


def test_limit_sends_the_first_rows_and_the_next_import_goes_on(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", destinations(6))
    first, _ = desk.import_(file, limit=2)
    assert (statuses(first), first.limited) == ({"created": 2, "not sent": 4}, True)
    assert {body["displayName"] for _, _, body in desk.sent()} == {"Desk 0", "Desk 1"}
    second, _ = desk.import_(file)
    assert statuses(second) == {"unchanged": 2, "created": 4}


# The result


def test_the_result_can_be_written_again(desk: Desk) -> None:
    file = desk.folder / "sheet.xlsx"
    fill(file, {"cinnox/destination": [*destinations(2), {"displayName": "x"}]})
    first, _ = desk.import_(file)
    before = result_rows(first.results[0], "Destinations")
    first.results[0].unlink()
    job = Job(file, APIS, lambda api: connection(desk.sandbox, api))
    with Journal(desk.journal) as journal:
        again = result_again(job, journal, journal.run())
        assert (again.results, again.counts, again.rows) == (first.results, first.counts, 3)
        assert result_rows(again.results[0], "Destinations") == before
        file.unlink()
        alone = result_again(Job(file, APIS, job.connect, result=desk.folder / "alone.xlsx"), journal, journal.run())
    assert [row["Import status"] for row in result_rows(alone.results[0], "Destinations")] == [
        "created",
        "created",
        "invalid",
    ]


def test_another_file_in_its_place_is_refused(desk: Desk) -> None:
    file = desk.folder / "sheet.xlsx"
    fill(file, {"cinnox/destination": destinations(2)})
    desk.import_(file)
    fill(file, {"cinnox/destination": destinations(3)})
    job = Job(file, APIS, lambda api: connection(desk.sandbox, api))
    with Journal(desk.journal) as journal, pytest.raises(UnusableFile, match="changed since"):
        result_again(job, journal, journal.run())


def test_a_result_never_takes_the_place_of_another_runs(tmp_path: Path) -> None:
    file = tmp_path / "a.xlsx"
    assert result_path(file) == tmp_path / "a.result.xlsx"
    (tmp_path / "a.result.xlsx").touch()
    assert result_path(file) == tmp_path / "a.result-2.xlsx"
    assert result_path(file, str(tmp_path / "a.result.xlsx")) == tmp_path / "a.result.xlsx"
    assert result_path(tmp_path / "a.result.xlsx") == tmp_path / "a.result-2.xlsx"
    assert result_path(tmp_path / "a.tsv") == tmp_path / "a.result.csv"


def test_no_secret_reaches_what_is_written(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Journal, log at debug level and result hold none of the secrets, though the API echoes those of the rows."""
    canaries = {"apiKey": "CANARY-api-key-1", "password": 'CANARY pass/word"2', "licenseKey": "CANARY-licence-3"}
    file = desk.folder / "pbx.xlsx"
    kazoo = {**GOOD["myreports/pbx-kazoo"][0], "apiKey": canaries["apiKey"]}
    three = {**GOOD["myreports/pbx-3cx"][0], "password": canaries["password"], "licenseKey": canaries["licenseKey"]}
    fill(file, {"myreports/pbx-kazoo": [kazoo, {**kazoo, "accountId": "2", "countryCode": "x"}],
                "myreports/pbx-3cx": [three], "aicc/agent-settings": GOOD["aicc/agent-settings"]})  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        report, _ = desk.import_(file)
    assert statuses(report) == {"created": 4, "invalid": 1}
    secrets = [*canaries.values(), *desk.sandbox.credentials(APIS["aicc"]).values()]
    secrets += desk.sandbox.credentials(APIS["myreports"]).values()
    secrets += [arrived.headers["authorization"].split()[-1] for arrived in desk.sandbox.requests[1:]
                if "authorization" in arrived.headers]  # fmt: skip
    written = {path.name: path.read_bytes() for path in desk.folder.iterdir() if path != file}
    written["log"] = caplog.text.encode()
    book = openpyxl.load_workbook(report.results[0])
    cells = [str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row]
    cells += [cell.comment.text for sheet in book for row in sheet.iter_rows() for cell in row if cell.comment]
    written["cells"] = "\n".join(cells).encode()
    found = [(name, secret) for name, content in written.items() for secret in secrets if secret.encode() in content]
    assert found == []


def test_an_error_that_echoes_a_secret_is_masked(tmp_path: Path) -> None:
    """The API's words for a refusal hold what was sent."""

    def schema(pin: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "required": ["name", "pin"], "properties": {"name": {"type": "string"}, "pin": pin}}

    api = open_api(document(tmp_path / "things.json", schema({"type": "string", "writeOnly": True})))
    strict = document(tmp_path / "strict.json", schema({"type": "string", "maxLength": 3}))
    with Sandbox([read_as(strict, "things")]) as sandbox:
        desk = Desk(tmp_path, sandbox)
        file = write_csv(tmp_path / "things.csv", [{"name": "a", "pin": "CANARY-4711"}])
        report, _ = desk.import_(file, apis={"things": api})
    (row,) = read_csv(report.results[0])
    assert row["Import status"] == "rejected"
    assert "CANARY" not in json.dumps(row) + desk.journal.read_bytes().decode("latin-1")


def read_as(path: Path, name: str) -> Any:
    from bulkload.document import load
    from bulkload.openapi import read_api

    return read_api(load(path), name)


def read_csv(path: Path) -> list[dict[str, str]]:
    import csv

    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def cell_of(path: Path, sheet: str, title: str, row: int) -> Any:
    opened = openpyxl.load_workbook(path)[sheet]
    place = next(cell.column for cell in opened[1] if cell.value == title)
    return opened.cell(row, place)


def test_a_report_counts_rows_and_statuses_apart(desk: Desk) -> None:
    """What the file holds and what the journal says are counted each by itself, so that they can disagree."""
    file = write_csv(desk.folder / "destination.csv", destinations(3))
    desk.import_(file)
    job = Job(file, APIS, lambda api: connection(desk.sandbox, api), reading=ReadOptions())
    with Journal(desk.journal) as journal:
        run = journal.run()
        journal._db.execute("DELETE FROM rows WHERE row = 3")
        report = result_again(job, journal, run)
    assert report.rows == 3
    assert report.total(*Status) == 2


def test_a_file_that_goes_away_while_its_rows_are_sent_leaves_the_result_for_later(desk: Desk) -> None:
    file = write_csv(desk.folder / "destination.csv", destinations(3))
    away = desk.folder / "away.csv"
    job = Job(file, APIS, lambda api: connection(desk.sandbox, api))
    with Journal(desk.journal) as journal:
        one = pipeline.Import(job, journal, Silent(), lambda preview: True, lambda line: None)
        with pytest.raises(DiskError, match="bulkload result"):
            for number, _ in enumerate(one.outcomes()):
                if number == 2:
                    file.rename(away)
        away.rename(file)
        report = result_again(job, journal, one.run)
    assert statuses(report) == {"created": 3}
