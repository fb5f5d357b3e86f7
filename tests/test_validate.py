"""Every row has one verdict, every fault is named at its cell, and what passes is what the API's document allows."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema_rs
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors

from bulkload import schema, write
from bulkload.cleaning import clean
from bulkload.damage import misread
from bulkload.fingerprint import Fingerprints
from bulkload.header import match_header
from bulkload.keys import same
from bulkload.models import CLEAR, MASK, RESULT_COLUMNS, Claim, Finding, Frame, Row, Severity, Sheet, Spoilt
from bulkload.openapi import BUILT_IN, open_api
from bulkload.read import open_book
from bulkload.resource import Column, Resource
from bulkload.seen import Seen
from bulkload.validate import Checked, Validator, claims
from bulkload.values import typed
from bulkload.wording import choices, example_text, value_text

RESOURCES = [resource for name in BUILT_IN for resource in open_api(name).resources.values()]
EVERY = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.full_name)
DESTINATION = open_api("cinnox").resources["destination"]
ROUTE = open_api("aicc").resources["called-route"]
KAZOO = open_api("myreports").resources["pbx-kazoo"]
THREE_CX = open_api("myreports").resources["pbx-3cx"]

Texts = Mapping[str, str]
CUT = "is a long number that a spreadsheet has cut short. Format the cell as Text and type the whole number again."
ROUNDED = (
    "is a number of more than 15 digits: the spreadsheet has rounded it. "
    "Format the cell as Text and type the whole number again."
)


@dataclass
class Desk:
    """A sheet of a resource, whose header is its columns' names, and its checker."""

    resource: Resource
    name: str = ""
    names: Sequence[str] = ()
    seen: Seen | None = None
    own: Sequence[str] = ()
    from_text: bool = False

    def __post_init__(self) -> None:
        self.names = self.names or tuple(column.name for column in self.resource.columns)
        self.header = (*self.names, *self.own)
        sheet = Sheet(self.name or self.resource.title, self.header, 1, lambda: iter(()), from_text=self.from_text)
        self.assigned, faults = match_header(sheet, self.resource)
        assert faults == []
        self.validator = Validator(self.assigned, self.seen or Seen())

    def frame(self, rows: Iterable[Texts], first: int = 2, spoilt: Iterable[Spoilt] = ()) -> Frame:
        cells = [[row.get(name, "") for name in self.header] for row in rows]
        text = pd.DataFrame(
            cells,
            columns=range(1, len(self.header) + 1),
            index=pd.RangeIndex(first, first + len(cells), name="row"),
            dtype="str",
        )
        return Frame(text, tuple(spoilt))

    def check(self, *rows: Texts, first: int = 2, spoilt: Iterable[Spoilt] = ()) -> Checked:
        return self.validator.check(self.frame(rows, first, spoilt))

    def finding(
        self,
        row: int,
        name: str,
        value: str,
        rule: str,
        message: str,
        severity: Severity = Severity.ERROR,
        cause: str = "",
    ) -> Finding:
        position = self.header.index(name) + 1
        title = self.assigned.columns[position].title
        return Finding(self.assigned.sheet.name, row, position, title, value, rule, message, severity, cause)


def example(resource: Resource, number: int = 0) -> dict[str, str]:
    """The document's own examples as a row of texts, unlike those of other numbers."""
    own = (resource.key or resource.alike) if number else ()
    texts = {column.name: example_text(column) for column in resource.columns if column.examples}
    return texts | {name: f"{texts[name]}{number}" for name in own}


def said(checked: Checked) -> list[str]:
    return [str(finding) for finding in checked.findings]


# --- every resource that there is -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """A cell with one fault, and what must be said of it: `says` after the quoted value, or a sentence of its own."""

    cell: str
    rule: str
    says: str
    value: str | None = None
    spoilt: str = ""
    sentence: bool = False
    own_cause: bool = False

    def finding(self, desk: Desk, row: int, column: Column) -> Finding:
        value = self.cell if self.value is None else self.value
        value = MASK if column.secret and value else value
        quoted = f'"{value}"' if len(value) <= 60 else f'"{value[:60]}…"'
        message = self.says if self.sentence else f"{quoted} {self.says}"
        cause = "" if self.sentence else message if self.own_cause else self.says
        return desk.finding(row, column.name, value, self.rule, message, cause=cause)


def faults(resource: Resource, column: Column) -> Iterator[Fault]:
    """One fault of every kind that the column's own keywords can have."""
    if column.required:
        yield Fault("", "required", "Required, but empty. Fill it in.", sentence=True)
    yield from file_faults(column)
    yield Fault(
        CLEAR,
        "clear",
        "(clear) empties a field of a record that is updated, but this row creates one. Leave the cell empty.",
        sentence=True,
    )
    if column.secret:
        says = "The value was hidden when the result was written. Type it again."
        yield Fault(MASK, "masked", says, sentence=True)
    good = column.examples[0] if column.examples else ["x"]
    member = str(good[0] if isinstance(good, list) else good)
    for one in value_faults(column):
        yield one
        if column.many and one.rule != "rounded number":
            yield replace(one, cell=f"{member}; {one.cell}", value=one.cell)
    if column.many:
        yield Fault("; ,", "type", "has no value in it. Fill one in, or leave the cell empty.", value="; ,")
        if column.max_items is not None:
            cell = ", ".join([member] * (column.max_items + 1))
            yield Fault(cell, "maxItems", f"has more than {column.max_items} values. Take some out.")


def file_faults(column: Column) -> Iterator[Fault]:
    yield Fault("1234567890123456789", "rounded number", ROUNDED, spoilt="rounded number")
    yield Fault(
        "#REF!",
        "error cell",
        "is an error of the spreadsheet. Correct the formula, or type the value.",
        spoilt="error cell",
    )
    yield Fault(
        "",
        "formula without value",
        "This is a formula whose value the file doesn't hold. Open the file in Excel, save it, and import it again.",
        sentence=True,
        value="a formula",
        spoilt="formula without value",
    )


