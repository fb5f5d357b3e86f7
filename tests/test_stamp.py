"""What the hidden sheet of a template says, and what is told when the resource has changed since."""

from dataclasses import replace

import pytest

from bulkload import stamp
from bulkload.errors import UnusableFile
from bulkload.openapi import BUILT_IN, open_api
from bulkload.resource import Column, Resource

RESOURCES = [resource for name in BUILT_IN for resource in open_api(name).resources.values()]


def changed(resource: Resource, name: str, **changes: object) -> Resource:
    columns = tuple(
        replace(column, **changes) if column.name == name else column  # type: ignore[arg-type]
        for column in resource.columns
    )
    return replace(resource, columns=columns)


def with_schema(resource: Resource, name: str, **changes: object) -> Resource:
    schema = {**resource.column(name).schema, **changes}
    return changed(resource, name, schema={word: value for word, value in schema.items() if value is not None})


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.full_name)
def test_a_stamp_reads_back_as_it_was_written_and_nothing_has_changed(resource: Resource) -> None:
    (read,) = stamp.parse(stamp.rows([("A sheet", resource)]))
    assert read == stamp.stamp("A sheet", resource)
    assert (read.resource, read.version) == (resource.full_name, resource.api_version)
    assert read.headings == tuple(column.heading for column in resource.columns)
    assert stamp.differences(read, resource) == ()


def test_a_stamp_too_long_for_a_cell_goes_on_in_the_next() -> None:
    resource = open_api("cinnox").resources["destination"]
    codes = [f"code {number}" for number in range(20_000)]
    resource = with_schema(resource, "displayName", enum=codes)
    rows = stamp.rows([("S", resource)])
    assert max(len(cell) for row in rows for cell in row) <= 32_767
    assert stamp.parse(rows) == (stamp.stamp("S", resource),)


def test_what_has_changed_is_said_a_sentence_each() -> None:
    old = open_api("aicc").resources["called-route"]
    country = Column("country", "Country code", "body", "/country", "string", {"type": "string"})
    new = replace(old, columns=(*(column for column in old.columns if column.name != "extCode"), country), rules=())
    new = with_schema(new, "accessCode", maxLength=24)
    new = changed(with_schema(new, "mediaTypeId", enum=[2, 5, 18, 19, 60]), "mediaTypeId", required=True)
    new = changed(with_schema(new, "deviceId", minimum=7, enum=None), "deviceId", type="string", title="Device")
    rules = [f"No longer a rule: {rule.message}" for rule in old.rules]
    assert stamp.differences(stamp.stamp("S", old), new) == (
        "The column «Extension code» is gone.",
        "«Access code»: at most 24 characters (was: at most 32 characters).",
        "«Media type» is now required.",
        "«Media type» now also takes 60.",
        "«Media type» no longer takes 53.",
        "The column «Device ID» is now called «Device».",
        "«Device» now takes text, not a whole number.",
        "«Device»: 7 or more (was: no such limit).",
        "The column «Country code» (optional) is new.",
        *rules,
    )


def test_the_column_of_a_setting_is_no_difference() -> None:
    resource = open_api("myreports").resources["pbx-3cx"]
    tenant = Column("CUSTOMER_TENANT_ID", "Customer tenant ID", "path", "/CUSTOMER_TENANT_ID", "string", {})
    made = stamp.stamp("S", replace(resource, columns=(tenant, *resource.columns)))
    assert stamp.differences(made, resource) == ()


@pytest.mark.parametrize("rows", [(), ((),), (("something", "else"),)])
def test_a_hidden_sheet_that_is_not_ours_is_no_stamp(rows: tuple[tuple[str, ...], ...]) -> None:
    assert stamp.parse(rows) == ()


def test_a_stamp_of_another_version_or_a_damaged_one_says_what_to_do() -> None:
    with pytest.raises(UnusableFile, match=r"another version of bulkload.*begin with a new template"):
        stamp.parse((("bulkload", "2"), ("S", "a/b", "1", "{}")))
    for damaged in (("S",), ("S", "a/b", "1", '{"columns": [{}]}'), ("S", "a/b", "1", "[]"), ("S", "a/b", "1", "{")):
        with pytest.raises(UnusableFile, match="damaged"):
            stamp.parse((("bulkload", "1"), damaged))
