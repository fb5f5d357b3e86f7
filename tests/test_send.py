"""What becomes of rows: in virtual time against a wire that says what it is told, and for real against the sandbox."""

import asyncio
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from bulkload.auth import Signed, SignIn
from bulkload.errors import BulkloadError, DiskError, SettingsError, SignInError, UnusableFile
from bulkload.journal import Intent, Journal, NewRow
from bulkload.models import MASK, Answer, HeadOnly, Lost, NotSent, Once, Outcome, Reply, Request, Status
from bulkload.openapi import open_api
from bulkload.resource import Api, Idempotency, Operation, Rate
from bulkload.sandbox import FAULTS, Fault, Sandbox
from bulkload.send import Limits, Sender
from bulkload.threads import INTERRUPTED, listen
from bulkload.transport import Transport
from bulkload.transport import Wire as WireSettings
from bulkload.underway import Outgoing
from tests.support import connection
from tests.virtual import NOON, clock, now, run
from tests.wire import dead_port

MAKE = Operation("make", "POST", "/things", record_id=("$response.body#/id",), message=("$response.body#/message",))
CHANGE = Operation("change", "PATCH", "/things/{id}", message=("$response.body#/message",))
CREATED, UPDATED, REJECTED = Status.CREATED, Status.UPDATED, Status.REJECTED
FAILED, UNKNOWN, NOT_SENT = Status.FAILED, Status.UNKNOWN, Status.NOT_SENT
REFUSED = NotSent("connection refused")
SHEET = "Things"
FAST = Limits(Rate(1000, 1.0), 4)
posix = pytest.mark.skipif(os.name != "posix", reason="Windows sends no signals of this kind")


def made(row: int) -> Answer:
    return Answer(201, {}, json.dumps({"id": f"id-{row}"}).encode())


def said(status: int, message: str = "", **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, names, json.dumps({"message": message}).encode() if message else b"")


@dataclass(frozen=True, slots=True)
class Went:
    """A request as the wire saw it: when, which row, and whether its intent stood in the journal."""

    time: float
    row: int
    intended: bool


class Wire:
    """Answers as `answer` says for row and try (from 1), after `latency` seconds; None: never.

    `lives` says how many requests each token is good for; those not named are good for ever.
    """

    def __init__(
        self,
        journal: Path,
        answer: Callable[[int, int], Reply | None],
        latency: Callable[[int], float],
        lives: dict[str, int],
        with_headers: Callable[[int, int, Mapping[str, str]], Reply] | None = None,
    ) -> None:
        self._with_headers = with_headers
        self.went: list[Went] = []
        self._journal = journal
        self._answer = answer
        self._latency = latency
        self._lives = lives

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Reply:
        row = int(path.rpartition("/")[2])
        intended = status_now(self._journal, row) == Status.SENDING
        self.went.append(Went(now(), row, intended))
        token = headers["Authorization"]
        self._lives[token] = self._lives.get(token, 1000) - 1
        tries = sum(one.row == row for one in self.went)
        answer = self._answer(row, tries) if self._lives[token] >= 0 else said(401)
        if self._with_headers:
            answer = self._with_headers(row, tries, headers)
        await asyncio.sleep(self._latency(row) if answer else 1e6)
        assert answer is not None
        return answer


class Keys:
    """Signs with a token that may be renewed; `refuse` makes sign-in fail from that call on."""

    def __init__(self, *, renewable: bool = True, refuse: int = 0, secrets: frozenset[str] = frozenset()) -> None:
        self.generation = 1
        self.renewals = 0
        self._calls = 0
        self._renewable = renewable
        self._refuse = refuse
        self._secrets = secrets

    async def sign(self, operation: Operation) -> Signed:
        self._calls += 1
        if self._refuse and self._calls >= self._refuse:
            raise SignInError("Wrong password.")
        return Signed({"Authorization": f"token-{self.generation}"}, (), self.generation)

    async def renew(self, seen: int) -> bool:
        await asyncio.sleep(0.5)
        if self._renewable and seen == self.generation:
            self.generation += 1
            self.renewals += 1
        return self._renewable

    def secrets(self) -> frozenset[str]:
        return self._secrets


@dataclass
class Sent:
    """All that there is to see of a sending."""

    outcomes: list[Outcome]
    counts: dict[Status, int]
    stored: dict[int, Outcome]
    went: list[Went]
    told: list[str]
    stopped: str
    seconds: float
    keys: Keys = field(default_factory=Keys)

    @property
    def tries(self) -> list[int]:
        """How often each row went out, by row."""
        count = Counter(one.row for one in self.went)
        return [count[row] for row in sorted(self.stored)]


def outgoing(row: int, **changes: Any) -> Outgoing:
    request = Request(SHEET, row, "create", "POST", f"/things/{row}", (), {}, {"name": f"Row {row}"}, **changes)
    return Outgoing(request, MAKE)


def begin(journal: Journal, rows: int) -> str:
    """A run of so many rows that are to be sent, 1 and up."""
    name = journal.begin(file="things.csv", sha256="", connection="test", target="test").id
    new = [NewRow(SHEET, row, "things", "create", NOT_SENT, fingerprint=f"{row}") for row in range(1, rows + 1)]
    journal.add(name, "test", new)
    return name


