"""What is done with each row against what the journal knows, and the request that it becomes."""

import itertools
import json
import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkload.calls import Calls
from bulkload.counted import Counted
from bulkload.distinct import Table
from bulkload.header import match_header
from bulkload.journal import Journal, Known, NewRow
from bulkload.models import CREATE, DONE, MASK, UPDATE, Frame, Outcome, Request, Row, Severity, Sheet, Status
from bulkload.openapi import open_api
from bulkload.plan import Planner, Wishes, made_already
from bulkload.resource import Column, Operation, Parameter, Resource
from bulkload.seen import Seen
from bulkload.validate import Validator

TARGET = "https://api.example.com/v1 tenant=1"
TEXT = {"type": "string"}
Values = Mapping[str, Any]
PLAIN = Wishes()


def column(name: str, place: str = "body", **words: Any) -> Column:
    return Column(name, name.capitalize(), place, f"/{name}", words.pop("type", "string"), TEXT, **words)


TENANT = Parameter("tenant", "path", True, TEXT, account=True)
CREATES = Operation("createThing", "POST", "/tenants/{tenant}/things", (TENANT,), {"type": "object"})
THING_ID = Parameter("thingID", "path", True, TEXT)
UPDATES = Operation(
    "updateThing", "PATCH", "/tenants/{tenant}/things/{thingID}", (TENANT, THING_ID), {"type": "object"}
)
# Has no natural key, and can be updated by the ID of a record.
THING = Resource(
    api="things",
    name="thing",
    title="Things",
    create=CREATES,
    update=UPDATES,
    columns=(
        column("thingID", "path"),
        column("name", required=True),
        column("size", type="integer"),
        column("tags", many=True),
        column("password", secret=True),
    ),
)
# Is known by its code, and can't be updated.
CODED = replace(
    THING,
    name="coded",
    update=None,
    key=("code",),
    columns=(column("code"), column("name"), column("password", secret=True)),
)
# Is known by its licence, which nobody may read, and can be updated.
LICENSED = replace(
    THING,
    name="licensed",
    key=("licence",),
    columns=(column("thingID", "path"), column("licence", secret=True), column("name")),
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite") as opened:
        yield opened


@dataclass
class Imports:
    """Imports files of one resource, one after the other, each row answered as the test wants."""

    journal: Journal
    resource: Resource
    ids: Iterator[int] = field(default_factory=itertools.count)
    run: str = ""

    def plan(
        self,
        rows: Sequence[Values],
        *,
        wishes: Wishes = PLAIN,
        claims: Mapping[int, Known] | None = None,
        frame: int = 100,
    ) -> list[NewRow]:
        """What is to be done with the rows of a file, numbered from 2, read `frame` rows at a time."""
        planner = Planner(self.resource, "Sheet", TARGET, self.journal, Counted(), wishes)
        numbered = [Row(number, values) for number, values in enumerate(rows, 2)]
        known = claims or {}
        done = made_already(known)
        planned = []
        for start in range(0, len(numbered), frame):
            some = numbered[start : start + frame]
            planned += planner.done([row for row in some if row.number in done], done)
            left = [row for row in some if row.number not in done]
            planned += planner.decide(left, Table(len(left), {}, range(len(left))), known)
        return sorted(planned, key=lambda new: new.row)

    def send(self, rows: Sequence[Values], *statuses: Status, **words: Any) -> list[NewRow]:
        """Import a file: the rows that go out end with these statuses in turn, and with `created` after the last."""
        planned = self.plan(rows, **words)
        self.run = self.journal.begin(file="f", sha256="0", connection="c", target=TARGET).id
        self.journal.add(self.run, TARGET, planned)
        wanted = itertools.chain(statuses, itertools.repeat(Status.CREATED))
        for new in planned:
            if new.status is Status.NOT_SENT:
                status = next(wanted)
                done = Status.UPDATED if status is Status.CREATED and new.action == UPDATE else status
                self.journal.write(self.run, [(new.sheet, new.row)], [])
                if status is not Status.SENDING:
                    record = new.id or f"ID{next(self.ids)}" if done in DONE else ""
                    self.journal.write(self.run, [], [Outcome(new.sheet, new.row, done, record)])
        return planned

    def result(self, rows: Sequence[int]) -> dict[int, Known]:
        """The claims of a result of the last run whose rows from 2 on have these source rows; 0 for a new row."""
        known = self.journal.claimed(TARGET, self.run, "Sheet", rows)
        return {number: known[source] for number, source in enumerate(rows, 2) if source in known}


def told(planned: Sequence[NewRow]) -> list[tuple[Status, str, str]]:
    return [(new.status, new.action if new.status is Status.NOT_SENT else "", new.id) for new in planned]


SENT = (Status.NOT_SENT, CREATE, "")


# Fingerprints


def fingerprint(journal: Journal, values: Values, resource: Resource = THING, *, with_secrets: bool = True) -> str:
    prints = Planner(resource, "Sheet", TARGET, journal, Counted()).prints
    return prints.whole(values) if with_secrets else prints.without_secrets(values)


def test_a_fingerprint_says_its_version_and_is_the_journals_own(journal: Journal, tmp_path: Path) -> None:
    made = fingerprint(journal, {"name": "A"})
    assert (made[:2], len(made)) == ("1:", 34)
    with Journal(tmp_path / "other.sqlite") as other:
        assert fingerprint(other, {"name": "A"}) != made


def test_the_same_row_has_the_same_fingerprint_in_another_order_and_another_document(journal: Journal) -> None:
    values = {"name": "A", "size": 5, "tags": ["x", "y"]}
    turned = replace(THING, columns=tuple(reversed(THING.columns)))
    renamed = replace(THING, columns=tuple(replace(one, title="Other", required=False) for one in THING.columns))
    wider = replace(THING, columns=(*THING.columns, column("new")))
    as_text = replace(THING, columns=tuple(replace(one, type="string") for one in THING.columns))
    made = {
        fingerprint(journal, values),
        fingerprint(journal, dict(reversed(list(values.items())))),
        fingerprint(journal, values, turned),
        fingerprint(journal, values, renamed),
        fingerprint(journal, values, wider),
        fingerprint(journal, {**values, "size": "5"}, as_text),
        fingerprint(journal, {**values, "size": 5.0}),
    }
    assert len(made) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"name": "a"},
        {"name": "A "},
        {"name": "A", "size": 1},
        {"size": "A"},
        {"name": None},
        {"name": ""},
        {},
        {"name": ["A"]},
        {"name": "A", "tags": []},
    ],
)
def test_another_row_has_another_fingerprint(journal: Journal, other: Values) -> None:
    assert fingerprint(journal, {"name": "A"}) != fingerprint(journal, other)


