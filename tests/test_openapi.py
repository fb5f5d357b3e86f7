"""Any OpenAPI document becomes resources; what can't is told with its reason, what is wrong with its place."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.document import Document
from bulkload.errors import UnusableDocument, UsageError
from bulkload.models import Severity
from bulkload.openapi import BUILT_IN, open_api, read_api
from bulkload.resource import Api, Column, Find, Operation, OutcomeRule, Parameter, Rate, Rule, Token
from bulkload.yaml12 import parse_yaml
from tests.documents import ANIMAL, ANIMALS, POST, api, of_body, the_resource, told, wrong

THINGS = """
info: {title: Things, version: "1", description: All things.}
servers: [{url: https://api.example.com/v1}]
paths:
  /shops/{shop}/things:
    parameters:
      - {name: shop, in: path, required: true, schema: {type: string}}
      - {name: trace, in: header, schema: {type: string, default: "on"}}
    post:
      summary: Make a thing
      parameters:
        - {name: trace, in: header, required: true, description: Its own., schema: {type: string}}
        - {name: Accept, in: header, schema: {type: string}}
        - {name: theme, in: cookie, schema: {type: string}}
        - {name: dry, in: query, schema: {type: boolean}}
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/NewThing"}}}}
      responses:
        "201": {description: Made}
        "400": {$ref: "#/components/responses/Refused"}
  /shops/{shop}/things/{thingId}:
    parameters:
      - {name: shop, in: path, required: true, schema: {type: string}}
      - {name: thingId, in: path, required: true, schema: {type: string}}
    get: {operationId: readThing, responses: {"200": {description: It}}}
    put:
      operationId: changeThing
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
      responses: {"200": {description: Changed}}
    delete: {operationId: removeThing, responses: {"204": {description: Gone}}}
components:
  responses:
    Refused: {description: Refused}
  schemas:
    Name: {type: string, minLength: 1, maxLength: 40}
    Thing:
      type: object
      properties:
        name: {$ref: "#/components/schemas/Name"}
        size_in_cm: {type: integer, minimum: 1}
    NewThing:
      allOf:
        - $ref: "#/components/schemas/Thing"
        - required: [name, kind]
          properties:
            name: {title: Its name, example: Lamp}
            kind: {type: string, enum: [lamp, chair], default: lamp}
            tags: {type: array, minItems: 1, maxItems: 5, items: {type: string}, example: [a, b]}
            password: {type: string, format: password}
            secret: {type: string, writeOnly: true}
            made: {type: string, readOnly: true}
            price: {type: number}
            sold: {type: boolean}
"""


# A whole document without a word of ours


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_a_document_without_a_word_of_ours_becomes_resources(version: str) -> None:
    found = api(THINGS, version)
    shop = Parameter("shop", "path", True, {"type": "string"}, account=True)
    thing_id = replace(shop, name="thingId")
    things = the_resource(found)
    refers = {"$ref": "#/components/schemas/NewThing"}
    assert things.create == Operation(
        id="POST /shops/{shop}/things",
        method="POST",
        path="/shops/{shop}/things",
        parameters=(
            shop,
            Parameter("trace", "header", True, {"type": "string"}, "Its own."),
            Parameter("dry", "query", False, {"type": "boolean"}),
        ),
        body={
            "allOf": [refers],
            "components": {"schemas": things.create.body and found.document["components"]["schemas"]},
        },
        required=frozenset({"name", "kind"}),
        responses={"201": {"description": "Made"}, "400": {"description": "Refused"}},
        record_id=("$response.body#/id", "$response.body#/thingId", "$response.header.Location"),
        message=("$response.body#/message", "$response.body#/error"),
    )
    text = {"type": "string"}
    assert things.columns == (
        Column(
            "thingId",
            "Thing id",
            "path",
            "/thingId",
            "string",
            {"type": "string", "minLength": 1},
            description="The ID of the record to update. Leave empty to create a new one.",
        ),
        Column(
            "name",
            "Its name",
            "body",
            "/name",
            "string",
            {"type": "string", "minLength": 1, "maxLength": 40, "title": "Its name", "example": "Lamp"},
            required=True,
            examples=("Lamp",),
        ),
        Column("size_in_cm", "Size in cm", "body", "/size_in_cm", "integer", {"type": "integer", "minimum": 1}),
        Column(
            "kind",
            "Kind",
            "body",
            "/kind",
            "string",
            {**text, "enum": ["lamp", "chair"], "default": "lamp"},
            required=True,
        ),
        Column(
            "tags", "Tags", "body", "/tags", "string", text, many=True, min_items=1, max_items=5, examples=(["a", "b"],)
        ),
        Column("password", "Password", "body", "/password", "string", {**text, "format": "password"}, secret=True),
        Column("secret", "Secret", "body", "/secret", "string", {**text, "writeOnly": True}, secret=True),
        Column("price", "Price", "body", "/price", "number", {"type": "number"}),
        Column("sold", "Sold", "body", "/sold", "boolean", {"type": "boolean"}),
    )
    assert (things.full_name, things.title, things.description) == ("things/things", "Things", "Make a thing")
    assert [one and one.id for one in (things.update, things.read, things.delete)] == [
        "changeThing",
        "readThing",
        "removeThing",
    ]
    assert things.update and (things.update.parameters, things.update.required) == ((shop, thing_id), frozenset())
    assert (things.key, things.find, things.left_out, things.constants, things.rules) == ((), None, (), {}, ())
    assert things.id_column == things.columns[0]
    assert (found.title, found.version, found.description) == ("Things", "1", "All things.")
    assert (found.servers, found.rate, found.concurrency) == (("https://api.example.com/v1",), Rate(5, 1.0), 4)
    assert (found.unsupported, found.token, found.settle) == ((), None, None)


def test_a_body_that_has_an_id_names_its_records_by_it() -> None:
    things = the_resource(of_body("properties: {id: {type: string}, name: {type: string}}"))
    assert (things.key, things.create.record_id) == (("id",), ("$response.body#/id", "$response.header.Location"))


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/v1/things"], ["things"]),
        (["/things/"], ["things"]),
        (["/a/things", "/b/things"], ["a-things", "b-things"]),
        (["/things", "/a/things"], ["things", "a-things"]),
        (["/v1/x/things", "/v2/x/things"], ["v1-x-things", "v2-x-things"]),
        (["/things", "/things/{id}/parts", "/other/{id}/parts"], ["things", "things-parts", "other-parts"]),
        (["/things", "/things/{thingId}"], ["things", "things-thing-id"]),
        (["/things:batch"], ["things:batch"]),
        (["/"], ["root"]),
        (["/{tenant}"], ["tenant"]),
    ],
)
def test_a_resource_is_named_by_its_path_with_no_more_of_it_than_needed(paths: list[str], names: list[str]) -> None:
    assert list(api("{}", paths={path: {"post": POST} for path in paths}).resources) == names


def test_paths_that_differ_by_a_slash_alone_are_one_name_too_many() -> None:
    found = api("{}", paths={"/things": {"post": POST}, "/things/": {"post": POST}})
    assert list(found.resources) == ["things"]
    assert told(found) == {
        "POST /things/": 'another resource is called "things": give it a name with x-bulkload: resource'
    }


# Siblings


def item(*, put: str = "", patch: str = "", name: str = "id", **schema: Any) -> dict[str, Any]:
    """A path with an ID that has those operations, with a body of that schema."""
    body = {"content": {"application/json": {"schema": schema or {"properties": {"name": {}}}}}}
    made: dict[str, Any] = {"parameters": [{"name": name, "in": "path", "required": True, "schema": {}}]}
    for method, operation_id in (("put", put), ("patch", patch)):
        if operation_id:
            made[method] = {"operationId": operation_id, "requestBody": body}
    return made


def with_item(of_item: dict[str, Any], path: str = "/things/{id}") -> Api:
    return api("{}", paths={"/things": {"post": POST}, path: of_item})


def test_patch_goes_before_put() -> None:
    found = with_item(item(put="replace", patch="change"))
    update = the_resource(found).update
    assert update and update.id == "change"
    assert told(found) == {"PUT /things/{id}": "it changes records, and no POST of this document makes them"}


def test_an_update_that_rows_can_not_fill_is_told_and_the_next_is_taken() -> None:
    of_item = item(put="replace") | {"patch": item(patch="change", type="array")["patch"]}
    found = with_item(of_item, path="/things/{id}/")
    update = the_resource(found).update
    assert update and update.id == "replace"
    assert told(found) == {"PATCH /things/{id}/": "its body is a list, not an object"}


def test_an_update_whose_id_is_a_field_too_is_told() -> None:
    found = with_item(item(put="replace", name="name"), path="/things/{name}")
    assert (the_resource(found).update, told(found)) == (
        None,
        {"PUT /things/{name}": "its name is a field of the body too: a row with it could be a new record"},
    )


def test_an_update_is_of_the_kind_that_was_made() -> None:
    body = {"content": {"application/json": {"schema": ANIMAL}}}
    parameters = [{"name": "id", "in": "path", "required": True, "schema": {}}]
    paths = {
        "/animals": {"post": {"requestBody": body}},
        "/animals/{id}": {"parameters": parameters, "put": {"requestBody": body}},
    }
    cat = api("{}", paths=paths, components={"schemas": ANIMALS}).resources["animals-cat"]
    assert cat.update and cat.update.body == cat.create.body
    assert [column.name for column in cat.columns] == ["id", "lives"]


def test_a_document_may_name_the_siblings_itself_or_say_that_there_is_none() -> None:
    other = {**item(put="elsewhere"), "get": {"operationId": "see"}, "delete": {"operationId": "drop"}}
    of_item = {**item(put="replace"), "get": {}, "delete": {}}
    paths = {"/things/{id}": of_item, "/other/{id}": other}
    said = {"update": "elsewhere", "read": "see", "delete": "drop"}
    for words, expected in ((said, ["elsewhere", "see", "drop"]), (dict.fromkeys(said, False), [None, None, None])):
        found = api("{}", paths={"/things": {"post": {**POST, "x-bulkload": words}}, **paths})
        things = the_resource(found)
        assert [one and one.id for one in (things.update, things.read, things.delete)] == expected


# Our own words


OWN = """
x-bulkload:
  title: The things
  rate: 500/minute
  concurrency: 8
  settle: 2m
  token:
    operation: signIn
    credentials: {key: $request.body#/key}
    value: $response.body#/token
    expires: $response.body#/life
    renew_on: [401, 403]
  outcomes: [{when: {status: 2xx, $response.body#/ok: present}, is: done}]
paths:
  /sign-in:
    post:
      operationId: signIn
      requestBody: {content: {application/json: {schema: {properties: {key: {type: string}}}}}}
  /things:
    post:
      operationId: make
      x-bulkload:
        resource: thing
        title: All of the things that a person could ever want
        key: [code]
        alike: [name]
        id: [$response.body#/made/id]
        message: [$response.body#/why]
        note: Made asleep.
        idempotent: true
        outcomes: [{when: {status: [400, 409], $response.header.X-Code: [1, 2]}, is: refused}]
        warnings:
          - {if: {required: [name]}, then: {properties: {name: {maxLength: 9}}}, description: Long.}
          - {then: false}
        find:
          operation: look
          with: {q: code, shop: shop}
          records: $response.body#/all
          match: {code: code}
          ignore: [made]
          id: id
          present: {$response.body#/found: true}
          absent: {$response.body#/found: false}
          page: {limit: limit, offset: offset, size: 100, total: $response.body#/total}
      requestBody: {content: {application/json: {schema: {properties: {code: {}, name: {}}}}}}
  /look:
    post:
      operationId: look
      parameters: [{name: shop, in: header, x-bulkload: {account: true}, schema: {type: string}}]
      requestBody: {content: {application/json: {schema: {properties: {q: {}}}}}}
  /others:
    post: {requestBody: {content: {application/json: {schema: {properties: {a: {}}}}}}}
    put: {requestBody: {content: {application/json: {schema: {properties: {a: {}}}}}}}
components: {schemas: {Long: {minLength: 10}}}
"""


def test_a_document_may_say_in_our_words_what_its_own_can_not() -> None:
    found = api(OWN)
    by_id = {operation.id: operation for operation in found.operations}
    everywhere = OutcomeRule({"status": "2xx", "$response.body#/ok": "present"}, "done")
    here = OutcomeRule({"status": [400, 409], "$response.header.X-Code": [1, 2]}, "refused")
    assert (found.title, found.rate, found.concurrency, found.settle) == ("The things", Rate(500, 60.0), 8, 120.0)
    assert found.token == Token(
        by_id["signIn"],
        {"key": "$request.body#/key"},
        "$response.body#/token",
        "$response.body#/life",
        frozenset({401, 403}),
    )
    thing = the_resource(found)
    assert (thing.name, thing.title, thing.api_title) == ("thing", "All of the things that a person", "The things")
    assert (thing.key, thing.alike, thing.note) == (("code",), ("name",), "Made asleep.")
    assert (thing.create.record_id, thing.create.message) == (("$response.body#/made/id",), ("$response.body#/why",))
    assert (thing.create.idempotent, thing.create.outcomes) == (True, (here, everywhere))
    assert thing.rules == (
        Rule({"required": ["name"]}, {"properties": {"name": {"maxLength": 9}}}, "Long.", Severity.WARNING),
        Rule({}, False, "", Severity.WARNING),  # type: ignore[arg-type]
    )
    assert thing.find == Find(
        operation=by_id["look"],
        given={"q": "code", "shop": "shop"},
        records="$response.body#/all",
        match={"code": "code"},
        record_id="id",
        present={"$response.body#/found": True},
        absent={"$response.body#/found": False},
        page={"limit": "limit", "offset": "offset", "size": 100, "total": "$response.body#/total"},
        ignore=("made",),
    )
    assert by_id["look"].parameters == (Parameter("shop", "header", False, {"type": "string"}, account=True),)


def test_where_a_document_says_what_rows_become_nothing_else_does() -> None:
    assert (list(api(OWN).resources), api(OWN).unsupported) == (["thing"], ())


def test_what_another_operation_is_a_means_of_is_no_resource() -> None:
    text = OWN.replace("        resource: thing\n", "")
    assert list(api(text).resources) == ["things", "others"]


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        (
            "rate: 500/minute",
            "rat: 500/minute",
            "#/x-bulkload/rat",
            'x-bulkload (document) has no word "rat"; it has title, rate, concurrency, settle, token, outcomes',
        ),
        (
            "note: Made",
            "notes: Made",
            "#/paths/~1things/post/x-bulkload/notes",
            'x-bulkload (operation) has no word "notes"; it has resource, title, '
            "update, find, read, delete, key, alike, id, message, note, idempotent, idempotency, outcomes, warnings",
        ),
        (
            "{code: {}",
            "{code: {x-bulkload: {label: {}}}",
            "#/paths/~1things/post/requestBody/content/application~1json/schema/properties/code/x-bulkload/label",
            'x-bulkload (property) has no word "label"; it has labels, separator, dateFormat, decimal, column',
        ),
        (
            "{account: true}",
            "{acount: true}",
            "#/paths/~1look/post/parameters/0/x-bulkload/acount",
            'x-bulkload (parameter) has no word "acount"; it has account',
        ),
        (
            "ignore: [made]",
            "ignored: [made]",
            "#/paths/~1things/post/x-bulkload/find/ignored",
            'x-bulkload (find) has no word "ignored"; it has operation, with, '
            "records, match, ignore, id, present, absent, page",
        ),
        (
            "size: 100",
            "sise: 100",
            "#/paths/~1things/post/x-bulkload/find/page/sise",
            'x-bulkload (page) has no word "sise"; it has limit, offset, size, total',
        ),
        (
            "renew_on:",
            "renew:",
            "#/x-bulkload/token/renew",
            'x-bulkload (token) has no word "renew"; it has operation, credentials, value, expires, renew_on',
        ),
        (
            "is: refused",
            "means: refused",
            "#/paths/~1things/post/x-bulkload/outcomes/0/means",
            'x-bulkload (outcome) has no word "means"; it has when, is',
        ),
        (
            "is: refused",
            "is: no",
            "#/paths/~1things/post/x-bulkload/outcomes/0/is",
            '"no" is no meaning of an answer; there are done, not processed, refused, unknown',
        ),
        (
            "$response.header.X-Code:",
            "code:",
            "#/paths/~1things/post/x-bulkload/outcomes/0/when/code",
            '"code" says no place in an answer, such as $response.body#/id or $response.header.Location',
        ),
        (
            "[$response.body#/made/id]",
            "[made/id]",
            "#/paths/~1things/post/x-bulkload/id/0",
            '"made/id" says no place in an answer, such as $response.body#/id or $response.header.Location',
        ),
        (
            "description: Long.",
            "describe: Long.",
            "#/paths/~1things/post/x-bulkload/warnings/0/describe",
            'x-bulkload (warning) has no word "describe"; it has if, then, description',
        ),
        (
            "maxLength: 9",
            "maxLength: nine",
            "#/paths/~1things/post/x-bulkload/warnings/0",
            "its schema is not valid: #/paths/~1things/post/x-bulkload/warnings/0/then/properties/name/maxLength: "
            '"nine" is not of type "integer"',
        ),
        (
            "then: false",
            "then: {$ref: '#/components/schemas/Long'}",
            "#/paths/~1things/post/x-bulkload/warnings/1",
            "a warning can't use $ref: write out what it refers to",
        ),
        (
            "rate: 500/minute",
            "rate: often",
            "#/x-bulkload/rate",
            '"often" is not a rate: write it like 10/s or 500/minute',
        ),
        (
            "settle: 2m",
            "settle: soon",
            "#/x-bulkload/settle",
            '"soon" is not a length of time: write it like 60s or 2m',
        ),
        ("concurrency: 8", "concurrency: 0", "#/x-bulkload/concurrency", "a whole number from 1 is wanted here"),
        ("concurrency: 8", "concurrency: eight", "#/x-bulkload/concurrency", "a whole number is wanted here, not text"),
        ("concurrency: 8", "concurrency: true", "#/x-bulkload/concurrency", "a whole number from 1 is wanted here"),
        (
            "operation: signIn",
            "operation: singIn",
            "#/x-bulkload/token/operation",
            '"singIn" is no operationId here that can be used; there are POST /others, PUT /others, look, make, signIn',
        ),
        (
            "key: [code]",
            "key: [kode]",
            "#/paths/~1things/post/x-bulkload/key/0",
            '"kode" is no column of a cell; there are code, name',
        ),
        (
            "{q: code,",
            "{q: kode,",
            "#/paths/~1things/post/x-bulkload/find/with/q",
            '"kode" is no column or setting; there are code, name, shop',
        ),
        ("key: [code]", "key: code", "#/paths/~1things/post/x-bulkload/key", "a list is wanted here, not text"),
        (
            "note: Made asleep.",
            "update: look",
            "#/paths/~1things/post/x-bulkload/update",
            "this can't be its update: its path has no place for the ID of a record",
        ),
        (
            "operationId: look",
            "operationId: make",
            "#/paths/~1look/post/operationId",
            'the operationId "make" stands twice',
        ),
        (
            "{code: {}, name: {}}",
            "{code: {type: object}}",
            "#/paths/~1things/post",
            "POST /things is described as a resource, but its body has no field that a cell could fill; "
            "code: a nested object",
        ),
        (
            "  /others:\n    post: {",
            "  /others:\n    post: {x-bulkload: {resource: thing}, ",
            "#/paths/~1others/post",
            'POST /others is described as a resource, but another resource is called "thing": give it a '
            "name with x-bulkload: resource",
        ),
    ],
)
def test_a_word_of_ours_that_is_used_wrongly_is_told_with_its_place(
    old: str, new: str, place: str, problem: str
) -> None:
    assert OWN.count(old) == 1
    assert wrong(OWN.replace(old, new)) == f"things.yaml: {place}: {problem}. Correct the document."


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("paths: []", "#/paths", "an object is wanted here, not a list"),
        ("paths: {/a: {post: [], put: {}}}", "#/paths/~1a/post", "an object is wanted here, not a list"),
        (
            "paths: {/a: {post: {parameters: [{in: query}]}}}",
            "#/paths/~1a/post/parameters/0/name",
            "text is wanted here, not nothing",
        ),
        (
            "paths: {/a: {post: {parameters: [{name: x, in: body}]}}}",
            "#/paths/~1a/post/parameters/0/in",
            '"body" is no place; there are cookie, header, path, query',
        ),
        ("paths: {/a: {parameters: {}, post: {}}}", "#/paths/~1a/parameters", "a list is wanted here, not an object"),
        (
            "paths: {/a: {post: {responses: {200: {content: []}}}}}",
            "#/paths/~1a/post/responses/200/content",
            "an object is wanted here, not a list",
        ),
        (
            "paths: {/a: {post: {security: [{nope: []}]}}}",
            "#/paths/~1a/post/security/0/nope",
            '"nope" is no security scheme of this document',
        ),
        ("servers: [{}]", "#/servers/0/url", "text is wanted here, not nothing"),
        ("info: Things", "#/info", "an object is wanted here, not text"),
        ("info: {title: [x]}", "#/info/title", "text is wanted here, not a list"),
        ("x-bulkload: 5", "#/x-bulkload", "an object is wanted here, not a number"),
    ],
)
def test_a_part_of_the_wrong_kind_is_told_with_its_place(text: str, place: str, problem: str) -> None:
    assert wrong(text) == f"things.yaml: {place}: {problem}. Correct the document."


def test_a_reference_that_leads_nowhere_is_told() -> None:
    post = "{requestBody: {$ref: '#/components/requestBodies/Gone'}}"
    message = wrong(f"paths: {{/things: {{post: {post}}}}}")
    assert message == "things.yaml: #/components/requestBodies/Gone leads nowhere. Correct that $ref."


def test_a_document_of_a_version_that_nobody_quoted_is_read() -> None:
    assert api("info: {title: Things, version: 1.0}").version == "1.0"


# The door


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_api_that_comes_with_the_tool_is_opened_by_its_name(name: str) -> None:
    assert open_api(name).name == name


def test_a_document_is_opened_by_its_path_and_named_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "my-things.json"
    path.write_text(json.dumps({"openapi": "3.1.0", **parse_yaml(THINGS)}))
    assert the_resource(open_api(path)).full_name == "my-things/things"
    assert the_resource(open_api(str(path))).full_name == "my-things/things"


def test_a_name_that_is_neither_is_told() -> None:
    with pytest.raises(UsageError) as raised:
        open_api("cinox")
    assert str(raised.value) == (
        '"cinox" is no API that comes with bulkload (aicc, cinnox, myreports), and no file of that name is here.'
    )


# Documents that are wrong anywhere


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, part in parts for place in places(part, (*path, key)))]


GOOD = [
    {"openapi": "3.0.3", **parse_yaml(THINGS)},
    {"openapi": "3.1.0", "info": {"title": "Things", "version": "1"}, **parse_yaml(OWN)},
    *(dict(open_api(name).document) for name in BUILT_IN),
]
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        -1,
        1.5,
        "",
        "text",
        "$response.body#/id",
        [],
        ["a"],
        [[]],
        [{}],
        {},
        {"a": 1},
        {"type": 5},
        {"$ref": "#/components/schemas/Nope"},
        {"$ref": "#/paths"},
        {"$ref": "#/info"},
        {"$ref": 5},
        {"oneOf": [{}, True]},
        {"x-bulkload": []},
    ]
)


@st.composite
def broken(draw: Callable[..., Any]) -> dict[str, Any]:
    """A good document in which up to three parts are gone or something else."""
    document: dict[str, Any] = deepcopy(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from([place for place in places(document) if place]))
        node = document
        for key in parents:
            node = node[key]
        if draw(st.booleans()):
            del node[last]
        else:
            node[last] = deepcopy(draw(ODD))
    return document


@given(broken())
def test_a_broken_document_is_refused_or_told_and_never_crashes(document: dict[str, Any]) -> None:
    try:
        found = read_api(Document(document, "things.yaml"), "things")
    except UnusableDocument as error:
        assert str(error).startswith("things.yaml: ")
        assert str(error).endswith((".",))
        return
    for resource in found.resources.values():
        for operation in (resource.create, resource.update):
            assert operation is None or jsonschema_rs.Draft202012Validator(dict(operation.body or {}))
