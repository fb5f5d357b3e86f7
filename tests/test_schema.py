"""A resource's pandera schema: what a library user validates typed frames with."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from pandera.errors import SchemaErrors

from bulkload import schema
from bulkload.errors import UnusableDocument
from bulkload.models import Severity
from bulkload.openapi import BUILT_IN, open_api
from bulkload.resource import Column, Resource, Rule

RESOURCES = [resource for name in BUILT_IN for resource in open_api(name).resources.values()]
DESTINATION = open_api("cinnox").resources["destination"]
ROUTE = open_api("aicc").resources["called-route"]


def frame(resource: Resource, *rows: dict[str, Any]) -> pd.DataFrame:
    """A typed frame of those rows, from row 2 on."""
    index = pd.RangeIndex(2, 2 + len(rows), name="row")
    columns = {
        column.name: pd.Series(
            [row.get(column.name) for row in rows],
            index=index,
            dtype=object if column.many else schema.DTYPES[column.type],
        )
        for column in resource.columns
    }
    return pd.DataFrame(columns, index=index)


def example(resource: Resource, **changes: Any) -> dict[str, Any]:
    return {column.name: column.examples[0] for column in resource.columns if column.examples} | changes


def reported(resource: Resource, *rows: dict[str, Any]) -> set[tuple[str, int]]:
    """What pandera says of the rows, each check and row once."""
    with pytest.raises(SchemaErrors) as errors:
        schema.build(resource).validate(frame(resource, *rows), lazy=True)
    lines = errors.value.failure_cases[["check", "index"]].to_numpy().tolist()
    return {(check, row) for check, row in lines}


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.full_name)
def test_the_documents_own_examples_are_valid(resource: Resource) -> None:
    good = frame(resource, example(resource))
    pd.testing.assert_frame_equal(schema.build(resource).validate(good, lazy=True), good)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.full_name)
def test_a_schema_has_the_columns_and_titles_of_its_resource(resource: Resource) -> None:
    built = schema.build(resource)
    assert (built.name, built.title, built.strict) == (resource.full_name, resource.title, True)
    assert {name: (one.title, one.nullable) for name, one in built.columns.items()} == {
        column.name: (column.title, not column.required) for column in resource.columns
    }


def test_checks_are_said_in_words_for_a_person() -> None:
    bad = example(DESTINATION, displayName="x" * 41, types=["FAX", "PHONE"], phoneTargets=None, supportLanguages=None)
    assert reported(DESTINATION, example(DESTINATION), bad) == {
        ("has more than 40 characters. Shorten it.", 3),
        ("is not one of PHONE, STAFF, TRUNK.", 3),
        ("Types has PHONE, so phone targets are needed.", 3),
        ("not_nullable", 3),
    }


def test_a_natural_key_is_reported_at_its_second_row_and_a_blank_part_is_a_value() -> None:
    rows = [example(ROUTE, extCode=code) for code in (None, "1", None, "1", "2")]
    says = "An earlier row has the same Access code and Extension code."
    assert reported(ROUTE, *rows) == {(says, 4), (says, 5)}


def test_a_record_may_be_updated_once() -> None:
    rows = [example(DESTINATION, destinationID=record) for record in ("D1", None, None, "D1")]
    assert reported(DESTINATION, *rows) == {("An earlier row has the same Destination ID.", 5)}


def test_warnings_are_no_part_of_a_schema_but_of_the_row_checks() -> None:
    severities = [one.severity for one in schema.row_checks(DESTINATION)]
    assert (severities.count(Severity.ERROR), severities.count(Severity.WARNING)) == (3, 6)
    assert len(schema.build(DESTINATION).checks) == 3 + 1


def test_lines_and_digits_mean_what_json_schema_says() -> None:
    column = Column("code", "Code", "body", "/code", "string", {"type": "string", "pattern": "^[0-9]+$"})
    checks = schema.value_checks(column)
    values = pd.Series(["12", "12\n", "١٢"], dtype="str")
    assert [schema.passes(check, values).tolist() for check in checks] == [[True, False, False]]


@pytest.mark.parametrize(
    ("word", "bound", "values", "passed"),
    [
        ("minLength", 2, ["a", "ab", "𝄞𝄞"], [False, True, True]),
        ("maxLength", 2, ["abc", "ab", "𝄞𝄞"], [False, True, True]),
        ("minimum", 2, [1, 2], [False, True]),
        ("maximum", 2, [2, 3], [True, False]),
        ("exclusiveMinimum", 2, [2, 3], [False, True]),
        ("exclusiveMaximum", 2, [1, 2], [True, False]),
        ("multipleOf", 2, [3, 4], [False, True]),
        ("multipleOf", 0.1, [0.3, 0.35], [True, False]),
        ("enum", [1, 2], [2, 3], [True, False]),
        ("format", "uuid", ["x", "90ce2cce-5b90-424b-b502-55924f140a48"], [False, True]),
        ("format", "one that nobody knows", ["x"], [True]),
    ],
)
def test_a_keyword_holds_for_cells_and_for_the_members_of_lists(
    word: str, bound: Any, values: list[Any], passed: list[bool]
) -> None:
    kind = {str: "string", int: "integer", float: "number"}[type(values[0])]
    column = Column("it", "It", "body", "/it", kind, {word: bound})
    (check,) = schema.value_checks(column)
    assert check.name == word
    assert schema.passes(check, pd.Series(values, dtype=schema.DTYPES[kind])).tolist() == passed
    lists = pd.DataFrame({"it": pd.Series([[value, values[passed.index(True)]] for value in values], dtype=object)})
    built = schema.build(replace(ROUTE, columns=(replace(column, many=True),), key=(), rules=()))
    failed = (
        set() if all(passed) else {values.index(value) for value, good in zip(values, passed, strict=True) if not good}
    )
    try:
        built.validate(lists, lazy=True)
        found: set[int] = set()
    except SchemaErrors as errors:
        found = set(errors.failure_cases["index"])
    assert found == failed


def test_a_pattern_or_rule_that_can_not_be_understood_names_itself() -> None:
    column = replace(ROUTE.column("accessCode"), schema={"type": "string", "pattern": "("})
    with pytest.raises(UnusableDocument, match=r'^the pattern of "accessCode" can\'t be understood: '):
        schema.build(replace(ROUTE, columns=(column, *ROUTE.columns[1:])))
    rule = Rule({"required": ["extCode"]}, {"properties": {"accessCode": {"$ref": "#/nowhere"}}})
    with pytest.raises(UnusableDocument, match=r"^a rule of aicc/called-route can't be understood: "):
        schema.build(replace(ROUTE, rules=(rule,)))


def test_records_are_pythons_own_values_without_the_blanks() -> None:
    typed = pd.DataFrame(
        {
            "text": pd.Series(["a", None], dtype="str"),
            "count": pd.Series([2**53 + 1, None], dtype="Int64"),
            "amount": pd.Series([5.0, 0.5], dtype="Float64"),
            "active": pd.Series([False, None], dtype="boolean"),
            "tags": pd.Series([["a"], None], dtype=object),
        }
    )
    rows = schema.records(typed)
    assert rows == [
        {"text": "a", "count": 2**53 + 1, "amount": 5, "active": False, "tags": ["a"]},
        {"amount": 0.5},
    ]
    assert [type(value) for value in rows[0].values()] == [str, int, int, bool, list]
