"""A small API `things` without a network, in virtual time: it does and says what it is told, and keeps a ledger.

It never refuses a duplicate: it makes a second record, which the ledger shows. At each arrival it looks, from outside,
whether the journal holds the intent to send that row, and that of no other run.
"""

import asyncio
import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from bulkload.models import Answer, HeadOnly, Lost, NotSent, Reply
from bulkload.pace import Clock
from tests.faults import document as things

# Seconds: how long a client waits for an answer, and the longest that work goes on once it has given up.
DEADLINE = 10.0
SETTLE = 15.0
NOON = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)
JSON = {"content-type": "application/json"}

# What becomes of a request that goes unanswered.
NEVER, AT_ONCE, LATE = "never", "at once", "late"
FATES = (NEVER, AT_ONCE, LATE)


@dataclass(slots=True)
class Time:
    """Virtual time for all: `passed` in seconds, and how far the clock on the wall is off."""

    passed: float = 0.0
    off: float = 0.0

    def now(self) -> datetime:
        """What the clock on the wall shows."""
        return NOON + timedelta(seconds=self.passed + self.off)

    def clock(self) -> Clock:
        """The clock to hand in: whoever sleeps by it must run on a loop of this time."""
        return Clock(lambda: self.passed, self.now, asyncio.sleep, lambda least, most: most)


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to answer a create or update: what becomes of the work, and what is said then.

    In the reply, the status _DONE stands for 201 or 200 and `ID` for the ID of the record. `clean` says that it leaves
    no doubt.
    """

    work: str
    reply: Reply
    clean: bool = False


def _says(status: int, body: str = '{"message": "So it is."}', **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {**JSON, **names}, body.encode())


_DONE = 0
_RECORD = '{"id": "ID"}'

KINDS: Mapping[str, Kind] = {
    "done": Kind(AT_ONCE, _says(_DONE, _RECORD), clean=True),
    "done, no ID": Kind(AT_ONCE, _says(_DONE, "{}"), clean=True),
    "done, garbage": Kind(AT_ONCE, Answer(_DONE, {"content-type": "text/html"}, b"<html>")),
    "done, no body": Kind(AT_ONCE, Answer(_DONE, JSON, b"")),
    "done, body cut": Kind(AT_ONCE, HeadOnly(_DONE, JSON, "the body was cut"), clean=True),
    **{f"202, work {fate}": Kind(fate, _says(202)) for fate in FATES},
    **{str(status): Kind(NEVER, _says(status), clean=True) for status in (302, 400, 401, 403, 404, 409, 422)},
    "400, body cut": Kind(NEVER, HeadOnly(400, JSON, "the body was cut"), clean=True),
    "429": Kind(NEVER, _says(429), clean=True),
    "429, wait": Kind(NEVER, _says(429, retry_after="40"), clean=True),
    "503, wait": Kind(NEVER, _says(503, retry_after="2"), clean=True),
    **{f"503, work {fate}": Kind(fate, _says(503)) for fate in FATES},
    **{f"500, work {fate}": Kind(fate, _says(500)) for fate in FATES},
    **{f"504, body cut, work {fate}": Kind(fate, HeadOnly(504, JSON, "the body was cut")) for fate in FATES},
    **{f"lost, work {fate}": Kind(fate, Lost("the connection broke")) for fate in FATES},
    "not sent": Kind(NEVER, NotSent("connection refused"), clean=True),
}

# How a look-up can fail; the last is a proof of nothing.
TROUBLES: Mapping[str, Reply] = {
    "lost": Lost("the connection broke"),
    "500": _says(500),
    "429": _says(429, retry_after="1"),
    "body cut": HeadOnly(200, JSON, "the body was cut"),
    "garbage": Answer(200, {"content-type": "text/html"}, b"<html>"),
    "404": _says(404),
}


@dataclass(slots=True)
class Try:
    """A create or update that arrived. `record` is the ID that was made or changed, "" while the work isn't done.

    `due` is when it will be, None if never. `left` says that what becomes of it is settled, `clean` that
    its answer left no doubt of it.
    """

    run: str
    sku: str
    body: Mapping[str, Any]
    changes: str
    answer: asyncio.Future[Reply]
    due: float | None = None
    record: str = ""
    left: bool = False
    clean: bool = False

    @property
    def creates(self) -> bool:
        """Whether it makes a new record."""
        return not self.changes


@dataclass
class FakeApi:
    """The API, and a transport to it. `tries` are all that arrived; `complaints` what should not have.

    `fate` is what becomes of a request that the client gives up by itself. `troubles` come first when records are asked
    for. `tokens` are those that are good.
    """

    time: Time
    journal: Path
    fate: str = LATE
    tries: list[Try] = field(default_factory=list)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)
    sign_ins: int = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    # What a test can do with it

    @property
    def waiting(self) -> list[Try]:
        """The requests that have no answer yet, in the order in which they came."""
        return [one for one in self.tries if not one.answer.done()]

    def answer(self, one: Try, kind: Kind) -> None:
        """Do the work or not, and answer."""
        self._leave(one, kind.work)
        reply = kind.reply
        if isinstance(reply, Answer | HeadOnly) and reply.status == _DONE:
            reply = _with_status(reply, 201 if one.creates else 200, one.record)
        one.clean = kind.clean
        one.answer.set_result(reply)

    def hang_up(self, fates: Sequence[str]) -> None:
        """Whoever waits for an answer gets none; `fates` say what becomes of each request, over and over."""
        for place, one in enumerate(self.waiting):
            self._leave(one, fates[place % len(fates)])
            one.answer.cancel()

    def catch_up(self) -> None:
        """Do the work that is due by now."""
        for one in self.tries:
            if one.due is not None and one.due <= self.time.passed:
                self._work(one)

    def hurry(self) -> None:
        """Do all work that is due at some time, now."""
        for one in self.tries:
            if one.due is not None:
                self._work(one)

    def made(self) -> dict[str, list[str]]:
        """The IDs of the records that were made for each SKU."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for one in self.tries:
            if one.record and one.creates:
                found[one.sku].append(one.record)
        return dict(found)

    # The transport

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] = MappingProxyType({}),
        body: bytes | None = None,
    ) -> Reply:
        """Take a request; that of a row is kept until it is told how to answer."""
        self.catch_up()
        if path == "/token":
            return self._sign_in()
        if headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _says(401)
        if method == "GET":
            return self._look_up(path, dict(query))
        return await self._arrive(method, path, json.loads(body or b"null"))

    def _sign_in(self) -> Reply:
        self.sign_ins += 1
        self.tokens.add(f"token-{self.sign_ins}")
        return _says(200, json.dumps({"token": f"token-{self.sign_ins}", "seconds": 3600}))

    def _look_up(self, path: str, query: Mapping[str, str]) -> Reply:
        if self.troubles:
            return TROUBLES[self.troubles.pop(0)]
        if path == "/things":
            found = [record for record in self.records.values() if record["sku"] == query["sku"]]
            return _says(200, json.dumps({"items": found}))
        record = self.records.get(path.rpartition("/")[2])
        return _says(200, json.dumps(record)) if record else _says(404)

    async def _arrive(self, method: str, path: str, body: Mapping[str, Any]) -> Reply:
        changes = path.rpartition("/")[2] if method == "PATCH" else ""
        run = self._intended(body["sku"])
        one = Try(run, body["sku"], body, changes, asyncio.get_running_loop().create_future())
        self.tries.append(one)
        try:
            async with asyncio.timeout(DEADLINE):
                return await one.answer
        except (TimeoutError, asyncio.CancelledError) as gone:
            if not one.left:
                self._leave(one, self.fate)
            if isinstance(gone, TimeoutError):
                return Lost("no answer in time")
            raise

    def _intended(self, sku: str) -> str:
        """The run whose intent to send this row is committed. Complains if there is none, or another one."""
        query = "SELECT run, status FROM rows WHERE key = ? AND action != '' AND status IN ('sending', 'unknown')"
        with closing(sqlite3.connect(f"{self.journal.as_uri()}?mode=ro", uri=True)) as db:
            found = db.execute(query, (json.dumps({"sku": sku}),)).fetchall()
        if [status for _, status in found] != ["sending"]:
            self.complaints.append(f"{sku} arrived while the journal said: {found or 'nothing'}")
        return found[0][0] if found else ""

    # The work

    def _leave(self, one: Try, fate: str) -> None:
        one.left = True
        if fate == AT_ONCE:
            self._work(one)
        elif fate == LATE:
            one.due = self.time.passed + SETTLE - 0.01

    def _work(self, one: Try) -> None:
        one.due = None
        one.record = one.changes or f"T{len(self.records) + 1}"
        self.records[one.record] = {**self.records.get(one.record, {}), **one.body, "id": one.record}


def _with_status(reply: Answer | HeadOnly, status: int, record: str) -> Reply:
    if isinstance(reply, HeadOnly):
        return HeadOnly(status, reply.headers, reply.reason)
    return Answer(status, reply.headers, reply.body.replace(b"ID", record.encode()))


def document() -> dict[str, Any]:
    """The API's own description: that of the other faulty `things`, which can be changed and read here, too."""
    said = things()
    said["x-bulkload"]["settle"] = f"{SETTLE:g}s"
    create = said["paths"]["/things"]["post"]
    answers = {"responses": {"200": create["responses"]["201"]}}
    number = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    said["paths"]["/things/{id}"] = {
        "parameters": [number],
        "get": {"operationId": "readThing", **answers},
        "patch": {"operationId": "changeThing", "requestBody": create["requestBody"], **answers},
    }
    return said
