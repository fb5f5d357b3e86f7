"""An operation: what it takes, how it is signed, and why it can't be called."""

from typing import Any

import pytest

from bulkload.errors import UnusableDocument
from bulkload.resource import Idempotency, Parameter, Scheme
from bulkload.yaml12 import parse_yaml
from tests.documents import POST, api, the_resource, told


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "{multipart/form-data: {schema: {type: object}}}",
        "{application/x-www-form-urlencoded: {}}",
        "{text/json: {}}",
    ],
)
def test_a_request_without_a_json_body_is_told(content: str) -> None:
    found = api(f"paths: {{/things: {{post: {{requestBody: {{content: {content}}}}}}}}}")
    assert told(found) == {"POST /things": "its request has no JSON body"}
    assert told(api("paths: {/things: {post: {}}}")) == told(found)


@pytest.mark.parametrize(
    ("kinds", "chosen"),
    [
        (["application/json; charset=utf-8"], "application/json"),
        (["application/vnd.api+json"], "application/vnd.api+json"),
        (["text/csv", "application/merge-patch+json", "application/json"], "application/json"),
    ],
)
def test_plain_json_goes_before_other_kinds_of_it(kinds: list[str], chosen: str) -> None:
    content: dict[str, Any] = {kind: {"schema": {"properties": {"a": {}}}} for kind in kinds}
    found = api("{}", paths={"/things": {"post": {"requestBody": {"content": content}}}})
    assert the_resource(found).create.media_type == chosen


def test_a_path_parameter_that_nobody_describes_is_one_all_the_same() -> None:
    found = api("{}", paths={"/shops/{shop}/things": {"post": POST}})
    assert the_resource(found).create.parameters == (Parameter("shop", "path", True, {"type": "string"}, account=True),)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            {"parameters": [{"name": "session", "in": "cookie", "required": True, "schema": {}}]},
            "it needs the cookie session",
        ),
        ({"servers": [{"url": "https://other.example.com"}]}, "it has servers of its own"),
        ({"security": [{"digest": []}]}, 'its sign-in "digest" is of a kind that is not supported (http digest)'),
        (
            {"security": [{"cookie": []}, {"digest": []}]},
            'its sign-in "cookie" is of a kind that is not supported (apiKey cookie), and '
            'its sign-in "digest" is of a kind that is not supported (http digest)',
        ),
        (
            {"parameters": [{"name": "a", "in": "query", "schema": {"type": "text"}}]},
            'its schema is not valid: #/paths/~1things/post/parameters/0/schema/type: "text" is not valid under any of '
            "the schemas listed in the 'anyOf' keyword",
        ),
    ],
)
def test_an_operation_that_can_not_be_called_is_told_and_the_others_stay(words: dict[str, Any], reason: str) -> None:
    schemes = {
        "digest": {"type": "http", "scheme": "digest"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "c"},
    }
    found = api(
        "{}",
        paths={"/things": {"post": POST | words}, "/others": {"post": POST}},
        components={"securitySchemes": schemes},
    )
    assert (told(found), list(found.resources)) == ({"POST /things": reason}, ["others"])


SCHEMES = """
  bearer: {type: http, scheme: Bearer}
  basic: {type: http, scheme: basic}
  key: {type: apiKey, in: header, name: X-Key}
  query: {type: apiKey, in: query, name: key, x-bulkload: {account: true}}
  machine:
    type: oauth2
    flows:
      authorizationCode: {tokenUrl: https://a.example.com/code, authorizationUrl: https://a.example.com, scopes: {}}
      clientCredentials: {tokenUrl: https://a.example.com/token, scopes: {write: Write}}
  person:
    type: oauth2
    flows:
      authorizationCode: {tokenUrl: https://a.example.com/code, authorizationUrl: https://a.example.com, scopes: {}}
  connect: {type: openIdConnect, openIdConnectUrl: https://a.example.com/.well-known}
  digest: {type: http, scheme: digest}
"""


@pytest.mark.parametrize(
    ("security", "schemes"),
    [
        ("[]", ()),
        ("[{}]", ()),
        ("[{bearer: []}]", (Scheme("bearer", "bearer"),)),
        ("[{basic: []}, {bearer: []}]", (Scheme("basic", "basic"),)),
        ("[{digest: []}, {bearer: []}]", (Scheme("bearer", "bearer"),)),
        (
            "[{key: [], query: []}]",
            (Scheme("key", "apiKey", "header", "X-Key"), Scheme("query", "apiKey", "query", "key", account=True)),
        ),
        (
            "[{machine: [write]}]",
            (Scheme("machine", "oauth2", token_url="https://a.example.com/token", scopes=("write",)),),
        ),
        ("[{person: []}]", (Scheme("person", "oauth2", token_url="https://a.example.com/code"),)),
        ("[{connect: [openid]}]", (Scheme("connect", "oauth2", scopes=("openid",)),)),
    ],
)
def test_sign_in_is_the_first_alternative_that_can_be_met(security: str, schemes: tuple[Scheme, ...]) -> None:
    components = {"securitySchemes": parse_yaml(SCHEMES)}
    everywhere = api("{}", paths={"/a": {"post": POST}}, security=parse_yaml(security), components=components)
    own = POST | {"security": parse_yaml(security)}
    here = api("{}", paths={"/a": {"post": own}}, security=[{"basic": []}], components=components)
    assert [the_resource(one).create.security for one in (everywhere, here)] == [schemes, schemes]


def keyed(**words: Any) -> dict[str, Any]:
    header = {"name": "Idempotency-Key", "in": "header", "required": True, "schema": {"type": "string"}}
    return {"/things": {"post": {**POST, "parameters": [header], "x-bulkload": {"idempotency": words}}}}


def test_the_header_of_idempotency_keys_is_no_setting() -> None:
    create = the_resource(api("{}", paths=keyed(header="Idempotency-Key", life="24h"))).create
    assert (create.idempotency, create.parameters) == (Idempotency("Idempotency-Key", 86_400.0), ())
    assert the_resource(api("{}", paths={"/things": {"post": POST}})).create.idempotency is None


@pytest.mark.parametrize(
    "words",
    [{"header": "Idempotency-Key"}, {"life": "1h"}, {"header": "a b", "life": "1h"}, {"header": "a", "life": "soon"}],
)
def test_idempotency_keys_must_have_a_header_and_a_life(words: dict[str, str]) -> None:
    with pytest.raises(UnusableDocument):
        api("{}", paths=keyed(**words))
