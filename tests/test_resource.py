"""The words for what a row can become, and the little that they know by themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.resource import Column, Operation, Parameter, Rate, Resource, parse_seconds

TEXT = {"type": "string"}
CREATE = Operation("make", "POST", "/shops/{shop}/things", (Parameter("shop", "path", True, TEXT),))
UPDATE = Operation(
    "change", "PUT", "/shops/{shop}/things/{id}", (*CREATE.parameters, Parameter("id", "path", True, TEXT))
)


def column(name: str, pointer: str = "", place: str = "body", *, required: bool = False) -> Column:
    return Column(name, name.title(), place, pointer or f"/{name}", "string", TEXT, required=required)


def resource(*columns: Column, update: Operation | None = None, **constants: str) -> Resource:
    fixed = {f"/{name}": value for name, value in constants.items()}
    return Resource("shop", "thing", "Things", CREATE, columns, update=update, constants=fixed)


@pytest.mark.parametrize(
    ("text", "rate", "written"),
    [
        ("10/s", Rate(10, 1.0), "10/s"),
        ("500/minute", Rate(500, 60.0), "500/minute"),
        (" 500 / min ", Rate(500, 60.0), "500/minute"),
        ("100/h", Rate(100, 3600.0), "100/hour"),
    ],
)
def test_a_rate_is_so_many_in_a_second_a_minute_or_an_hour(text: str, rate: Rate, written: str) -> None:
    assert (Rate.parse(text), str(rate)) == (rate, written)
    assert Rate.parse(written) == rate


@pytest.mark.parametrize("text", ["", "10", "/s", "0/s", "-1/s", "1.5/s", "10/fortnight", "10/S", "١٠/s", "10/s/s"])
def test_what_is_no_rate_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate: write it like 10/s or 500/minute"):
        Rate.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60.0),
        ("500ms", 0.5),
        ("2m", 120.0),
        ("1.5 h", 5400.0),
        ("90", 90.0),
        (90, 90.0),
        (0.25, 0.25),
        ("0", 0.0),
    ],
)
def test_a_length_of_time_is_in_seconds(text: str | float, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1e3", "2 days", "1m30s", "٣s", "inf"])
def test_what_is_no_length_of_time_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a length of time: write it like 60s or 2m"):
        parse_seconds(text)


@given(st.text())
def test_any_text_is_a_rate_and_a_length_of_time_or_is_told(text: str) -> None:
    for parse in (Rate.parse, parse_seconds):
        try:
            parse(text)
        except ValueError as error:
            assert str(error).startswith(f'"{text}" is not a ')


def test_a_body_holds_what_the_row_says_and_what_every_row_says_at_their_places() -> None:
    things = resource(
        column("name"),
        column("city", "/address/city"),
        column("code", "/address/a~1b~0c"),
        column("note"),
        column("id", place="path"),
        kind="thing",
    )
    assert things.body({"name": "n", "city": "c", "code": "d", "id": "5"}) == {
        "kind": "thing",
        "name": "n",
        "address": {"city": "c", "a/b~c": "d"},
    }
    assert things.body({}) == {"kind": "thing"}


def test_the_id_of_a_record_is_the_path_parameter_that_creating_does_not_have() -> None:
    name, shop, record = column("name"), column("shop", place="path"), column("id", place="path")
    assert resource(shop, record, name, update=UPDATE).id_column == record
    assert resource(name, update=UPDATE).id_column is None
    assert resource(shop, record, name).id_column is None


def test_a_column_is_found_by_its_name() -> None:
    name = column("name")
    assert resource(name).column("name") == name
    with pytest.raises(KeyError):
        resource(name).column("Name")


def test_a_star_marks_a_required_column() -> None:
    assert [column("name", required=needed).heading for needed in (True, False)] == ["Name *", "Name"]


def test_a_resource_is_named_with_its_api() -> None:
    assert resource().full_name == "shop/thing"


@pytest.mark.parametrize(
    ("responses", "promised"),
    [
        ({}, False),
        ({"201": {"description": "Made"}}, False),
        ({"201": {"content": {"application/json": {}}}}, True),
        ({"2XX": {"content": {"application/vnd.api+json": {}}}}, True),
        ({"201": {"content": {"text/plain": {}}}, "2XX": {"content": {"application/json": {}}}}, False),
        ({"200": {"content": {"application/json": {}}}, "default": {"content": {"application/json": {}}}}, False),
    ],
)
def test_json_is_promised_by_the_very_status_or_by_its_class(responses: dict[str, object], promised: bool) -> None:
    assert Operation("make", "POST", "/things", responses=responses).answers_json(201) is promised


@pytest.mark.parametrize(("default", "text"), [(None, None), ("a", "a"), (600, "600"), (1.5, "1.5")])
def test_the_default_of_a_setting_is_text(default: object, text: str | None) -> None:
    assert Parameter("p", "query", False, {"default": default}).default == text


def test_a_boolean_setting_is_written_as_json_writes_it() -> None:
    assert Parameter("p", "query", False, {"default": True}).default == "true"


def test_values_stand_where_an_operation_has_its_parameters() -> None:
    operation = Operation(
        "make",
        "POST",
        "/shops/{shop}/things",
        (
            Parameter("shop", "path", True, TEXT),
            Parameter("dry", "query", False, TEXT),
            Parameter("life", "header", True, {"default": 600}),
            Parameter("trace", "header", False, {"default": "on"}),
        ),
    )
    assert operation.placed({"shop": "a/b c", "dry": "yes", "other": "x"}) == (
        "/shops/a%2Fb%20c/things",
        (("dry", "yes"),),
        {"life": "600"},
    )
    with pytest.raises(KeyError):
        operation.placed({})