def status_now(journal: Path, row: int) -> str:
    """What anybody else sees in the journal at this moment."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as other:
        found = other.execute("SELECT status FROM rows WHERE row = ?", (row,)).fetchone()
    return str(found[0])


def send(
    folder: Path,
    answer: Callable[[int, int], Reply | None],
    rows: int = 100,
    limits: Limits = FAST,
    *,
    keys: Keys | None = None,
    batches: Iterator[list[Outgoing]] | None = None,
    meanwhile: Callable[[Sender], None] = lambda sender: None,
    latency: float = 0.01,
    slow: Mapping[int, float] = MappingProxyType({}),
    lives: dict[str, int] | None = None,
    kind: type[Journal] = Journal,
    with_headers: Callable[[int, int, Mapping[str, str]], Reply] | None = None,
) -> Sent:
    """Send so many rows in virtual time, and see that every one is accounted for and none went without an intent."""
    keys = keys or Keys()
    told: list[str] = []
    heard: list[Outcome] = []
    path = folder / "journal.sqlite"
    with kind(path) as journal:
        name = begin(journal, rows)
        wire = Wire(path, answer, lambda row: slow.get(row, latency), lives or {}, with_headers)

        async def work() -> tuple[str, float]:
            sender = Sender(name, journal, limits, told=told.append, clock=clock())
            meanwhile(sender)
            todo = batches or iter([[outgoing(row) for row in range(1, rows + 1)]])
            await sender.send(todo, wire, keys, heard.append)
            return sender.stopped, now()

        stopped, seconds = run(work())
        counts, stored = journal.counts(name), journal.outcomes(name, SHEET, 1, rows)
    assert all(one.intended for one in wire.went)
    assert sum(counts.values()) == rows
    for one in heard:
        assert stored[one.row]._replace(time=None) == one
    return Sent(heard, counts, stored, wire.went, told, stopped, seconds, keys)


# Rows and their answers


def test_all_good(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: made(row))
    assert sent.counts == {CREATED: 100}
    assert {one.row: one.id for one in sent.outcomes} == {row: f"id-{row}" for row in range(1, 101)}
    assert (sent.tries, sent.stopped, sent.told) == ([1] * 100, "", [])


def test_half_rejected(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: made(row) if row % 2 else said(422, "Name is taken."))
    assert sent.counts == {CREATED: 50, REJECTED: 50}
    rejected = next(one for one in sent.outcomes if one.row == 2)
    assert (rejected.error, rejected.http_status, rejected.attempts) == ("Name is taken.", 422, 1)


def test_lost_answers_are_unknown_and_never_sent_again(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: Lost("no answer within 60 s") if row % 10 == 0 else made(row))
    assert sent.counts == {CREATED: 90, UNKNOWN: 10}
    assert sent.tries == [1] * 100
    assert sent.stored[10].error == "No answer within 60 s. It may exist."


def test_an_update_keeps_its_id_and_speaks_of_doing(tmp_path: Path) -> None:
    """What the API says of an ID, or leaves unsaid, is no news then."""

    def update(row: int) -> Outgoing:
        request = replace(outgoing(row).request, action="update", method="PATCH", body=None)
        return Outgoing(request, replace(CHANGE, record_id=("$response.body#/id",)), record=f"rec-{row}")

    answers: dict[int, Reply] = {1: made(9), 2: said(200), 3: Lost("cut"), 4: HeadOnly(200, {}, "cut")}
    sent = send(tmp_path, lambda row, _: answers[row], rows=4, batches=iter([[update(row)] for row in range(1, 5)]))
    assert [(one.status, one.id, one.error, one.note) for one in sent.stored.values()] == [
        (UPDATED, "rec-1", "", ""),
        (UPDATED, "rec-2", "", ""),
        (UNKNOWN, "rec-3", "Cut. It may have been done.", ""),
        (UPDATED, "rec-4", "", ""),
    ]


def test_what_was_not_processed_goes_out_three_times_at_most(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, tries: made(row) if tries > 2 and row == 1 else REFUSED, rows=2)
    assert [(one.status, one.attempts, one.error) for one in sent.stored.values()] == [
        (CREATED, 3, ""),
        (FAILED, 3, "Connection refused"),
    ]
    assert sent.seconds == pytest.approx(0.5 + 1.0, abs=0.1)


def test_a_row_that_waits_is_not_in_flight(tmp_path: Path) -> None:
    """Killed while it waits, it is not sent, and not unknown."""
    seen: list[str] = []
    path = tmp_path / "journal.sqlite"

    def look(_: Sender) -> None:
        asyncio.get_running_loop().call_later(15.0, lambda: seen.append(status_now(path, 1)))

    sent = send(tmp_path, lambda row, t: made(row) if t > 1 else said(429, retry_after="30"), rows=1, meanwhile=look)
    assert (seen, sent.counts, sent.stored[1].attempts) == ([NOT_SENT], {CREATED: 1}, 2)


def test_batches_are_read_one_after_the_other_and_may_be_empty(tmp_path: Path) -> None:
    batches = iter([[], [outgoing(1), outgoing(2)], [], [outgoing(3)], []])
    assert send(tmp_path, lambda row, _: made(row), rows=3, batches=batches).counts == {CREATED: 3}


# Idempotency keys

HOUR = replace(MAKE, idempotency=Idempotency("Idempotency-Key", 3600.0))


class Replaying:
    """Does what it is told only once for each key, as `answer` says for row and try; None: the work, and no answer."""

    def __init__(self, answer: Callable[[int, int], Reply]) -> None:
        self.keys: dict[int, list[str]] = {}
        self.made: Counter[str] = Counter()
        self._answer = answer

    def __call__(self, row: int, tries: int, headers: Mapping[str, str]) -> Reply:
        key = headers["Idempotency-Key"]
        self.keys.setdefault(row, []).append(key)
        answer = self._answer(row, tries)
        # Lost answers are those of work that was done.
        if isinstance(answer, Lost) or (isinstance(answer, Answer) and answer.status == 201):
            self.made[key] = 1
        return answer


def keyed(
    folder: Path, answer: Callable[[int, int], Reply], rows: int = 1, *, operation: Operation = HOUR, **changes: Any
) -> tuple[Sent, Replaying]:
    """Send rows to an API that knows keys."""
    api = Replaying(answer)
    batches = iter([[replace(outgoing(row), operation=operation, **changes) for row in range(1, rows + 1)]])
    return send(folder, answer, rows, batches=batches, with_headers=api), api


def test_a_lost_answer_is_asked_for_again_with_the_same_key(tmp_path: Path) -> None:
    sent, api = keyed(tmp_path, lambda row, tries: Lost("cut") if tries == 1 else made(row), rows=8)
    assert (sent.counts, sent.tries) == ({CREATED: 8}, [2] * 8)
    assert all(first == second for first, second in api.keys.values())
    assert len({keys[0] for keys in api.keys.values()}) == 8


@pytest.mark.parametrize("last", [said(429), said(422), said(409), said(401), said(404), said(403), REFUSED, said(500)])
def test_after_a_lost_answer_only_done_says_what_became_of_a_row(tmp_path: Path, last: Reply) -> None:
    sent, _ = keyed(tmp_path, lambda row, tries: Lost("cut") if tries == 1 else last)
    assert sent.counts == {UNKNOWN: 1}
    assert sent.outcomes[-1].status is UNKNOWN


def test_what_is_accepted_is_not_sent_again_nor_what_has_no_key(tmp_path: Path) -> None:
    assert keyed(tmp_path, lambda row, _: said(202))[0].tries == [1]
    sent = send(_folder(tmp_path), lambda row, _: Lost("cut"), rows=1)
    assert (sent.tries, sent.counts) == ([1], {UNKNOWN: 1})


def test_a_row_that_may_be_done_stays_so_while_it_waits_and_when_the_run_stops(tmp_path: Path) -> None:
    sent, _ = keyed(tmp_path, lambda row, tries: Lost("cut") if tries == 1 else said(503, retry_after="1000"))
    assert (sent.counts, [one.status for one in sent.outcomes]) == ({UNKNOWN: 1}, [UNKNOWN])
    assert sent.stopped.startswith("The API asks to wait until")


def test_no_row_goes_again_with_a_key_that_the_api_may_have_forgotten(tmp_path: Path) -> None:
    """So long before its end that the request arrives in time."""
    short = replace(MAKE, idempotency=Idempotency("Idempotency-Key", FAST.deadline + 100.0))
    answers: dict[int, Reply] = {1: Lost("cut"), 2: said(503, retry_after="101")}
    sent, _ = keyed(tmp_path, lambda row, tries: answers[tries], rows=1, operation=short)
    assert (sent.counts, sent.tries, sent.stopped) == ({UNKNOWN: 1}, [2], "")
    assert [one.status for one in sent.outcomes] == [UNKNOWN]


def test_where_nothing_was_done_a_dead_key_is_followed_by_a_new_one(tmp_path: Path) -> None:
    short = replace(MAKE, idempotency=Idempotency("Idempotency-Key", FAST.deadline + 100.0))
    sent, api = keyed(
        tmp_path, lambda row, tries: made(row) if tries > 1 else said(503, retry_after="101"), operation=short
    )
    assert sent.counts == {CREATED: 1}
    assert len(set(api.keys[1])) == 2


@pytest.mark.parametrize(("left", "tries"), [(10.0, 1), (0.0, 0), (-10.0, 0)])
def test_an_unknown_row_goes_with_the_key_that_it_had_or_not_at_all(tmp_path: Path, left: float, tries: int) -> None:
    once = Once("the-key", NOON + timedelta(seconds=left))
    with Journal(tmp_path / "journal.sqlite") as journal:
        name = begin(journal, 1)
        journal.write(name, [(SHEET, 1, once)], [])
        journal.write(name, [], [Outcome(SHEET, 1, UNKNOWN)])
        api = Replaying(lambda row, _: made(row))
        wire = Wire(journal.path, lambda row, _: made(row), lambda _: 0.0, {}, api)
        again = replace(outgoing(1), operation=HOUR, once=once, unsure=True)

        async def work() -> None:
            await Sender(name, journal, FAST, clock=clock()).send(iter([[again]]), wire, Keys(), lambda _: None)

        run(work())
        assert journal.counts(name) == ({CREATED: 1} if tries else {UNKNOWN: 1})
    assert api.keys.get(1, []) == ["the-key"] * tries


def test_an_unknown_row_that_a_stop_holds_back_stays_unknown(tmp_path: Path) -> None:
    once = Once("the-key", NOON + timedelta(seconds=10.0))
    with Stopping(tmp_path / "journal.sqlite") as journal:
        name = begin(journal, 1)
        journal.write(name, [], [Outcome(SHEET, 1, UNKNOWN)])
        with closing(sqlite3.connect(journal.path)) as db, db:
            db.execute("UPDATE rows SET once = 'the-key'")
        again = replace(outgoing(1), operation=HOUR, once=once, unsure=True)

        async def work() -> None:
            Stopping.sender = Sender(name, journal, FAST, clock=clock())
            wire = Wire(journal.path, lambda row, _: None, lambda _: 0.0, {})
            await Stopping.sender.send(iter([[again]]), wire, Keys(), lambda _: None)

        run(work())
        (outcome,) = journal.outcomes(name, SHEET, 1, 1).values()
    assert (outcome.status, outcome.error) == (
        UNKNOWN,
        "Sent before, and no usable answer came. It may exist.",
    )


# Waiting


def test_no_request_goes_out_before_a_wait_ends(tmp_path: Path) -> None:
    asked: list[float] = []

    def answer(row: int, tries: int) -> Reply:
        if row % 40 or tries > 1:
            return made(row)
        asked.append(now() + 0.01)
        return said(429, retry_after="20")

    sent = send(tmp_path, answer, rows=200, limits=replace(FAST, concurrency=16))
    assert sent.counts == {CREATED: 200}
    assert len(asked) == 5
    for moment in asked:
        assert not [one for one in sent.went if moment < one.time < moment + 20.0 - 1e-6]
    assert [line[:32] for line in sent.told] == ["The API asks to wait 20 s, until"] * 5


def test_waits_that_were_asked_for_cost_no_tries_and_end_after_15_minutes(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: said(503, retry_after="100"), rows=10, limits=replace(FAST, concurrency=1))
    assert (sent.counts, sent.tries, sent.outcomes) == ({NOT_SENT: 10}, [10] + [0] * 9, [])
    assert sent.stopped == "The API asks to wait until 2025-03-01 12:16:40. Go on after that."
    assert sent.stored[1].error == "HTTP 503 Service Unavailable"


def test_an_api_that_is_down_from_the_start(tmp_path: Path) -> None:
    """At once it is said; after 10 minutes the run stops, and rows that only waited are not sent."""
    sent = send(tmp_path, lambda row, _: REFUSED)
    assert sent.counts == {FAILED: 4, NOT_SENT: 96}
    # Retries wait for their share, and what is due within a hundredth of a second goes out together: two more with the
    # 20th. From when that failed, at 10.521 s, the waits of 30 s count.
    before = [0.0] * 4 + [0.51] * 4 + [1.52] * 4 + [1.53] * 4 + [2.04] * 2 + [10.511] * (2 + 2)
    assert [round(one.time, 3) for one in sent.went] == before + [round(10.521 + 30 * n, 3) for n in range(1, 20)]
    assert sent.told == ["The API is down: Connection refused. One row is tried every 30 s until 2025-03-01 12:10:10."]
    assert sent.stopped == "The API was down for 10 minutes: Connection refused. Go on once it is up again."
    assert sent.seconds == pytest.approx(10.521 + 600.0)


def test_how_long_to_wait_for_an_api_can_be_said(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: REFUSED, limits=replace(FAST, wait_for_api=60.0))
    assert 60.0 < sent.seconds < 71.0


def test_an_api_that_goes_down_half_way_and_comes_back(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: REFUSED if 0.1 < now() < 100.0 else made(row))
    assert sent.counts == {CREATED: 96, FAILED: 4}
    assert (len(sent.told), sent.told[-1], sent.stopped) == (2, "The API is up again.", "")
    assert 100.0 < sent.seconds < 135.0


def test_an_api_whose_proxy_says_502_makes_no_file_of_unknown_rows(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: said(502))
    assert sent.counts == {UNKNOWN: 20 + 3 + 19, NOT_SENT: 58}


def test_an_api_that_confirms_nothing_is_not_down(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: said(202))
    assert (sent.counts, sent.told) == ({UNKNOWN: 100}, [])


def test_retries_are_a_tenth_of_the_requests_and_rows_wait_for_that(tmp_path: Path) -> None:
    """Where every other row needs a second try, it waits for its share and does not fail."""
    sent = send(tmp_path, lambda row, tries: REFUSED if row % 2 and tries == 1 else made(row), rows=60)
    assert sent.counts == {CREATED: 60}
    retries = sorted(one.time for nth, one in enumerate(sent.went) if one.row in {w.row for w in sent.went[:nth]})
    assert len(retries) == 30
    assert all(later - first >= 10.0 - 1e-6 for first, later in zip(retries, retries[10:], strict=False))


def test_the_set_rate_holds(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: made(row), limits=replace(FAST, rate=Rate(50, 1.0), concurrency=16))
    assert all(later.time - first.time >= 0.02 - 1e-6 for first, later in pairwise(sent.went))
    assert sent.seconds == pytest.approx(99 * 0.02, abs=0.05)


# Credentials


def test_a_token_that_runs_out_half_way_is_renewed_once_for_all(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: made(row), limits=replace(FAST, concurrency=16), lives={"token-1": 50})
    assert (sent.counts, sent.keys.renewals, sent.stopped) == ({CREATED: 100}, 1, "")
    assert max(sent.tries) == 2


def test_a_token_that_served_others_and_ran_out_again_is_renewed_again(tmp_path: Path) -> None:
    """A row may meet that twice; it is no proof that the credentials are wrong."""
    lives = {"token-1": 20, "token-2": 5}
    sent = send(tmp_path, lambda row, _: made(row), limits=replace(FAST, concurrency=16), lives=lives)
    assert (sent.counts, sent.keys.renewals, sent.stopped) == ({CREATED: 100}, 2, "")


@pytest.mark.parametrize(("renewable", "tries", "renewals"), [(True, 2, 1), (False, 1, 0)])
def test_credentials_that_are_refused_after_renewal_stop_the_run(
    tmp_path: Path, renewable: bool, tries: int, renewals: int
) -> None:
    keys = Keys(renewable=renewable)
    sent = send(tmp_path, lambda row, _: said(401, "Bad token."), limits=replace(FAST, concurrency=1), keys=keys)
    assert (sent.counts, sent.tries[:2]) == ({FAILED: 1, NOT_SENT: 99}, [tries, 0])
    assert sent.keys.renewals == renewals
    assert sent.stopped == "The credentials are refused: Bad token. Correct them."


def test_a_row_that_alone_is_refused_ends_the_run_though_others_pass(tmp_path: Path) -> None:
    limits = replace(FAST, rate=Rate(10, 1.0))
    sent = send(tmp_path, lambda row, _: said(401) if row == 50 else made(row), limits=limits, slow={50: 1.0})
    assert (sent.stored[50].status, sent.stored[50].attempts) == (FAILED, 3)
    assert sent.stopped.startswith("The credentials are refused: ")


def test_other_statuses_may_mean_an_old_token(tmp_path: Path) -> None:
    limits = replace(FAST, renew_on=frozenset({401, 403}))
    sent = send(tmp_path, lambda row, tries: made(row) if tries > 1 else said(403), rows=4, limits=limits)
    assert (sent.counts, sent.keys.renewals) == ({CREATED: 4}, 1)


def test_no_token_is_asked_for_once_the_run_stopped(tmp_path: Path) -> None:
    def stop(sender: Sender) -> None:
        asyncio.get_running_loop().call_later(0.005, sender.stop, "Enough.")

    sent = send(tmp_path, lambda row, _: said(401), rows=4, meanwhile=stop)
    assert (sent.counts, sent.keys.renewals) == ({NOT_SENT: 4}, 0)


def test_sign_in_that_fails_before_any_row_is_raised(tmp_path: Path) -> None:
    with pytest.raises(SignInError, match="Wrong password"):
        send(tmp_path, lambda row, _: made(row), keys=Keys(refuse=1))


def test_sign_in_that_fails_later_stops_the_run(tmp_path: Path) -> None:
    limits = replace(FAST, rate=Rate(50, 1.0))
    sent = send(tmp_path, lambda row, _: made(row), limits=limits, keys=Keys(refuse=51))
    assert (sent.counts, sent.stopped) == ({CREATED: 50, NOT_SENT: 50}, "Wrong password.")


# Where sending on would only repeat a failure


def test_a_redirect_stops_the_run_and_shows_the_address(tmp_path: Path) -> None:
    answer = said(302, location="https://elsewhere.example/")
    sent = send(tmp_path, lambda row, _: answer, limits=replace(FAST, concurrency=1))
    assert sent.counts == {FAILED: 1, NOT_SENT: 99}
    address = "HTTP 302 Found: the API points to https://elsewhere.example/"
    assert sent.stopped == f"The API is not at this address: {address}. Correct base_url."


@pytest.mark.parametrize("status", [402, 403, 407])
def test_no_access_20_times_in_a_row_stops_the_run(tmp_path: Path, status: int) -> None:
    limits = replace(FAST, concurrency=1)
    sent = send(tmp_path, lambda row, _: made(row) if row == 19 else said(status, "No access."), limits=limits)
    assert sent.counts == {CREATED: 1, REJECTED: 18 + 20, NOT_SENT: 61}
    assert sent.stopped == "Access was refused for 20 rows in a row: No access. Correct the permissions."


@pytest.mark.parametrize(("rows", "sent_rows"), [(100, 20), (20, 20), (3, 3), (1, 1)])
def test_404_for_every_one_of_the_first_rows_is_a_wrong_address(tmp_path: Path, rows: int, sent_rows: int) -> None:
    sent = send(tmp_path, lambda row, _: said(404), rows=rows, limits=replace(FAST, concurrency=1))
    assert {REJECTED: sent_rows, NOT_SENT: rows - sent_rows} == {NOT_SENT: 0, **sent.counts}
    assert sent.stopped.startswith("The API answered «404 Not Found» to every row: base_url or a setting is wrong.")


def test_404_for_some_rows_is_about_those_rows(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: made(row) if row == 3 else said(404))
    assert (sent.counts, sent.stopped) == ({CREATED: 1, REJECTED: 99}, "")


def test_so_many_rejected_rows_may_stop_the_run(tmp_path: Path) -> None:
    limits = replace(FAST, stop_after=5, concurrency=1)
    sent = send(tmp_path, lambda row, _: made(row) if row % 2 else said(422), limits=limits)
    assert sent.counts == {CREATED: 5, REJECTED: 5, NOT_SENT: 90}
    assert sent.stopped == "5 rows were rejected, as many as --stop-after allows."


@pytest.mark.parametrize("limit", [0, 1, 10, 100, 200])
def test_a_canary_sends_the_first_rows_only(tmp_path: Path, limit: int) -> None:
    sent = send(tmp_path, lambda row, _: made(row), limits=replace(FAST, limit=limit, concurrency=16))
    assert sorted(one.row for one in sent.went) == list(range(1, min(limit, 100) + 1))
    assert sent.stopped == ""


# Trouble of our own


class FullDisk(Journal):
    """Its disk is full from the 11th write on; what was written stays."""

    writes = 0

    def write(self, run: str, intents: Sequence[Intent], outcomes: Sequence[Outcome]) -> None:
        self.writes += 1
        if self.writes > 10:
            raise DiskError("The disk is full.")
        super().write(run, intents, outcomes)


class NoOutcome(Journal):
    """Its disk takes intents, and no outcome."""

    def write(self, run: str, intents: Sequence[Intent], outcomes: Sequence[Outcome]) -> None:
        if outcomes:
            raise DiskError("The disk is full.")
        super().write(run, intents, outcomes)


@pytest.mark.parametrize("latency", [0.001, 0.01])
@pytest.mark.parametrize("workers", [1, 4])
def test_a_full_disk_stops_the_sending_before_the_next_row(tmp_path: Path, workers: int, latency: float) -> None:
    """What was recorded stays so, and what went out without an outcome is unknown."""
    went: list[int] = []

    def answer(row: int, tries: int) -> Reply:
        went.append(row)
        return made(row)

    with pytest.raises(DiskError, match="full"):
        send(tmp_path, answer, limits=replace(FAST, concurrency=workers), kind=FullDisk, latency=latency)
    with Journal(tmp_path / "journal.sqlite") as journal:
        counts = journal.counts(journal.run().id)
    assert len(went) == len(set(went)) == counts[CREATED] + counts.get(UNKNOWN, 0)
    assert counts.get(UNKNOWN, 0) <= workers
    assert sum(counts.values()) == 100


def test_a_full_disk_weighs_more_than_a_failed_sign_in(tmp_path: Path) -> None:
    """The rows in flight can't be recorded any more, and that is what the person must know."""
    with pytest.raises(DiskError, match="full"):
        send(tmp_path, lambda row, _: made(row), keys=Keys(refuse=9), kind=NoOutcome, latency=1.0)


