"""Where a key stood first is what a dict would say, over all frames and sheets of a resource."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bulkload.hashes import mixed
from bulkload.keys import Key
from bulkload.resource import Column, Parameter
from bulkload.seen import Seen

CODE = Column("code", "Code", "body", "/code", "string", {})
NAME = Column("name", "Name", "body", "/name", "string", {})
FRAMES = st.lists(st.tuples(st.sampled_from(["North", "South"]), st.lists(st.integers(0, 9), max_size=8)), max_size=8)


@given(FRAMES)
def test_each_repetition_names_the_cell_where_its_key_stood_first(frames: list[tuple[str, list[int]]]) -> None:
    seen, known = Seen(), dict[int, str]()
    row = 2
    for sheet, values in frames:
        rows = np.arange(row, row + len(values))
        found = seen.of(Key((CODE,), ()), sheet, f"{sheet}!A").repeated(mixed(np.array(values, dtype=np.uint64)), rows)
        expected = []
        for place, value in enumerate(values):
            here = f"{sheet}!A{row + place}"
            if known.setdefault(value, here) != here:
                expected.append((place, known[value]))
        assert list(found) == expected
        row += len(values)


def test_keys_of_other_columns_or_of_updates_are_others() -> None:
    seen, hashes, rows = Seen(), np.array([7], dtype=np.uint64), np.array([2])
    for key in (Key((CODE,), ()), Key((NAME,), ()), Key((CODE,), (NAME,)), Key((CODE,), (), updates=True)):
        assert list(seen.of(key, "North", "North!A").repeated(hashes, rows)) == []
        assert list(seen.of(key, "North", "North!A").repeated(hashes, rows + 1)) == [(0, "North!A2")]


def test_a_key_is_the_same_whether_a_setting_or_a_column_says_where() -> None:
    seen, hashes, rows = Seen({"tenant": "A"}), np.array([7], dtype=np.uint64), np.array([2])
    tenant = Column("tenant", "Tenant", "path", "/tenant", "string", {})
    by_setting, by_column = Key((CODE,), (), (Parameter("tenant", "path", True, {}),)), Key((CODE,), (tenant,))
    assert list(seen.of(by_setting, "North", "North!A").repeated(hashes, rows)) == []
    assert list(seen.of(by_column, "South", "South!B").repeated(hashes, rows)) == [(0, "North!A2")]
