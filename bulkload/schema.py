"""Resource → pandera DataFrameSchema: every rule of a sheet, as checks on whole columns."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jsonschema_rs
import pandas as pd
import pandera.pandas as pa

from bulkload.errors import UnusableDocument
from bulkload.keys import Key, comparing, keys
from bulkload.models import MASK, Severity
from bulkload.resource import Column, JsonSchema, Resource, Rule
from bulkload.wording import FORMATS, choices, value_text

# The pandas type of a column's cells; a list column holds Python lists.
DTYPES = {"string": "str", "integer": "Int64", "number": "Float64", "boolean": "boolean"}
REQUIRED = "Required, but empty. Fill it in."

Mask = pd.Series  # of bool, on the frame's index

# Whole numbers up to this are the same as a float.
_EXACT = 2**53
# What a path can't hold as one of its segments, however it is quoted: clients and servers take such segments out.
_NO_SEGMENT = re.compile(r"\.{1,2}|.*[\x00-\x1f\x7f-\x9f].*", re.DOTALL)
# Words of JSON Schema that look at fields which they don't name.
_SWEEPING = frozenset(
    {"minProperties", "maxProperties", "patternProperties", "propertyNames", "additionalProperties",
     "unevaluatedProperties", "$ref"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A check between columns: `columns` are those that it looks at, `marked` is where a row that fails it is told.

    Of all columns but the `valued` it asks only whether there is a value.
    """

    check: pa.Check
    columns: tuple[Column, ...]
    marked: Column | None
    valued: tuple[Column, ...] = ()
    severity: Severity = Severity.ERROR


def build(resource: Resource) -> pa.DataFrameSchema:
    """The pandera schema of a resource's typed sheet: one column per `Column`, by name; blank cells are NA.

    Checks on columns are named by their JSON Schema keyword, checks on the frame are what holds between columns and
    between rows. A list column is of dtype object and holds lists. Warnings are not in it: `row_checks` gives those
    too. Raises UnusableDocument for a pattern or rule that can't be understood.
    """
    unique = (key for key in keys(resource) if key.severity is Severity.ERROR)
    return pa.DataFrameSchema(
        {column.name: _column(resource, column) for column in resource.columns},
        checks=[
            *(one.check for one in row_checks(resource) if one.severity is Severity.ERROR),
            *(_unique(resource, key) for key in unique),
        ],
        name=resource.full_name,
        title=resource.title,
        description=resource.description or None,
        strict=True,
    )


def _column(resource: Resource, column: Column) -> pa.Column:
    of_values = value_checks(column)
    if column.many:
        of_values = [pa.Check(_for_each(check), name=check.name, error=check.error) for check in of_values]
    return pa.Column(
        object if column.many else DTYPES[column.type],
        checks=[*list_checks(column), *of_values],
        nullable=not always_required(resource, column),
        name=column.name,
        title=column.title,
        description=column.description or None,
    )


def always_required(resource: Resource, column: Column) -> bool:
    """Whether every row must fill the column, one that creates a record as well as one that updates it."""
    return column.required and _required_to_update(resource, column)


def _required_to_update(resource: Resource, column: Column) -> bool:
    if resource.update is None or column.place != "body":
        return column.required
    return column.name in resource.update.required


# Columns


def list_checks(column: Column) -> list[pa.Check]:
    """The checks of the length of a list column's lists; `error` is what a person reads after the cell's text."""
    checks = []
    if column.many and column.min_items:
        few = column.min_items
        says = f"has fewer than {few} values. Add what is missing."
        checks.append(pa.Check(lambda lists: lists.map(len) >= few, name="minItems", error=says))
    if column.many and column.max_items is not None:
        most = column.max_items
        says = f"has more than {most} values. Take some out."
        checks.append(pa.Check(lambda lists: lists.map(len) <= most, name="maxItems", error=says))
    return checks


def value_checks(column: Column) -> list[pa.Check]:
    """The checks of a column's single values, the members of its lists, from the keywords of their JSON Schema."""
    schema = column.schema
    checks = [
        pa.Check(holds, name=word, error=f"{says.format(schema[word])}.", bound=schema[word])
        for word, (holds, says) in _BOUNDS.items()
        if word in schema
    ]
    if column.enum:
        says = f"is not one of {', '.join(choices(column))}."
        checks.append(pa.Check.isin(list(column.enum), name="enum", error=says))
    for word, says in (("pattern", _pattern_words(column)), ("format", _format_words(column))):
        if word in schema:
            checks.append(pa.Check(_by_json_schema(column, word), name=word, error=says))
    if "multipleOf" in schema:
        says = f"is not a multiple of {schema['multipleOf']}. Type one that is."
        checks.append(pa.Check(_by_json_schema(column, "multipleOf"), name="multipleOf", error=says))
    if column.place == "path":
        checks.append(pa.Check(_fits_a_path, name="path", error="can't stand in a web address. Type the ID as it is."))
    return checks