def test_what_could_look_alike_is_told_apart(journal: Journal) -> None:
    rows: list[Values] = [
        {"tags": ["a", "b"]}, {"tags": ["b", "a"]}, {"tags": ["a,b"]}, {"tags": [None]}, {"tags": ["None"]},
        {"name": None}, {"name": "None"}, {"name": True}, {"name": False}, {"size": 1}, {"size": 1.5},
        {"name": "\ud800"},
    ]  # fmt: skip
    assert len({fingerprint(journal, row) for row in rows}) == len(rows)
    assert fingerprint(journal, {"name": True}) == fingerprint(journal, {"name": "true"})
    assert fingerprint(journal, {"name": "A"}) != fingerprint(journal, {"name": "A"}, replace(THING, name="other"))


def test_the_second_fingerprint_of_a_row_knows_no_secret(journal: Journal) -> None:
    (one,) = Imports(journal, THING).plan([{"name": "A", "password": "one"}])
    (two,) = Imports(journal, THING).plan([{"name": "A", "password": "two"}])
    (none,) = Imports(journal, THING).plan([{"name": "A"}])
    assert one.open_fingerprint == two.open_fingerprint == none.open_fingerprint == none.fingerprint
    assert len({one.fingerprint, two.fingerprint, none.fingerprint}) == 3


# Natural keys


def test_a_natural_key_is_the_text_of_its_columns_and_a_secret_one_a_hash(journal: Journal) -> None:
    (coded,) = Imports(journal, CODED).plan([{"code": "00123", "name": "A"}])
    (licensed,) = Imports(journal, LICENSED).plan([{"licence": "ABC-1", "name": "A"}])
    (update,) = Imports(journal, LICENSED).plan([{"licence": "ABC-1", "thingID": "7"}])
    (without,) = Imports(journal, CODED).plan([{"name": "A"}])
    assert (coded.key, without.key) == ('{"code": "00123"}', "")
    assert licensed.key == journal.keyed_hash('{"licence": "ABC-1"}')
    assert update.key == 'id:{"thingID": "7"}'