def value_faults(column: Column) -> Iterator[Fault]:
    keywords = column.schema
    if column.enum or column.type == "boolean":
        allowed = f"is not one of {', '.join(choices(column))}."
        yield Fault("999", "enum", allowed, own_cause=True)
        for value in column.enum:
            if str(value).lower() not in (str(value), "true", "false"):
                hint = f"{allowed} Did you mean {value_text(column, value)}?"
                yield Fault(str(value).lower(), "enum", hint, own_cause=True)
        return
    if column.type == "integer":
        for text in ("abc", "1.5", "1,000", "1E5", "٣"):
            yield Fault(text, "type", "is not a whole number. Write digits only, like 15.")
        for text in ("9223372036854775808", "1" * 5000):
            yield Fault(text, "type", "is too large a number. Type a smaller one.")
    if column.type == "string":
        yield Fault("1.66027E+18", "rounded number", CUT)
    if "maxLength" in keywords:
        most = keywords["maxLength"]
        yield Fault("x" * (most + 1), "maxLength", f"has more than {most} characters. Shorten it.")
    if "pattern" in keywords:
        yield Fault("wrong", "pattern", f"doesn't have the right form. Write it like {column.examples[0]}.")
    form = {"uri": "an address like https://www.example.com"}
    if "format" in keywords:
        yield Fault("no such", "format", f"is not {form.get(keywords['format'])}.")
    if column.place == "path":
        for text in (".", ".."):
            yield Fault(text, "path", "can't stand in a web address. Type the ID as it is.")


@EVERY
class TestEveryResource:
    """What holds for each resource that ships with the tool."""

    def test_the_documents_own_examples_make_a_row_without_a_finding(self, resource: Resource) -> None:
        desk = Desk(resource)
        checked = desk.check(example(resource))
        values = {column.name: column.examples[0] for column in resource.columns if column.examples}
        assert checked.rows == (Row(2, values),)
        assert (checked.done, checked.invalid, checked.findings) == ((), frozenset(), ())

    def test_every_fault_of_every_column_is_named_once_at_its_cell_and_no_other_row_suffers(
        self, resource: Resource
    ) -> None:
        desk = Desk(resource)
        rows: list[Texts] = []
        spoilt, expected, good = [], [], []
        for column in resource.columns:
            for fault in faults(resource, column):
                good.append(len(rows) + 2)
                rows.append(example(resource, len(rows) + 1))
                number = len(rows) + 2
                rows.append({**example(resource, len(rows) + 1), column.name: fault.cell})
                if fault.spoilt:
                    position = desk.header.index(column.name) + 1
                    spoilt.append(Spoilt(number, position, fault.spoilt, fault.value or fault.cell))
                expected.append(fault.finding(desk, number, column))
        checked = desk.check(*rows, spoilt=spoilt)
        assert list(checked.findings) == expected
        assert [row.number for row in checked.rows] == good
        assert checked.invalid == set(range(2, len(rows) + 2)) - set(good)

    def test_an_empty_row_lacks_each_required_column_and_nothing_else(self, resource: Resource) -> None:
        desk = Desk(resource)
        assert list(desk.check({}).findings) == [
            desk.finding(2, column.name, "", "required", "Required, but empty. Fill it in.")
            for column in resource.columns
            if column.required
        ]

    def test_a_checked_frame_reads_back_the_same_rows(self, resource: Resource) -> None:
        desk = Desk(resource)
        frame = desk.frame([example(resource, 1), example(resource, 2)])
        assert tuple(desk.validator.read(frame)) == desk.validator.check(frame).rows


# --- every kind of rule that a document can have ----------------------------------------------------------------------

EVERYTHING: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "title": "Name", "minLength": 2, "maxLength": 5},
        "code": {"type": "string", "title": "Code", "pattern": "^[0-9]+$", "examples": ["007"]},
        "shape": {"type": "string", "title": "Shape", "pattern": "^[ab]$"},
        "day": {"type": "string", "title": "Day", "format": "date"},
        "host": {"type": "string", "title": "Host", "format": "ipv4", "examples": ["10.0.0.1"]},
        "amount": {
            "type": "number",
            "title": "Amount",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 10,
            "multipleOf": 0.5,
        },
        "count": {"type": "integer", "title": "Count", "minimum": 1, "maximum": 9},
        "active": {"type": "boolean", "title": "Active"},
        "rank": {
            "type": "integer",
            "title": "Rank",
            "enum": [1, 2],
            "x-bulkload": {"labels": {"1": "low", "2": "high"}},
        },
        "tags": {
            "type": "array",
            "title": "Tags",
            "minItems": 2,
            "maxItems": 3,
            "items": {"type": "integer", "maximum": 99},
        },
        "note": {"type": ["string", "null"], "title": "Note"},
        "parts": {"type": "array", "title": "Parts", "uniqueItems": True, "items": {"type": "string"}},
    },
    "dependentRequired": {"code": ["day", "host"]},
    "if": {"properties": {"count": {"const": 9}}, "required": ["count"]},
    "then": {"not": {"required": ["amount"]}},
}
CHANGED: dict[str, Any] = {
    "type": "object",
    "required": ["code"],
    "properties": {name: node for name, node in EVERYTHING["properties"].items() if name != "name"}
    | {"name": {"type": "string", "maxLength": 3}},
}