@pytest.mark.parametrize("error", [UnusableFile("Gone."), SettingsError("Gone.")])
def test_a_file_that_can_not_be_read_on_stops_the_run(tmp_path: Path, error: BulkloadError) -> None:
    def batches(first: list[Outgoing]) -> Iterator[list[Outgoing]]:
        yield first
        raise error

    limits = replace(FAST, concurrency=1)
    sent = send(tmp_path, lambda row, _: made(row), limits=limits, batches=batches([outgoing(1), outgoing(2)]))
    assert (sent.counts, sent.stopped) == ({CREATED: 2, NOT_SENT: 98}, "Gone.")
    with pytest.raises(type(error), match="Gone"):
        send(_folder(tmp_path), lambda row, _: made(row), batches=batches([]))


def test_what_a_stop_brings_down_is_no_news(tmp_path: Path) -> None:
    """Ctrl-C reaches the child that reads the file, too."""

    def batches() -> Iterator[list[Outgoing]]:
        stop[0].stop(INTERRUPTED)
        raise UnusableFile("The reader was killed.")
        yield []

    stop: list[Sender] = []
    sent = send(tmp_path, lambda row, _: made(row), batches=batches(), meanwhile=stop.append)
    assert (sent.counts, sent.stopped) == ({NOT_SENT: 100}, INTERRUPTED)


