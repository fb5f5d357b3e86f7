"""Small OpenAPI documents for tests, and what becomes of them."""

from typing import Any

import pytest

from bulkload.document import Document
from bulkload.errors import UnusableDocument
from bulkload.openapi import read_api
from bulkload.resource import Api, Resource
from bulkload.yaml12 import parse_yaml

# A POST with a body of one field.
POST: dict[str, Any] = {"requestBody": {"content": {"application/json": {"schema": {"properties": {"name": {}}}}}}}

# Schemas for a body of two kinds.
ANIMALS: dict[str, Any] = {
    "Animal": {
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/BigDog"}],
        "discriminator": {"propertyName": "kind"},
    },
    "Cat": {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"type": "string"}, "lives": {"type": "integer"}},
    },
    "BigDog": {"type": "object", "properties": {"weight": {"type": "number"}}},
}
ANIMAL = {"$ref": "#/components/schemas/Animal"}


def api(text: str, version: str = "3.1.0", **parts: Any) -> Api:
    data = {"openapi": version, "info": {"title": "Things", "version": "1"}, **parse_yaml(text), **parts}
    return read_api(Document(data, "things.yaml"), "things")


def of_body(schema: str | dict[str, Any], version: str = "3.1.0", **components: Any) -> Api:
    """The API that makes things by one POST with that body."""
    body = parse_yaml(schema) if isinstance(schema, str) else schema
    post = {"requestBody": {"content": {"application/json": {"schema": body}}}, "responses": {}}
    return api("{}", version, paths={"/things": {"post": post}}, components={"schemas": components})


def the_resource(found: Api) -> Resource:
    (resource,) = found.resources.values()
    return resource


def told(found: Api) -> dict[str, str]:
    return dict(found.unsupported)


def wrong(text: str, **parts: Any) -> str:
    with pytest.raises(UnusableDocument) as raised:
        api(text, **parts)
    return str(raised.value)
