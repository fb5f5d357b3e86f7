"""A run's rows follow their file, frame by frame, as they would if all were matched at once."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkload.follow import Follower
from bulkload.journal import GONE, Journal, NewRow
from bulkload.match import Matched, changes, match
from bulkload.models import CREATE, Outcome, Status

RESOURCE = "things/thing"
CONTENTS = st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=7)
STATUSES = st.sampled_from([Status.NOT_SENT, Status.FAILED, Status.CREATED, Status.UNKNOWN, Status.REJECTED])


def planned(contents: Sequence[str]) -> list[NewRow]:
    """A row for each content, "" for one that could not be read; its first letter is its key."""
    met: Counter[str] = Counter()
    rows = []
    for number, content in enumerate(contents, 2):
        met[content] += 1
        status = Status.NOT_SENT if content else Status.INVALID
        ordinal = met[content] if content else 0
        rows.append(NewRow("Sheet", number, RESOURCE, CREATE, status, content, ordinal, content, content[:1]))
    return rows


def begun(journal: Journal, rows: Sequence[NewRow], statuses: Sequence[Status]) -> str:
    run = journal.begin(file="f", sha256="0", connection="c", target="t").id
    journal.add(run, "t", rows)
    sent = [row for row in rows if row.fingerprint]
    ended = [(row, one) for row, one in zip(sent, statuses, strict=False) if one is not Status.NOT_SENT]
    journal.write(run, [("Sheet", row.row) for row, _ in ended], [Outcome("Sheet", row.row, one) for row, one in ended])
    return run


def held(journal: Journal, run: str) -> tuple[list[tuple[int, str]], list[tuple[bool, str, Status]]]:
    """Which row of the sheet says what, and what became of what was said."""
    here = journal.rows(run, "t", RESOURCE, "Sheet")
    gone = journal.rows(run, "t", RESOURCE, f"Sheet{GONE}")
    became = [(one in gone, one.fingerprint, one.status) for one in (*here, *gone)]
    return [(one.row, one.fingerprint) for one in here], sorted(became)


@settings(max_examples=60, deadline=None)
@given(CONTENTS, st.lists(STATUSES, min_size=7, max_size=7), CONTENTS, st.integers(1, 4))
def test_frame_by_frame_it_comes_to_what_it_comes_to_at_once(
    before: list[str], statuses: list[Status], after: list[str], rows: int
) -> None:
    now = planned(after)
    with TemporaryDirectory() as folder, Journal(Path(folder, "journal.sqlite")) as journal:
        run = begun(journal, planned(before), statuses)
        follower = Follower(journal, run, "t")
        for start in range(0, len(now), rows):
            follower.add(RESOURCE, "Sheet", now[start : start + rows])
        follower.rearrange(RESOURCE, follower.matched(RESOURCE))
        at_once = begun(journal, planned(before), statuses)
        matched = match(journal.rows(at_once, "t", RESOURCE, "Sheet"), now)
        journal.rearrange(at_once, "t", RESOURCE, changes(matched, tuple(row for row in now if not row.fingerprint)))
        assert held(journal, run) == held(journal, at_once)


def test_rows_that_stand_where_they_stood_are_not_kept(tmp_path: Path) -> None:
    rows = planned(["a", "b", "b", "c", "d"])
    with Journal(tmp_path / "journal.sqlite") as journal:
        run = begun(journal, rows, [Status.CREATED])
        follower = Follower(journal, run, "t")
        for row in rows[:4]:
            follower.add(RESOURCE, "Sheet", [row])
        matched = follower.matched(RESOURCE)
    # Of the equal ones any may be any; the last is in the file no more.
    assert [pair.new.fingerprint for pair in matched.same] == ["b", "b"]
    assert [old.fingerprint for old in matched.vanished] == ["d"]
    assert matched == Matched(same=matched.same, vanished=matched.vanished)