def test_a_fault_of_ours_lets_the_rows_in_flight_end_and_is_raised(tmp_path: Path) -> None:
    def batches() -> Iterator[list[Outgoing]]:
        yield [outgoing(row) for row in range(1, 11)]
        raise RuntimeError("a bug")

    # Whoever had row 7 or 8 asks for more, and meets the bug, while rows 9 and 10 have been on their way for a second.
    with pytest.raises(RuntimeError, match="a bug"):
        send(tmp_path, lambda row, _: made(row), batches=batches(), latency=5.0, slow={7: 6.0, 8: 6.0})
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.counts(journal.run().id) == {CREATED: 10, NOT_SENT: 90}


# Stopping


def test_a_stop_sends_no_new_row_and_waits_for_those_in_flight(tmp_path: Path) -> None:
    def stop(sender: Sender) -> None:
        asyncio.get_running_loop().call_later(12.0, sender.stop, INTERRUPTED)

    sent = send(tmp_path, lambda row, _: made(row), meanwhile=stop, latency=5.0)
    assert (sent.counts, sent.stopped) == ({CREATED: 12, NOT_SENT: 88}, INTERRUPTED)
    assert max(one.time for one in sent.went) <= 12.0
    assert 15.0 <= sent.seconds < 15.1


def test_rows_in_flight_have_30_seconds_after_a_stop(tmp_path: Path) -> None:
    def stop(sender: Sender) -> None:
        asyncio.get_running_loop().call_later(5.0, sender.stop, INTERRUPTED)

    sent = send(tmp_path, lambda row, _: made(row) if row == 1 else None, meanwhile=stop)
    assert (sent.counts, sent.seconds) == ({CREATED: 1, UNKNOWN: 4, NOT_SENT: 95}, 35.0)
    assert sent.stored[2].error == "Sent, but the program was cut off before an answer came: it may exist."


