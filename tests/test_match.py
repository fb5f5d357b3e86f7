"""Which row of a file that is read again is which row of the run that goes on."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.journal import Journal, Known, NewRow
from bulkload.match import MAY_EXIST, Matched, Pair, match
from bulkload.models import CREATE, Outcome, Status

NOTHING_MADE = [Status.NOT_SENT, Status.FAILED, Status.REJECTED, Status.INVALID]


def old(row: int, content: str, status: Status = Status.NOT_SENT, key: str = "", ordinal: int = 1) -> Known:
    return Known("run", "Sheet", row, status, "", content, ordinal, content, key)


def new(row: int, content: str, key: str = "", ordinal: int = 1) -> NewRow:
    return NewRow("Sheet", row, "things/thing", CREATE, Status.NOT_SENT, content, ordinal, content, key)


@pytest.mark.parametrize("status", Status)
def test_a_row_that_says_the_same_is_the_same_wherever_it_stands(status: Status) -> None:
    a, b = old(2, "a", status), old(3, "b", status, key="k")
    assert match([a, b], [new(7, "b", key="k"), new(8, "a")]) == Matched(
        same=(Pair(b, new(7, "b", key="k")), Pair(a, new(8, "a")))
    )


@pytest.mark.parametrize("status", NOTHING_MADE)
def test_a_row_with_a_known_key_that_made_nothing_may_change(status: Status) -> None:
    before, after = old(2, "a", status, key="k"), new(5, "b", key="k")
    assert match([before], [after]) == Matched(changed=(Pair(before, after),))


@pytest.mark.parametrize("status", sorted(MAY_EXIST))
def test_a_row_with_a_known_key_that_may_exist_is_refused_if_it_changed(status: Status) -> None:
    before, after = old(2, "a", status, key="k"), new(5, "b", key="k")
    assert match([before], [after]) == Matched(refused=(Pair(before, after),))


def test_every_status_either_may_exist_or_made_nothing() -> None:
    assert sorted([*MAY_EXIST, *NOTHING_MADE]) == sorted(Status)


def test_rows_come_and_go() -> None:
    gone, kept = old(2, "a", Status.CREATED), old(3, "b")
    matched = match([gone, kept], [new(2, "c"), new(3, "b")])
    assert matched == Matched(same=(Pair(kept, new(3, "b")),), vanished=(gone,), new=(new(2, "c"),))
    assert matched.unclear
    assert not match([gone, kept], [new(2, "b")]).unclear
    assert not match([kept], [new(2, "c"), new(3, "b")]).unclear


def test_a_number_means_nothing() -> None:
    """An edited row in the very place of the old one is another row where no key says that it is the same."""
    assert match([old(2, "a")], [new(2, "b")]) == Matched(vanished=(old(2, "a"),), new=(new(2, "b"),))


def test_two_rows_that_swapped_their_contents_are_told_by_content_first() -> None:
    a, b = old(2, "a", Status.CREATED, key="k"), old(3, "b", key="l")
    matched = match([a, b], [new(2, "b", key="l"), new(3, "a", key="k")])
    assert matched == Matched(same=(Pair(b, new(2, "b", key="l")), Pair(a, new(3, "a", key="k"))))


@pytest.mark.parametrize("status", sorted(MAY_EXIST))
def test_of_equal_rows_those_that_may_exist_stay_and_the_others_vanish(status: Status) -> None:
    rows = [old(2, "a"), old(3, "a", status, ordinal=2), old(4, "a", Status.FAILED, ordinal=3)]
    assert match(rows, [new(2, "a")]) == Matched(same=(Pair(rows[1], new(2, "a")),), vanished=(rows[0], rows[2]))
    assert match(rows, [new(2, "a"), new(3, "a", ordinal=2)]) == Matched(
        same=(Pair(rows[0], new(2, "a")), Pair(rows[1], new(3, "a", ordinal=2))), vanished=(rows[2],)
    )
    more = [new(row, "a", ordinal=row - 1) for row in range(2, 6)]
    assert match(rows, more) == Matched(same=tuple(map(Pair, rows, more)), new=(more[3],))


def test_rows_that_could_not_be_read_are_nowhere() -> None:
    """They were not sent and are not sent: an invalid row that was corrected is new, and none has vanished."""
    unread = old(2, "", Status.INVALID)
    matched = match([unread, old(3, "b")], [new(2, "a"), new(3, ""), new(4, "b")])
    assert matched == Matched(same=(Pair(old(3, "b"), new(4, "b")),), new=(new(2, "a"),))
    assert not matched.unclear


OLD = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(list(Status))), max_size=8)
NEW = st.lists(st.sampled_from("abcd"), max_size=8)


@given(OLD, NEW)
def test_every_row_stands_in_one_place_and_none_that_may_exist_is_sent_for_another(
    before: list[tuple[str, Status]], after: list[str]
) -> None:
    olds = [old(row, content, status) for row, (content, status) in enumerate(before, 2)]
    news = [new(row, content) for row, content in enumerate(after, 2)]
    matched = match(olds, news)
    pairs = [*matched.same, *matched.changed, *matched.refused]
    assert sorted([*(pair.old.row for pair in pairs), *(row.row for row in matched.vanished)]) == [o.row for o in olds]
    assert sorted([*(pair.new.row for pair in pairs), *(row.row for row in matched.new)]) == [n.row for n in news]
    exist = Counter(row.fingerprint for row in olds if row.status in MAY_EXIST)
    kept = [pair for pair in matched.same if pair.old.status not in MAY_EXIST]
    to_send = Counter(row.fingerprint for row in (*matched.new, *(pair.new for pair in kept)))
    assert to_send == Counter(after) - exist


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(list(Status)), st.integers(0, 3)), max_size=6), st.randoms()
)
def test_sorting_changes_nothing_where_rows_have_keys(
    rows: list[tuple[int, Status, int]], order: random.Random
) -> None:
    olds = [old(row, f"{row}{was}", status, key=f"k{row}") for row, (was, status, _) in enumerate(rows, 2)]
    news = [new(row, f"{row}{now}", key=f"k{row}") for row, (_, _, now) in enumerate(rows, 2)]
    shuffled = [one._replace(row=place) for place, one in enumerate(order.sample(news, len(news)), 100)]
    matched = match(olds, shuffled)
    by_key = {one.key: one for one in shuffled}
    expected = {Pair(one, by_key[one.key]) for one in olds}
    assert {*matched.same, *matched.changed, *matched.refused} == expected
    assert {pair.new.key for pair in matched.refused} == {
        f"k{row}" for row, (was, status, now) in enumerate(rows, 2) if was != now and status in MAY_EXIST
    }
    assert (matched.vanished, matched.new) == ((), ())


def test_a_run_that_was_cut_off_is_matched_as_the_journal_knows_it(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        run = journal.begin(file="f", sha256="0", connection="c", target="t").id
        rows = [new(row, f"content {row}", key=f"key {row}") for row in range(2, 6)]
        journal.add(run, "t", rows)
        journal.write(run, [("Sheet", 2), ("Sheet", 3)], [])
        journal.write(run, [], [Outcome("Sheet", 2, Status.CREATED, "ID2")])
        edited = [one._replace(row=one.row + 10, fingerprint=f"{one.fingerprint}!") for one in rows]
        matched = match(journal.rows(run, "t", "things/thing", "Sheet"), [edited[0], edited[1], edited[2], rows[3]])
    assert [(pair.old.row, pair.old.status, pair.new.row) for pair in matched.refused] == [
        (2, Status.CREATED, 12),
        (3, Status.SENDING, 13),
    ]
    assert [pair.new for pair in (*matched.changed, *matched.same)] == [edited[2], rows[3]]