def test_the_key_is_one_within_its_tenant_where_the_sheet_names_it(journal: Journal) -> None:
    both = replace(CODED, columns=(column("tenant", "path"), *CODED.columns))
    imports = Imports(journal, both)
    imports.send([{"tenant": "1", "code": "1"}])
    assert told(imports.plan([{"tenant": "2", "code": "1", "name": "other"}])) == [SENT]


# A second run


A, B, C = {"name": "A"}, {"name": "B"}, {"name": "C"}


def test_the_same_rows_are_not_sent_a_second_time_and_have_their_ids(journal: Journal) -> None:
    imports = Imports(journal, THING)
    assert told(imports.send([A, B])) == [SENT, SENT]
    first = imports.run
    again = imports.send([B, A, C])
    assert told(again) == [(Status.UNCHANGED, "", "ID1"), (Status.UNCHANGED, "", "ID0"), SENT]
    assert told(imports.plan([A, B, C])) == [(Status.UNCHANGED, "", f"ID{n}") for n in range(3)]
    assert imports.run != first


def test_two_equal_rows_are_two_rows_and_a_third_is_a_new_one(journal: Journal) -> None:
    imports = Imports(journal, THING)
    assert told(imports.send([A, A])) == [SENT, SENT]
    assert told(imports.plan([A, A, A])) == [(Status.UNCHANGED, "", "ID0"), (Status.UNCHANGED, "", "ID1"), SENT]


def test_of_two_equal_rows_the_one_that_is_done_is_not_sent_for_the_other(journal: Journal) -> None:
    """The first failed and the second was made. One of them is deleted: what is left is one row and one record."""
    imports = Imports(journal, THING)
    imports.send([A, A], Status.FAILED, Status.CREATED)
    assert told(imports.plan([A])) == [(Status.UNCHANGED, "", "ID0")]
    assert told(imports.send([A, A])) == [(Status.UNCHANGED, "", "ID0"), SENT]
    assert told(imports.plan([A, A])) == [(Status.UNCHANGED, "", "ID1"), (Status.UNCHANGED, "", "ID0")]


@pytest.mark.parametrize("status", [Status.REJECTED, Status.FAILED])
def test_a_row_that_made_nothing_is_sent_again(journal: Journal, status: Status) -> None:
    imports = Imports(journal, THING)
    imports.send([A], status)
    assert told(imports.plan([A])) == [SENT]


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.SENDING])
@pytest.mark.parametrize("wishes", [PLAIN, Wishes(again=True), Wishes(update=True)])
@pytest.mark.parametrize("resource", [CODED, LICENSED])
def test_a_row_that_may_exist_is_never_sent_by_another_run(
    journal: Journal, status: Status, wishes: Wishes, resource: Resource
) -> None:
    imports = Imports(journal, resource)
    key = resource.key[0]
    imports.send([{key: "1", "name": "A"}, {"name": "B"}], status, status)
    planned = imports.plan([{"name": "B"}, {key: "1", "name": "other"}, {key: "1", "name": "A"}], wishes=wishes)
    assert told(planned) == [(Status.UNKNOWN, "", "")] * 3
    assert [new.error for new in planned] == [
        f"Not sent: this row went out in run {imports.run} (row {row}) and what became of it is unknown: it may exist. "
        f"Settle it first: bulkload resolve {imports.run}"
        for row in (3, 2, 2)
    ]


def test_a_row_is_sent_once_the_unknown_one_is_settled_as_not_made(journal: Journal) -> None:
    imports = Imports(journal, THING)
    imports.send([A], Status.UNKNOWN)
    first = imports.run
    assert told(imports.send([A])) == [(Status.UNKNOWN, "", "")]
    second = imports.result([2])
    journal.write(first, [], [Outcome("Sheet", 2, Status.FAILED)])
    assert told(imports.plan([A])) == told(imports.plan([A], claims=second)) == [SENT]
    journal.write(first, [], [Outcome("Sheet", 2, Status.CREATED, "ID7")])
    assert told(imports.plan([A])) == told(imports.plan([A], claims=second)) == [(Status.UNCHANGED, "", "ID7")]


def test_again_sends_what_is_done(journal: Journal) -> None:
    imports = Imports(journal, CODED)
    rows = [{"code": "1", "name": "A"}, {"code": "2", "name": "B"}]
    imports.send(rows)
    assert told(imports.send(rows, wishes=Wishes(again=True))) == [SENT, SENT]
    assert told(imports.plan(rows)) == [(Status.UNCHANGED, "", "ID2"), (Status.UNCHANGED, "", "ID3")]
    assert told(imports.plan([{**rows[0], "name": "C"}], wishes=Wishes(again=True))) == [SENT]