def test_rows_that_are_abandoned_are_unknown_at_once(tmp_path: Path) -> None:
    def leave(sender: Sender) -> None:
        asyncio.get_running_loop().call_later(5.0, sender.stop, INTERRUPTED)
        asyncio.get_running_loop().call_later(6.0, sender.abandon)

    sent = send(tmp_path, lambda row, _: None, meanwhile=leave)
    assert (sent.counts, sent.seconds) == ({UNKNOWN: 4, NOT_SENT: 96}, 6.0)


def test_whoever_cancels_the_sending_finds_it_cancelled(tmp_path: Path) -> None:
    def cancel(_: Sender) -> None:
        task = asyncio.current_task()
        assert task
        asyncio.get_running_loop().call_later(1.0, task.cancel)

    with pytest.raises(asyncio.CancelledError):
        send(tmp_path, lambda row, _: None, meanwhile=cancel)


def test_a_stop_before_the_beginning_sends_nothing(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: made(row), meanwhile=lambda sender: sender.stop("Not today."))
    assert (sent.counts, sent.went, sent.stopped) == ({NOT_SENT: 100}, [], "Not today.")


class Stopping(Journal):
    """Somebody stops the run while an intent is being written."""

    sender: Sender

    def write(self, run: str, intents: Sequence[Intent], outcomes: Sequence[Outcome]) -> None:
        super().write(run, intents, outcomes)
        if intents:
            Stopping.sender.stop(INTERRUPTED)