_BOUNDS: Mapping[str, tuple[Callable[[pd.Series, Any], Mask], str]] = {
    "minLength": (lambda text, bound: text.str.len() >= bound, "has fewer than {} characters. Type the whole text"),
    "maxLength": (lambda text, bound: text.str.len() <= bound, "has more than {} characters. Shorten it"),
    "minimum": (lambda numbers, bound: numbers >= bound, "is too small: {} or more is wanted"),
    "maximum": (lambda numbers, bound: numbers <= bound, "is too large: {} or less is wanted"),
    "exclusiveMinimum": (lambda numbers, bound: numbers > bound, "is too small: more than {} is wanted"),
    "exclusiveMaximum": (lambda numbers, bound: numbers < bound, "is too large: less than {} is wanted"),
}


def _pattern_words(column: Column) -> str:
    if column.examples:
        return f"doesn't have the right form. Write it like {_example(column)}."
    return f"doesn't have the right form, which is {column.schema.get('pattern')}"


def _format_words(column: Column) -> str:
    form = str(column.schema.get("format"))
    if form in FORMATS:
        return f"is not {FORMATS[form]}."
    return f"is not a valid {form}. Write it like {_example(column)}." if column.examples else f"is not a valid {form}."


def _example(column: Column) -> str:
    """The document's first example of a single value."""
    example = column.examples[0]
    return value_text(column, example[0] if column.many and isinstance(example, list) and example else example)


def _fits_a_path(text: pd.Series) -> Mask:
    return ~text.astype(object).map(lambda value: bool(_NO_SEGMENT.fullmatch(value))).astype(bool)


def _by_json_schema(column: Column, word: str) -> Callable[[pd.Series], Mask]:
    """A check by the same validator that later checks the body, so that `$` and `\\d` mean the same in both."""
    judge = validator({word: column.schema[word]}, f'the {word} of "{column.name}"')

    def holds(values: pd.Series) -> Mask:
        return pd.Series([judge.is_valid(value) for value in plain(values)], index=values.index, dtype=bool)

    return holds


def fits(column: Column) -> Callable[[str], bool]:
    """Whether a text has the length and the form that a column of text wants."""
    words = ("minLength", "maxLength", "pattern", "format")
    judge = validator({word: column.schema[word] for word in words if word in column.schema}, f'"{column.name}"')
    return judge.is_valid


def validator(schema: JsonSchema, what: str) -> jsonschema_rs.Draft202012Validator:
    """A validator that fetches nothing. Raises UnusableDocument, naming `what`, for a schema that is none."""
    try:
        return jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True, offline=True, mask=MASK)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise UnusableDocument(f"{what} can't be understood: {error.args[0]}. Correct the OpenAPI document.") from error


def _for_each(check: pa.Check) -> Callable[[pd.Series], Mask]:
    """The check of a single value as a check of lists: every member must pass. An empty list passes."""

    def every(lists: pd.Series) -> Mask:
        passed = passes(check, members(lists)).groupby(level=0).all()
        return passed.reindex(lists.index, fill_value=True)

    return every


def members(lists: pd.Series) -> pd.Series:
    """The members of the lists of a column, each with the row of its list."""
    return lists.explode().dropna().infer_objects()


def passes(check: pa.Check, values: pd.Series | pd.DataFrame) -> Mask:
    """True where a value, or a row of a frame, passes the check. NA is not to be among the values of a column."""
    if values.empty:
        return pd.Series(True, index=values.index, dtype=bool)
    passed: Mask = check(values).check_output.astype(bool)
    return passed


# Rows


def row_checks(resource: Resource) -> list[RowCheck]:
    """What holds between the columns of a row: what creating or updating requires, and the document's rules."""
    checks = list(_required_checks(resource))
    for rule in resource.rules:
        needed = rule.then.get("required", ()) if isinstance(rule.then, Mapping) else ()
        if needed and len(rule.then) == 1:  # so that the very cell is marked
            checks += [_rule_check(resource, replace(rule, then={"required": [name]})) for name in needed]
        else:
            checks.append(_rule_check(resource, rule))
    return checks