def test_again_sends_an_equal_row_only_for_one_that_is_done(journal: Journal) -> None:
    imports = Imports(journal, THING)
    imports.send([A, A, A], Status.CREATED, Status.CREATED, Status.UNKNOWN)
    assert told(imports.plan([A], wishes=Wishes(again=True))) == [(Status.UNKNOWN, "", "")]
    assert told(imports.plan([A, A, A], wishes=Wishes(again=True))) == [(Status.UNKNOWN, "", ""), SENT, SENT]


# A known key with other values


def test_a_known_key_with_other_values_is_told_apart(journal: Journal) -> None:
    imports = Imports(journal, CODED)
    imports.send([{"code": "1", "name": "A"}])
    (new,) = imports.plan([{"code": "1", "name": "B"}])
    assert told([new]) == [(Status.INVALID, "", "ID0")]
    assert new.error == (
        f"Already created as ID ID0 in run {imports.run} (row 2), with other values. "
        "--again sends this row as a new record."
    )
    licensed = Imports(journal, LICENSED)
    licensed.send([{"licence": "1", "name": "A"}])
    (new,) = licensed.plan([{"licence": "1", "name": "B"}])
    assert new.error.endswith("with other values. --update changes it, --again sends this row as a new record.")


def test_a_record_whose_id_nobody_knows_can_not_be_updated(journal: Journal) -> None:
    imports = Imports(journal, LICENSED)
    imports.send([{"licence": "1", "name": "A"}])
    journal.write(imports.run, [], [Outcome("Sheet", 2, Status.CREATED, "", note="No ID was given.")])
    (new,) = imports.plan([{"licence": "1", "name": "B"}], wishes=Wishes(update=True))
    assert (new.status, new.error) == (
        Status.INVALID,
        f"Already created as ID (not known) in run {imports.run} (row 2), with other values. "
        "--again sends this row as a new record.",
    )


def test_update_changes_the_record_and_changes_it_back(journal: Journal) -> None:
    """What counts is the last that was done to the record, not that these values were once sent."""
    imports = Imports(journal, LICENSED)
    one, two = {"licence": "1", "name": "A"}, {"licence": "1", "name": "B"}
    update = Wishes(update=True)
    assert told(imports.send([one], wishes=update)) == [SENT]
    assert told(imports.send([two], wishes=update)) == [(Status.NOT_SENT, UPDATE, "ID0")]
    assert told(imports.plan([two], wishes=update)) == [(Status.UNCHANGED, "", "ID0")]
    assert told(imports.send([one], wishes=update)) == [(Status.NOT_SENT, UPDATE, "ID0")]
    assert told(imports.plan([one], wishes=update)) == [(Status.UNCHANGED, "", "ID0")]
    # Without the wish the row is one that was sent before, and nothing is sent for it.
    assert told(imports.plan([one])) == [(Status.UNCHANGED, "", "ID0")]


# Rows that name the record to update


def test_a_row_with_an_id_updates_that_record_and_back(journal: Journal) -> None:
    imports = Imports(journal, THING)
    one, two = {"thingID": "7", "name": "A"}, {"thingID": "7", "name": "B"}
    other = {"thingID": "8", "name": "A"}
    for row in (one, two, one):
        assert told(imports.send([row])) == [(Status.NOT_SENT, UPDATE, "7")]
        assert told(imports.plan([row])) == [(Status.UNCHANGED, "", "7")]
    assert told(imports.plan([other])) == [(Status.NOT_SENT, UPDATE, "8")]
    assert told(imports.plan([one], wishes=Wishes(again=True))) == [(Status.NOT_SENT, UPDATE, "7")]


def test_an_update_that_may_have_been_done_is_not_sent(journal: Journal) -> None:
    imports = Imports(journal, THING)
    imports.send([{"thingID": "7", "name": "A"}], Status.UNKNOWN)
    assert told(imports.plan([{"thingID": "7", "name": "B"}])) == [(Status.UNKNOWN, "", "7")]


@pytest.mark.parametrize("step", [".", ".."])
def test_an_id_that_leads_to_another_address_is_refused(journal: Journal, step: str) -> None:
    (new,) = Imports(journal, THING).plan([{"thingID": step, "name": "A"}])
    expected = f'Thingid: "{step}" can\'t stand in an address. Correct it.'
    assert (new.status, new.error) == (Status.INVALID, expected)


