"""A fingerprint is the hash of what `json.dumps` writes of a row, as every journal has it."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bulkload.fingerprint import Fingerprints, Keys
from bulkload.resource import Column, Operation, Resource

COLUMNS = (
    Column("thingID", "ID", "path", "/thingID", "string", {}),
    Column("name", "Name", "body", "/na~1me", "string", {}),
    Column("Size", "Size", "body", "/Size", "number", {}),
    Column("password", "Password", "body", "/password", "string", {}, secret=True),
    Column("ünits", "Units", "body", "/ünits", "string", {}, many=True),
)
RESOURCE = Resource("shöp", "thing", "Things", Operation("make", "POST", "/things"), COLUMNS, key=("name",))

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
    keys = Keys(COLUMNS[:2])
    assert keys.text({"name": "Jose\u0301", "Size": 1}) == keys.text({"name": "Jos\u00e9"})
    assert keys.text({"name": "José"}) == json.dumps({"name": "José"})
