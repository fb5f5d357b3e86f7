"""YAML 1.2 with JSON's types alone: what looks like more is text, and what can't be meant is told with its line."""

import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.errors import UnusableDocument
from bulkload.yaml12 import parse_yaml

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "text",
    ["20:00", "00:20:00", "no", "yes", "y", "on", "off", "True", "NULL", "Null", "~", "0123", "0o17", "0x10", "1_000",
     "+1", ".5", "1.", ".inf", "-.inf", ".nan", "2026-01-31", "2026-01-31T10:00:00Z", "00", "=", "1e"],
)  # fmt: skip
def test_what_json_has_no_type_for_is_text(text: str) -> None:
    assert parse_yaml(f"key: {text}") == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [("null", None), ("", None), ("true", True), ("false", False), ("0", 0), ("-7", -7), ("1.0", 1.0),
     ("-1.5E+3", -1500.0), ("1e5", 100000.0), ("1660270845627002401", 1660270845627002401),
     ("'5'", "5"), ('""', ""), ("!!str 5", "5")],
)  # fmt: skip
def test_what_json_has_a_type_for_is_of_it(text: str, value: Any) -> None:
    read = parse_yaml(f"key: {text}")
    assert read == {"key": value}
    assert type(read["key"]) is type(value)


def test_keys_are_text() -> None:
    assert parse_yaml("200: a\nno: b\nnull: c\n1.0: d\n") == {"200": "a", "no": "b", "null": "c", "1.0": "d"}


@given(JSON)
def test_json_reads_back_as_it_was_written(value: Any) -> None:
    read = parse_yaml(json.dumps([value]))
    assert read == [value]
    assert json.dumps(read) == json.dumps([value])


def test_json_may_have_tabs_and_escaped_emoji_which_yaml_parsers_refuse() -> None:
    assert parse_yaml('\n{\n\t"a": "\\ud83d\\ude00 \\/"\n}') == {"a": "😀 /"}


def test_braces_may_hold_yaml_too() -> None:
    assert parse_yaml("{a: no, b: [20:00,]}") == {"a": "no", "b": ["20:00"]}


def test_an_alias_stands_for_what_its_anchor_holds() -> None:
    assert parse_yaml("a: &x {b: [1]}\nc: *x\n") == {"a": {"b": [1]}, "c": {"b": [1]}}


def laughs(lines: int) -> str:
    text = f"a0: &a0 [{'x,' * 9}]\n"
    return text + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]\n" for n in range(1, lines))


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, '"a" stands twice'),
        ('{"a": 1,\n"a": 2}', 2, '"a" stands twice'),
        ("a:\n  b: 1\n\tc: 2\n", 3, "found .*"),  # a tab
        ("base: &b {x: 1}\nnew:\n  <<: *b\n", 3, r"`<<` is not YAML 1\.2: write its keys out, or use \$ref"),
        ("a:\n- &x\n  b: *x\n", 2, "found unconstructable recursive node"),
        ("&x [*x]", 1, "found unconstructable recursive node"),
        ("a: *nope", 1, "found undefined alias.*"),
        ("? [a]\n: b\n", 1, "a key that is not text"),
        ("a: !!int 0x10", 1, '"0x10" is not of the type that its tag says'),
        ("a: 1\n---\nb: 2\n", 2, "but found another document"),
    ],
)
def test_what_is_wrong_in_a_line_is_told_with_it(text: str, line: int, problem: str) -> None:
    with pytest.raises(UnusableDocument) as raised:
        parse_yaml(text, "things.yaml")
    told = rf"things\.yaml, line {line}: not YAML or JSON: {problem}\. Correct that line\."
    assert re.fullmatch(told, str(raised.value)), raised.value


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: \x00", "not YAML or JSON that can be read"),
        ("1" * 5000, "not YAML or JSON that can be read"),
        ("[" * 100_000, "it is nested more than 100 levels deep"),
        ("- " * 300, "it is nested more than 100 levels deep"),
        ("- " * 5_000, "it is nested more than 100 levels deep"),
        ("[1e999]", "a number in it is too large"),
        ("[" * 101 + "]" * 101, "it is nested more than 100 levels deep"),
        (laughs(30), "it unfolds to more than 5,000,000 values"),
    ],
)
def test_what_is_too_much_is_told(text: str, what: str) -> None:
    with pytest.raises(UnusableDocument) as raised:
        parse_yaml(text, "things.yaml")
    assert str(raised.value) == f"things.yaml: {what}. Correct the document."


@pytest.mark.parametrize(
    "tag", ["!!binary", "!!timestamp", "!!set", "!!omap", "!mine", "!!python/object/apply:os.getcwd"]
)
def test_a_tag_makes_nothing_that_json_has_not(tag: str) -> None:
    with pytest.raises(UnusableDocument, match="could not determine a constructor"):
        parse_yaml(f"a: {tag} x")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(UnusableDocument):
        json.dumps(parse_yaml(text))
