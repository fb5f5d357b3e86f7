"""A sheet with the values of the vendors' own pages puts exactly their request on the wire."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkload.sandbox import Arrived, Sandbox
from samples.make import fill
from tests.support import APIS, Desk, statuses

TENANT = "90ce2cce-5b90-424b-b502-55924f140a48"

CINNOX_ROW = {
    "displayName": "English Support",
    "supportLanguages": "*",
    "supportLocations": "*",
    "types": "PHONE, STAFF",
    "phoneTargets": "+85294667788",
    "staffTargets": "<staff id>",
}
# VENDORS.md 1.2: the page shows no body.
CINNOX_BODY = {
    "displayName": "English Support",
    "supportLanguages": ["*"],
    "supportLocations": ["*"],
    "types": ["PHONE", "STAFF"],
    "phoneTargets": ["+85294667788"],
    "staffTargets": ["<staff id>"],
}
# name, the row as typed, the request as the page shows it
PAGES: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("cinnox/destination", CINNOX_ROW, "/v1/api/apps/12345/destination", CINNOX_BODY),
    (
        "myreports/pbx-kazoo",
        {
            "name": "Customers Kazoo Pbx",
            "hostRest": "https://rest.example.com",
            "hostWebsocket": "wss://ws.example.com",
            "accountId": "12345",
            "apiKey": "ABCDEF",
        },
        f"/api/v1.0/customers/{TENANT}/pbxs",
        {
            "name": "Customers Kazoo Pbx",
            "hostRest": "https://rest.example.com",
            "hostWebsocket": "wss://ws.example.com",
            "accountId": "12345",
            "apiKey": "ABCDEF",
            "_type": "KazooPbxConnectionProfile",
        },
    ),
    (
        "myreports/pbx-3cx",
        {
            "name": "3CX Connection",
            "licenseKey": "licenseKey-licenseKey-licenseKey",
            "username": "username-username-username",
            "password": "password-password",
            "enableRecordingArchive": "true",
            "recordingArchiveFrequency": "00:20:00",
        },
        f"/api/v1.0/customers/{TENANT}/pbxs",
        {
            "_type": "ThreeCxConnectionProfile",
            "name": "3CX Connection",
            "licenseKey": "licenseKey-licenseKey-licenseKey",
            "username": "username-username-username",
            "password": "password-password",
            "enableRecordingArchive": "true",
            "recordingArchiveFrequency": "00:20:00",
        },
    ),
    (
        "aicc/agent-settings",
        {
            "callType": "1",
            "userId": "1660270845627002401",
            "callerPresent": "12323,232232,12323,12323",
            "callNumber": "12323,232343,233,232343",
            "callNumberDefault": "23232323",
            "callerPresentDefault": "1212121212",
        },
        "/apiaccess/CC-Management/v1/openapp/agentsettings/create",
        {
            "callType": "1",
            "userId": "1660270845627002401",
            "callerPresent": ["12323", "232232", "12323", "12323"],
            "callNumber": ["12323", "232343", "233", "232343"],
            "callNumberDefault": "23232323",
            "callerPresentDefault": "1212121212",
        },
    ),
    (
        "aicc/called-route",
        {"accessCode": "9911411", "extCode": "11", "devicetype": "1", "deviceId": 1, "mediaTypeId": "19 (video)"},
        "/apiaccess/rest/cc-management/v1/calledRoute/createCalledRoute",
        {"accessCode": "9911411", "extCode": "11", "devicetype": 1, "deviceId": 1, "mediaTypeId": 19},
    ),
]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    known = {"appID": ["12345"], "CUSTOMER_TENANT_ID": [TENANT]}
    with Sandbox(list(APIS.values()), known=known) as sandbox:
        yield Desk(tmp_path, sandbox)


def settings(name: str) -> dict[str, str]:
    api = name.partition("/")[0]
    given = {"cinnox": {"appID": "12345"}, "myreports": {"CUSTOMER_TENANT_ID": TENANT, "accept-charges": "true"}}
    return given.get(api, {})


def last(desk: Desk) -> Arrived:
    return desk.sandbox.requests[-1]


def own_headers(arrived: Arrived) -> dict[str, str]:
    transports = {"host", "connection", "accept-encoding", "user-agent", "content-length"}
    return {name: value for name, value in arrived.headers.items() if name not in transports}


@pytest.mark.parametrize(("name", "row", "path", "body"), PAGES, ids=[page[0] for page in PAGES])
def test_create_sends_what_the_page_shows(
    desk: Desk, name: str, row: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    file = desk.folder / "sheet.xlsx"
    fill(file, {name: [row]})
    desk.changes["settings"] = settings(name)
    report, outcomes = desk.import_(file, resolve=False)
    assert statuses(report) == {"created": 1}, outcomes
    arrived = last(desk)
    assert (arrived.method, arrived.path, arrived.query) == ("POST", path, ())
    # Types count too: 1 is not "1", and true is not "true".
    assert repr(sorted(arrived.json.items())) == repr(sorted(body.items()))
    signed = own_headers(arrived)
    assert signed.pop("authorization").startswith("Bearer ")
    assert signed == {"content-type": "application/json", "accept": "application/json", **more_headers(desk, name)}


def more_headers(desk: Desk, name: str) -> dict[str, str]:
    if name.startswith("aicc/"):
        return {"x-app-key": desk.sandbox.credentials(APIS["aicc"])["app_key"]}
    return {"accept-charges": "true"} if name.startswith("myreports/") else {}


def test_a_filled_in_destination_id_makes_an_update(desk: Desk) -> None:
    desk.changes["settings"] = settings("cinnox/destination")
    file = desk.folder / "create.xlsx"
    fill(file, {"cinnox/destination": [CINNOX_ROW]})
    _, (made,) = desk.import_(file)
    change = desk.folder / "update.xlsx"
    fill(change, {"cinnox/destination": [{**CINNOX_ROW, "displayName": "Support", "destinationID": made.id}]})
    report, (changed,) = desk.import_(change)
    assert statuses(report) == {"updated": 1}
    arrived = last(desk)
    assert (arrived.method, arrived.path) == ("PATCH", f"/v1/api/apps/12345/destination/{made.id}")
    assert arrived.json == {**CINNOX_BODY, "displayName": "Support"}
    assert changed.id == made.id


def test_the_token_call_is_the_pages(desk: Desk) -> None:
    file = desk.folder / "sheet.xlsx"
    fill(file, {"aicc/agent-settings": [{"userId": "1660270845627002401"}]})
    desk.import_(file)
    call = desk.sandbox.requests[0]
    credentials = desk.sandbox.credentials(APIS["aicc"])
    assert (call.method, call.path) == ("POST", "/apigovernance/api/oauth/tokenByAkSk")
    assert call.headers["x-token-expire"] == "600"
    assert call.json == {"app_key": credentials["app_key"], "app_secret": credentials["app_secret"]}


def test_a_tenant_column_wins_over_the_setting(desk: Desk) -> None:
    file = desk.folder / "pbx-kazoo.csv"
    row = PAGES[1][1]
    file.write_text(f"CUSTOMER_TENANT_ID,{','.join(row)}\r\n{TENANT},{','.join(row.values())}\r\n", encoding="utf-8")
    desk.changes["settings"] = {"accept-charges": "true"}
    report, _ = desk.import_(file)
    assert statuses(report) == {"created": 1}
    assert last(desk).path == f"/api/v1.0/customers/{TENANT}/pbxs"