def described(folder: Path, create: dict[str, Any], update: dict[str, Any] | None = None, **said: Any) -> Resource:
    """The resource of a document whose body has this schema."""

    def operation(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
        body = {"content": {"application/json": {"schema": schema}}}
        return {"requestBody": body, "responses": {"200": {"description": "done"}}, **more}

    paths: dict[str, Any] = {"/things": {"post": operation(create, **({"x-bulkload": said} if said else {}))}}
    if update:
        parameter = {
            "name": "thingId",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "title": "Thing ID"},
        }
        paths["/things/{thingId}"] = {"parameters": [parameter], "patch": operation(update)}
    path = folder / "shop.json"
    info = {"title": "Shop", "version": "1"}
    path.write_text(json.dumps({"openapi": "3.1.0", "info": info, "paths": paths}), encoding="utf-8")
    (resource,) = open_api(path).resources.values()
    return resource


@pytest.fixture(scope="module")
def thing(tmp_path_factory: pytest.TempPathFactory) -> Resource:
    said = {"resource": "thing", "title": "Things", "key": ["name", "rank"]}
    return described(tmp_path_factory.mktemp("api"), EVERYTHING, CHANGED, **said)


@pytest.mark.parametrize(
    ("name", "cell", "message"),
    [
        ("name", "x", '"x" has fewer than 2 characters. Type the whole text.'),
        ("code", "7a", '"7a" doesn\'t have the right form. Write it like 007.'),
        ("shape", "c", '"c" doesn\'t have the right form, which is ^[ab]$'),
        ("shape", "a\u2028b", '"a\\u2028b" doesn\'t have the right form, which is ^[ab]$'),
        ("day", "31.02.2025", '"31.02.2025" is no date. Write it like 2025-12-31.'),
        ("host", "x", '"x" is not a valid ipv4. Write it like 10.0.0.1.'),
        ("amount", "0", '"0" is too small: more than 0 is wanted.'),
        ("amount", "10.0", '"10.0" is too large: less than 10 is wanted.'),
        ("amount", "0.7", '"0.7" is not a multiple of 0.5. Type one that is.'),
        ("amount", "1,5", '"1,5" is not a number. Write a point, not a comma, like 1.5.'),
        ("amount", "x", '"x" is not a number. Write it like 1.5.'),
        ("amount", "1e999", '"1e999" is too large a number. Type a smaller one.'),
        (
            "amount",
            "12345678901234567",
            '"12345678901234567" has more digits than a number can keep. Type a shorter one.',
        ),
        ("count", "0", '"0" is too small: 1 or more is wanted.'),
        ("count", "10", '"10" is too large: 9 or less is wanted.'),
        ("active", "treu", '"treu" is not one of TRUE, FALSE. Did you mean TRUE?'),
        ("rank", "hihg", '"hihg" is not one of 1 (low), 2 (high). Did you mean 2 (high)?'),
        ("tags", "1", '"1" has fewer than 2 values. Add what is missing.'),
        ("tags", "1,2,3,4", '"1,2,3,4" has more than 3 values. Take some out.'),
        ("tags", "1,100,100", '"100" is too large: 99 or less is wanted.'),
        ("parts", "a,a", f"The API's document doesn't allow this: {MASK} has non-unique elements. Change it."),
    ],
)
def test_each_limit_is_told_with_place_value_rule_and_next_step(
    thing: Resource, name: str, cell: str, message: str
) -> None:
    desk = Desk(thing)
    (finding,) = desk.check({"name": "abc", "day": "2025-12-31", "host": "10.0.0.1", name: cell}).findings
    assert str(finding) == f"Things!{finding.cell} ({thing.column(name).title}): {message}"
    assert desk.assigned.columns[finding.column or 0].name == name


def test_each_faulty_member_of_a_list_is_told_once() -> None:
    desk = Desk(DESTINATION)
    row = {**example(DESTINATION), "types": "FAX, PHONE, FAX, sms"}
    assert said(desk.check(row)) == [
        'Destinations!E2 (Types): "FAX" is not one of PHONE, STAFF, TRUNK.',
        'Destinations!E2 (Types): "sms" is not one of PHONE, STAFF, TRUNK.',
    ]


# --- pandera is the truth ---------------------------------------------------------------------------------------------


def cells(column: Column) -> st.SearchStrategy[str]:
    """Texts for a column: blank, right, wrong in each way that can be read as its type, and anything."""
    allowed = [value_text(column, value) for value in column.enum] or [example_text(column) or "7"]
    wrong = ["", "x", "abc", "xxxxxx", "0", "1", "2.5", "9", "100", "2025-01-31", "1, 2", "1,2,3,4", "a,bb,a", "yes"]
    wrong += [fault.cell for fault in value_faults(column) if len(fault.cell) < 100] if column.examples else []
    anything = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
    return st.one_of(st.sampled_from(allowed), st.sampled_from(["", *allowed, *wrong]), anything)


def rows(resource: Resource, most: int = 6) -> st.SearchStrategy[list[dict[str, str]]]:
    """Rows of a resource, of which some are as they should be and some differ from that in a few cells."""
    changes = st.fixed_dictionaries({}, optional={column.name: cells(column) for column in resource.columns})
    good = {column.name: example_text(column) for column in resource.columns}
    return st.lists(changes.map(lambda changed: {**good, **changed}), min_size=1, max_size=most)


def values(resource: Resource, texts: Sequence[Texts]) -> pd.DataFrame:
    """The typed frame of those rows that can be read at all."""
    index = pd.RangeIndex(2, 2 + len(texts), name="row")
    frame, unread = pd.DataFrame(index=index), set()
    for column in resource.columns:
        cleaned, remarks = clean(column, [row.get(column.name, "") for row in texts])
        text = pd.Series(cleaned, index=index, dtype="str")
        frame[column.name], faults_of = typed(column, text)
        unread |= faults_of.keys() | set(text.index[text.isin([MASK, CLEAR])])
        unread |= {place + 2 for place, one in remarks.items() if one.severity is Severity.ERROR}
    return frame.drop(index=list(unread))