# Results imported again


def test_rows_of_a_result_are_done_where_they_were_done_whatever_their_order(journal: Journal) -> None:
    imports = Imports(journal, THING)
    secret = {"name": "S", "password": "p"}
    imports.send([A, secret, B, C], Status.CREATED, Status.CREATED, Status.REJECTED, Status.CREATED)
    # Sorted, B corrected, C deleted, and the secret masked: it isn't among the values.
    claims = imports.result([3, 4, 2])
    planned = imports.send([{"name": "S"}, {"name": "B2"}, A], claims=claims)
    assert told(planned) == [(Status.UNCHANGED, "", "ID1"), SENT, (Status.UNCHANGED, "", "ID0")]
    # A result of the result knows the same.
    claims = imports.result([2, 3, 4])
    planned = imports.plan([{"name": "S"}, {"name": "B2"}, A], claims=claims)
    assert told(planned) == [(Status.UNCHANGED, "", f"ID{n}") for n in (1, 3, 0)]


@pytest.mark.parametrize("generations", [1, 2, 3])
@pytest.mark.parametrize("edit", [{"name": "A2"}, {"name": "A", "size": 1}, {"name": "A", "password": "typed"}, {}])
def test_a_done_row_that_was_edited_is_refused(journal: Journal, generations: int, edit: Values) -> None:
    imports = Imports(journal, THING)
    imports.send([{"name": "A", "password": "p"}])
    first = imports.run
    for _ in range(generations - 1):
        assert told(imports.send([A], claims=imports.result([2]))) == [(Status.UNCHANGED, "", "ID0")]
    (new,) = imports.plan([edit], claims=imports.result([2]))
    run = first if generations == 1 else imports.run
    assert (new.status, new.id, new.error) == (
        Status.INVALID,
        "ID0",
        f"Already created as ID ID0 in run {run}, and edited since: the edit is not sent. "
        "Undo it, or make the change in the system itself.",
    )


def test_a_secret_typed_again_as_it_was_is_no_edit(journal: Journal) -> None:
    imports = Imports(journal, THING)
    imports.send([{"name": "A", "password": "p"}])
    planned = imports.plan([{"name": "A", "password": "p"}], claims=imports.result([2]))
    assert told(planned) == [(Status.UNCHANGED, "", "ID0")]


@pytest.mark.parametrize("shown", ["long text… [cut, 40000 characters]", MASK])
def test_what_a_result_had_to_cut_or_mask_can_not_be_an_edit(journal: Journal, shown: str) -> None:
    imports = Imports(journal, THING)
    imports.send([A])
    assert told(imports.plan([{"name": shown}], claims=imports.result([2]))) == [(Status.UNCHANGED, "", "ID0")]


def test_an_update_that_is_done_and_was_edited_says_updated(journal: Journal) -> None:
    imports = Imports(journal, THING)
    imports.send([{"thingID": "7", "name": "A"}])
    (new,) = imports.plan([{"thingID": "7", "name": "B"}], claims=imports.result([2]))
    assert new.error.startswith("Already updated as ID 7 in run ")


def test_a_row_copied_within_a_result_and_edited_is_refused_not_sent(journal: Journal) -> None:
    imports = Imports(journal, THING)
    imports.send([A])
    planned = imports.plan([A, B], claims=imports.result([2, 2]))
    assert [new.status for new in planned] == [Status.UNCHANGED, Status.INVALID]


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.SENDING])
def test_an_unknown_row_of_a_result_is_not_sent_whatever_it_says_now(journal: Journal, status: Status) -> None:
    imports = Imports(journal, THING)
    imports.send([A], status)
    assert told(imports.plan([B], claims=imports.result([2]))) == [(Status.UNKNOWN, "", "")]


def test_a_row_that_failed_and_was_made_later_is_not_sent_out_of_the_old_result(journal: Journal) -> None:
    imports = Imports(journal, THING)
    imports.send([A], Status.FAILED)
    old = imports.result([2])
    imports.send([A])
    (same,) = imports.plan([A], claims=old)
    (edited,) = imports.plan([B], claims=old)
    assert [(new.status, new.id) for new in (same, edited)] == [(Status.UNCHANGED, "ID0"), (Status.INVALID, "ID0")]


