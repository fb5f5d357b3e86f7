"""A body of one kind is a resource, one of several kinds is several; whatever else it is, that is told."""

from typing import Any

import jsonschema_rs
import pytest

from bulkload.resource import Api
from tests.documents import ANIMAL, ANIMALS, of_body, told


def kinds(found: Api) -> dict[str, tuple[Any, list[str]]]:
    return {one.name: (one.constants, [column.name for column in one.columns]) for one in found.resources.values()}


@pytest.mark.parametrize("word", ["oneOf", "anyOf"])
def test_the_kinds_of_a_body_are_resources_of_their_own_told_by_the_names_of_their_schemas(word: str) -> None:
    animal = {word: ANIMALS["Animal"]["oneOf"], "discriminator": {"propertyName": "kind"}}
    assert kinds(of_body(ANIMAL, **{**ANIMALS, "Animal": animal})) == {
        "things-cat": ({"/kind": "Cat"}, ["lives"]),
        "things-big-dog": ({"/kind": "BigDog"}, ["weight"]),
    }


def test_the_kinds_of_a_body_are_told_by_the_mapping_where_there_is_one() -> None:
    mapping = {"tom": "#/components/schemas/Cat", "rex": "BigDog"}
    animal = {**ANIMALS["Animal"], "discriminator": {"propertyName": "kind", "mapping": mapping}}
    assert kinds(of_body(ANIMAL, **{**ANIMALS, "Animal": animal})) == {
        "things-tom": ({"/kind": "tom"}, ["lives"]),
        "things-rex": ({"/kind": "rex"}, ["weight"]),
    }


def test_the_kinds_of_a_body_are_told_by_a_constant_and_have_what_all_have_in_common() -> None:
    found = of_body("""
        type: object
        description: Some animal.
        properties: {name: {type: string}}
        required: [name]
        discriminator: {propertyName: kind}
        oneOf:
          - {properties: {kind: {const: cat}, lives: {type: integer}}, description: A cat.}
          - {properties: {kind: {const: dog}}}
    """)
    assert kinds(found) == {
        "things-cat": ({"/kind": "cat"}, ["name", "lives"]),
        "things-dog": ({"/kind": "dog"}, ["name"]),
    }
    cat = found.resources["things-cat"]
    assert (cat.title, cat.description, cat.create.required) == ("Things cat", "A cat.", frozenset({"name"}))
    assert not jsonschema_rs.is_valid(dict(cat.create.body or {}), {"kind": "cat"})


def test_a_kind_that_can_not_be_a_resource_leaves_the_others() -> None:
    dog = {"type": "object", "properties": {"owner": {"type": "object"}}, "required": ["owner"]}
    found = of_body(ANIMAL, **{**ANIMALS, "BigDog": dog})
    assert list(found.resources) == ["things-cat"]
    assert told(found) == {"POST /things (BigDog)": "owner, which must be there: a nested object"}


def test_one_kind_or_nothing_is_one_kind() -> None:
    found = of_body({"anyOf": [{"$ref": "#/components/schemas/Cat"}, {"type": "null"}]}, **ANIMALS)
    assert kinds(found) == {"things": ({}, ["kind", "lives"])}


def test_alternatives_that_only_set_conditions_are_no_kinds() -> None:
    found = of_body(
        "{properties: {a: {}, b: {}}, anyOf: [{required: [a]}, {required: [b], properties: {b: {const: 1}}}]}"
    )
    assert kinds(found) == {"things": ({}, ["a", "b"])}


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("{type: array, items: {type: object}}", "its body is a list, not an object"),
        ("{type: string}", "its body is text, not an object"),
        ("{type: [integer, 'null']}", "its body is a number, not an object"),
        ("{}", "its body is not an object"),
        ("{type: object}", "its body has no field that a cell could fill"),
        (
            "{oneOf: [{properties: {a: {}}}, {properties: {b: {}}}]}",
            "its body is one of several kinds, with no discriminator to tell them by",
        ),
        (
            "{anyOf: [{properties: {a: {}}}, {properties: {b: {}}}]}",
            "its body is one of several kinds, with no discriminator to tell them by",
        ),
        (
            "{allOf: [{properties: {a: {}}}, {oneOf: [{properties: {b: {}}}, {properties: {c: {}}}]}]}",
            "its body is one of several kinds, with no discriminator to tell them by",
        ),
        (
            "{discriminator: {propertyName: kind}, properties: {kind: {}}}",
            "its body is one of several kinds, and no oneOf lists them",
        ),
        (
            "{discriminator: {propertyName: kind}, oneOf: [{properties: {a: {}}}, {properties: {b: {}}}]}",
            "one of the kinds that its body may be of has no name",
        ),
        ("{$ref: '#/components/schemas/Endless'}", "its schema holds itself"),
        (
            "{properties: {a: {pattern: '('}}}",
            "its schema is not valid: #/paths/~1things/post/requestBody/content/application~1json/schema/properties/a"
            '/pattern: "(" is not a "regex"',
        ),
        (
            "{properties: {a: {$ref: '#/components/schemas/Old'}}}",
            'its schema is not valid: #/components/schemas/Old/required: true is not of type "array"',
        ),
    ],
)
def test_a_body_that_rows_can_not_become_is_told_with_the_reason(schema: str, reason: str) -> None:
    endless = {"allOf": [{"$ref": "#/components/schemas/Endless"}, {"properties": {"a": {}}}]}
    found = of_body(schema, Endless=endless, Old={"type": "string", "required": True})
    assert (told(found), found.resources) == ({"POST /things": reason}, {})


def test_an_animal_whose_kinds_are_made_of_it_is_told() -> None:
    cat = {"allOf": [ANIMAL, {"properties": {"lives": {"type": "integer"}}}]}
    found = of_body(ANIMAL, **{**ANIMALS, "Cat": cat})
    assert told(found) == {
        "POST /things (Cat)": "its body is one of several kinds, with no discriminator to tell them by"
    }
    assert list(found.resources) == ["things-big-dog"]