KEYWORDS = frozenset(
    {"enum", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern",
     "format", "multipleOf", "minItems", "maxItems", "path"}
)  # fmt: skip


def failures(resource: Resource, frame: pd.DataFrame) -> set[tuple[str, str, int]]:
    """What pandera's own lazy validation reports: column ("" for the whole frame), check and row."""
    try:
        schema.build(resource).validate(frame, lazy=True)
    except SchemaErrors as errors:
        lines = errors.failure_cases[["schema_context", "column", "check", "index"]].to_numpy().tolist()
        return {
            (
                "" if check == "not_nullable" or context != "Column" else column,
                check.replace("not_nullable", schema.REQUIRED),
                row,
            )
            for context, column, check, row in lines
        }
    return set()


def check_against_pandera(resource: Resource, texts: Sequence[Texts]) -> None:
    frame = values(resource, texts)
    desk = Desk(resource)
    text = desk.frame(texts).text.loc[frame.index]
    found = desk.validator.check(Frame(text)).findings
    by_title = {column.title: column.name for column in resource.columns}
    assert failures(resource, frame) == {
        (by_title[one.title] if one.rule in KEYWORDS else "", one.cause or one.message, one.row)
        for one in found
        if one.severity is Severity.ERROR and one.rule != "schema"
    }


@EVERY
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_found_is_what_panderas_lazy_validation_reports(resource: Resource, data: st.DataObject) -> None:
    check_against_pandera(resource, data.draw(rows(resource)))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_so_too_for_every_kind_of_rule(thing: Resource, data: st.DataObject) -> None:
    check_against_pandera(thing, data.draw(rows(thing)))


# --- invariants -------------------------------------------------------------------------------------------------------


def bodies(resource: Resource) -> dict[str, jsonschema_rs.Draft202012Validator]:
    operations = [one for one in (resource.create, resource.update) if one and one.body]
    return {
        one.id: jsonschema_rs.Draft202012Validator(dict(one.body or {}), validate_formats=True) for one in operations
    }


def operation(resource: Resource, row: Row) -> str:
    updates = resource.update and resource.id_column and resource.id_column.name in row.values
    return (resource.update if updates and resource.update else resource.create).id


def check_by_column(resource: Resource, checked: Checked) -> None:
    """The rows say the same column by column."""
    prints = Fingerprints(resource, str)
    assert prints.each(checked.rows, checked.by_column) == [prints.whole(row.values) for row in checked.rows]


def check_invariants(resource: Resource, texts: list[dict[str, str]], order: list[int]) -> None:
    desk = Desk(resource)
    checked = desk.check(*texts)
    numbers = set(range(2, 2 + len(texts)))
    assert {row.number for row in checked.rows} | checked.invalid == numbers
    assert len(checked.rows) + len(checked.invalid) == len(texts)
    assert checked.invalid == {one.row for one in checked.findings if one.severity is Severity.ERROR}
    check_by_column(resource, checked)
    judges = bodies(resource)
    for row in checked.rows:
        assert judges[operation(resource, row)].is_valid(resource.body(row.values))
    permuted = Desk(resource).validator.check(Frame(desk.frame(texts).text.iloc[order]))
    assert unordered(permuted) == unordered(checked)


def unordered(checked: Checked) -> tuple[Any, ...]:
    """The verdicts but for repetitions, which name the later of two rows."""
    findings = sorted(str(one) for one in checked.findings if one.rule != "unique")
    repeated = sorted(one.cause for one in checked.findings if one.rule == "unique")
    return findings, repeated


@EVERY
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_one_row_in_one_verdict_out_in_any_order_and_what_passes_fits_the_document(
    resource: Resource, data: st.DataObject
) -> None:
    texts = data.draw(rows(resource))
    check_invariants(resource, texts, data.draw(st.permutations(range(len(texts)))))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_so_too_where_create_and_update_differ(thing: Resource, data: st.DataObject) -> None:
    texts = data.draw(rows(thing))
    check_invariants(thing, texts, data.draw(st.permutations(range(len(texts)))))


# Signs that are taken out of a text, written as an ordinary blank, or refused; line breaks and all others stay.
REMOVED = frozenset("\u00ad\u180e\u200b\u2060\u2061\u2062\u2063\u2064\ufeff\x7f") | set(map(chr, range(0x20)))
BLANKS = frozenset("\u00a0\u2007\u202f")
REFUSED = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff") | set(
    map(chr, range(0x80, 0xA0))
)
SEEN = st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" \n")
BREAKS = frozenset("\t\n\x0b\x0c\r\x85")
# Few of those that are refused, so that most rows are not.
UNSEEN = st.one_of(
    SEEN, st.sampled_from(sorted({*REMOVED, *BLANKS, *BREAKS, *"\u2003\u2028\u200c\u200d\u202e\x93\ufffe\u0645"}))
)


def read_as(column: Column, text: str) -> str | None:
    """What a typed text is read as, "" for an empty cell; None where it is refused. A secret is read as it stands."""
    if column.secret:
        return text if text.strip() else ""
    if REFUSED.difference(BREAKS).intersection(text):
        return None
    return "".join(seen_as(before, sign) for before, sign in pairwise(f" {text}")).strip()


def seen_as(before: str, sign: str) -> str:
    """What a sign is read as that stands behind another: a joiner behind a Latin letter does nothing."""
    if sign in "\u200c\u200d":
        joins = "\u0590" <= before <= "\u1fff" or before >= "\u2100"
        return sign if joins and before not in REMOVED else ""
    return " " if sign in BLANKS else "" if sign in REMOVED - BREAKS else sign