def test_a_stop_between_intent_and_request_takes_the_intent_back(tmp_path: Path) -> None:
    sent = send(
        tmp_path, lambda row, _: made(row), kind=Stopping, meanwhile=lambda sender: setattr(Stopping, "sender", sender)
    )
    assert (sent.counts, sent.went) == ({NOT_SENT: 100}, [])


# Secrets


def test_no_secret_gets_into_outcome_or_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither one of the connection nor one of the row; not half of one either, where a message is cut."""
    own, rows = "tok-9f3b/äöü", "pin-12345678"
    words = f"{'x' * 480} {rows} {own} refused"
    answers: dict[int, Reply] = {
        1: said(422, words, x_request_id=own),
        2: Answer(201, {}, json.dumps({"id": f"a{own}"}).encode()),
        3: HeadOnly(201, {}, f"cut at {own}"),
        4: Lost(f"lost {rows}"),
        5: said(429, own),
    }
    keys = Keys(secrets=frozenset({own}))
    with caplog.at_level(logging.DEBUG, logger="bulkload"):
        batches = iter([[outgoing(row, secrets=(rows,)) for row in answers]])
        sent = send(tmp_path, lambda row, _: answers[row], rows=5, batches=batches, keys=keys)
    assert [(one.status, one.id) for one in sent.stored.values()] == [
        (REJECTED, ""), (CREATED, f"a{MASK}"), (CREATED, ""), (UNKNOWN, ""), (FAILED, ""),
    ]  # fmt: skip
    assert sent.stored[1].error == f"{'x' * 480} {MASK} {MASK} refu…"
    shown = f"{sent} {caplog.text} {(tmp_path / 'journal.sqlite').read_bytes()!r}"
    assert not [secret for secret in (own, rows, "pin-", "tok-") if secret in shown]
    assert "Things row 1: POST /things/1: refused (422, xxx" in caplog.text


def test_the_apis_words_stand_on_one_line(tmp_path: Path) -> None:
    sent = send(tmp_path, lambda row, _: said(422, "Name:\n\t taken\u0007\u2028 already"), rows=1)
    assert sent.stored[1].error == "Name: taken already"


def test_an_id_is_not_spoilt_by_a_short_secret_that_it_happens_to_hold(tmp_path: Path) -> None:
    """A PIN of four digits stands in one of some hundred IDs."""
    ids = {1: "5123499", 2: "1234", 3: "x-password-1"}
    batches = iter([[outgoing(row, secrets=("1234", "password")) for row in ids]])
    sent = send(tmp_path, lambda row, _: Answer(201, {}, json.dumps({"id": ids[row]}).encode()), 3, batches=batches)
    assert [one.id for one in sent.stored.values()] == ["5123499", MASK, f"x-{MASK}-1"]


# For real


CINNOX, AICC = open_api("cinnox"), open_api("aicc")


@dataclass
class Done:
    """What a sending to the sandbox gave."""

    counts: dict[Status, int]
    ids: dict[int, str]
    stopped: str


def destination(number: int) -> dict[str, Any]:
    return {
        "displayName": f"Row {number}",
        "supportLanguages": ["*"],
        "supportLocations": ["*"],
        "types": ["STAFF"],
        "staffTargets": ["1"],
    }


def bodies(api: Api, sandbox: Sandbox, rows: int) -> list[Outgoing]:
    """Rows for a resource of the API: destinations or agent settings."""
    if api is CINNOX:
        path = f"/v1/api/apps/{sandbox.settings(api)['appID']}/destination"
        operation = api.resources["destination"].create
    else:
        operation = api.resources["agent-settings"].create
        path = operation.path
    values = {row: destination(row) if api is CINNOX else {"userId": f"u{row}"} for row in range(1, rows + 1)}
    kind = {"Content-Type": "application/json"}
    return [
        Outgoing(Request(SHEET, row, "create", "POST", path, (), kind, body), operation) for row, body in values.items()
    ]


def deliver(
    folder: Path,
    sandbox: Sandbox,
    api: Api,
    rows: int,
    limits: Limits,
    base_url: str = "",
    *,
    journals: type[Journal] = Journal,
    senders: type[Sender] = Sender,
) -> Done:
    """Send rows to the sandbox as the program does, in a thread beside this one."""
    there = connection(sandbox, api)
    with journals(folder / "journal.sqlite") as journal:
        name = begin(journal, rows)
        sender = senders(name, journal, limits)

        def transport(url: str) -> Transport:
            return Transport(WireSettings(url, deadline=5.0, in_flight=limits.concurrency))

        async def start(tell: Callable[[Outcome], None]) -> None:
            sign_in = SignIn(api, there, transport)
            async with transport(base_url or there.base_url) as wire:
                await sender.send(iter([bodies(api, sandbox, rows)]), wire, sign_in, tell)

        heard = list(listen(start, sender))
        counts = journal.counts(name)
    assert Counter(one.status for one in heard) == {s: n for s, n in counts.items() if s is not NOT_SENT}
    return Done(counts, {one.row: one.id for one in heard if one.status is CREATED}, sender.stopped)


# Of 20 rows, where every tenth request meets the fault: what is told, and how many records there are then.
REAL: dict[str, tuple[dict[Status, int], int]] = {
    "lost": ({CREATED: 18, UNKNOWN: 2}, 20),
    "reset": ({CREATED: 18, UNKNOWN: 2}, 18),
    "reset-after": ({CREATED: 18, UNKNOWN: 2}, 20),
    "429": ({CREATED: 20}, 20),
    "429-date": ({CREATED: 20}, 20),
    "503": ({CREATED: 20}, 20),
    "500": ({CREATED: 18, UNKNOWN: 2}, 18),
    "500-after": ({CREATED: 18, UNKNOWN: 2}, 20),
    "slow": ({CREATED: 20}, 20),
    "html": ({CREATED: 18, UNKNOWN: 2}, 20),
    "empty": ({CREATED: 18, UNKNOWN: 2}, 20),
    "duplicate": ({CREATED: 20}, 20),
}


@pytest.mark.parametrize("name", REAL)
def test_each_fault_of_the_sandbox(tmp_path: Path, name: str) -> None:
    counts, records = REAL[name]
    with Sandbox([CINNOX], [Fault(name, 10, seconds=0.5)]) as sandbox:
        done = deliver(tmp_path, sandbox, CINNOX, 20, FAST)
        held = sandbox.records("cinnox/destination")
    assert (done.counts, done.stopped) == (counts, "")
    assert len(held) == records == len({record["body"]["displayName"] for record in held})
    by_id = {record["id"]: record["body"]["displayName"] for record in held}
    assert {row: by_id[record] for row, record in done.ids.items()} == {row: f"Row {row}" for row in done.ids}


def test_every_fault_of_the_sandbox_is_tested() -> None:
    assert {*REAL, "expired"} == set(FAULTS)


def test_each_expiry_costs_one_token_call_over_16_workers(tmp_path: Path) -> None:
    with Sandbox([AICC], [Fault("expired", 50)]) as sandbox:
        done = deliver(tmp_path, sandbox, AICC, 150, replace(FAST, concurrency=16))
        arrived = sandbox.requests
        held = sandbox.records("aicc/agent-settings")
    assert (done.counts, done.stopped, len(held)) == ({CREATED: 150}, "", 150)
    calls = sum(one.path.endswith("/tokenByAkSk") for one in arrived)
    assert calls == 1 + sum(one.fault == "expired" for one in arrived)


def test_a_port_where_nobody_listens(tmp_path: Path) -> None:
    with Sandbox([CINNOX]) as sandbox, dead_port() as port:
        done = deliver(tmp_path, sandbox, CINNOX, 2, FAST, f"http://127.0.0.1:{port}")
    assert (done.counts, done.stopped) == ({FAILED: 2}, "")


# Signals, for real

PROGRAM = """
import sys, time
from pathlib import Path
from bulkload.journal import Journal
from bulkload.sandbox import Sandbox
from bulkload.send import Sender
from tests import test_send

