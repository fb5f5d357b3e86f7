"""Hashes keep what a dict would, whatever the order and the size of what comes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bulkload.hashes import Hashes, mixed

FRAMES = st.lists(st.lists(st.integers(0, 40), max_size=12), max_size=12)


@given(FRAMES)
def test_each_hash_is_found_with_the_row_where_it_stood_first(frames: list[list[int]]) -> None:
    hashes, known = Hashes(), dict[int, int]()
    row = 1
    for frame in frames:
        distinct = list(dict.fromkeys(frame))
        wanted = mixed(np.array(distinct, dtype=np.uint64))
        found = hashes.find(wanted)
        assert found.tolist() == [known.get(one, 0) for one in distinct]
        new = found == 0
        rows = np.arange(row, row + len(distinct), dtype=np.uint32)
        hashes.add(wanted[new], rows[new])
        known |= {one: at for one, at in zip(distinct, rows.tolist(), strict=True) if one not in known}
        row += len(distinct)
    assert len(hashes) == len(known)


def test_a_hundred_thousand_take_twelve_bytes_each_in_few_chunks_and_alike_parts() -> None:
    hashes = Hashes()
    for start in range(0, 100_000, 5_000):
        rows = np.arange(start, start + 5_000)
        hashes.add(mixed(rows.astype(np.uint64)), rows.astype(np.uint32))
    chunks = [part.chunks for part in hashes._parts]
    sizes = [sum(known.nbytes + rows.nbytes for known, rows in some) for some in chunks]
    assert len(hashes) == 100_000
    assert sum(sizes) == 1_200_000
    assert max(sizes) < 100_000  # what may be there twice while chunks are merged
    assert max(map(len, chunks)) < 8