def typed_text(column: Column) -> st.SearchStrategy[str]:
    """Texts that a person may have typed or pasted, some with signs that can't be seen; none that means another."""
    most = column.schema.get("maxLength", 12)
    texts = [st.text(signs, min_size=2, max_size=most) for signs in (SEEN, UNSEEN, st.characters(codec="utf-8"))]
    return st.one_of(texts).filter(lambda text: not means_another(column, text))


def means_another(column: Column, text: str) -> bool:
    """Whether a text is a word of the tool's own, a number cut short, or one that was encoded twice: nearly none is."""
    twice = any(said.rule == "encoded twice" for _, said in misread(column, [text]))
    return twice or (read_as(column, text) or "").casefold() in (CLEAR, MASK) or "E+" in text


def member_text(column: Column) -> st.SearchStrategy[str]:
    """Texts that can be a member of a list as they are; signs that can't be seen are a whole cell's."""
    texts = st.text(SEEN, min_size=2, max_size=column.schema.get("maxLength", 12)).map(str.strip)
    return texts.filter(lambda text: bool(text) and not means_another(column, text))


def good_values(column: Column) -> st.SearchStrategy[Any]:
    """Values that the column's own schema allows; texts as they are typed."""
    judge = jsonschema_rs.Draft202012Validator(dict(column.schema), validate_formats=True)
    if column.enum:
        one: st.SearchStrategy[Any] = st.sampled_from(column.enum)
    elif "pattern" in column.schema or "format" in column.schema:
        some = ["007", "a", "2025-12-31", "10.0.0.1", "00:20:00", "US", "wss://ws.example.com"]
        one = st.sampled_from([text for text in some if judge.is_valid(text)])
    else:
        text = member_text(column) if column.many else typed_text(column)
        kinds = {"integer": st.integers(-(2**63), 2**63 - 1), "boolean": st.booleans(), "string": text}
        one = {**kinds, "number": st.sampled_from([0.5, 1.5, 3, 9.5])}[column.type]
        one = st.integers(1, 9) if column.type == "integer" and "maximum" in column.schema else one
    one = one.filter(judge.is_valid)
    return st.lists(one, min_size=column.min_items or 1, max_size=column.max_items or 4) if column.many else one


def good_bodies(resource: Resource) -> st.SearchStrategy[dict[str, Any]]:
    """Values by column, texts as they are typed, of which the API's own JSON Schema allows what they are read as."""
    parts = {column.name: good_values(column) for column in resource.columns if column.place == "body"}
    needed = {column.name for column in resource.columns if column.required}
    judge = bodies(resource)[resource.create.id]
    some = st.fixed_dictionaries(
        {name: part for name, part in parts.items() if name in needed},
        optional={name: part for name, part in parts.items() if name not in needed},
    )
    # Where fields ask for one another, it takes all of them to find many that are allowed.
    return st.one_of(st.fixed_dictionaries(parts), some).filter(
        lambda made: judge.is_valid(resource.body(read_row(resource, made)))
    )


def read_row(resource: Resource, made: Mapping[str, Any]) -> dict[str, Any]:
    """What typed values are read as, by column: those that are refused as they stand, empty ones left out."""
    found = {
        name: read_as(resource.column(name), value) if isinstance(value, str) else value for name, value in made.items()
    }
    return {name: made[name] if value is None else value for name, value in found.items() if value != ""}


