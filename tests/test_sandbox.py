"""The sandbox answers as the vendors' pages say, refuses what their documents forbid, and misbehaves when told to."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from bulkload.document import Document, parse_yaml
from bulkload.errors import UsageError
from bulkload.openapi import open_api, read_api
from bulkload.resource import Api
from bulkload.sandbox import FAULTS, Fault, Sandbox

CINNOX, MYREPORTS, AICC = open_api("cinnox"), open_api("myreports"), open_api("aicc")
TENANT = "90ce2cce-5b90-424b-b502-55924f140a48"
OTHER_TENANT = "11111111-2222-4333-8444-555555555555"
DESTINATIONS = "/v1/api/apps/sandbox-appID/destination"
PBXS = f"/api/v1.0/customers/{TENANT}/pbxs"
AGENTS = "/apiaccess/CC-Management/v1/openapp/agentsettings"
ROUTES = "/apiaccess/rest/cc-management/v1/calledRoute"
TOKEN = "/apigovernance/api/oauth/tokenByAkSk"

DESTINATION = {
    "displayName": "English Support",
    "supportLanguages": ["*"],
    "supportLocations": ["*"],
    "types": ["PHONE"],
    "phoneTargets": ["+85294667788"],
}
KAZOO = {
    "_type": "KazooPbxConnectionProfile",
    "name": "Customers Kazoo Pbx",
    "hostRest": "https://rest.example.com",
    "hostWebsocket": "wss://ws.example.com",
    "accountId": "12345",
    "apiKey": "ABCDEF",
}
THREE_CX = {
    "_type": "ThreeCxConnectionProfile",
    "name": "3CX Connection",
    "licenseKey": "licenseKey-licenseKey-licenseKey",
    "username": "username-username-username",
    "password": "password-password",
    "enableRecordingArchive": "true",
    "recordingArchiveFrequency": "00:20:00",
}
AGENT = {
    "callType": "1",
    "userId": "1660270845627002401",
    "callerPresent": ["12323", "232232", "12323", "12323"],
    "callNumber": ["12323", "232343", "233", "232343"],
    "callNumberDefault": "23232323",
    "callerPresentDefault": "1212121212",
}
ROUTE = {"accessCode": "9911411", "extCode": "11", "devicetype": 1, "deviceId": 1, "mediaTypeId": 19}

THINGS = """
openapi: 3.0.3
info: {title: Things, version: "1"}
security: [{basic: []}]
paths:
  /things:
    post:
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/NewThing"}}}}
      responses:
        "201": {description: Made, content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
        "400": {$ref: "#/components/responses/Problem"}
  /things/{thingId}:
    parameters:
      - {name: thingId, in: path, required: true, schema: {type: string}}
    get:
      responses:
        "200": {description: It, content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
        "404": {$ref: "#/components/responses/Problem"}
    put:
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/NewThing"}}}}
      responses:
        "200": {description: It, content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
    delete:
      responses:
        "204": {description: Gone}
components:
  securitySchemes:
    basic: {type: http, scheme: basic}
  responses:
    Problem:
      description: Wrong
      content:
        application/json:
          schema: {type: object, properties: {error: {type: integer, example: 1}, message: {type: string}}}
  schemas:
    NewThing:
      type: object
      required: [name]
      properties:
        name: {type: string, minLength: 1}
        size: {type: integer, nullable: true, default: 3}
        mail: {type: string, format: email}
    Thing:
      allOf:
        - $ref: "#/components/schemas/NewThing"
        - type: object
          required: [id, parts]
          properties:
            id: {type: integer}
            parts: {type: array, items: {type: string}}
            parent: {$ref: "#/components/schemas/Thing"}
            made: {type: string, format: date-time, readOnly: true}
"""


def things(text: str = THINGS) -> Api:
    return read_api(Document(parse_yaml(text), "things.yaml"), "things")


def client(sandbox: Sandbox, api: Api, **headers: str) -> httpx.Client:
    """A client that is signed in and sets what the document requires."""
    given = sandbox.credentials(api)
    own = httpx.Client(base_url=sandbox.base_url(api.name), trust_env=False)
    match api.name:
        case "aicc":
            url = sandbox.base_url("aicc") + TOKEN
            answer = httpx.post(url, json=given, headers={"X-Token-Expire": "600"}, trust_env=False)
            token = answer.json()["AccessToken"]
            own.headers.update({"Authorization": f"Bearer {token}", "X-APP-Key": given["app_key"]})
        case "things":
            own.auth = (given["username"], given["password"])
        case _:
            own.headers["Authorization"] = f"Bearer {given['token']}"
    if api.name == "myreports":
        own.headers["accept-charges"] = "true"
    own.headers.update(headers)
    return own


@contextmanager
def playing(api: Api, *faults: Fault, **options: Any) -> Iterator[tuple[Sandbox, httpx.Client]]:
    with Sandbox([api], faults, **options) as sandbox, client(sandbox, api) as signed_in:
        yield sandbox, signed_in


# What the vendors' pages show


def test_cinnox_creates_and_updates_a_destination() -> None:
    with playing(CINNOX) as (sandbox, cinnox):
        made = cinnox.post(DESTINATIONS, json=DESTINATION)
        new_id = sandbox.records("cinnox/destination")[0]["id"]
        assert (made.status_code, made.json()) == (200, {"code": 200, "result": {"id": new_id}})
        assert len(new_id) == 19 and new_id.isdecimal()

        changed = cinnox.patch(f"{DESTINATIONS}/{new_id}", json={**DESTINATION, "displayName": "Support"})
        assert (changed.status_code, changed.json()) == (200, {"code": 200, "result": {"id": new_id}})
        assert sandbox.records("cinnox/destination") == [
            {"id": new_id, "path": {"appID": "sandbox-appID"}, "body": {**DESTINATION, "displayName": "Support"}}
        ]


def test_cinnox_says_that_a_destination_is_unknown() -> None:
    with playing(CINNOX) as (_, cinnox):
        answer = cinnox.patch(f"{DESTINATIONS}/1", json=DESTINATION)
        assert (answer.status_code, answer.json()) == (400, {"code": 3000205, "message": "Destination not found"})


def test_cinnox_says_where_a_body_is_wrong() -> None:
    with playing(CINNOX) as (sandbox, cinnox):
        answer = cinnox.post(DESTINATIONS, json={**DESTINATION, "types": ["FAX"]})
        assert (answer.status_code, answer.json()) == (
            400,
            {"code": 6451000, "message": 'body/types/0: "FAX" is not one of "PHONE", "STAFF" or "TRUNK"'},
        )
        assert sandbox.records("cinnox/destination") == []


def test_myreports_answers_a_kazoo_pbx_with_its_id_and_location() -> None:
    with playing(MYREPORTS) as (sandbox, myreports):
        made = myreports.post(PBXS, json=KAZOO)
        new_id = sandbox.records("myreports/pbx-kazoo")[0]["id"]
        assert made.status_code == 201
        assert made.headers["location"] == f"{sandbox.base_url('myreports')}{PBXS}/{new_id}"
        assert made.json() == {
            "data": {**KAZOO, "id": new_id, "tenantId": TENANT, "countryCode": "US", "enabled": False},
            "status": "success",
            "timestamp": "2019-11-29T16:03:23.9251680Z",
        }


def test_myreports_answers_a_3cx_pbx_with_its_id_in_location_alone() -> None:
    with playing(MYREPORTS) as (sandbox, myreports):
        made = myreports.post(PBXS, json=THREE_CX)
        new_id = sandbox.records("myreports/pbx-3cx")[0]["id"]
        assert (made.status_code, made.headers["location"].rsplit("/", 1)[-1]) == (201, new_id)
        assert made.json() == {"data": THREE_CX, "status": "success", "timestamp": "2019-11-29T16:03:23.9251680Z"}


def test_myreports_tells_whether_a_pbx_exists_under_any_tenant() -> None:
    with playing(MYREPORTS, known={"CUSTOMER_TENANT_ID": [OTHER_TENANT]}) as (sandbox, myreports):
        myreports.post(PBXS.replace(TENANT, OTHER_TENANT), json=THREE_CX)
        there = myreports.get("/api/v1.0/pbxs", params={"instanceId": THREE_CX["licenseKey"]})
        missing = myreports.get("/api/v1.0/pbxs", params={"instanceId": "12345"})
        rest = {"status": "success", "timestamp": "2019-11-29T16:03:23.9251680Z"}
        assert there.json() == {
            "data": {
                "exists": True,
                "instanceId": THREE_CX["licenseKey"],
                "id": sandbox.records("myreports/pbx-3cx")[0]["id"],
                "tenantId": OTHER_TENANT,
            },
            **rest,
        }
        assert missing.json() == {"data": {"exists": False, "instanceId": "12345"}, **rest}


@pytest.mark.parametrize(
    ("tenant", "status", "message"),
    [
        (OTHER_TENANT, 404, f'path CUSTOMER_TENANT_ID: "{OTHER_TENANT}" is not known'),
        ("nobody", 400, 'path CUSTOMER_TENANT_ID: "nobody" is not a "uuid"'),
    ],
)
def test_myreports_refuses_a_tenant_in_its_own_words(tenant: str, status: int, message: str) -> None:
    with playing(MYREPORTS) as (_, myreports):
        answer = myreports.post(PBXS.replace(TENANT, tenant), json=KAZOO)
        timestamp = {400: "2020-02-06T12:45:27.5903465Z", 404: "2020-02-06T12:46:58.7669535Z"}[status]
        assert (answer.status_code, answer.json()) == (
            status,
            {"error": status, "message": message, "status": "error", "timestamp": timestamp},
        )


def test_aicc_trades_app_key_and_secret_for_a_token() -> None:
    with Sandbox([AICC]) as sandbox, httpx.Client(base_url=sandbox.base_url("aicc"), trust_env=False) as anyone:
        given = sandbox.credentials(AICC)
        assert set(given) == {"app_key", "app_secret"}
        answer = anyone.post(TOKEN, json=given, headers={"X-Token-Expire": "1200"})
        token = answer.json()["AccessToken"]
        assert answer.json() == {
            "AccessToken": token,
            "ApplyType": "Bearer",
            "CreateTime": "1545650171",
            "Expires": "1200",
            "Scope": "",
            "AppKey": given["app_key"],
            "UserID": "Anonymous",
        }
        wrong = anyone.post(TOKEN, json={**given, "app_secret": "x"}, headers={"X-Token-Expire": "1200"})
        too_long = anyone.post(TOKEN, json=given, headers={"X-Token-Expire": "3601"})
        assert (wrong.status_code, too_long.status_code) == (401, 400)


def test_aicc_answers_agent_settings_with_their_id_and_finds_them() -> None:
    with playing(AICC) as (sandbox, aicc):
        made = aicc.post(f"{AGENTS}/create", json=AGENT)
        new_id = sandbox.records("aicc/agent-settings")[0]["id"]
        assert made.json() == {
            "returnCode": "0",
            "returnDesc": "The AgentSettings created successfully.",
            "id": new_id,
        }
        found = aicc.post(f"{AGENTS}/query", json={"userId": AGENT["userId"]})
        told = {name: value for name, value in AGENT.items() if name != "userId"}
        assert found.json() == {"returnCode": "0", "returnDesc": "query success.", "id": new_id, **told}
        missing = aicc.post(f"{AGENTS}/query", json={"userId": "nobody"})
        assert missing.json() == {"returnCode": "0", "returnDesc": "query success."}


def test_aicc_answers_a_called_route_without_an_id_and_finds_it() -> None:
    with playing(AICC) as (sandbox, aicc):
        made = aicc.post(f"{ROUTES}/createCalledRoute", json=ROUTE)
        assert (made.status_code, made.json()) == (200, {"returnCode": "0", "description": "data create success"})
        other = {"accessCode": "9911411", "extCode": "12", "devicetype": 1, "deviceId": 2}
        aicc.post(f"{ROUTES}/createCalledRoute", json=other)

        first, second = sandbox.records("aicc/called-route")
        known = {"accessCode": "9911411", "devicetype": 1, "editable": "0"}
        routes = [
            {"id": first["id"], "dnid": 1, "extCode": "11", "mediatypeId": 19, "deviceId": 1, **known},
            {"id": second["id"], "dnid": 2, "extCode": "12", "mediatypeId": 5, "deviceId": 2, **known},
        ]
        for asked, expected, total in [
            ({"accessCode": "9911411", "extCode": "11"}, routes[:1], 1),
            ({"accessCode": "9911411"}, routes, 2),
            ({"accessCode": "9911411", "limit": 1, "offset": 1}, routes[1:], 2),
            ({"accessCode": "9911411", "extCode": "1"}, [], 0),
        ]:
            found = aicc.post(f"{ROUTES}/queryCalledRoute", json=asked)
            assert found.json() == {
                "returnCode": "0",
                "description": "query success",
                "data": {"total": total, "calledRouteList": expected},
            }


def test_equal_records_are_accepted_and_counted_as_no_vendor_documents_a_refusal() -> None:
    with playing(AICC) as (sandbox, aicc):
        answers = [aicc.post(f"{AGENTS}/create", json=AGENT).json()["id"] for _ in range(3)]
        assert [record["id"] for record in sandbox.records("aicc/agent-settings")] == answers
        assert len(set(answers)) == 3


# Strictness


def test_a_token_that_has_ended_or_was_taken_back_is_refused() -> None:
    with playing(AICC, token_life=0) as (_, aicc):
        assert aicc.post(f"{AGENTS}/create", json=AGENT).status_code == 401
    with playing(AICC) as (sandbox, aicc):
        assert aicc.post(f"{AGENTS}/create", json=AGENT).status_code == 200
        sandbox.revoke_tokens()
        assert aicc.post(f"{AGENTS}/create", json=AGENT).status_code == 401


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer x"}, {"Authorization": ""}, {"X-APP-Key": "x"}])
def test_wrong_credentials_are_refused(headers: dict[str, str]) -> None:
    with playing(AICC) as (sandbox, aicc):
        answer = aicc.post(f"{AGENTS}/create", json=AGENT, headers=headers)
        assert (answer.status_code, answer.content) == (401, b"")
        assert sandbox.records("aicc/agent-settings") == []


def test_a_required_header_must_be_there_and_right() -> None:
    with playing(MYREPORTS) as (_, myreports):
        wrong = myreports.post(PBXS, json=KAZOO, headers={"accept-charges": "yes"})
        del myreports.headers["accept-charges"]
        missing = myreports.post(PBXS, json=KAZOO)
        assert [(answer.status_code, answer.json()["message"]) for answer in (wrong, missing)] == [
            (400, 'header accept-charges: "yes" is not one of "true"'),
            (400, "header accept-charges: missing"),
        ]


@pytest.mark.parametrize(
    ("method", "path", "kind", "content", "status"),
    [
        ("POST", "/elsewhere", "application/json", b"{}", 404),
        ("POST", f"{DESTINATIONS}/", "application/json", b"{}", 404),
        ("GET", DESTINATIONS, "application/json", b"", 405),
        ("POST", DESTINATIONS, "text/plain", b"{}", 415),
        ("POST", DESTINATIONS, "application/json", b"{", 400),
        ("POST", DESTINATIONS, "application/json", b'{"displayName": NaN}', 400),
        ("POST", DESTINATIONS, "application/json", b"[]", 400),
        ("POST", DESTINATIONS.replace("sandbox-appID", "other"), "application/json", b"{}", 400),
    ],
)
def test_what_the_document_does_not_say_is_refused(
    method: str, path: str, kind: str, content: bytes, status: int
) -> None:
    with playing(CINNOX) as (sandbox, cinnox):
        answer = cinnox.request(method, path, content=content, headers={"Content-Type": kind})
        assert answer.status_code == status
        assert sandbox.requests[-1].reason
        assert sandbox.records("cinnox/destination") == []


def test_a_refused_body_is_a_bare_400_where_the_document_shows_none() -> None:
    with playing(AICC) as (sandbox, aicc):
        answer = aicc.post(f"{ROUTES}/createCalledRoute", json={**ROUTE, "devicetype": "1"})
        assert (answer.status_code, answer.content) == (400, b"")
        assert sandbox.requests[-1].reason.startswith("body/devicetype:")


def test_a_kind_of_body_that_the_document_does_not_have_is_refused() -> None:
    with playing(MYREPORTS) as (_, myreports):
        assert myreports.post(PBXS, json={**KAZOO, "_type": "TeamsConnectionProfile"}).status_code == 400


def test_formats_are_checked() -> None:
    with playing(MYREPORTS) as (_, myreports):
        answer = myreports.post(PBXS, json={**KAZOO, "hostRest": "rest example"})
        assert (answer.status_code, answer.json()["message"]) == (400, 'body/hostRest: "rest example" is not a "uri"')


# Any document


def test_a_document_of_version_3_0_without_our_words_is_played() -> None:
    with playing(things()) as (sandbox, api):
        made = api.post("/things", json={"name": "Löffel", "size": None})
        expected: dict[str, Any] = {"name": "Löffel", "size": None, "parts": [], "made": "2026-01-01T00:00:00Z"}
        new_id = made.json()["id"]
        assert (made.status_code, made.json()) == (201, {"id": new_id, **expected})
        assert isinstance(new_id, int)

        assert api.get(f"/things/{new_id}").json() == {"id": new_id, **expected}
        assert api.put(f"/things/{new_id}", json={"name": "Fork"}).json()["size"] == 3
        assert sandbox.records("things/things") == [{"id": str(new_id), "path": {}, "body": {"name": "Fork"}}]

        gone = api.delete(f"/things/{new_id}")
        assert (gone.status_code, gone.content, sandbox.records("things/things")) == (204, b"", [])
        missing = api.get(f"/things/{new_id}")
        assert (missing.status_code, missing.json()) == (404, {"error": 1, "message": "no record has this ID"})
        assert api.post("/things", json={"name": "x"}, auth=("who", "knows")).status_code == 401
        assert api.post("/things", json={"name": "x", "mail": "no"}).json() == {
            "error": 1,
            "message": 'body/mail: "no" is not a "email"',
        }


def test_several_apis_are_played_side_by_side_and_each_sandbox_is_a_world_of_its_own() -> None:
    with Sandbox([CINNOX, MYREPORTS]) as sandbox, client(sandbox, CINNOX) as cinnox:
        assert cinnox.post(DESTINATIONS, json=DESTINATION).status_code == 200
        with client(sandbox, MYREPORTS) as myreports:
            assert myreports.post(PBXS, json=KAZOO).status_code == 201
        first, port = sandbox.base_url("cinnox"), sandbox.port
    with Sandbox([CINNOX], port=port) as again:
        assert again.base_url("cinnox") != first
        assert httpx.post(f"{first}{DESTINATIONS}", json=DESTINATION, trust_env=False).status_code == 404
        assert again.requests[0].api == ""


def test_a_port_that_is_taken_is_told() -> None:
    with Sandbox([CINNOX]) as sandbox, pytest.raises(UsageError, match=f"port {sandbox.port} can't be had"):
        Sandbox([CINNOX], port=sandbox.port).__enter__()


def test_what_comes_again_with_its_key_is_done_once_and_said_again() -> None:
    text = """
openapi: 3.1.0
paths:
  /things:
    post:
      x-bulkload: {idempotency: {header: Idempotency-Key, life: 1h}}
      requestBody: {content: {application/json: {schema: {type: object, properties: {name: {type: string}}}}}}
      responses: {"201": {content: {application/json: {schema: {type: object, properties: {id: {type: string}}}}}}}
"""
    api = things(text)
    with Sandbox([api]) as sandbox, httpx.Client(base_url=sandbox.base_url("things"), trust_env=False) as there:
        key = {"Idempotency-Key": "k1"}
        answers = [there.post("/things", json={"name": "a"}, headers=key).json() for _ in range(2)]
        assert answers[0] == answers[1]
        assert there.post("/things", json={"name": "b"}, headers=key).status_code == 422
        assert there.post("/things", json={"name": "a"}).json() != answers[0]
        assert len(sandbox.records(next(iter(api.resources.values())).full_name)) == 2


def test_the_ledger_holds_what_arrived() -> None:
    with playing(CINNOX) as (sandbox, cinnox):
        cinnox.post(f"{DESTINATIONS}?a=1&a=2", json=DESTINATION)
        arrived = sandbox.requests[0]
        assert (arrived.api, arrived.method, arrived.path, arrived.query) == (
            "cinnox",
            "POST",
            DESTINATIONS,
            (("a", "1"), ("a", "2")),
        )
        assert (arrived.json, arrived.status, arrived.fault, arrived.reason) == (DESTINATION, 200, "", "")
        assert arrived.headers["authorization"] == f"Bearer {sandbox.credentials(CINNOX)['token']}"


def test_settings_are_those_that_the_document_requires() -> None:
    with Sandbox([CINNOX, MYREPORTS, AICC]) as sandbox:
        assert {api.name: sandbox.settings(api) for api in (CINNOX, MYREPORTS, AICC)} == {
            "cinnox": {"appID": "sandbox-appID"},
            "myreports": {"CUSTOMER_TENANT_ID": TENANT, "accept-charges": "true"},
            "aicc": {},
        }


# Faults


@pytest.mark.parametrize(
    ("name", "error", "made"),
    [
        ("lost", httpx.RemoteProtocolError, 1),
        ("reset", httpx.ReadError, 0),
        ("reset-after", httpx.ReadError, 1),
    ],
)
def test_a_broken_connection_shows_on_the_wire_and_in_the_ledger(name: str, error: type[Exception], made: int) -> None:
    with playing(CINNOX, Fault(name)) as (sandbox, cinnox):
        with pytest.raises(error):
            cinnox.post(DESTINATIONS, json=DESTINATION)
        assert len(sandbox.records("cinnox/destination")) == made
        assert [(request.status, request.fault) for request in sandbox.requests] == [(0, name)]


@pytest.mark.parametrize(
    ("name", "status", "content", "made"),
    [
        ("429", 429, b"", 0),
        ("429-date", 429, b"", 0),
        ("503", 503, b"", 0),
        ("500", 500, b"", 0),
        ("500-after", 500, b"", 1),
        ("html", 200, b"<html><body>Please sign in</body></html>", 1),
        ("empty", 200, b"", 1),
    ],
)
def test_a_faulty_answer_shows_on_the_wire_and_in_the_ledger(name: str, status: int, content: bytes, made: int) -> None:
    with playing(AICC, Fault(name)) as (sandbox, aicc):
        answer = aicc.post(f"{AGENTS}/create", json=AGENT)
        assert (answer.status_code, answer.content) == (status, content)
        assert len(sandbox.records("aicc/agent-settings")) == made
        assert (sandbox.requests[-1].status, sandbox.requests[-1].fault) == (status, name)


def test_retry_after_comes_as_seconds_or_as_a_date() -> None:
    with playing(CINNOX, Fault("429-date", 2, seconds=30), Fault("429", seconds=30)) as (_, cinnox):
        seconds, date = (cinnox.post(DESTINATIONS, json=DESTINATION).headers for _ in range(2))
        assert seconds["retry-after"] == "30"
        wait = parsedate_to_datetime(date["retry-after"]) - parsedate_to_datetime(date["date"])
        assert 30 <= wait.total_seconds() <= 32


def test_a_slow_answer_comes_late_and_with_the_work_done() -> None:
    with playing(CINNOX, Fault("slow", seconds=0.3)) as (sandbox, cinnox):
        with pytest.raises(httpx.ReadTimeout):
            cinnox.post(DESTINATIONS, json=DESTINATION, timeout=0.1)
        assert len(sandbox.records("cinnox/destination")) == 1
        assert cinnox.post(DESTINATIONS, json=DESTINATION).elapsed.total_seconds() >= 0.3


def test_expired_tokens_are_refused_until_a_new_one_is_fetched() -> None:
    with playing(AICC, Fault("expired", 2)) as (sandbox, aicc):
        assert [aicc.post(f"{AGENTS}/create", json=AGENT).status_code for _ in range(3)] == [200, 401, 401]
        with client(sandbox, AICC) as renewed:
            assert renewed.post(f"{AGENTS}/query", json={"userId": "x"}).status_code == 200


@pytest.mark.parametrize(
    ("api", "path", "body", "refusal"),
    [
        (AICC, f"{AGENTS}/create", AGENT, (200, "1", "The AgentSettings could not be created.")),
        (CINNOX, DESTINATIONS, DESTINATION, (409, None, "it exists already, as ID 1307145259662215170")),
        (
            MYREPORTS,
            PBXS,
            {**KAZOO, "name": "Same account"},
            (409, None, "it exists already, as ID 1307145259662215170"),
        ),
    ],
)
def test_a_record_that_exists_is_refused_when_asked_to(api: Api, path: str, body: Any, refusal: Any) -> None:
    with playing(api, Fault("duplicate")) as (sandbox, signed_in):
        first = {**body, "name": KAZOO["name"]} if api is MYREPORTS else body
        assert signed_in.post(path, json=first).is_success
        answer = signed_in.post(path, json=body)
        told = answer.json()
        words = told.get("returnDesc", told.get("message"))
        assert (answer.status_code, told.get("returnCode"), words) == refusal
        assert sum(len(sandbox.records(resource.full_name)) for resource in api.resources.values()) == 1


def test_a_fault_meets_every_so_many_th_write_and_no_other_request() -> None:
    with playing(MYREPORTS, Fault.parse("500:2")) as (_, myreports):
        statuses = []
        for _ in range(4):
            statuses.append(myreports.post(PBXS, json=KAZOO).status_code)
            statuses.append(myreports.get("/api/v1.0/pbxs", params={"instanceId": "1"}).status_code)
        assert statuses == [201, 200, 500, 200, 201, 200, 500, 200]


def test_faults_are_read_from_text() -> None:
    assert [Fault.parse(text) for text in ("lost:10", "duplicate")] == [Fault("lost", 10), Fault("duplicate", 1)]
    for text, message in [
        ("gone:3", f'"gone" is no fault that the sandbox knows: {", ".join(FAULTS)}. Write it like lost:10.'),
        ("lost:0", '"0" in the fault lost:0 is not a number from 1. Write it like lost:10.'),
        ("lost:", '"" in the fault lost: is not a number from 1. Write it like lost:10.'),
    ]:
        with pytest.raises(UsageError) as error:
            Fault.parse(text)
        assert str(error.value) == message


def test_the_port_is_free_again_at_once() -> None:
    with Sandbox([CINNOX]) as sandbox:
        port = sandbox.port
    with socket.create_server(("127.0.0.1", port)):
        pass
