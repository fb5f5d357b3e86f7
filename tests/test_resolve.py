"""What becomes of an unknown row, rule by rule: the real journal, and a wire that says what it is told."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bulkload.auth import Signed
from bulkload.errors import SignInError
from bulkload.journal import Journal, NewRow
from bulkload.models import CREATE, MASK, UPDATE, Answer, Lost, Outcome, Reply, Status
from bulkload.resolve import ADOPTED, Line, Manners, Open, Resolver, by_word
from bulkload.resource import Column, Find, Operation, OutcomeRule, Parameter, Rate, Resource
from tests.virtual import NOON, clock, now, run

SETTLE = 60.0
ID = Parameter("id", "path", True, {})
WORDS = ("$response.body#/message",)
LIST = Operation("list", "GET", "/things", (Parameter("sku", "query", False, {}),), message=WORDS)
READ = Operation("read", "GET", "/things/{id}", (ID,), message=WORDS)
CHANGE = Operation("change", "PATCH", "/things/{id}", (ID,))
FIND = Find(LIST, {"sku": "sku"}, "$response.body#/found", {"sku": "sku"}, "id", absent={"status": 200})
THING = Resource(
    "shop", "thing", "Things", Operation("make", "POST", "/things"),
    (Column("sku", "SKU", "body", "/sku", "string", {}), Column("size", "Size", "body", "/size", "integer", {}),
     Column("pin", "PIN", "body", "/pin", "string", {}, secret=True),
     Column("id", "ID", "path", "/id", "string", {})),
    update=CHANGE, read=READ, find=FIND, key=("sku",),
)  # fmt: skip
VALUES = {"sku": "A-1", "size": 5, "pin": "hush-4711"}
TOKEN = "token-token"


def says(body: Any, status: int = 200, **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json", **names}, json.dumps(body).encode())


def shows(*records: Mapping[str, Any]) -> Answer:
    return says({"found": records})


MINE = {"id": "T7", "sku": "A-1", "size": "5"}


@dataclass
class Api:
    """Says one reply after the other, the last for ever; `asked` is when it was asked what, and with which token."""

    replies: list[Reply]
    asked: list[tuple[float, str, str]] = field(default_factory=list)

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Reply:
        said = "&".join(f"{name}={value}" for name, value in query)
        self.asked.append((now(), f"{method} {path}?{said}", headers["Authorization"]))
        await asyncio.sleep(0.01)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@dataclass
class Keys:
    """Signs with the first of so many `good` tokens, and with the next when it is renewed; or raises its trouble."""

    good: int = 1
    given: int = 1
    trouble: Exception | None = None

    async def sign(self, operation: Operation) -> Signed:
        if self.trouble:
            raise self.trouble
        return Signed({"Authorization": f"{TOKEN}-{self.given}"}, (), self.given)

    async def renew(self, seen: int) -> bool:
        if self.given >= self.good:
            return False
        self.given += 1
        return True

    def secrets(self) -> frozenset[str]:
        return frozenset({f"{TOKEN}-{self.given}"})


@dataclass
class Time:
    """Virtual time from NOON on, with a clock on the wall that can be set."""

    off: float = 0.0
    begun: Callable[[], float] = lambda: 0.0

    def begin(self) -> None:
        self.begun = asyncio.get_running_loop().time

    def passed(self) -> float:
        return self.begun()

    def shown(self) -> datetime:
        return NOON + timedelta(seconds=self.passed() + self.off)

    def put(self, seconds: float) -> None:
        self.off += seconds


@dataclass
class Settled:
    """How it ended: the outcomes told, what the journal then says of row 2 and on, and what a person heard."""

    told: list[Outcome]
    rows: dict[int, Outcome]
    heard: list[str]
    stopped: str
    asked: list[tuple[float, str, str]]

    @property
    def row(self) -> Outcome:
        return self.rows[2]


def settle(
    folder: Path,
    *replies: Reply,
    resource: Resource = THING,
    rows: int = 1,
    status: Status = Status.UNKNOWN,
    action: str = CREATE,
    record: str = "",
    values: Mapping[str, Any] | None = VALUES,
    age: float = SETTLE,
    wait: bool = True,
    keys: Keys | None = None,
    stop: Callable[[Resolver], None] | None = None,
    put: tuple[float, float] | None = None,
) -> Settled:
    """Ask about rows, from 2 on, whose answers were lost `age` seconds before noon; in virtual time.

    `put`: so many seconds after the beginning the clock is put forward by so many.
    """
    api, heard, told = Api(list(replies) or [Lost("silence")]), list[str](), list[Outcome]()
    path, time = folder / "journal.sqlite", Time()
    with Journal(path, clock=lambda: NOON - timedelta(seconds=age)) as journal:
        name = journal.begin(file="f.xlsx", sha256="", connection="c", target="t").id
        numbers = range(2, rows + 2)
        journal.add(name, "t", [NewRow("S", n, "shop/thing", action, Status.NOT_SENT, f"p{n}", 1) for n in numbers])
        journal.write(name, [("S", n) for n in numbers], [])
        journal.write(name, [], [Outcome("S", n, status, record, error="Silence.") for n in numbers])
    with Journal(path, clock=time.shown, monotonic=time.passed) as journal:
        opened = [Open(journal.outcomes(name, "S", n, n)[n], action, resource, values) for n in numbers]
        manners = Manners(Rate(100, 1.0), 3, SETTLE, wait, frozenset({401, 403}))

        async def ask() -> str:
            resolver = Resolver(name, journal, manners, told=heard.append, clock=replace(clock(), now=time.shown))
            time.begin()
            if stop:
                stop(resolver)
            if put:
                asyncio.get_running_loop().call_later(put[0], time.put, put[1])
            await resolver.resolve(opened, Line({}, {}, api, keys or Keys()), told.append)
            return resolver.stopped

        stopped = run(ask())
        rows_now = journal.outcomes(name, "S", 2, rows + 1)
    assert {one.row: one for one in told}.items() <= rows_now.items()
    return Settled(told, rows_now, heard, stopped, api.asked)


def by_hand(run: str, made: str = "ID") -> str:
    return f"Then: bulkload resolve {run} --made 'S!2={made}', or --not-made 'S!2'"


# Found


def test_found_with_equal_values_is_created_and_the_note_says_how(tmp_path: Path) -> None:
    """Number or text, order of fields and what else the API shows make no difference."""
    settled = settle(tmp_path, shows(MINE))
    (told,) = settled.told
    assert (told.status, told.id, told.error, told.note) == (Status.CREATED, "T7", "", ADOPTED)
    assert told.time == NOON - timedelta(seconds=SETTLE)


def test_found_with_other_values_stays_unknown_and_asks_whose_it_is(tmp_path: Path) -> None:
    row = settle(tmp_path, shows({**MINE, "size": 6})).row
    assert (row.status, row.id) == (Status.UNKNOWN, "")
    assert row.error == f"Exists as ID T7 with other values. Yours? {by_hand(row.run, 'T7')}"


def test_several_found_stay_unknown_and_are_named(tmp_path: Path) -> None:
    row = settle(tmp_path, shows(MINE, {**MINE, "id": "T8"})).row
    assert (row.status, row.error) == (
        Status.UNKNOWN, f"Several records have this key: T7, T8. {by_hand(row.run)}")  # fmt: skip


def test_of_very_many_found_the_first_are_named(tmp_path: Path) -> None:
    row = settle(tmp_path, shows(*({**MINE, "id": str(number)} for number in range(99)))).row
    assert ": 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 89 more. Then" in row.error


# Not found


def test_proven_absence_is_failed_and_may_be_sent_again(tmp_path: Path) -> None:
    row = settle(tmp_path, shows()).row
    assert (row.status, row.error) == (
        Status.FAILED, "Not made: the API has no such record. It may be sent again.")  # fmt: skip


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (replace(THING, find=replace(FIND, absent={})),
         "The look-up shows no SKU A-1, which by its document proves nothing."),
        (replace(THING, find=None), "Look for SKU A-1: the API documents no look-up."),
        (replace(THING, find=None, key=()), "Look for SKU A-1, Size 5: the API documents no look-up."),
        (replace(THING, find=None, key=("pin",)), "Look for SKU A-1, Size 5: the API documents no look-up."),
        (replace(THING, find=None, columns=THING.columns[2:]),
         "Look for the record of this row in Things: the API documents no look-up."),
    ],
    ids=["no proof", "no find", "no key", "secret key", "nothing but secrets"],
)  # fmt: skip
def test_without_proof_a_row_stays_unknown_with_what_to_look_for_and_no_secret(
    tmp_path: Path, resource: Resource, said: str
) -> None:
    row = settle(tmp_path, shows(), resource=resource).row
    assert (row.status, row.error) == (Status.UNKNOWN, f"{said} {by_hand(row.run)}")


def test_a_row_that_is_in_the_file_no_more_has_nothing_to_be_compared(tmp_path: Path) -> None:
    settled = settle(tmp_path, shows(MINE), values=None)
    assert (settled.row.status, settled.asked) == (Status.UNKNOWN, [])
    assert settled.row.error.startswith("Its row is no longer in the file, so there is nothing to compare with. Then: ")


# When


def test_nothing_is_asked_before_settle_has_passed(tmp_path: Path) -> None:
    settled = settle(tmp_path, shows(), age=SETTLE - 1, wait=False)
    assert (settled.told, settled.asked, str(settled.row.status)) == ([], [], "unknown")


def test_whoever_waits_asks_no_sooner_and_is_told_until_when(tmp_path: Path) -> None:
    settled = settle(tmp_path, shows(), age=20, rows=9)
    times = [time for time, _, _ in settled.asked]
    assert len(times) == 9
    assert SETTLE - 20 <= min(times) <= max(times) < SETTLE - 19
    assert settled.heard == ["The API may still be at work on some rows: asking about the last of them at 12:00:40."]


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_set_meanwhile_changes_nothing(tmp_path: Path, hours: int) -> None:
    """Though something ends the rest, such as an API that is up again."""

    def wake(resolver: Resolver) -> None:
        asyncio.get_running_loop().call_later(2.0, resolver._pace.wake)

    settled = settle(tmp_path, shows(MINE), age=20, put=(1.0, 3600.0 * hours), stop=wake)
    assert [time for time, _, _ in settled.asked] == [SETTLE - 20]


def test_where_the_clock_was_put_back_before_a_row_is_waited_for_once(tmp_path: Path) -> None:
    settled = settle(tmp_path, shows(MINE), age=-3600)
    assert [time for time, _, _ in settled.asked] == [SETTLE]


def test_a_row_that_stays_unknown_keeps_the_time_of_its_try(tmp_path: Path) -> None:
    """So that the next resolve need not wait anew."""
    assert settle(tmp_path, shows({**MINE, "size": 6})).row.time == NOON - timedelta(seconds=SETTLE)


def test_rows_are_asked_about_as_fast_as_the_rate_allows_and_not_faster(tmp_path: Path) -> None:
    times = [time for time, _, _ in settle(tmp_path, shows(), rows=30).asked]
    assert 0.29 <= max(times) - min(times) < 0.4


# Rows that are created, but whose ID isn't known


def test_a_missing_id_is_filled_in_without_waiting(tmp_path: Path) -> None:
    (told,) = settle(tmp_path, shows(MINE), status=Status.CREATED, age=0).told
    assert (told.status, told.id) == (Status.CREATED, "T7")


@pytest.mark.parametrize(
    "reply", [shows(), shows({**MINE, "size": 6}), shows(MINE, {**MINE, "id": "T8"}), says({}, 500), Lost("silence")]
)
def test_a_created_row_stays_created_whatever_the_look_up_says(tmp_path: Path, reply: Reply) -> None:
    settled = settle(tmp_path, reply, status=Status.CREATED)
    assert (settled.told, str(settled.row.status), settled.row.id) == ([], "created", "")


# Updates


def updated(folder: Path, *replies: Reply, values: Mapping[str, Any] | None = None, **changes: Any) -> Settled:
    return settle(
        folder, *replies, resource=replace(THING, **changes), action=UPDATE, record="T7",
        values={"id": "T7", "sku": "A-1", "size": 5} if values is None else values,
    )  # fmt: skip


def test_an_update_is_read_back_and_there(tmp_path: Path) -> None:
    settled = updated(tmp_path, says({"data": MINE}))
    assert [asked for _, asked, _ in settled.asked] == ["GET /things/T7?"]
    assert (settled.row.status, settled.row.id, settled.row.note) == (
        Status.UPDATED, "T7", "Read back: the change is there.")  # fmt: skip


@pytest.mark.parametrize(
    "shown",
    [{**MINE, "size": 6}, {"id": "T7", "sku": "A-1"}, {}, []],
    ids=["other values", "a value not shown", "nothing shown", "no record"],
)
def test_an_update_that_cannot_be_seen_stays_unknown(tmp_path: Path, shown: Any) -> None:
    row = updated(tmp_path, says(shown)).row
    assert (row.status, row.error) == (
        Status.UNKNOWN,
        f"Look at the record T7: the update may be there or not. {by_hand(row.run)}",
    )


def test_an_update_of_a_secret_cannot_be_seen(tmp_path: Path) -> None:
    row = updated(tmp_path, says(MINE), values={"id": "T7", "sku": "A-1", "size": 5, "pin": "new-pin"}).row
    assert row.status is Status.UNKNOWN


def test_an_update_without_a_way_to_read_stays_unknown(tmp_path: Path) -> None:
    settled = updated(tmp_path, read=None)
    assert (settled.row.status, settled.asked) == (Status.UNKNOWN, [])


def test_an_update_whose_record_is_not_there_stays_unknown(tmp_path: Path) -> None:
    row = updated(tmp_path, says({"sku": "A-1", "size": 5}, 404)).row
    assert (row.status, row.error) == (
        Status.UNKNOWN, f"The API has no record T7. Ask again: bulkload resolve {row.run}")  # fmt: skip


@pytest.mark.parametrize("reply", [says({**MINE, "size": 6}), says({}, 500), says({}, 404)])
@pytest.mark.parametrize("way", [READ, None])
def test_an_idempotent_update_may_be_sent_again(tmp_path: Path, reply: Reply, way: Operation | None) -> None:
    row = updated(tmp_path, reply, read=way, update=replace(CHANGE, idempotent=True)).row
    assert (row.status, row.id, row.error) == (
        Status.FAILED, "T7", "Perhaps not done; this update may be sent again without harm.")  # fmt: skip


# A look-up that goes wrong


@pytest.mark.parametrize(
    ("replies", "tries"),
    [
        ([Lost("silence"), shows(MINE)], 2),
        ([says({}, 500), says({}, 502), shows(MINE)], 3),
        ([says({}, 429), shows(MINE)], 2),
        ([says({}, 429, retry_after="40")] * 5 + [shows(MINE)], 6),
        ([says({"busy": True}), shows(MINE)], 2),
    ],
    ids=["lost", "500", "429", "wait", "by document"],
)
def test_a_look_up_is_asked_again_while_the_api_has_no_time_for_it(
    tmp_path: Path, replies: list[Reply], tries: int
) -> None:
    busy = OutcomeRule({"$response.body#/busy": True}, "not processed")
    resource = replace(THING, find=replace(FIND, operation=replace(LIST, outcomes=(busy,))))
    settled = settle(tmp_path, *replies, resource=resource)
    assert (str(settled.row.status), len(settled.asked)) == ("created", tries)


def test_no_question_comes_before_a_wait_ends(tmp_path: Path) -> None:
    settled = settle(tmp_path, says({}, 429, retry_after="40"), shows(MINE), rows=3)
    first, *later = sorted(time for time, _, _ in settled.asked)
    assert (first, all(time >= 40 or time < 0.05 for time in later)) == (0.0, True)
    assert {str(row.status) for row in settled.rows.values()} == {"created"}


def test_a_look_up_that_fails_leaves_the_row_unknown_and_says_why(tmp_path: Path) -> None:
    row = settle(tmp_path, says({"message": "Out of order."}, 500)).row
    assert (row.status, row.error) == (
        Status.UNKNOWN,
        f"The look-up had no usable answer: Out of order. Ask again: bulkload resolve {row.run}",
    )


def test_what_a_look_up_says_is_redacted_and_short(tmp_path: Path) -> None:
    words = f"bad {VALUES['pin']} and {TOKEN}-1\n" + "x" * 10_000
    settled = settle(tmp_path, says({"message": words}, 400))
    assert settled.row.error.startswith(f"The look-up had no usable answer: bad {MASK} and {MASK} xxx")
    assert len(settled.row.error) < 700


def test_an_api_that_is_down_is_not_asked_for_ever_nor_shown_a_secret(tmp_path: Path) -> None:
    settled = settle(tmp_path, says({"message": f"down, {VALUES['pin']}"}, 500), rows=200)
    assert len(settled.asked) < 30
    assert settled.stopped == f"The API was down: down, {MASK}. Go on once it is up again."
    assert {str(row.status) for row in settled.rows.values()} == {"unknown"}


def test_failures_that_are_not_in_a_row_do_not_count_as_an_api_that_is_down(tmp_path: Path) -> None:
    replies = [says({}, 500), shows(MINE)] * 40
    settled = settle(tmp_path, *replies, rows=40)
    assert settled.stopped == ""
    assert len(settled.asked) > 60


# Credentials and stopping


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_is_renewed(tmp_path: Path, status: int) -> None:
    settled = settle(tmp_path, says({}, status), shows(MINE), keys=Keys(good=2))
    assert [token for _, _, token in settled.asked] == [f"{TOKEN}-1", f"{TOKEN}-2"]
    assert str(settled.row.status) == "created"


def test_refused_credentials_stop_the_asking(tmp_path: Path) -> None:
    settled = settle(tmp_path, says({"message": "No."}, 401), rows=50)
    assert settled.stopped == "The credentials are refused: No. Correct them."
    assert (settled.told, len(settled.asked) <= 3) == ([], True)


def test_a_sign_in_that_fails_is_a_reason_to_stop_and_no_more(tmp_path: Path) -> None:
    """A result is still to be written."""
    settled = settle(tmp_path, rows=5, keys=Keys(trouble=SignInError("Wrong secret. Correct it.")))
    assert (settled.stopped, settled.told) == ("Wrong secret. Correct it.", [])


def test_a_fault_of_ours_is_raised_once_all_have_stopped(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        settle(tmp_path, rows=5, keys=Keys(trouble=ZeroDivisionError()))


def test_who_is_told_to_stop_before_the_beginning_asks_nothing(tmp_path: Path) -> None:
    settled = settle(tmp_path, shows(MINE), rows=5, age=0, stop=lambda resolver: resolver.stop("Interrupted."))
    assert (settled.asked, settled.told, settled.stopped) == ([], [], "Interrupted.")


# A person's word


@pytest.mark.parametrize(
    ("action", "known", "word", "status", "record"),
    [
        (CREATE, "", "T7", Status.CREATED, "T7"),
        (CREATE, "", "", Status.CREATED, ""),
        (UPDATE, "T5", "", Status.UPDATED, "T5"),
        (UPDATE, "T5", "T7", Status.UPDATED, "T7"),
        (CREATE, "", None, Status.FAILED, ""),
        (UPDATE, "T5", None, Status.FAILED, "T5"),
    ],
)
def test_a_persons_word_counts(action: str, known: str, word: str | None, status: Status, record: str) -> None:
    row = Outcome("S", 2, Status.UNKNOWN, known, error="Silence.", attempts=1)
    settled = by_word(row, action, made=word is not None, record=word or "")
    assert (settled.status, settled.id, settled.attempts) == (status, record, 1)
    assert (settled.error == "") is (word is not None)
    assert "person said" in settled.error + settled.note
