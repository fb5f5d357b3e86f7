"""What a look-up finds, and what it proves: against the sandbox for each vendor, and against answers of every shape."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bulkload.answer import Verdict, judge
from bulkload.auth import SignIn
from bulkload.lookup import MOST_PAGES, Ask, Found, Record, find, read, same
from bulkload.models import Answer, HeadOnly, Lost, NotSent, Reply
from bulkload.resource import Column, Find, Operation, Parameter, Resource
from bulkload.sandbox import Arrived, Sandbox
from bulkload.transport import Transport, Wire
from tests.support import APIS, Desk, connection, write_csv

ROUTE = APIS["aicc"].resources["called-route"]
AGENT = APIS["aicc"].resources["agent-settings"]
KAZOO = APIS["myreports"].resources["pbx-kazoo"]
THREE = APIS["myreports"].resources["pbx-3cx"]
TENANT, OTHER_TENANT = "90ce2cce-5b90-424b-b502-55924f140a48", "11111111-2222-4333-8444-555555555555"

Values = Mapping[str, Any]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(list(APIS.values()), known={"CUSTOMER_TENANT_ID": [OTHER_TENANT]}) as sandbox:
        yield Desk(tmp_path, sandbox)


def make(desk: Desk, resource: Resource, rows: Sequence[Values], **settings: str) -> None:
    """Have records in the stand-in."""
    there = connection(desk.sandbox, APIS[resource.api])
    desk.changes = {"settings": {**there.settings, **settings}}
    report, _ = desk.import_(write_csv(desk.folder / f"{resource.name}.csv", rows), resource=resource.full_name)
    assert report.total("created") == len(rows)  # type: ignore[arg-type]


def ids(desk: Desk, resource: Resource) -> dict[str, str]:
    """The IDs of the records held, by all their values."""
    held = desk.sandbox.records(resource.full_name)
    return {" ".join(str(record["body"].get(name, "-")) for name in resource.key): record["id"] for record in held}


def look(desk: Desk, resource: Resource, values: Values, **settings: str) -> tuple[Found, list[Arrived]]:
    """Look a row up in the stand-in; gives the requests that it took, sign-in left out, too."""
    api = APIS[resource.api]
    there = connection(desk.sandbox, api)

    def transport(url: str) -> Transport:
        return Transport(Wire(url, deadline=5.0))

    async def asked() -> Found:
        sign_in = SignIn(api, there, transport)
        async with transport(there.base_url) as wire:

            async def ask(
                operation: Operation, path: str, query: Any, headers: Mapping[str, str], body: Any
            ) -> tuple[Reply, Verdict]:
                signed = await sign_in.sign(operation)
                reply = await wire.send(
                    operation.method,
                    path,
                    query=[*query, *signed.query],
                    headers={"Content-Type": "application/json", **headers, **signed.headers},
                    body=None if body is None else json.dumps(body).encode(),
                )
                return reply, judge(operation, reply)

            return await find(resource, values, {**there.settings, **settings}, ask)

    before = len(desk.sandbox.requests)
    found = asyncio.run(asked())
    return found, [a for a in desk.sandbox.requests[before:] if not a.path.endswith("tokenByAkSk")]


# AICC called routes: POST, pages of 100, matched exactly on our side


def route(code: str, ext: str = "", **more: Any) -> dict[str, Any]:
    return {"accessCode": code, "devicetype": 1, "deviceId": 1, **({"extCode": ext} if ext else {}), **more}


@pytest.mark.parametrize("count", [1, 99, 100, 101, 230])
def test_a_route_is_found_among_pages_of_routes_that_match_in_part(desk: Desk, count: int) -> None:
    """Asked for an access code without an extension, the API shows those of all extensions."""
    others = [route("00800", f"{number:03}") for number in range(count - 1)]
    make(desk, ROUTE, [*others, route("00800")])
    found, asked = look(desk, ROUTE, route("00800"))
    assert [record.id for record in found.records] == [ids(desk, ROUTE)["00800 -"]]
    assert (found.absent, found.trouble) == (False, "")
    pages = [{"accessCode": "00800", "limit": 100, "offset": 100 * page} for page in range(count // 100 + 1)]
    assert [arrived.json for arrived in asked] == pages


@pytest.mark.parametrize("ext", ["", "1", "01", "010"])
def test_access_code_and_extension_are_matched_whole(desk: Desk, ext: str) -> None:
    make(desk, ROUTE, [route("77", "01"), route("77"), route("77", "1"), route("770", "1")])
    found, _ = look(desk, ROUTE, route("77", ext))
    wanted = ids(desk, ROUTE).get(f"77 {ext or '-'}")
    assert [record.id for record in found.records] == [wanted] * bool(wanted)
    assert found.absent is not bool(wanted)


def test_a_route_that_is_not_there_is_proven_to_be_absent(desk: Desk) -> None:
    assert look(desk, ROUTE, route("9", "9"))[0] == Found(absent=True)


# AICC agent settings: the answer's userId is another ID, and nothing proves absence


def test_agent_settings_are_found_though_their_user_id_is_another(desk: Desk) -> None:
    values = {"userId": "1660270845627002401", "callType": "1", "callNumber": ["12323", "232343"]}
    make(desk, AGENT, [{**values, "callNumber": "12323, 232343"}, {"userId": "2"}])
    found, (asked,) = look(desk, AGENT, values)
    (record,) = found.records
    assert (record.id, asked.json) == (ids(desk, AGENT)["1660270845627002401"], {"userId": "1660270845627002401"})
    other = Record(record.id, {**record.fields, "userId": "SUM-1"})
    assert same(AGENT, values, other)
    assert not same(AGENT, {**values, "callType": "2"}, other)


def test_agent_settings_that_are_not_there_are_not_proven_to_be_absent(desk: Desk) -> None:
    assert look(desk, AGENT, {"userId": "1"})[0] == Found()


# MyReports: says whether it exists, across tenants


@pytest.mark.parametrize(
    ("resource", "key", "more"),
    [
        (KAZOO, "accountId", {"name": "K", "hostRest": "https://a.b", "hostWebsocket": "wss://a.b", "apiKey": "abc"}),
        (
            THREE,
            "licenseKey",
            {
                "name": "3",
                "username": "u",
                "password": "pass",
                "enableRecordingArchive": "true",
                "recordingArchiveFrequency": "00:20:00",
            },
        ),
    ],
    ids=["kazoo", "3cx"],
)
def test_a_pbx_is_found_under_its_own_tenant_alone(desk: Desk, resource: Resource, key: str, more: Values) -> None:
    row = {**more, key: "00777"}
    assert look(desk, resource, row)[0] == Found(absent=True)
    make(desk, resource, [row], CUSTOMER_TENANT_ID=OTHER_TENANT)
    elsewhere, (asked,) = look(desk, resource, row, CUSTOMER_TENANT_ID=TENANT)
    assert (elsewhere, asked.query) == (Found(), (("instanceId", "00777"),))
    by_setting, _ = look(desk, resource, row, CUSTOMER_TENANT_ID=OTHER_TENANT)
    by_sheet, _ = look(desk, resource, {**row, "CUSTOMER_TENANT_ID": OTHER_TENANT}, CUSTOMER_TENANT_ID=TENANT)
    (record,) = by_setting.records
    assert by_sheet == by_setting
    assert record.id in {held["id"] for held in desk.sandbox.records(resource.full_name)}
    assert same(resource, row, record)


def test_cinnox_has_no_look_up(desk: Desk) -> None:
    found, asked = look(desk, APIS["cinnox"].resources["destination"], {"displayName": "x"})
    assert (found, asked) == (Found(trouble="The API documents no look-up"), [])


# Answers of every shape


def answering(*replies: Reply | Callable[[Any], Reply]) -> Ask:
    """Gives one reply after the other, the last for ever; a function makes it of what is asked in the body or query."""
    left = list(replies)

    async def ask(
        operation: Operation, path: str, query: tuple[tuple[str, str], ...], headers: Mapping[str, str], body: Any
    ) -> tuple[Reply, Verdict]:
        reply = left.pop(0) if len(left) > 1 else left[0]
        reply = reply({"path": path, **dict(query), **headers, **(body or {})}) if callable(reply) else reply
        return reply, judge(operation, reply)

    return ask


def says(body: Any, status: int = 200) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(body).encode())


def listed(routes: Any, **more: Any) -> Answer:
    return says({"returnCode": "0", "data": {"calledRouteList": routes, **more}})


def found(*replies: Reply | Callable[[Any], Reply], resource: Resource = ROUTE, values: Values | None = None) -> Found:
    row = route("00800", "5") if values is None else values
    return asyncio.run(find(resource, row, {}, answering(*replies)))


MINE = {"id": "7", "accessCode": "00800", "extCode": "5"}
NEAR = {"id": "8", "accessCode": "00800", "extCode": "55"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (listed([MINE, NEAR]), Found((Record("7", MINE),))),
        (listed([MINE, MINE]), Found((Record("7", MINE),))),
        (listed([{**MINE, "id": 7}]), Found((Record("7", {**MINE, "id": 7}),))),
        (listed([MINE, {**MINE, "id": "9"}]), Found((Record("7", MINE), Record("9", {**MINE, "id": "9"})))),
        (listed([]), Found(absent=True)),
        (listed([NEAR]), Found(absent=True)),
        (says({"returnCode": 0, "data": {"calledRouteList": []}}), Found(absent=True)),
        # An entry that can't be read may be the one.
        (listed([{**MINE, "id": None}]), Found()),
        (listed([NEAR, {"accessCode": "00800", "extCode": "5"}]), Found()),
        (listed(["00800-5"]), Found()),
        # So may be one that stands elsewhere.
        (listed(None), Found()),
        (listed("none"), Found()),
        (says({"returnCode": "0"}), Found()),
        (says({"returnCode": "0", "data": None}), Found()),
        (says({"returnCode": "0", "routes": [MINE]}), Found()),
        (says([]), Found(trouble="The look-up had no usable answer: HTTP 200 OK")),
        # The API says that something was wrong, or nothing at all.
        (says({"data": {"calledRouteList": []}}), Found(trouble="The look-up had no usable answer: HTTP 200 OK")),
        (
            says({"returnCode": "1", "description": "Out of order.", "data": {"calledRouteList": []}}),
            Found(trouble="The look-up had no usable answer: HTTP 200 OK"),
        ),
        (says({}, 404), Found()),
        (says({}, 500), Found(trouble="The look-up had no usable answer: HTTP 500 Internal Server Error")),
        (says({}, 403), Found(trouble="The look-up had no usable answer: HTTP 403 Forbidden")),
        (Lost("silence"), Found(trouble="The look-up had no usable answer: Silence")),
        (NotSent("refused"), Found(trouble="The look-up had no usable answer: Refused")),
        # Fewer than there are.
        (listed([NEAR], total=2), Found(trouble="The look-up showed 1 of 2 records")),
        (listed([NEAR], total="1"), Found(absent=True)),
        (listed([NEAR], total="many"), Found(absent=True)),
    ],
)  # fmt: skip
def test_what_an_answer_shows(reply: Reply, expected: Found) -> None:
    assert found(reply) == expected


@pytest.mark.parametrize(
    "broken", [Lost("gone"), HeadOnly(200, {}, "cut"), says({}, 500), says({"returnCode": "9"}), says({}, 404)]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_absence_is_never_proven_by_pages_of_which_one_was_not_answered(broken: Reply, place: int) -> None:
    pages: list[Reply] = [listed([{**NEAR, "id": str(number)} for number in range(100)]), listed([NEAR] * 100)]
    replies = [*pages[:place], broken, listed([])]
    assert not found(*replies).absent
    assert found(*pages, listed([])).absent


def test_an_api_that_matches_in_part_and_pages_by_offset_is_read_to_its_end() -> None:
    held = [{"id": str(number), "accessCode": f"00800{number:03}", "extCode": "5"} for number in range(250)]
    asked: list[int] = []

    def answer(said: dict[str, Any]) -> Reply:
        asked.append(said["offset"])
        fitting = [one for one in held if said["accessCode"] in one["accessCode"]]
        return listed(fitting[said["offset"] :][: said["limit"]], total=len(fitting))

    assert [one.id for one in found(answer, values=route("00800249", "5")).records] == ["249"]
    assert asked == [0]
    assert [one.id for one in found(answer, values=route("00800", "5")).records] == []
    assert asked == [0, 0, 100, 200]


def test_an_api_that_shows_the_same_page_for_ever_proves_nothing() -> None:
    full = listed([{**NEAR, "id": str(number)} for number in range(100)])
    assert found(full) == Found(trouble=f"The look-up has more than {MOST_PAGES} pages")


def test_a_row_without_its_key_is_not_looked_up() -> None:
    assert found(says({}), values={"devicetype": 1}).trouble == "The row holds nothing that it could be looked up by"


# An API of another shape: GET, conditions on the status, one record


def thing(**changes: Any) -> Resource:
    """Found at /shops/{shop}/things?code=..., where 404 says that there is none."""
    operation = Operation(
        "find",
        "GET",
        "/shops/{shop}/things",
        (
            Parameter("shop", "path", True, {}),
            Parameter("code", "query", True, {}),
            Parameter("live", "query", False, {}),
        ),
    )
    how: dict[str, Any] = {
        "given": {"code": "code"}, "records": "$response.body#", "match": {"code": "code"}, "record_id": "id",
        "absent": {"status": 404}, **changes,
    }  # fmt: skip
    columns = [("shop", "path", "string"), ("code", "body", "string"), ("live", "body", "boolean"),
               ("count", "body", "integer"), ("tags", "body", "string")]  # fmt: skip
    return Resource(
        "things", "thing", "Things", Operation("make", "POST", "/shops/{shop}/things"),
        tuple(Column(name, name.title(), place, f"/{name}", kind, {}) for name, place, kind in columns),
        key=("code",), find=Find(operation, **how),
    )  # fmt: skip


def test_not_found_is_proof_where_the_document_says_so() -> None:
    values = {"shop": "s", "code": "a"}
    assert found(says({}, 404), resource=thing(), values=values) == Found(absent=True)
    assert found(says({}, 404), resource=thing(absent={}), values=values) == Found()
    assert found(says({}, 404), resource=thing(absent={"status": 200}), values=values) == Found()
    assert found(says([]), resource=thing(absent={"status": 200}), values=values) == Found(absent=True)


def test_the_path_comes_from_the_row_and_other_parameters_do_not() -> None:
    asked: list[dict[str, Any]] = []

    def answer(said: dict[str, Any]) -> Reply:
        asked.append(said)
        return says([])

    found(answer, resource=thing(), values={"shop": "a/b", "code": "x", "live": True})
    found(answer, resource=thing(given={"code": "code", "live": "live"}), values={"shop": "s", "code": 5, "live": True})
    assert asked == [
        {"path": "/shops/a%2Fb/things", "code": "x"},
        {"path": "/shops/s/things", "code": "5", "live": "true"},
    ]
    lacking = found(answer, resource=thing(), values={"code": "x"})
    assert (lacking.trouble, len(asked)) == ("The look-up wants shop, and the row holds none", 2)


@pytest.mark.parametrize(
    ("sent", "returned", "equal"),
    [
        ("7", 7, True),
        (7, "7", True),
        (7, 7.0, True),
        (0.5, "0.5", True),
        ("007", 7, False),
        ("7", "7 ", False),
        ("a", "A", False),
        (True, "true", True),
        (True, "TRUE", True),
        (False, True, False),
        (True, 1, False),
        (None, None, True),
        (None, "", True),
        ("", None, True),
        ("", "x", False),
        ([], None, True),
        (["a", "1"], ["a", 1], True),
        (["a", "b"], ["b", "a"], False),
        (["a"], ["a", "b"], False),
        (["a"], "a", False),
    ],
)
def test_what_counts_as_the_same_value(sent: Any, returned: Any, equal: bool) -> None:
    assert same(thing(), {"code": "x", "tags": sent}, Record("1", {"code": "x", "Tags": returned})) is equal


def test_only_fields_that_both_were_sent_and_returned_are_compared() -> None:
    values = {"shop": "s", "code": "x", "count": 1}
    assert same(thing(), values, Record("1", {"shop": "other", "live": True, "more": 1, "CODE": "x"}))
    assert same(thing(), values, Record("1", {}))
    assert not same(thing(), values, Record("1", {"Count": 2}))
    assert same(thing(ignore=("Code",)), values, Record("1", {"code": "y"}))


def test_whole_wants_every_value_back() -> None:
    values = {"shop": "s", "code": "x", "count": 1}
    assert same(thing(), values, Record("1", {"code": "x", "count": "1"}), whole=True)
    assert not same(thing(), values, Record("1", {"code": "x"}), whole=True)
    assert not same(thing(), values, Record("1", {}), whole=True)


# Reading back by ID


READ = Operation(
    "read", "GET", "/shops/{shop}/things/{id}", (Parameter("shop", "path", True, {}), Parameter("id", "path", True, {}))
)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (says({"code": "x"}), Found((Record("i/1", {"code": "x"}),))),
        (says({"status": "ok", "data": {"code": "x"}}), Found((Record("i/1", {"code": "x"}),))),
        (says({"result": {"code": "x"}}), Found((Record("i/1", {"code": "x"}),))),
        (says([]), Found()),
        (says({"error": "no such"}, 404), Found(trouble="The API has no record i/1")),
        (says({}, 500), Found(trouble="The look-up had no usable answer: HTTP 500 Internal Server Error")),
    ],
)
def test_a_record_is_read_back_by_its_id(reply: Reply, expected: Found) -> None:
    asked: list[str] = []

    def answer(said: dict[str, Any]) -> Reply:
        asked.append(said["path"])
        return reply

    values = {"shop": "from the sheet", "code": "x"}
    assert asyncio.run(read(READ, "i/1", values, {"shop": "mine"}, answering(answer))) == expected
    assert asked == ["/shops/from%20the%20sheet/things/i%2F1"]
