"""Resource → pandera DataFrameSchema: every rule of a sheet, as checks on whole columns."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema_rs
import pandas as pd
import pandera.pandas as pa

from bulkload.models import Severity
from bulkload.resource import Column, JsonSchema, Resource, Rule

# The pandas type of a column's cells; a list column holds Python lists.
DTYPES = {"string": "str", "integer": "Int64", "number": "Float64", "boolean": "boolean"}

Frame = pd.DataFrame
Mask = pd.Series  # of bool, on the frame's index


def build(resource: Resource) -> pa.DataFrameSchema:
    """The pandera schema of a resource's typed sheet: one column per `Column`, by name; blank cells are NA.

    Checks on columns are named by their JSON Schema keyword; checks on the frame are rules between columns. A list
    column is of dtype object and holds lists. Warnings are not in it: `rule_checks` gives those.
    """
    return pa.DataFrameSchema(
        {column.name: _column(resource, column) for column in resource.columns},
        checks=[*_required_to_create(resource), *(check for _, check in rule_checks(resource, Severity.ERROR))],
        unique=list(resource.key) or None,
        name=resource.full_name,
        title=resource.title,
        description=resource.description or None,
        strict=True,
    )


def _column(resource: Resource, column: Column) -> pa.Column:
    return pa.Column(
        object if column.many else DTYPES[column.type],
        checks=list(column_checks(column)),
        nullable=not always_required(resource, column),
        name=column.name,
        title=column.title,
        description=column.description or None,
    )


def always_required(resource: Resource, column: Column) -> bool:
    """Whether every row must fill the column, one that updates a record too."""
    return column.required and (resource.update is None or column.name in resource.update.required)


def _required_to_create(resource: Resource) -> Iterator[pa.Check]:
    id_column = resource.id_column
    for column in resource.columns:
        if column.required and id_column and not always_required(resource, column):
            yield pa.Check(
                lambda frame, name=column.name: frame[id_column.name].notna() | frame[name].notna(),
                name=f"required to create: {column.name}",
                ignore_na=False,
            )


def column_checks(column: Column) -> Iterator[pa.Check]:
    """The checks of one column's filled-in cells, named by JSON Schema keyword; `error` is what a person reads."""
    if not column.many:
        yield from value_checks(column)
        return
    if column.min_items:
        yield pa.Check(
            lambda lists: lists.map(len) >= column.min_items,
            name="minItems",
            error=f"has fewer than {column.min_items} values",
        )
    if column.max_items is not None:
        yield pa.Check(
            lambda lists: lists.map(len) <= column.max_items,
            name="maxItems",
            error=f"has more than {column.max_items} values. Take some out",
        )
    for check in value_checks(column):
        yield pa.Check(_for_each(check), name=check.name, error=check.error)


def _for_each(check: pa.Check) -> Callable[[Mask], Mask]:
    """The check of one value as a check of lists: every member must pass. An empty list passes."""

    def every(lists: pd.Series) -> Mask:
        members = lists.explode().dropna().infer_objects()
        passed = passes(check, members).groupby(level=0).all()
        return passed.reindex(lists.index, fill_value=True)

    return every


def value_checks(column: Column) -> Iterator[pa.Check]:
    """The checks of single values of a column, from the keywords of its JSON Schema."""
    schema = column.schema
    if column.enum:
        yield pa.Check.isin(list(column.enum), name="enum", error=f"is not one of {choices(column)}")
    if schema.get("minLength"):
        few = schema["minLength"]
        error = "is empty" if few == 1 else f"has fewer than {few} characters"
        yield pa.Check(lambda text: text.str.len() >= few, name="minLength", error=error)
    if "maxLength" in schema:
        most = schema["maxLength"]
        error = f"has more than {most} characters. Shorten it"
        yield pa.Check(lambda text: text.str.len() <= most, name="maxLength", error=error)
    for word, make, says in (
        ("minimum", pa.Check.ge, "is less than"),
        ("maximum", pa.Check.le, "is more than"),
        ("exclusiveMinimum", pa.Check.gt, "is not more than"),
        ("exclusiveMaximum", pa.Check.lt, "is not less than"),
    ):
        if word in schema:
            yield make(schema[word], name=word, error=f"{says} {schema[word]}")
    for word, says in (
        ("pattern", _pattern_words(column)),
        ("format", f"is not a valid {schema.get('format')}{_for_example(column)}"),
        ("multipleOf", f"is not a multiple of {schema.get('multipleOf')}"),
    ):
        if word in schema:
            yield pa.Check(_by_json_schema({word: schema[word]}), name=word, error=says)


