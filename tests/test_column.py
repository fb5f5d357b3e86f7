"""A field becomes a column; one that no cell can fill is left out, or its operation is, with the reason."""

from typing import Any

import jsonschema_rs
import pytest

from bulkload.models import RESULT_COLUMNS
from bulkload.resource import Column, Rule
from bulkload.yaml12 import parse_yaml
from tests.documents import of_body, the_resource, told


def the_column(property: str, version: str = "3.1.0", **components: Any) -> Column:
    found = of_body({"properties": {"field": parse_yaml(property)}}, version, **components)
    (column,) = the_resource(found).columns
    return column


@pytest.mark.parametrize(
    ("property", "expected"),
    [
        ("{type: string, nullable: true}", {"type": "string", "nullable": True}),
        ("{type: [string, 'null']}", {"type": "string", "nullable": True}),
        ("{anyOf: [{type: integer}, {type: 'null'}]}", {"type": "integer", "nullable": True}),
        ("{oneOf: [{$ref: '#/components/schemas/Kind'}, {type: 'null'}]}", {"enum": ("a", "b"), "nullable": True}),
        (
            "{allOf: [{$ref: '#/components/schemas/Kind'}], description: Its kind.}",
            {"description": "Its kind.", "enum": ("a", "b")},
        ),
        (
            "{$ref: '#/components/schemas/Kind', description: Its kind.}",
            {"description": "Its kind.", "enum": ("a", "b")},
        ),
        ("{type: [string, integer]}", {"type": "string"}),
        ("{type: [integer, number]}", {"type": "integer"}),
        ("{}", {"type": "string"}),
        ("true", {"type": "string"}),
        ("{enum: [1, 3]}", {"type": "integer", "enum": (1, 3)}),
        ("{type: number, enum: [1, 2.5]}", {"type": "number", "enum": (1, 2.5)}),
        ("{enum: [a, null, [b]]}", {"enum": ("a",)}),
        ("{type: array, items: {type: integer, enum: [1]}}", {"type": "integer", "many": True, "enum": (1,)}),
        ("{type: array}", {"type": "string", "many": True}),
        ("{items: {type: string}}", {"type": "string", "many": True}),
        ("{type: [array, 'null'], items: {type: string}}", {"many": True, "nullable": True}),
        ("{type: string, anyOf: [{format: ipv4}, {format: ipv6}]}", {"type": "string"}),
        ("{type: integer, x-bulkload: {labels: {1: one, 2: two}}}", {"labels": {"1": "one", "2": "two"}}),
        (
            "{items: {x-bulkload: {labels: {a: A}}}, x-bulkload: {separator: ' '}}",
            {"labels": {"a": "A"}, "separator": " "},
        ),
        ("{examples: [a, b]}", {"examples": ("a", "b")}),
        ("{example: null}", {"examples": (None,)}),
        ("{title: ''}", {"title": "Field"}),
    ],
)
@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_a_field_becomes_a_column(version: str, property: str, expected: dict[str, Any]) -> None:
    column = the_column(property, version, Kind={"type": "string", "enum": ["a", "b"]})
    assert {name: getattr(column, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("property", "reason"),
    [
        ("{type: object}", "a nested object"),
        ("{properties: {a: {}}}", "a nested object"),
        ("{additionalProperties: {type: string}}", "a nested object"),
        ("{$ref: '#/components/schemas/Tree'}", "a nested object"),
        ("{type: array, items: {type: object}}", "a list of objects"),
        ("{type: array, items: {$ref: '#/components/schemas/Tree'}}", "a list of objects"),
        ("{type: array, items: {type: array}}", "a list of lists"),
        ("{type: array, prefixItems: [{type: string}]}", "a list whose members differ by their position"),
        ("{type: 'null'}", "nothing but null"),
        ("{anyOf: [{type: string}, {type: integer}]}", "one of several kinds (anyOf)"),
        ("{oneOf: [{type: string}, {type: object}]}", "one of several kinds (oneOf)"),
        ("{$ref: '#/components/schemas/Endless'}", "a schema that holds itself"),
        ("{const: 5}", "it can only say one thing, and need not be there: it is not sent"),
        ("false", "it must not be there"),
        ("{type: string, enum: [1, 2]}", "none of the values that it may have is of its type, string"),
    ],
)
def test_a_field_that_no_cell_can_fill_is_left_out_with_the_reason(property: str, reason: str) -> None:
    components: dict[str, Any] = {
        "Tree": {"type": "object", "properties": {"up": {"$ref": "#/components/schemas/Tree"}}},
        "Endless": {"allOf": [{"$ref": "#/components/schemas/Endless"}]},
    }
    optional = of_body({"properties": {"name": {}, "field": parse_yaml(property)}}, **components)
    assert (the_resource(optional).left_out, optional.unsupported) == ((("field", reason),), ())
    assert [column.name for column in the_resource(optional).columns] == ["name"]
    if "const" not in property:
        needed = {"properties": {"name": {}, "field": parse_yaml(property)}, "required": ["field"]}
        assert told(of_body(needed, **components)) == {"POST /things": f"field, which must be there: {reason}"}
    alone = of_body({"properties": {"field": parse_yaml(property)}}, **components)
    assert told(alone) == {"POST /things": f"its body has no field that a cell could fill; field: {reason}"}


def test_what_every_row_says_is_sent_and_what_only_the_api_says_is_not() -> None:
    things = the_resource(
        of_body("""
        required: [kind, a/b, id, made, hidden]
        properties:
          kind: {const: thing}
          a/b: {const: 5}
          id: {type: string, readOnly: true}
          seen: {type: string, readOnly: true}
          hidden: {type: string, default: x, x-bulkload: {column: false}}
          unsaid: {type: string, x-bulkload: {column: false}}
          name: {type: string}
        allOf: [{properties: {made: {type: string, readOnly: true, default: now}}}]
    """)
    )
    assert things.constants == {"/kind": "thing", "/a~1b": 5, "/hidden": "x", "/made": "now"}
    assert [column.name for column in things.columns] == ["name"]
    body = things.body({"name": "n"})
    assert body == {"kind": "thing", "a/b": 5, "hidden": "x", "made": "now", "name": "n"}
    assert jsonschema_rs.is_valid(dict(things.create.body or {}), body)


def test_a_field_that_must_be_there_and_that_nobody_can_fill_is_told() -> None:
    hidden = of_body("{required: [a], properties: {a: {x-bulkload: {column: false}}, b: {}}}")
    assert told(hidden) == {"POST /things": "a, which must be there: no row can fill it, and it has no default"}


def test_a_field_said_in_several_parts_is_one_column() -> None:
    column = the_column(
        "{$ref: '#/components/schemas/Sub/properties/field'}", Sub={"properties": {"field": {"title": "T"}}}
    )
    assert column.title == "T"
    things = the_resource(
        of_body("""
        allOf:
          - {properties: {name: {type: string, maxLength: 9}}}
          - {properties: {name: {title: Name of it}}, required: [name]}
    """)
    )
    schema = {"type": "string", "maxLength": 9, "title": "Name of it"}
    assert things.columns == (Column("name", "Name of it", "body", "/name", "string", schema, required=True),)


def test_columns_of_one_title_are_told_apart() -> None:
    fields = {
        "phone_no": {},
        "phoneNo": {},
        "a": {"title": "Phone no"},
        "importId": {"title": "Import ID"},
        "A": {"title": "A"},
    }
    columns = the_resource(of_body({"properties": fields})).columns
    assert [column.title for column in columns] == [
        "Phone no",
        "Phone no (phoneNo)",
        "Phone no (a)",
        "Import ID (importId)",
        "A",
    ]
    assert "Import ID" in RESULT_COLUMNS


def test_relations_between_fields_become_rules() -> None:
    things = the_resource(
        of_body("""
        properties: {a: {}, b: {}, c: {}}
        if: {required: [a]}
        then: {required: [b]}
        else: {required: [c]}
        dependentRequired: {b: [a]}
        allOf:
          - {if: {required: [c]}, then: {properties: {extra: {}}}, description: With c goes extra.}
    """)
    )
    assert things.rules == (
        Rule({"required": ["c"]}, {"properties": {"extra": {}}}, "With c goes extra."),
        Rule({"required": ["a"]}, {"required": ["b"]}),
        Rule({"not": {"required": ["a"]}}, {"required": ["c"]}),
        Rule({"required": ["b"]}, {"required": ["a"]}),
    )
    assert things.left_out == (("extra", "it is only there under a condition"),)