def as_cell(column: Column, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(as_member(as_cell(column, member)) for member in value)
    return str(value).upper() if isinstance(value, bool) else str(value)


def as_member(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',;\r\n"') else text


def good_rows(resource: Resource) -> st.SearchStrategy[list[dict[str, Any]]]:
    """A few good bodies whose natural keys, if the resource has one, are unlike."""

    def key(made: Mapping[str, Any]) -> str:
        return repr([same(read_row(resource, made).get(name)) for name in resource.key or made])

    return st.lists(good_bodies(resource), min_size=1, max_size=4, unique_by=key)


def check_good_rows(resource: Resource, rows: Sequence[Mapping[str, Any]]) -> None:
    """What can't be seen is taken out and told, or its row is refused; all else goes out as it was typed."""
    cells = [{name: as_cell(resource.column(name), value) for name, value in made.items()} for made in rows]
    checked = Desk(resource).check(*cells)
    refused, cleaned = set(), set()
    for number, made in enumerate(rows, 2):
        for name, text in made.items():
            column = resource.column(name)
            read = read_as(column, text) if isinstance(text, str) else text
            if read is None:
                refused.add((number, column.title, "hidden characters"))
            elif read != text and text.strip():
                cleaned.add((number, column.title))
    errors = {(one.row, one.title, one.rule) for one in checked.findings if one.severity is Severity.ERROR}
    assert errors == refused
    assert checked.invalid == {number for number, _, _ in refused}
    assert cleaned <= {(one.row, one.title) for one in checked.findings if one.rule == "cleaned"}
    good = [(number, made) for number, made in enumerate(rows, 2) if number not in checked.invalid]
    assert checked.rows == tuple(Row(number, read_row(resource, made)) for number, made in good)


@EVERY
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_no_row_is_refused_whose_body_the_document_allows(resource: Resource, data: st.DataObject) -> None:
    check_good_rows(resource, data.draw(good_rows(resource)))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_so_too_of_every_type(thing: Resource, data: st.DataObject) -> None:
    check_good_rows(thing, data.draw(good_rows(thing)))


# --- wire types -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["1", "1.0", "1 (skill queue)", "skill queue", "Skill Queue", "+1"])
def test_a_device_type_is_the_integer_1(cell: str) -> None:
    assert wire(ROUTE, "devicetype", cell) == 1
    assert type(wire(ROUTE, "devicetype", cell)) is int


@pytest.mark.parametrize(
    ("api", "resource", "name", "cell", "value"),
    [
        ("aicc", "agent-settings", "callType", "1", "1"),
        ("aicc", "agent-settings", "callType", "bidirectional call", "1"),
        ("aicc", "agent-settings", "userId", "1660270845627002401", "1660270845627002401"),
        ("aicc", "agent-settings", "callNumber", "00123;1E5\nNA", ["00123", "1E5", "NA"]),
        ("aicc", "called-route", "accessCode", "00123", "00123"),
        ("aicc", "called-route", "accessCode", "1E5", "1E5"),
        ("aicc", "called-route", "accessCode", "NA", "NA"),
        ("aicc", "called-route", "deviceId", "5.0", 5),
        ("myreports", "pbx-3cx", "enableRecordingArchive", "TRUE", "true"),
        ("myreports", "pbx-3cx", "recordingArchiveFrequency", "00:20:00", "00:20:00"),
        ("myreports", "pbx-3cx", "password", " blanks may be part of it ", " blanks may be part of it "),
        ("myreports", "pbx-kazoo", "monitorSubAccounts", "no", False),
        ("cinnox", "destination", "supportLanguages", '"a, b", c', ["a, b", "c"]),
    ],
)
def test_what_stands_in_the_cell_is_what_goes_out(api: str, resource: str, name: str, cell: str, value: Any) -> None:
    assert wire(open_api(api).resources[resource], name, cell) == value


def wire(resource: Resource, name: str, cell: str) -> Any:
    checked = Desk(resource).check({**example(resource), name: cell})
    assert checked.invalid == frozenset()
    return resource.body(checked.rows[0].values)[name]


def test_a_fraction_with_many_digits_is_no_rounded_number_but_a_whole_number_is(tmp_path: Path) -> None:
    number = {"type": "number", "title": "Amount"}
    desk = Desk(described(tmp_path, {"type": "object", "properties": {"amount": number}}))
    cells = ["0.30000000000000004", "1234567890123456789"]
    spoilt = [Spoilt(row, 1, "rounded number", cell) for row, cell in enumerate(cells, 2)]
    checked = desk.check(*({"amount": cell} for cell in cells), spoilt=spoilt)
    assert checked.rows == (Row(2, {"amount": 0.30000000000000004}),)
    assert said(checked) == [f'Things!A3 (Amount): "{cells[1]}" {ROUNDED}']


# --- relations between columns ----------------------------------------------------------------------------------------


def test_a_type_without_its_targets_is_an_error_at_the_targets() -> None:
    desk = Desk(DESTINATION)
    row = {**example(DESTINATION), "types": "PHONE, TRUNK", "phoneTargets": "", "staffTargets": ""}
    assert said(desk.check(row)) == [
        "Destinations!E2 (Types): SIP trunks must be set up by the CINNOX Support Team first.",
        "Destinations!F2 (Phone targets): Types has PHONE, so phone targets are needed.",
        "Destinations!H2 (Trunk targets): Types has TRUNK, so trunk targets are needed.",
    ]


def test_targets_without_their_type_are_a_warning_and_the_row_is_valid() -> None:
    checked = Desk(DESTINATION).check({**example(DESTINATION), "types": "STAFF"})
    says = "Phone targets are given, but Types has no PHONE. What the API does with them is not documented."
    assert said(checked) == [f"Destinations!E2 (Types): {says}"]
    assert [one.severity for one in checked.findings] == [Severity.WARNING]
    assert [row.number for row in checked.rows] == [2]


def test_a_faulty_cell_has_no_second_finding_from_a_rule_or_the_finished_body() -> None:
    row = {**example(DESTINATION), "types": "FAX"}
    assert [one.rule for one in Desk(DESTINATION).check(row).findings] == ["enum"]
    route = {**example(ROUTE), "devicetype": "IVR", "mediaTypeId": "53"}
    assert [(one.rule, one.title) for one in Desk(ROUTE).check(route).findings] == [("rule", "Media type")]


def test_a_rule_for_which_the_document_has_no_words_names_the_columns(thing: Resource) -> None:
    row = {"name": "abc", "code": "7", "host": "10.0.0.1", "count": "9", "amount": "0.5"}
    assert said(Desk(thing).check(row)) == [
        "Things!E2 (Day): Needed because of what stands in «Code». Fill it in.",
        "Things!G2 (Amount): This doesn't go together with what stands in «Count». Change one of them.",
    ]


def test_a_rule_that_counts_fields_or_refers_to_another_schema_is_kept_too(tmp_path: Path) -> None:
    texts = {name: {"type": "string", "title": name.upper()} for name in ("a", "b", "c")}
    rule = {"if": {"required": ["a"]}, "then": {"minProperties": 3}, "description": "A wants two others."}
    desk = Desk(described(tmp_path, {"type": "object", "properties": texts, "allOf": [rule]}))
    checked = desk.check({"a": "1", "b": "2"}, {"a": "1", "b": "2", "c": "3"})
    assert [(one.row, one.message) for one in checked.findings] == [(2, "A wants two others.")]


def test_an_update_asks_for_what_updates_require_and_a_new_row_for_the_rest(thing: Resource) -> None:
    desk = Desk(thing)
    checked = desk.check({"thingId": "T1"}, {"thingId": "T1 too", "code": "7", "day": "2025-12-31", "host": "::1"}, {})
    assert said(checked) == [
        "Things!C2 (Code): Required, but empty. Fill it in.",
        'Things!F3 (Host): "::1" is not a valid ipv4. Write it like 10.0.0.1.',
        "Things!B4 (Name): Required, but empty. Fill it in.",
    ]


def test_a_required_column_that_the_sheet_lacks_is_named(thing: Resource) -> None:
    desk = Desk(thing, names=("thingId", "name"))
    assert said(desk.check({"thingId": "T1", "name": "abc"})) == [
        "Things row 2: Code: Required, but empty. Fill it in. The sheet has no such column: add it."
    ]


# --- no record twice --------------------------------------------------------------------------------------------------


def route(access: str, extension: str = "") -> dict[str, str]:
    return {**example(ROUTE), "accessCode": access, "extCode": extension}


def test_a_natural_key_is_unique_in_all_frames_and_sheets_of_a_resource() -> None:
    seen = Seen()
    one, two = Desk(ROUTE, "North", seen=seen), Desk(ROUTE, "South", seen=seen)
    assert one.check(route("1"), route("1", "1"), route("01")).findings == ()
    assert said(one.check(route("1", "1"), first=5)) == [
        'North!A5 (Access code): Access code "1" and Extension code "1" stand in North!A3 already. '
        "Take one of the two rows out."
    ]
    checked = two.check(route("2"), route("1"))
    assert checked.findings == (
        two.finding(
            3,
            "accessCode",
            "1",
            "unique",
            'Access code "1" and no Extension code stand in North!A2 already. Take one of the two rows out.',
            cause="An earlier row has the same Access code and Extension code.",
        ),
    )
    assert [row.number for row in checked.rows] == [2]


def test_a_key_is_the_same_however_its_accents_were_typed_and_that_is_told() -> None:
    checked = Desk(ROUTE).check(route("Jos\u00e9"), route("Jose\u0301"))
    assert said(checked) == [
        "Called routes!A3 (Access code): A letter and its accent are two characters here. "
        'It was compared as "Jos\u00e9".',
        'Called routes!A3 (Access code): Access code "Jose\u0301" and no Extension code stand in Called routes!A2 '
        "already. Take one of the two rows out.",
    ]
    assert [one.severity for one in checked.findings] == [Severity.NOTE, Severity.ERROR]


def test_a_row_whose_key_is_faulty_or_blank_repeats_nothing() -> None:
    rows_of = [route("1"), route("1", "1.66027E+18"), route(""), route(""), route("1", "x" * 13)]
    assert [one.rule for one in Desk(ROUTE).check(*rows_of).findings] == [
        "rounded number", "required", "required", "maxLength",
    ]  # fmt: skip


def test_a_secret_key_is_not_told() -> None:
    (finding,) = Desk(THREE_CX).check(example(THREE_CX), example(THREE_CX)).findings
    assert finding.message == f'License key "{MASK}" stands in 3CX PBXs!B2 already. Take one of the two rows out.'
    assert finding.value == MASK


def test_with_a_column_for_the_tenant_a_key_is_unique_for_each() -> None:
    tenants = ["90ce2cce-5b90-424b-b502-55924f140a48", "90ce2cce-5b90-424b-b502-55924f140a49"]
    names = ["CUSTOMER_TENANT_ID", *(column.name for column in KAZOO.columns)]
    desk = Desk(KAZOO, names=names)
    again = (tenants[0], tenants[0].upper())
    checked = desk.check(*({**example(KAZOO), "CUSTOMER_TENANT_ID": tenant} for tenant in (*tenants, *again)))
    assert said(checked) == [
        f'Kazoo PBXs!E{row} (Account ID): Account ID "12345" and Customer tenant ID "{tenant}" stand in Kazoo PBXs!E2 '
        "already. Take one of the two rows out."
        for row, tenant in enumerate(again, 4)
    ]
    assert said(desk.check(example(KAZOO), {**example(KAZOO), "CUSTOMER_TENANT_ID": "acme"}, first=5)) == [
        "Kazoo PBXs!A5 (Customer tenant ID): Required, but empty. Fill it in.",
        'Kazoo PBXs!A6 (Customer tenant ID): "acme" is not an ID like 90ce2cce-5b90-424b-b502-55924f140a48.',
    ]


def test_a_record_is_updated_once_in_a_file_and_equal_names_are_a_warning() -> None:
    update = {**example(DESTINATION), "destinationID": "D1"}
    checked = Desk(DESTINATION).check(update, example(DESTINATION), update, example(DESTINATION))
    assert said(checked) == [
        'Destinations!A4 (Destination ID): Destination ID "D1" stands in Destinations!A2 already. '
        "Both rows would update the same record: take one of them out.",
        'Destinations!B5 (Display name): Display name "English Support" stands in Destinations!B3 already. '
        "Both rows will be sent.",
    ]
    assert [row.number for row in checked.rows] == [2, 3, 5]


def test_where_nothing_names_a_record_a_row_like_another_is_a_warning(tmp_path: Path) -> None:
    properties = {"size": {"type": "integer"}, "colours": {"type": "array", "items": {"type": "string"}}}
    desk = Desk(described(tmp_path, {"type": "object", "properties": properties}, title="Things"))
    one, other = {"size": "1", "colours": "red, blue"}, {"size": "1", "colours": "red"}
    checked = desk.check(one, other, {**one, "size": "1.0"})
    assert said(checked) == ["Things row 4: This row is the same as Things row 2. Both will be sent."]
    assert len(checked.rows) == 3


# --- cells that say something of their own ----------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [".", "..", "D\x071", "D\n1", "\x7f", "D\x851"])
def test_an_id_that_no_path_can_hold_is_refused_at_its_cell(cell: str) -> None:
    (finding,) = Desk(DESTINATION).check({**example(DESTINATION), "destinationID": cell}).findings
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in cell)
    assert str(finding) == (
        f'Destinations!A2 (Destination ID): "{shown}" can\'t stand in a web address. Type the ID as it is.'
    )