def _pattern_words(column: Column) -> str:
    return f"doesn't have the form wanted ({column.schema.get('pattern')}){_for_example(column)}"


def _for_example(column: Column) -> str:
    return f"; write it like {column.examples[0]}" if column.examples and not column.secret else ""


def choices(column: Column) -> str:
    """The values allowed, with their labels: `1 (skill queue), 3 (IVR)`."""
    return ", ".join(_labelled(str(value), column.labels) for value in column.enum)


def _labelled(code: str, labels: Mapping[str, str]) -> str:
    return f"{code} ({labels[code]})" if code in labels else code


def _by_json_schema(schema: JsonSchema) -> Callable[[pd.Series], Mask]:
    """A check by the same validator that later checks the body, so that `$` and `\\d` mean the same in both."""
    validator = jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True)

    def holds(values: pd.Series) -> Mask:
        plain = values.astype(object)
        return pd.Series([validator.is_valid(value) for value in plain], index=values.index, dtype=bool)

    return holds


def passes(check: pa.Check, values: pd.Series) -> Mask:
    """True where a filled-in value passes the check. NA is not to be among the values."""
    if values.empty:
        return pd.Series(True, index=values.index, dtype=bool)
    passed: Mask = check(values).check_output.astype(bool)
    return passed


def frame_passes(check: pa.Check, frame: Frame) -> Mask:
    """True where a row passes a check between columns."""
    passed: Mask = check(frame).check_output.astype(bool)
    return passed


def rule_checks(resource: Resource, severity: Severity) -> list[tuple[Rule, pa.Check]]:
    """The relations between columns that can be said of columns, each with its check on a typed frame.

    Left to the check of the finished body: relations with fields that are no columns, and references.
    """
    checks = []
    for position, rule in enumerate(resource.rules):
        if rule.severity is severity and _sayable(resource, rule.when) and _sayable(resource, rule.then):
            name = f"{severity} rule {position}"
            checks.append((rule, pa.Check(_implies(rule), name=name, error=rule.message or None, ignore_na=False)))
    return checks


def _implies(rule: Rule) -> Callable[[Frame], Mask]:
    return lambda frame: ~_holds(rule.when, frame) | _holds(rule.then, frame)


_SAYABLE = {"required", "properties", "not", "allOf", "anyOf"}


def _sayable(resource: Resource, schema: Any) -> bool:
    if isinstance(schema, bool):
        return True
    names = {column.name for column in resource.columns if column.place == "body"}
    words = {word for word in schema if word not in ("description", "title", "$comment", "type")}
    if words - _SAYABLE or not names.issuperset(rule_names(schema)) or "$ref" in str(schema):
        return False
    parts = [*schema.get("allOf", ()), *schema.get("anyOf", ()), *([schema["not"]] if "not" in schema else ())]
    return all(_sayable(resource, part) for part in parts)


def rule_names(schema: Any) -> list[str]:
    """The fields that a relation speaks of, at its top level."""
    if isinstance(schema, bool):
        return []
    return list(dict.fromkeys([*schema.get("required", ()), *schema.get("properties", {})]))


def _holds(schema: Any, frame: Frame) -> Mask:
    """True where the body that a row makes satisfies the schema; as in JSON Schema, a missing field satisfies all."""
    if isinstance(schema, bool):
        return pd.Series(schema, index=frame.index, dtype=bool)
    mask = pd.Series(True, index=frame.index, dtype=bool)
    for name in schema.get("required", ()):
        mask &= frame[name].notna()
    for name, value_schema in schema.get("properties", {}).items():
        filled = frame[name].dropna()
        mask &= _by_json_schema(value_schema)(filled).reindex(frame.index, fill_value=True)
    for part in schema.get("allOf", ()):
        mask &= _holds(part, frame)
    if "anyOf" in schema:
        options = [_holds(part, frame) for part in schema["anyOf"]]
        mask &= pd.concat(options, axis=1).any(axis=1)
    if "not" in schema:
        mask &= ~_holds(schema["not"], frame)
    return mask
