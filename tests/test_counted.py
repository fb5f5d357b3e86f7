"""Equal rows get the ordinals that a plain Counter would give them, however they are spread over frames."""

import hashlib
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bulkload.counted import Counted


def content(name: int) -> str:
    return f"1:{hashlib.blake2b(str(name).encode(), digest_size=16).hexdigest()}"


@given(st.lists(st.lists(st.integers(0, 6), max_size=8), max_size=6))
def test_ordinals_go_on_from_frame_to_frame(frames: list[list[int]]) -> None:
    counted, known = Counted(), Counter[int]()
    for frame in frames:
        counts = counted.counts([content(name) for name in frame])
        for name in frame:
            known[name] += 1
            assert counts.next(content(name), ()) == known[name]
        counted.keep(counts)


def test_an_ordinal_that_a_result_claims_is_given_to_no_other_row() -> None:
    counted = Counted()
    counts = counted.counts([content(1)])
    assert counts.claim(content(1), 2, ())
    assert not counts.claim(content(1), 2, ())
    assert [counts.next(content(1), ()) for _ in range(2)] == [1, 3]
    counted.keep(counts)
    later = counted.counts([content(1), content(2)])
    assert not later.claim(content(1), 1, ())
    assert [later.next(content(1), ()), later.next(content(2), (5, 7))] == [4, 5]


@given(st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), max_size=4), max_size=5), st.booleans())
def test_no_ordinal_is_given_twice_whichever_frame_claimed_it(frames: list[list[tuple[int, int]]], done: bool) -> None:
    """Rows that are done claim before their frame is counted, others while it is."""
    counted, taken = Counted(), set[tuple[int, int]]()
    for frame in frames:
        if done:
            counted.claim([(content(name), ordinal) for name, ordinal in frame])
            taken.update(frame)
        counts = counted.counts([content(name) for name, _ in frame])
        for name, ordinal in frame:
            if not done:
                assert counts.claim(content(name), ordinal, ()) is ((name, ordinal) not in taken)
                taken.add((name, ordinal))
            given = name, counts.next(content(name), ())
            assert given not in taken
            taken.add(given)
        counted.keep(counts)


def test_what_a_long_result_claims_is_kept_in_a_few_bytes_a_row() -> None:
    counted = Counted()
    counted.claim((content(name), 1) for name in range(1000))
    counted.claim((content(name), 1) for name in range(500, 1500))
    assert len(counted._claimed) == 3000
    assert counted.counts([content(7)]).next(content(7), ()) == 2
