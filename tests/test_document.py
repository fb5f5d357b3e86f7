"""A document: of which version, said in the words of 3.1, and where its references lead."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from bulkload.document import Document, load
from bulkload.errors import UnusableDocument


def document(version: str = "3.1.0", **parts: Any) -> Document:
    return Document({"openapi": version, "info": {"title": "Things", "version": "1"}, **parts}, "things.yaml")


def schemas(**named: Any) -> Document:
    return document(components={"schemas": named})


def ref(name: str, **beside: Any) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", **beside}


@pytest.mark.parametrize("version", ["3.0.0", "3.0.3", "3.1.0", "3.1.1", "3.0", "3.1", 3.0, 3.1])
def test_versions_3_0_and_3_1_are_taken(version: Any) -> None:
    assert Document({"openapi": version}, "things.yaml").source == "things.yaml"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"swagger": "2.0"}, "Swagger 2.0"),
        ({"openapi": "3.2.0"}, "version 3.2.0"),
        ({"openapi": "3.10.0"}, "version 3.10.0"),
        ({"openapi": "2.0"}, "version 2.0"),
        ({"openapi": None}, "no `openapi` field"),
        ({"info": {}}, "no `openapi` field"),
        (["openapi"], "no `openapi` field"),
        ("openapi: 3.1.0", "no `openapi` field"),
        (None, "no `openapi` field"),
    ],
)
def test_anything_else_is_told(data: Any, found: str) -> None:
    with pytest.raises(UnusableDocument) as raised:
        Document(data, "things.yaml")
    assert str(raised.value) == (
        f"things.yaml: {found}; an OpenAPI document of version 3.0 or 3.1 is wanted. Convert it, or give another."
    )


# Files


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    for name, text in [("a.yaml", "openapi: 3.1.0\nx: ä\n"), ("b.json", '\ufeff{"openapi": "3.1.0", "x": "ä"}')]:
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert load(tmp_path / name).data == {"openapi": "3.1.0", "x": "ä"}


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "things.yaml"
    path.write_bytes("title: ä".encode(encoding))
    with pytest.raises(UnusableDocument) as raised:
        load(path)
    assert str(raised.value) == f"{path}: not UTF-8 text. Save it again as YAML or JSON in UTF-8."


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        UnusableDocument, match=r"things.yaml: can't be read: No such file or directory. Check the path\."
    ):
        load(tmp_path / "things.yaml")
    with pytest.raises(UnusableDocument, match=r"can't be read: .*\. Check the path\."):
        load(tmp_path)


# 3.0 in the words of 3.1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        ({"type": "string", "nullable": True, "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": "string", "nullable": True, "enum": ["a", None]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
        ({"minimum": 1, "exclusiveMinimum": False}, {"minimum": 1}),
        ({"maximum": 9, "exclusiveMaximum": True}, {"exclusiveMaximum": 9}),
        ({"exclusiveMaximum": True}, {}),
        ({"exclusiveMaximum": 9}, {"exclusiveMaximum": 9}),
        # Fields may be called like words, and data may look like a schema.
        ({"properties": {"nullable": {"type": "string", "nullable": True}, "type": {"type": "string"}}},
         {"properties": {"nullable": {"type": ["string", "null"]}, "type": {"type": "string"}}}),
        ({"properties": {"default": {"type": "integer", "nullable": True}}},
         {"properties": {"default": {"type": ["integer", "null"]}}}),
        ({"example": {"type": "x", "nullable": True}, "enum": [{"type": "x", "nullable": True}]},
         {"example": {"type": "x", "nullable": True}, "enum": [{"type": "x", "nullable": True}]}),
        # What only the API fills is not asked of a request.
        ({"required": ["id", "name"], "properties": {"id": {"readOnly": True}, "name": {}}},
         {"required": ["name"], "properties": {"id": {"readOnly": True}, "name": {}}}),
        ({"enum": 5, "type": "string", "nullable": True}, {"enum": 5, "type": ["string", "null"]}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_the_words_of_3_0_become_those_of_3_1_in_either_version(version: str, old: Any, new: Any) -> None:
    read = document(version, components={"schemas": {"Thing": {"allOf": [old]}, "example": old}}).data
    assert read["openapi"] == "3.1.0"
    assert read["components"]["schemas"] == {"Thing": {"allOf": [new]}, "example": new}


# References


def test_a_reference_is_followed_until_something_else_stands_there() -> None:
    things = schemas(A=ref("B", title="of A"), B=ref("C", title="of B", description="of B"), C={"type": "string"})
    assert things.resolve(ref("A")) == {"type": "string", "title": "of A", "description": "of B"}
    assert things.follow(ref("A")) == (things.resolve(ref("A")), "#/components/schemas/C")
    assert things.follow({"type": "string"}) == ({"type": "string"}, "")


def test_a_reference_is_a_json_pointer_into_lists_and_escaped_names() -> None:
    things = document(paths={"/a~b/{c}": {"parameters": [{"name": "x"}, {"name": "y"}]}})
    assert things.resolve({"$ref": "#/paths/~1a~0b~1%7Bc%7D/parameters/1"}) == {"name": "y"}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("#/components/schemas/A", "#/components/schemas/A refers to itself. Correct that $ref."),
        ("#/components/schemas/Nope", "#/components/schemas/Nope leads nowhere. Correct that $ref."),
        ("#/components/schemas/C/5", "#/components/schemas/C/5 leads nowhere. Correct that $ref."),
        ("#/components/schemas/C/x", "#/components/schemas/C/x leads nowhere. Correct that $ref."),
        ("#/paths/~1a/0", "#/paths/~1a/0 leads nowhere. Correct that $ref."),
        ("other.yaml#/A", "other.yaml#/A stands in another file. Bundle them into one first."),
        (
            "https://example.com/a.json",
            "https://example.com/a.json stands in another file. Bundle them into one first.",
        ),
        ("#", "# is no JSON pointer, such as #/components/schemas/Thing. Write one."),
        ("#Thing", "#Thing is no JSON pointer, such as #/components/schemas/Thing. Write one."),
    ],
)
def test_a_reference_in_a_circle_to_nowhere_or_out_of_the_file_is_told(reference: str, message: str) -> None:
    things = document(components={"schemas": {"A": ref("B"), "B": ref("A"), "C": [{}]}}, paths={"/a": "text"})
    for attempt in (things.resolve, things.self_contained):
        if "itself" in message and attempt == things.self_contained:
            continue  # JSON Schema allows a circle in it
        with pytest.raises(UnusableDocument) as raised:
            attempt({"$ref": reference})
        assert str(raised.value) == f"things.yaml: {message}"


def test_a_schema_may_not_be_where_its_name_is_a_word_of_schemas() -> None:
    with pytest.raises(UnusableDocument, match="#/required is no place for a schema"):
        document(required={"type": "string"}).self_contained({"$ref": "#/required"})


def test_a_self_contained_schema_has_what_it_refers_to_and_no_more() -> None:
    tree = {"type": "object", "properties": {"up": ref("Tree"), "leaf": ref("Leaf/properties/x")}}
    leaf = {"properties": {"x": {"type": "string"}}, "default": ref("Never")}
    things = schemas(Tree=tree, Leaf=leaf, Other={"type": "string"})
    assert things.self_contained(ref("Tree")) == {
        "allOf": [ref("Tree")],
        "components": {"schemas": {"Tree": tree, "Leaf": {"properties": {"x": {"type": "string"}}}}},
    }
    both = {"allOf": [ref("Leaf"), ref("Leaf/properties/x")]}
    assert things.self_contained(both) == {"allOf": [both], "components": {"schemas": {"Leaf": leaf}}}


def test_a_schema_that_refers_to_very_many_shares_the_document() -> None:
    chain = {f"S{n}": {"properties": {"next": ref(f"S{n + 1}")}} for n in range(80)}
    things = schemas(**chain, S80={"type": "string"})
    whole = things.self_contained(ref("S0"))
    assert whole["components"] is things.data["components"]
    validator = jsonschema_rs.Draft202012Validator(whole)
    assert validator.is_valid({"next": {"next": {}}})


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"type": "string"}, ""),
        (ref("Sound"), ""),
        ({"required": True}, '#/here/required: true is not of type "array"'),
        ({"properties": {"a": {"pattern": "("}}}, '#/here/properties/a/pattern: "(" is not a "regex"'),
        (ref("Faulty"), '#/components/schemas/Faulty/properties/a/description: 5 is not of type "string"'),
        ({"properties": {"x": ref("Sound"), "y": ref("Faulty")}},
         '#/components/schemas/Faulty/properties/a/description: 5 is not of type "string"'),
    ],
)  # fmt: skip
def test_a_fault_in_a_schema_or_in_one_that_it_refers_to_is_told_with_its_place(schema: Any, fault: str) -> None:
    things = schemas(
        Sound={"properties": {"again": ref("Sound")}},
        Faulty={"properties": {"a": {"description": 5}, "b": ref("Sound")}},
    )
    assert things.fault(schema, "#/here") == fault
    assert things.fault(schema, "#/here") == fault
