"""The documents that come with the tool say what the vendors' pages say: fields, limits, headers, answers, examples."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

import jsonschema_rs
import openapi_spec_validator
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from bulkload.models import Severity
from bulkload.openapi import BUILT_IN, open_api
from bulkload.resource import Column, Find, Operation, OutcomeRule, Rate, Resource, Scheme, Token
from bulkload.yaml12 import parse_yaml

APIS = {name: open_api(name) for name in BUILT_IN}
RESOURCES = {resource.full_name: resource for api in APIS.values() for resource in api.resources.values()}
LIMITS = ("minLength", "maxLength", "pattern", "format", "enum", "default")

# Of each column: its JSON type, whether a created record must have it, its limits, its first example.
REQUIRED, OPTIONAL, SECRET = "required", "optional", "required, secret"
TEXT = {"minLength": 1}
COLUMNS: dict[str, dict[str, tuple[str, str, dict[str, Any], Any]]] = {
    "cinnox/destination": {
        "destinationID": ("path string", OPTIONAL, TEXT, None),
        "displayName": ("string", REQUIRED, {"minLength": 1, "maxLength": 40}, "English Support"),
        "supportLanguages": ("list of string", REQUIRED, {**TEXT, "minItems": 1}, ["*"]),
        "supportLocations": ("list of string", REQUIRED, {**TEXT, "minItems": 1}, ["*"]),
        "types": ("list of string", REQUIRED, {"enum": ["PHONE", "STAFF", "TRUNK"], "minItems": 1}, ["PHONE", "STAFF"]),
        "phoneTargets": ("list of string", OPTIONAL, TEXT, ["+85294667788"]),
        "staffTargets": ("list of string", OPTIONAL, TEXT, ["<staff id>"]),
        "trunkTargets": ("list of string", OPTIONAL, TEXT, None),
    },
    "myreports/pbx-kazoo": {
        "name": ("string", REQUIRED, TEXT, "Customers Kazoo Pbx"),
        "hostRest": ("string", REQUIRED, {"format": "uri"}, "https://rest.example.com"),
        "hostWebsocket": ("string", REQUIRED, {"format": "uri"}, "wss://ws.example.com"),
        "accountId": ("string", REQUIRED, TEXT, "12345"),
        "apiKey": ("string", SECRET, TEXT, "ABCDEF"),
        "countryCode": ("string", OPTIONAL, {"pattern": "^[A-Z]{2}$"}, "US"),
        "monitorSubAccounts": ("boolean", OPTIONAL, {}, False),
    },
    "myreports/pbx-3cx": {
        "name": ("string", REQUIRED, TEXT, "3CX Connection"),
        "licenseKey": ("string", SECRET, TEXT, "licenseKey-licenseKey-licenseKey"),
        "username": ("string", REQUIRED, TEXT, "username-username-username"),
        "password": ("string", SECRET, TEXT, "password-password"),
        "enableRecordingArchive": ("string", REQUIRED, {"enum": ["true", "false"]}, "true"),
        "recordingArchiveFrequency": ("string", REQUIRED, {"pattern": "^[0-9]{2}:[0-5][0-9]:[0-5][0-9]$"}, "00:20:00"),
    },
    "aicc/agent-settings": {
        "userId": ("string", REQUIRED, TEXT, "1660270845627002401"),
        "callType": ("string", OPTIONAL, {"enum": ["0", "1", "2"]}, "1"),
        "callerPresent": ("list of string", OPTIONAL, {"minLength": 1, "maxLength": 15, "maxItems": 5},
                          ["12323", "232232", "12323", "12323"]),
        "callNumber": ("list of string", OPTIONAL, {"minLength": 1, "maxLength": 15, "maxItems": 5},
                       ["12323", "232343", "233", "232343"]),
        "callNumberDefault": ("string", OPTIONAL, {"minLength": 1, "maxLength": 15}, "23232323"),
        "callerPresentDefault": ("string", OPTIONAL, {"minLength": 1, "maxLength": 15}, "1212121212"),
    },
    "aicc/called-route": {
        "accessCode": ("string", REQUIRED, {"minLength": 1, "maxLength": 32}, "9911411"),
        "extCode": ("string", OPTIONAL, {"minLength": 1, "maxLength": 12}, "11"),
        "mediaTypeId": ("integer", OPTIONAL, {"enum": [2, 5, 18, 19, 53], "default": 5}, 19),
        "devicetype": ("integer", REQUIRED, {"enum": [1, 3]}, 1),
        "deviceId": ("integer", REQUIRED, {}, 1),
    },
}  # fmt: skip


def in_short(column: Column) -> tuple[str, str, dict[str, Any], Any]:
    kind = f"{'path ' if column.place == 'path' else ''}{'list of ' if column.many else ''}{column.type}"
    need = (REQUIRED if column.required else OPTIONAL) + (", secret" if column.secret else "")
    limits = {word: column.schema[word] for word in LIMITS if word in column.schema}
    lengths = {"minItems": column.min_items, "maxItems": column.max_items}
    limits |= {word: length for word, length in lengths.items() if length is not None}
    return kind, need, limits, column.examples[0] if column.examples else None


def calls(operations: Mapping[str, Operation | None]) -> dict[str, str]:
    return {use: f"{one.method} {one.path}" for use, one in operations.items() if one}


def siblings(resource: Resource) -> dict[str, str]:
    find = resource.find.operation if resource.find else None
    both = {"create": resource.create, "update": resource.update, "read": resource.read, "delete": resource.delete}
    return calls({**both, "find": find})


def parameters(operation: Operation) -> dict[str, tuple[Any, ...]]:
    return {one.name: (one.place, one.required, one.account, one.default) for one in operation.parameters}


def properties(operation: Operation, status: str) -> dict[str, Any]:
    """The fields of a JSON answer, as the document has them."""
    found: dict[str, Any] = operation.responses[status]["content"]["application/json"]["schema"]["properties"]
    return found


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_document_that_comes_with_the_tool_is_valid_openapi(name: str) -> None:
    text = (resources.files("bulkload") / "apis" / f"{name}.yaml").read_text(encoding="utf-8")
    openapi_spec_validator.validate(parse_yaml(text), cls=OpenAPIV31SpecValidator)


def test_the_resources_are_those_of_the_reference_pages() -> None:
    assert list(RESOURCES) == [
        "aicc/agent-settings", "aicc/called-route", "cinnox/destination", "myreports/pbx-kazoo", "myreports/pbx-3cx",
    ]  # fmt: skip
    assert [api.unsupported for api in APIS.values()] == [(), (), ()]
    assert [resource.left_out for resource in RESOURCES.values()] == [(), (), (), (), ()]


@pytest.mark.parametrize("name", COLUMNS)
def test_the_columns_are_the_fields_of_the_reference_page(name: str) -> None:
    assert {column.name: in_short(column) for column in RESOURCES[name].columns} == COLUMNS[name]


@pytest.mark.parametrize(
    "column", [column for one in RESOURCES.values() for column in one.columns], ids=lambda c: c.name
)
def test_every_column_says_what_it_is(column: Column) -> None:
    assert column.title != column.name
    assert column.description.endswith((".", ")"))


def test_coded_values_have_words() -> None:
    labels = {column.name: dict(column.labels) for one in RESOURCES.values() for column in one.columns if column.labels}
    assert labels == {
        "callType": {"0": "direct call", "1": "bidirectional call", "2": "pass-through call"},
        "mediaTypeId": {
            "2": "voice click-to-dial", "5": "voice and video", "18": "video click-to-dial", "19": "video",
            "53": "multimedia",
        },
        "devicetype": {"1": "skill queue", "3": "IVR"},
    }  # fmt: skip


# The bodies of the reference pages: MyReports' in the words of the wire; CINNOX' is made up, since its page shows none.
BODIES: dict[str, dict[str, Any]] = {
    "cinnox/destination": {
        "displayName": "English Support",
        "supportLanguages": ["*"],
        "supportLocations": ["*"],
        "types": ["PHONE", "STAFF"],
        "phoneTargets": ["+85294667788"],
        "staffTargets": ["<staff id>"],
    },
    "myreports/pbx-kazoo": {
        "name": "Customers Kazoo Pbx",
        "hostRest": "https://rest.example.com",
        "hostWebsocket": "wss://ws.example.com",
        "accountId": "12345",
        "apiKey": "ABCDEF",
        "_type": "KazooPbxConnectionProfile",
    },
    "myreports/pbx-3cx": {
        "_type": "ThreeCxConnectionProfile",
        "name": "3CX Connection",
        "licenseKey": "licenseKey-licenseKey-licenseKey",
        "username": "username-username-username",
        "password": "password-password",
        "enableRecordingArchive": "true",
        "recordingArchiveFrequency": "00:20:00",
    },
    "aicc/agent-settings": {
        "callType": "1",
        "userId": "1660270845627002401",
        "callerPresent": ["12323", "232232", "12323", "12323"],
        "callNumber": ["12323", "232343", "233", "232343"],
        "callNumberDefault": "23232323",
        "callerPresentDefault": "1212121212",
    },
    "aicc/called-route": {"accessCode": "9911411", "extCode": "11", "devicetype": 1, "deviceId": 1, "mediaTypeId": 19},
}


@pytest.mark.parametrize("name", BODIES)
def test_the_examples_make_the_body_of_the_reference_page(name: str) -> None:
    resource, body = RESOURCES[name], BODIES[name]
    # What the page's example leaves out is left out here.
    values = {c.name: c.examples[0] for c in resource.columns if c.examples and c.name in body}
    assert resource.body(values) == body
    assert jsonschema_rs.is_valid(dict(resource.create.body or {}), body)


@pytest.mark.parametrize("name", BODIES)
def test_a_body_without_a_field_that_must_be_there_is_not_valid(name: str) -> None:
    resource = RESOURCES[name]
    needed = {column.name for column in resource.columns if column.required} | {key[1:] for key in resource.constants}
    assert needed == resource.create.required
    for field in needed:
        rest = {key: value for key, value in BODIES[name].items() if key != field}
        assert not jsonschema_rs.is_valid(dict(resource.create.body or {}), rest), field


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("cinnox/destination", {"displayName": "x" * 41}),
        ("cinnox/destination", {"types": ["FAX"]}),
        ("cinnox/destination", {"types": ["TRUNK"]}),
        ("cinnox/destination", {"types": []}),
        ("myreports/pbx-kazoo", {"_type": "ThreeCxConnectionProfile"}),
        ("myreports/pbx-3cx", {"enableRecordingArchive": True}),
        ("myreports/pbx-3cx", {"recordingArchiveFrequency": "0.0138888"}),
        ("aicc/agent-settings", {"callType": 1}),
        ("aicc/agent-settings", {"userId": 1660270845627002401}),
        ("aicc/agent-settings", {"callNumber": ["1"] * 6}),
        ("aicc/agent-settings", {"callerPresent": ["1" * 16]}),
        ("aicc/agent-settings", {"callNumberDefault": "1" * 16}),
        ("aicc/called-route", {"devicetype": "1"}),
        ("aicc/called-route", {"devicetype": 2}),
        ("aicc/called-route", {"devicetype": 3, "mediaTypeId": 53}),
        ("aicc/called-route", {"accessCode": "1" * 33}),
        ("aicc/called-route", {"extCode": "1" * 13}),
    ],
)
def test_a_body_that_the_reference_page_forbids_is_not_valid(name: str, changes: dict[str, Any]) -> None:
    assert not jsonschema_rs.is_valid(dict(RESOURCES[name].create.body or {}), BODIES[name] | changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("myreports/pbx-kazoo", {"accountId": "90ce2cce-5b90-424b-b502-55924f140a48", "countryCode": "US"}),
        ("aicc/agent-settings", {"userId": "10gg000000y6OOrNaUFs"}),
        ("aicc/called-route", {"deviceId": 20000, "accessCode": "0099"}),
    ],
)
def test_what_the_pages_leave_open_is_no_hard_rule(name: str, changes: dict[str, Any]) -> None:
    assert jsonschema_rs.is_valid(dict(RESOURCES[name].create.body or {}), BODIES[name] | changes)


# CINNOX (VENDORS.md 1)


def test_cinnox() -> None:
    api, destination = APIS["cinnox"], RESOURCES["cinnox/destination"]
    assert (api.title, api.servers, api.rate, api.concurrency) == (
        "CINNOX", ("https://{account}",), Rate(400, 60.0), 4,
    )  # fmt: skip
    assert siblings(destination) == {
        "create": "POST /v1/api/apps/{appID}/destination",
        "update": "PATCH /v1/api/apps/{appID}/destination/{destinationID}",
    }
    assert destination.update
    app = ("path", True, True, None)
    assert parameters(destination.create) == {"appID": app}
    assert parameters(destination.update) == {"appID": app, "destinationID": app}
    assert destination.create.security == destination.update.security == (Scheme("token", "bearer"),)
    # An update must say these four again.
    assert destination.update.required == destination.create.required
    assert destination.update.body == destination.create.body
    assert (destination.key, destination.alike, destination.find) == ((), ("displayName",), None)
    assert destination.create.record_id == ("$response.body#/result/id", "$response.body#/id")
    assert destination.create.message == ("$response.body#/message",)


def test_cinnox_answers() -> None:
    create = RESOURCES["cinnox/destination"].create
    code = "$response.body#/code"
    assert list(create.outcomes) == [
        OutcomeRule({"status": "2xx", "$response.body#/result/id": "present"}, "done"),
        OutcomeRule({"status": "2xx", "$response.body#/id": "present"}, "done"),
        OutcomeRule({code: 6451010}, "not processed"),
        OutcomeRule({code: 6451001}, "unknown"),
        OutcomeRule({"status": "2xx", code: 200}, "done"),
        OutcomeRule({"status": "2xx", code: "present"}, "refused"),
    ]
    assert list(create.responses) == ["200", "400"]
    assert {name: schema["type"] for name, schema in properties(create, "200").items()} == {
        "code": "number", "result": "object",
    }  # fmt: skip
    assert properties(create, "200")["result"]["properties"]["id"]["type"] == "string"
    refused = properties(create, "400")
    assert (refused["code"]["type"], refused["code"]["default"], refused["message"]["type"]) == ("integer", 0, "string")


def test_cinnox_relations() -> None:
    def if_type(kind: str) -> dict[str, Any]:
        return {"properties": {"types": {"contains": {"const": kind}}}}

    targets = {"PHONE": "phoneTargets", "STAFF": "staffTargets", "TRUNK": "trunkTargets"}
    errors, warnings = by_severity(RESOURCES["cinnox/destination"])
    assert errors == [
        ({**if_type(kind), "required": ["types"]}, {"required": [field]}) for kind, field in targets.items()
    ]
    assert warnings == [
        *(({"required": [field]}, if_type(kind)) for kind, field in targets.items()),
        *(
            ({"properties": {field: {"contains": {"const": "*"}}}}, {"properties": {field: {"maxItems": 1}}})
            for field in ("supportLanguages", "supportLocations")
        ),
        ({**if_type("TRUNK"), "required": ["types"]}, False),
    ]


def by_severity(resource: Resource) -> tuple[list[Any], list[Any]]:
    """The relations that must hold, and those that are worth a warning; each says what it means."""
    assert all(rule.message.endswith(".") for rule in resource.rules)

    def of(severity: Severity) -> list[Any]:
        return [(rule.when, rule.then) for rule in resource.rules if rule.severity is severity]

    return of(Severity.ERROR), of(Severity.WARNING)


# MyReports (VENDORS.md 2)


@pytest.mark.parametrize(("name", "key"), [("myreports/pbx-kazoo", "accountId"), ("myreports/pbx-3cx", "licenseKey")])
def test_myreports(name: str, key: str) -> None:
    api, pbx = APIS["myreports"], RESOURCES[name]
    assert (api.title, api.servers) == (
        "MyReports",
        tuple(f"https://api.{where}.myreports.cloud" for where in ("au", "eu", "na", "uk")),
    )
    assert siblings(pbx) == {
        "create": "POST /api/v1.0/customers/{CUSTOMER_TENANT_ID}/pbxs",
        "find": "GET /api/v1.0/pbxs",
    }
    tenant, charges = pbx.create.parameters
    assert parameters(pbx.create) == {
        "CUSTOMER_TENANT_ID": ("path", True, True, None),
        # An opt-in: it has no default.
        "accept-charges": ("header", True, False, None),
    }
    assert (tenant.schema["format"], tenant.schema["examples"]) == ("uuid", ["90ce2cce-5b90-424b-b502-55924f140a48"])
    assert charges.schema["enum"] == ["true"]
    assert pbx.create.security == (
        Scheme(
            "oauth",
            "oauth2",
            token_url="https://login.xarios.cloud/connect/token",
            scopes=("openid", "offline_access", "onboarding"),
        ),
    )
    assert pbx.create.outcomes == (OutcomeRule({"status": "2xx", "$response.body#/status": "error"}, "refused"),)
    assert pbx.create.record_id == ("$response.body#/data/id", "$response.header.Location")
    assert pbx.create.message == ("$response.body#/message",)
    assert pbx.key == (key,)
    assert pbx.find
    assert parameters(pbx.find.operation) == {"instanceId": ("query", True, False, None)}
    assert pbx.find == Find(
        operation=pbx.find.operation,
        given={"instanceId": key},
        records="$response.body#/data",
        match={"instanceId": key, "tenantId": "CUSTOMER_TENANT_ID"},
        record_id="id",
        present={"$response.body#/data/exists": True},
        absent={"$response.body#/data/exists": False},
    )
    assert "don't say which fields must be there" in pbx.description


def test_myreports_makes_kazoo_pbxs_disabled() -> None:
    assert {name: RESOURCES[name].note for name in ("myreports/pbx-kazoo", "myreports/pbx-3cx")} == {
        "myreports/pbx-kazoo": "Created disabled: it collects nothing until it is enabled in the portal.",
        "myreports/pbx-3cx": "",
    }


def test_myreports_answers() -> None:
    create, schemas = RESOURCES["myreports/pbx-kazoo"].create, APIS["myreports"].document["components"]["schemas"]
    assert list(create.responses) == ["201", "400", "401", "404"]
    assert list(create.responses["201"]["headers"]) == ["Location"]
    assert list(properties(create, "201")) == ["data", "status", "timestamp"]
    assert set(schemas["KazooPbxConnectionProfileCreated"]["properties"]) == {
        "_type", "hostRest", "hostWebsocket", "accountId", "apiKey", "id", "name", "tenantId", "countryCode", "enabled",
    }  # fmt: skip
    assert set(schemas["ThreeCxConnectionProfileCreated"]["properties"]) == set(BODIES["myreports/pbx-3cx"])
    assert "content" not in create.responses["401"]
    examples = {
        status: {name: schema["examples"][0] for name, schema in properties(create, status).items()}
        for status in ("400", "404")
    }
    assert examples == {
        "400": {
            "error": 400, "message": "The value '<tenant id>' is not valid.", "status": "error",
            "timestamp": "2020-02-06T12:45:27.5903465Z",
        },
        "404": {"error": 404, "message": "Not Found", "status": "error", "timestamp": "2020-02-06T12:46:58.7669535Z"},
    }  # fmt: skip
    find = RESOURCES["myreports/pbx-kazoo"].find
    assert find and set(properties(find.operation, "200")["data"]["properties"]) == {
        "exists", "instanceId", "id", "tenantId",
    }  # fmt: skip


# Huawei AICC (VENDORS.md 3)


def test_aicc_token() -> None:
    api = APIS["aicc"]
    assert (api.title, api.servers) == ("Huawei AICC", ("https://{domain}",))
    assert api.document["servers"][0]["variables"]["domain"]["default"] == "service.besclouds.com"
    assert api.token == Token(
        operation=next(one for one in api.operations if one.id == "tokenByAkSk"),
        credentials={"app_key": "$request.body#/app_key", "app_secret": "$request.body#/app_secret"},
        value="$response.body#/AccessToken",
        expires="$response.body#/Expires",
        renew_on=frozenset({401, 403}),
    )
    call = api.token.operation
    assert (call.method, call.path, call.security) == ("POST", "/apigovernance/api/oauth/tokenByAkSk", ())
    assert parameters(call) == {"X-Token-Expire": ("header", True, False, "600")}
    assert call.parameters[0].schema["maximum"] == 3600
    assert call.required == {"app_key", "app_secret"}
    told = properties(call, "200")
    assert {schema["type"] for schema in told.values()} == {"string"}
    assert {name: schema.get("examples", [None])[0] for name, schema in told.items()} == {
        "AccessToken": None, "ApplyType": "Bearer", "CreateTime": "1545650171", "Expires": "600", "Scope": "",
        "AppKey": None, "UserID": "Anonymous",
    }  # fmt: skip


def test_aicc_calls() -> None:
    settings, routes = (
        "/apiaccess/CC-Management/v1/openapp/agentsettings",
        "/apiaccess/rest/cc-management/v1/calledRoute",
    )
    assert siblings(RESOURCES["aicc/agent-settings"]) == {
        "create": f"POST {settings}/create",
        "find": f"POST {settings}/query",
    }
    assert siblings(RESOURCES["aicc/called-route"]) == {
        "create": f"POST {routes}/createCalledRoute",
        "find": f"POST {routes}/queryCalledRoute",
    }
    returned = "$response.body#/returnCode"
    for resource in APIS["aicc"].resources.values():
        assert resource.find
        for one in (resource.create, resource.find.operation):
            assert one.parameters == ()
            # Both headers, always: the pages disagree on which is mandatory.
            assert one.security == (
                Scheme("token", "bearer"),
                Scheme("app_key", "apiKey", "header", "X-APP-Key", account=True),
            )
            assert list(one.outcomes) == [
                OutcomeRule({"status": ["2xx", 500], returned: ["0", 0]}, "done"),
                OutcomeRule({"status": ["2xx", 500], returned: "present"}, "refused"),
                OutcomeRule({"status": ["2xx", 500], returned: "absent"}, "unknown"),
            ]


def test_aicc_agent_settings() -> None:
    settings = RESOURCES["aicc/agent-settings"]
    assert (settings.key, settings.rules, settings.constants) == (("userId",), (), {})
    assert settings.create.record_id == ("$response.body#/id",)
    assert settings.create.message == ("$response.body#/returnDesc",)
    assert settings.find
    assert settings.find == Find(
        operation=settings.find.operation,
        given={"userId": "userId"},
        records="$response.body#",
        match={},
        record_id="id",
        # The answer's is another ID than the one that was sent.
        ignore=("userId",),
    )
    # 403 is not among the answers of this page.
    assert list(settings.create.responses) == ["200", "400", "401", "404", "500"]
    assert {name: schema["type"] for name, schema in properties(settings.create, "200").items()} == dict.fromkeys(
        ("returnCode", "returnDesc", "id"), "string"
    )
    assert settings.find.operation.required == {"userId"}
    # The page's userId is left out: it would be taken for the one that was sent.
    assert list(properties(settings.find.operation, "200")) == [
        "returnCode", "returnDesc", "id", "callType", "callerPresent", "callNumber", "callNumberDefault",
        "callerPresentDefault", "agentName",
    ]  # fmt: skip


def test_aicc_called_route() -> None:
    route = RESOURCES["aicc/called-route"]
    assert (route.key, route.constants) == (("accessCode", "extCode"), {})
    # The answer holds no ID.
    assert route.create.record_id == ()
    assert route.create.message == ("$response.body#/description",)
    assert list(route.create.responses) == ["200", "400", "401", "403", "404", "500"]
    assert list(properties(route.create, "200")) == ["returnCode", "description"]
    assert route.find
    assert route.find == Find(
        operation=route.find.operation,
        given={"accessCode": "accessCode", "extCode": "extCode"},
        records="$response.body#/data/calledRouteList",
        match={"accessCode": "accessCode", "extCode": "extCode"},
        record_id="id",
        absent={"$response.body#/returnCode": ["0", 0]},
        page={"limit": "limit", "offset": "offset", "size": 100, "total": "$response.body#/data/total"},
    )
    (asked,) = (route.find.operation.body or {})["allOf"]
    kinds = {name: schema["type"] for name, schema in asked["properties"].items()}
    assert kinds == {
        "accessCode": "string", "extCode": "string", "devicetype": "integer", "deviceDesc": "string",
        "mediaTypeId": "integer", "limit": "integer", "offset": "integer",
    }  # fmt: skip
    limit = asked["properties"]["limit"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (0, 100, 100)
    data = properties(route.find.operation, "200")["data"]["properties"]
    found = {name: schema["type"] for name, schema in data["calledRouteList"]["items"]["properties"].items()}
    assert found == {
        "id": "string", "dnid": "integer", "accessCode": "string", "extCode": "string", "mediatypeId": "integer",
        "devicetype": "integer", "deviceId": "integer", "deviceDesc": "string", "editable": "string",
    }  # fmt: skip


def test_aicc_called_route_relations() -> None:
    def of_device(kind: int) -> dict[str, Any]:
        return {"properties": {"devicetype": {"const": kind}}, "required": ["devicetype"]}

    def device_to(most: int) -> dict[str, Any]:
        return {"properties": {"deviceId": {"minimum": 1, "maximum": most}}}

    errors, warnings = by_severity(RESOURCES["aicc/called-route"])
    assert errors == [(of_device(3), {"properties": {"mediaTypeId": {"not": {"const": 53}}}})]
    assert warnings == [(of_device(1), device_to(10000)), (of_device(3), device_to(1500))]