@pytest.mark.parametrize("cell", ["...", "a/b", "a b", "%2e%2e", "ü?#"])
def test_an_id_that_can_be_quoted_is_taken(cell: str) -> None:
    assert Desk(DESTINATION).check({**example(DESTINATION), "destinationID": cell}).findings == ()


def test_clear_empties_a_field_of_an_update_where_the_api_allows_it(thing: Resource) -> None:
    row = {"thingId": "T1", "code": "7", "day": "2025-12-31", "host": "10.0.0.1"}
    desk = Desk(thing)
    cleared = desk.check({**row, "note": "(Clear)", "parts": CLEAR, "name": CLEAR})
    assert said(cleared) == [
        "Things!B2 (Name): (clear) can't empty this field: the API wants a value there. "
        "Type the value that it shall have."
    ]
    values_of: dict[str, Any] = {
        "thingId": "T1",
        "code": "7",
        "day": "2025-12-31",
        "host": "10.0.0.1",
        "note": None,
        "parts": [],
    }
    checked = desk.check({**row, "note": "(Clear)", "parts": CLEAR}, {**row, "thingId": "T2"})
    assert checked.rows[0] == Row(2, values_of)
    check_by_column(thing, checked)
    assert said(desk.check({"thingId": CLEAR, "name": "abc"})) == [
        "Things!A2 (Thing ID): (clear) empties a field of a record that is updated, but this row creates one. "
        "Leave the cell empty."
    ]


