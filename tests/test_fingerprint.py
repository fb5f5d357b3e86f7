"""A fingerprint is the hash of what `json.dumps` writes of a row, as every journal has it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bulkload.distinct import Table
from bulkload.fingerprint import Fingerprints, Names, of_key
from bulkload.models import Row
from bulkload.resource import Column, Operation, Resource

COLUMNS = (
    Column("thingID", "ID", "path", "/thingID", "string", {}),
    Column("name", "Name", "body", "/na~1me", "string", {}),
    Column("Size", "Size", "body", "/Size", "number", {}),
    Column("password", "Password", "body", "/password", "string", {}, secret=True),
    Column("ünits", "Units", "body", "/ünits", "string", {}, many=True),
)
RESOURCE = Resource("shöp", "thing", "Things", Operation("make", "POST", "/things"), COLUMNS, key=("name",))
UPDATED = replace(RESOURCE, update=Operation("change", "PATCH", "/things/{thingID}"))

SCALARS = st.one_of(st.text(max_size=4), st.integers(), st.floats(allow_nan=False), st.booleans(), st.none())
ROWS = st.dictionaries(st.sampled_from([column.name for column in COLUMNS]), SCALARS | st.lists(SCALARS, max_size=3))


def canonical(value: Any) -> Any:
    if isinstance(value, list):
        return [canonical(one) for one in value]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if value is None else str(value)


@given(ROWS)
def test_what_is_hashed_is_what_json_dumps_writes(values: dict[str, Any]) -> None:
    prints = Fingerprints(RESOURCE, lambda text: text)
    for made, secrets in ((prints.whole(values), True), (prints.without_secrets(values), False)):
        placed = {
            f"{column.place}{column.pointer}": canonical(values[column.name])
            for column in COLUMNS
            if column.name in values and (secrets or not column.secret)
        }
        assert made == f"1:{json.dumps(['shöp/thing', placed], sort_keys=True)}"


def test_a_key_is_the_same_however_its_accents_were_typed() -> None:
    keys = of_key(COLUMNS[:2])
    assert keys.row({"name": "Jose\u0301", "Size": 1}) == keys.row({"name": "Jos\u00e9"})
    assert keys.row({"name": "José"}) == json.dumps({"name": "José"})


@given(st.lists(ROWS, max_size=5))
def test_many_rows_have_the_names_that_each_has_alone(some: list[dict[str, Any]]) -> None:
    rows = [Row(number, values) for number, values in enumerate(some, 2)]
    names = Names(UPDATED, lambda text: f"#{text}")
    table = by_column(some)
    assert names.prints.each(rows, table) == [names.prints.whole(values) for values in some]
    assert names.prints.each_without_secrets(rows, table) == [names.prints.without_secrets(one) for one in some]
    assert names.keys(rows, table) == [names.key(values) for values in some]


def by_column(rows: Sequence[dict[str, Any]]) -> Table:
    """Columns that all rows lack are left out; a null that is no blank stands in no column."""
    columns = {column.name: [row.get(column.name) for row in rows] for column in COLUMNS}
    filled = {name: (values, np.arange(len(rows))) for name, values in columns.items() if any(values)}
    apart = [place for place, row in enumerate(rows) if any(not value for value in row.values())]
    return Table(len(rows), filled, apart)