def test_equal_rows_of_a_result_are_those_that_they_were_and_a_new_one_is_new(journal: Journal) -> None:
    imports = Imports(journal, THING)
    imports.send([A, A, A], Status.CREATED, Status.FAILED, Status.FAILED)
    planned = imports.send([A, A, A, A, A], claims=imports.result([0, 4, 3, 3, 2]))
    assert sorted(new.ordinal for new in planned) == [1, 2, 3, 4, 5]
    assert [new.ordinal for new in planned[1:3]] == [3, 2]
    assert planned[4].status is Status.UNCHANGED
    assert [new.status for new in imports.plan([A] * 6)] == [Status.UNCHANGED] * 5 + [Status.NOT_SENT]


def test_a_claim_read_later_does_not_take_the_ordinal_of_a_row_read_before(journal: Journal) -> None:
    imports = Imports(journal, THING)
    imports.send([A], Status.FAILED)
    planned = imports.send([A, A], claims=imports.result([0, 2]), frame=1)
    assert [new.ordinal for new in planned] == [1, 2]
    assert [new.status for new in imports.plan([A, A])] == [Status.UNCHANGED] * 2


def test_a_result_taken_on_trust_is_done_and_knows_its_rows_from_then_on(journal: Journal) -> None:
    imports = Imports(journal, THING)
    trusted = Known("another's run", "Sheet", 2, Status.CREATED, "ID9", "", 0, "", "")
    planned = imports.send([A, {"name": "B… [cut, 40000 characters]"}], claims={2: trusted, 3: replace(trusted, row=3)})
    assert told(planned) == [(Status.UNCHANGED, "", "ID9")] * 2
    claims = imports.result([2, 3])
    assert told(imports.plan([A, B], claims=claims)) == [(Status.UNCHANGED, "", "ID9")] * 2
    assert told(imports.plan([C, B], claims=claims))[0] == (Status.INVALID, "", "ID9")


# For any rows


NAMES = st.lists(st.sampled_from("ABC"), max_size=6)
ENDS = st.sampled_from([Status.CREATED, Status.UNKNOWN, Status.SENDING, Status.FAILED, Status.REJECTED])
VALUES = st.fixed_dictionaries(
    {"name": st.text(max_size=5)},
    optional={
        "size": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "tags": st.lists(st.text(max_size=3), max_size=3),
        "password": st.text(max_size=5),
        "thingID": st.text(string.ascii_letters, min_size=1, max_size=3),
    },
)


@settings(max_examples=30, deadline=None)
@given(st.lists(VALUES, max_size=8), st.randoms(use_true_random=False), st.integers(1, 9))
def test_a_second_run_of_the_same_rows_in_any_order_sends_none(rows: list[Values], random: Any, frame: int) -> None:
    # Two rows that update one record are an error of the file, and never come here.
    rows = list({str(row.get("thingID", number)): row for number, row in enumerate(rows)}.values())
    with TemporaryDirectory() as folder, Journal(Path(folder) / "journal.sqlite") as journal:
        imports = Imports(journal, THING)
        first = imports.send(rows, frame=frame)
        assert {new.status for new in first} <= {Status.NOT_SENT}
        random.shuffle(rows)
        second = imports.plan([dict(reversed(list(row.items()))) for row in rows], frame=frame)
        assert {new.status for new in second} <= {Status.UNCHANGED}
        assert sorted(new.fingerprint for new in first) == sorted(new.fingerprint for new in second)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(NAMES, st.lists(ENDS, min_size=6, max_size=6)), max_size=5), st.integers(1, 7))
def test_however_a_file_is_edited_between_runs_no_row_is_sent_for_one_that_may_exist(
    files: list[tuple[list[str], list[Status]]], frame: int
) -> None:
    """Sorting, inserting and deleting: of each content so many rows go out as the file has more than may exist."""
    may_exist: Counter[str] = Counter()
    with TemporaryDirectory() as folder, Journal(Path(folder) / "journal.sqlite") as journal:
        imports = Imports(journal, THING)
        for names, ends in files:
            planned = imports.send([{"name": name} for name in names], *ends, frame=frame)
            sent = Counter(names[new.row - 2] for new in planned if new.status is Status.NOT_SENT)
            assert sent == Counter(names) - may_exist
            outcomes = journal.outcomes(imports.run, "Sheet", 2, 9)
            went_out = [new.row for new in planned if new.status is Status.NOT_SENT]
            may_exist += Counter(
                names[row - 2] for row in went_out if outcomes[row].status in (Status.CREATED, Status.UNKNOWN)
            )