# --- a result, imported again -----------------------------------------------------------------------------------------


def claimed(status: str, run: str = "R1", row: str = "2", record: str = "K1") -> dict[str, str]:
    return {"Import status": status, "Import ID": record, "Import run": run, "Source row": row}


def test_a_result_says_what_became_of_its_rows() -> None:
    desk = Desk(KAZOO, own=RESULT_COLUMNS)
    frame = desk.frame([claimed("created"), claimed("", run=""), claimed("invalid", row="x" * 9, record="")])
    assert claims(desk.assigned, frame) == {2: Claim("R1", 2, "created", "K1"), 4: Claim("R1", 0, "invalid", "")}
    assert claims(Desk(KAZOO).assigned, Desk(KAZOO).frame([example(KAZOO)])) == {}


def test_an_id_of_a_result_keeps_its_own_apostrophe() -> None:
    """A workbook guards nothing, a CSV alone what begins like a formula, with one apostrophe more."""
    claimed_ids = ["'7", "''7", "'=7", "''=7"]
    for from_text, ids in ((False, claimed_ids), (True, ["'7", "''7", "=7", "'=7"])):
        desk = Desk(KAZOO, own=RESULT_COLUMNS, from_text=from_text)
        said_ids = claims(desk.assigned, desk.frame([claimed("created", record=one) for one in claimed_ids]))
        assert [claim.id for claim in said_ids.values()] == ids


@pytest.mark.parametrize("title", ["=code", "@code", "+code", "-code", "'=code"])
def test_a_title_that_a_csv_result_guards_is_known_again(title: str, tmp_path: Path) -> None:
    """So often as the result is imported again: its heading doesn't grow."""
    code, *others = ROUTE.columns
    route = replace(ROUTE, columns=(replace(code, title=title, required=False), *others))
    headings, own = (route.columns[0].heading, *(column.heading for column in others)), route.columns
    text = pd.DataFrame("1", index=pd.RangeIndex(2, 3, name="row"), columns=range(1, len(own) + 1), dtype="str")
    for again in range(2):
        path = tmp_path / f"{again}.csv"
        sheet = write.ResultSheet("Routes", headings, own, route, [write.ResultFrame(text)])
        write.write_result(path, [sheet], write.Summary())
        assigned, faults = match_header(open_book(path).sheets[0], route)
        assert (faults, assigned.columns[1].name, assigned.is_result) == ([], code.name, True)
        assert assigned.sheet.header[: len(own)] == headings
        headings = assigned.sheet.header[: len(own)]


def test_rows_that_are_done_are_only_read_and_hidden_or_cut_cells_of_others_are_errors() -> None:
    desk = Desk(KAZOO, own=RESULT_COLUMNS)
    cut = "x" * 9 + "… [cut, 40000 characters]"
    row = {**example(KAZOO), "apiKey": MASK, "name": cut}
    checked = desk.validator.check(desk.frame([{**row, **claimed("created")}, {**row, **claimed("failed")}]), {2})
    assert said(checked) == [
        "Kazoo PBXs!A3 (Name): The text was cut when the result was written. "
        "Copy it from the file that was imported first.",
        "Kazoo PBXs!E3 (API key): The value was hidden when the result was written. Type it again.",
    ]
    kept = {name: value for name, value in example(KAZOO).items() if name not in ("apiKey", "name")}
    assert checked.done == (Row(2, {**kept, "monitorSubAccounts": False}),)
    assert (checked.rows, checked.invalid) == ((), frozenset({3}))


RISKY = st.text(st.sampled_from("'=+-@＝＋－＠05a"), max_size=6)


@given(st.lists(RISKY, min_size=1, max_size=8))
def test_the_apostrophes_that_a_csv_result_adds_are_taken_off_again(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    desk = Desk(ROUTE, own=RESULT_COLUMNS, from_text=True)
    column = ROUTE.column("accessCode")
    text = pd.DataFrame({1: texts}, index=pd.RangeIndex(2, 2 + len(texts), name="row"), dtype="str")
    result = write.ResultSheet("Routes", ("accessCode",), (column,), ROUTE, [write.ResultFrame(text)])
    path = tmp_path_factory.mktemp("result") / "routes.csv"
    write.write_result(path, [result], write.Summary())
    with path.open(encoding="utf-8-sig", newline="") as file:
        written = [line[0] for line in csv.reader(file)][1:]
    rows_of = desk.validator.read(desk.frame({"accessCode": cell} for cell in written))
    assert [row.values.get("accessCode", "") for row in rows_of] == texts