def _required_checks(resource: Resource) -> Iterator[RowCheck]:
    id_column = resource.id_column
    for column in resource.columns:
        update = _required_to_update(resource, column)
        if id_column and column.required != update:
            yield RowCheck(_filled_if(column, id_column, updates=update), (column, id_column), column)


def _filled_if(column: Column, id_column: Column, *, updates: bool) -> pa.Check:
    return pa.Check(
        lambda frame: (frame[id_column.name].notna() != updates) | frame[column.name].notna(),
        name="required",
        error=REQUIRED,
        ignore_na=False,
    )


def _rule_check(resource: Resource, rule: Rule) -> RowCheck:
    """A rule, held against the part of a row's body that it speaks of."""
    of_body = {column.name: column for column in resource.columns if column.place == "body"}
    words = list(_words([rule.then, rule.when]))
    named = [of_body[word] for word in dict.fromkeys(words) if word in of_body]
    part = tuple(of_body.values()) if _SWEEPING.intersection(words) else tuple(named)
    marked = named[0] if named else None
    referred = {key: value for key, value in (resource.create.body or {}).items() if key != "allOf"}
    relation = {**referred, "if": rule.when, "then": rule.then}
    judge = validator(relation, f"a rule of {resource.full_name}")
    body = replace(resource, columns=part).bodies()

    def holds(frame: pd.DataFrame) -> Mask:
        rows = records(frame[[column.name for column in part]])
        return pd.Series([judge.is_valid(body(row)) for row in rows], index=frame.index, dtype=bool)

    says = rule.message or _relation_words(rule, marked, named)
    looked_into = set(_words([rule.then, rule.when], but="required"))
    valued = part if _SWEEPING & looked_into else tuple(c for c in named if c.name in looked_into)
    return RowCheck(pa.Check(holds, name="rule", error=says, ignore_na=False), part, marked, valued, rule.severity)


def _words(node: Any, but: str = "") -> Iterator[str]:
    """Every key and every text of a schema, those in lists of the key `but` left out: the names of fields are there."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield key
            if key != but or not isinstance(value, list):
                yield from _words(value, but)
    elif isinstance(node, list):
        for value in node:
            yield from _words(value, but)
    elif isinstance(node, str):
        yield node


def _relation_words(rule: Rule, marked: Column | None, named: Sequence[Column]) -> str:
    """What a rule says for which the document has no words."""
    others = " and ".join(f"«{column.title}»" for column in named if column is not marked)
    if marked and others and isinstance(rule.then, Mapping) and "required" in rule.then:
        return f"Needed because of what stands in {others}. Fill it in."
    if others:
        return f"This doesn't go together with what stands in {others}. Change one of them."
    return "The API refuses this value. Change it."


def identities(resource: Resource, key: Key, frame: pd.DataFrame) -> pd.Series:
    """The values of a key as one text, by row: of the rows alone that it is of, and that have a part of it."""
    id_column = resource.id_column
    chosen = frame[[column.name for column in key.own]].notna().any(axis=1)
    if id_column is not None:
        chosen &= frame[id_column.name].notna() == key.updates
    columns = [map(comparing(column), plain(frame.loc[chosen, column.name])) for column in key.columns]
    texts = [repr(values) for values in zip(*columns, strict=True)]
    return pd.Series(texts, index=frame.index[chosen], dtype=object)


def _unique(resource: Resource, key: Key) -> pa.Check:
    def unlike(frame: pd.DataFrame) -> Mask:
        return ~identities(resource, key, frame).duplicated().reindex(frame.index, fill_value=False)

    return pa.Check(unlike, name="unique", error=key.says, ignore_na=False)


# Cells as Python's own values


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a typed frame as Python's own values by column name, blanks left out."""
    rows: list[dict[str, Any]] = [{} for _ in range(len(frame))]
    for name in frame.columns:
        for row, value in zip(rows, plain(frame[name]), strict=True):
            if value is not None:
                row[name] = value
    return rows


def plain(values: pd.Series) -> list[Any]:
    """The cells as Python's own values, None where blank; a whole number stays one in a column of numbers."""
    cells = values.astype(object).where(values.notna(), None).tolist()
    if values.dtype != DTYPES["number"]:
        return cells
    return [int(cell) if cell is not None and cell.is_integer() and abs(cell) <= _EXACT else cell for cell in cells]