def test_no_value_but_an_open_key_stands_in_the_journals_files(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        body = {"name": "canary-name", "size": 8675309, "tags": ["canary-tag"], "password": "canary-secret"}
        Imports(journal, THING).send([body, {**body, "size": 1}], Status.CREATED, Status.UNKNOWN)
        Imports(journal, LICENSED).send([{"licence": "canary-licence", "name": "canary-name"}])
        Imports(journal, CODED).send([{"code": "canary-open", "name": "canary-name", "password": "canary-secret"}])
        while_open = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for content in (while_open, path.read_bytes()):
        assert b"canary-open" in content
        assert [word for word in (b"8675309", b"-name", b"-tag", b"-secret", b"-licence") if word in content] == []


# Requests


QUERY = Parameter("mode", "query", True, {"default": "full"})
OPTIONAL = Parameter("trace", "query", False, {"default": "on"})
HEADER = Parameter("X-Region", "header", True, {})


def made(
    resource: Resource,
    values: Values,
    action: str = CREATE,
    record: str = "",
    settings: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    calls = Calls(resource, "Sheet", settings or {"tenant": "T 1"}, headers or {})
    return calls.call(Row(7, values), action, record)


def test_a_row_becomes_a_request_with_the_settings_of_its_connection() -> None:
    with_more = replace(
        THING, create=replace(CREATES, parameters=(TENANT, QUERY, OPTIONAL, HEADER)), constants={"/kind": "k"}
    )
    settings = {"tenant": "a/b ?é..", "X-Region": "eu", "other": "x"}
    assert made(with_more, {"name": "A", "size": 5, "password": "p"}, settings=settings) == Request(
        sheet="Sheet",
        row=7,
        action="create",
        method="POST",
        path="/tenants/a%2Fb%20%3F%C3%A9../things",
        query=(("mode", "full"),),
        headers={"Content-Type": "application/json", "Accept": "application/json", "X-Region": "eu"},
        body={"kind": "k", "name": "A", "size": 5, "password": "p"},
        secrets=("p",),
    )
    given = made(with_more, A, settings={**settings, "mode": "short", "trace": "off"}).query
    assert given == (("mode", "short"), ("trace", "off"))


def test_an_update_goes_to_its_record_and_sends_no_id_in_the_body() -> None:
    by_row = made(THING, {"thingID": "7/8", "name": "A"}, UPDATE, "7/8")
    assert (by_row.method, by_row.path, by_row.body) == ("PATCH", "/tenants/T%201/things/7%2F8", {"name": "A"})
    by_key = made(LICENSED, {"licence": "L", "name": "A"}, UPDATE, "9")
    assert (by_key.path, by_key.body) == ("/tenants/T%201/things/9", {"licence": "L", "name": "A"})


def test_a_sheets_column_wins_over_the_setting_in_the_path_alone() -> None:
    header, query = replace(TENANT, place="header"), replace(TENANT, place="query")
    many = replace(
        THING,
        create=replace(CREATES, parameters=(TENANT, header, query)),
        columns=(column("tenant", "path"), *THING.columns),
    )
    sent = made(many, {"tenant": "T2", "name": "A"})
    assert (sent.path, sent.headers["tenant"], sent.query) == ("/tenants/T2/things", "T 1", (("tenant", "T 1"),))
    sent = made(many, {"tenant": "T2", "name": "A"}, settings={"other": "x"})
    assert (sent.path, "tenant" in sent.headers, sent.query) == ("/tenants/T2/things", False, ())


def test_headers_of_the_connection_win_over_ours_and_the_operations_over_both() -> None:
    resource = replace(
        THING, create=replace(CREATES, parameters=(TENANT, HEADER), media_type="application/merge-patch+json")
    )
    headers = {"accept": "text/json", "x-region": "none", "X-Trace": "1"}
    sent = made(resource, A, settings={"tenant": "1", "X-Region": "eu"}, headers=headers)
    assert sent.headers == {
        "Content-Type": "application/merge-patch+json",
        "accept": "text/json",
        "X-Region": "eu",
        "X-Trace": "1",
    }


def test_the_secrets_of_a_row_come_along_member_by_member() -> None:
    secretive = replace(THING, columns=(*THING.columns, column("codes", many=True, secret=True, type="integer")))
    assert made(secretive, {"name": "A", "password": "p", "codes": [12, 34]}).secrets == ("p", "12", "34")


def test_a_row_that_says_where_it_goes_says_so_of_itself_alone() -> None:
    many = replace(THING, columns=(column("tenant", "path"), *THING.columns))
    calls = Calls(many, "Sheet", {"tenant": "T 1"}, {})
    rows = [Row(2, A), Row(3, {**A, "tenant": "T2"}), Row(4, A)]
    paths = [calls.call(row, CREATE, "").path for row in rows]
    assert paths == ["/tenants/T%201/things", "/tenants/T2/things", "/tenants/T%201/things"]
    assert calls.call(Row(5, A), UPDATE, "9").path == "/tenants/T%201/things/9"


def test_what_costs_money_is_sent_only_where_the_connection_says_so() -> None:
    kazoo = open_api("myreports").resources["pbx-kazoo"]
    sent = made(kazoo, {"name": "A"}, settings={"CUSTOMER_TENANT_ID": "t"})
    assert "accept-charges" not in sent.headers
    settings = {"CUSTOMER_TENANT_ID": "t", "accept-charges": "true"}
    sent = made(kazoo, {"name": "A"}, settings=settings)
    assert (sent.path, sent.headers["accept-charges"]) == ("/api/v1.0/customers/t/pbxs", "true")
    assert json.dumps(sent.body) == '{"_type": "KazooPbxConnectionProfile", "name": "A"}'


# --- nothing of a sheet leads elsewhere -------------------------------------------------------------------------------

HOSTILE = st.one_of(
    st.text(max_size=12),
    st.text(st.sampled_from("./\\%?#:@;&=+ {}\r\n\t\0\u202e\u2028éa2eF"), max_size=12),
    st.sampled_from(
        [".", "..", "../..", "%2e%2e", "..%2f", "//evil.example", "https://evil.example/", "a\r\nHost: evil", "{appID}"]
    ),
)
AT = Operation(
    "change",
    "PATCH",
    "/apps/{appID}/things/{thingID}",
    parameters=tuple(
        Parameter(name, place, place == "path", {"type": "string"})
        for name, place in (("appID", "path"), ("thingID", "path"), ("X-Tenant", "header"), ("page", "query"))
    ),
)
OF_CREATE = (AT.parameters[0], *AT.parameters[2:])
PLACED = Resource(
    "shop",
    "placed",
    "Placed",
    replace(
        AT, id="make", method="POST", path="/apps/{appID}/things", parameters=AT.parameters[:1] + AT.parameters[2:]
    ),
    (
        column("appID", "path"),
        column("thingID", "path"),
        column("X-Tenant"),
        column("page"),
        column("name"),
    ),
    update=AT,
)


@settings(max_examples=80, deadline=None)
@given(app=HOSTILE, thing=HOSTILE, other=HOSTILE)
def test_no_cell_changes_host_path_structure_query_or_headers(app: str, thing: str, other: str) -> None:
    cells = {"appID": app, "thingID": thing, "X-Tenant": other, "page": other, "name": other}
    header = tuple(cells)
    assigned, faults = match_header(Sheet("Placed", header, 1, lambda: iter(())), PLACED)
    assert faults == []
    text = {at: [cells[name]] for at, name in enumerate(header, 1)}
    frame = pd.DataFrame(text, index=pd.Index([2], name="row"), dtype="str")
    checked = Validator(assigned, Seen()).check(Frame(frame))
    refused = {finding.title for finding in checked.findings if finding.severity is Severity.ERROR}
    for name in ("appID", "thingID"):
        if cells[name].strip() in (".", "..") or re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", cells[name].strip()):
            assert {column.title for column in PLACED.columns if column.name == name} <= refused
    for row in checked.rows:
        update = "thingID" in row.values
        settings = {"appID": "A1", "X-Tenant": "T1", "page": "7"}
        calls = Calls(PLACED, "Placed", settings, {})
        made = calls.call(row, UPDATE if update else CREATE, row.values.get("thingID", ""))
        segments = made.path.split("/")
        wanted = ["", "apps", row.values.get("appID", "A1"), "things", *([row.values["thingID"]] if update else [])]
        assert [unquote(segment) for segment in segments] == wanted
        assert not set(segments) & {".", "..", ""} - {segments[0]}
        assert re.fullmatch("[A-Za-z0-9/_.~%-]+", made.path)
        assert made.query == (("page", "7"),)
        assert made.headers["X-Tenant"] == "T1" and set(made.headers) == {"Content-Type", "Accept", "X-Tenant"}