class Saying(Sender):
    def stop(self, why):
        super().stop(why)
        if why == test_send.INTERRUPTED:
            print("stopping", flush=True)

class Hanging(Journal):
    "Its disk hangs in the midst of a commit, once 20 rows are under way or done."
    intents = 0
    def write(self, run, intents, outcomes):
        self.intents += len(intents)
        if self.intents > 20:
            self._db.create_function("hang", 0, lambda: print("hangs", flush=True) or time.sleep(60))
            with self._transaction():
                self._db.execute("SELECT hang()").fetchall()
        super().write(run, intents, outcomes)

class There(Sandbox):
    def base_url(self, api): return sys.argv[2]
    def credentials(self, api): return {"token": sys.argv[3]}

try:
    done = test_send.deliver(
        Path(sys.argv[1]), There([test_send.CINNOX]), test_send.CINNOX, 400, test_send.FAST,
        journals=Hanging if "hang" in sys.argv else Journal, senders=Saying,
    )
except KeyboardInterrupt:
    print("left", flush=True)
else:
    print(done.stopped, flush=True)
"""


@contextmanager
def sending(folder: Path, fault: Fault, *words: str) -> Iterator[tuple[subprocess.Popen[str], Sandbox]]:
    """Another process that sends rows to a sandbox in this one, once the first ten have arrived.

    It says when it was told to stop and, where the word "hang" lets its disk hang, when that happened.
    """
    with Sandbox([CINNOX], [fault]) as sandbox:
        there = (sandbox.base_url("cinnox"), sandbox.credentials(CINNOX)["token"])
        command = [sys.executable, "-c", PROGRAM, str(folder), *there, *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            try:
                deadline = time.monotonic() + 60.0
                while len(sandbox.requests) < 10 and child.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.01)
                yield child, sandbox
            finally:
                child.kill()


def line(child: "subprocess.Popen[str]") -> str:
    assert child.stdout
    return child.stdout.readline()


def counted(folder: Path) -> dict[Status, int]:
    with Journal(folder / "journal.sqlite") as journal:
        return journal.counts(journal.run().id)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_lets_the_rows_in_flight_end(tmp_path: Path, number: signal.Signals) -> None:
    with sending(tmp_path, Fault("slow", 1, seconds=0.4)) as (child, sandbox):
        child.send_signal(number)
        assert line(child) == "stopping\n"
        time.sleep(0.1)
        before = len(sandbox.requests)
        assert child.communicate(timeout=20)[0] == f"{INTERRUPTED}\n"
        assert child.returncode == 0
        assert len(sandbox.requests) == before
    assert counted(tmp_path) == {CREATED: before, NOT_SENT: 400 - before}


@posix
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_leaves_at_once(tmp_path: Path, second: signal.Signals) -> None:
    """Rows in flight are unknown then."""
    with sending(tmp_path, Fault("slow", 10, seconds=25.0)) as (child, sandbox):
        slow = sandbox.requests[9]
        child.send_signal(signal.SIGINT)
        assert line(child) == "stopping\n"
        child.send_signal(second)
        begun = time.monotonic()
        assert child.communicate(timeout=20)[0] == "left\n"
        assert time.monotonic() - begun < 15.0
        assert slow.fault == "slow"
    counts = counted(tmp_path)
    # The slow one, and whatever else was under way at that moment.
    assert 1 <= counts[UNKNOWN] <= FAST.concurrency
    assert counts[CREATED] + counts[UNKNOWN] >= len(sandbox.requests)


@posix
def test_the_second_signal_leaves_at_once_though_the_disk_hangs(tmp_path: Path) -> None:
    """In the midst of a commit, which is waited for no longer than anything else."""
    with sending(tmp_path, Fault("slow", 1000), "hang") as (child, sandbox):
        assert line(child) == "hangs\n"
        child.send_signal(signal.SIGINT)
        assert line(child) == "stopping\n"
        child.send_signal(signal.SIGINT)
        begun = time.monotonic()
        assert line(child) == "left\n"
        assert time.monotonic() - begun < 15.0
        assert child.wait(timeout=20) == 0
        made = len(sandbox.records("cinnox/destination"))
    counts = counted(tmp_path)
    assert counts[CREATED] <= made <= counts[CREATED] + counts.get(UNKNOWN, 0)
    assert sum(counts.values()) == 400


@posix
def test_a_killed_process_leaves_its_rows_in_flight_unknown(tmp_path: Path) -> None:
    with sending(tmp_path, Fault("slow", 1, seconds=0.4)) as (child, sandbox):
        child.kill()
        child.wait()
        arrived = len(sandbox.requests)
    counts = counted(tmp_path)
    assert counts[UNKNOWN] >= 1
    assert arrived <= counts[CREATED] + counts[UNKNOWN] <= arrived + 4


def _folder(folder: Path) -> Path:
    """Another one beside it."""
    other = folder / "other"
    other.mkdir()
    return other
