"""A small API `things` that misbehaves at random, by a seed, and keeps a ledger of every request: kill_loop's oracle.

It never refuses a duplicate: it makes a second record, which the ledger shows, unless both came with the same key.
Where it is given the journal of the program under test it looks, at each arrival, whether the intent to send that row
is committed there. On a busy machine it may come to a request only once the client has given it up, and said so there.
"""

import asyncio
import json
import random
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.wire import Exchange, FaultServer, Seen, head

SECRET = "the-secret-of-things"
SHEET = "things"
# Seconds: how long a client should wait for an answer, and the longest that work goes on once the client gave up.
DEADLINE = 1.0
SETTLE = 2.0
# Work ends well within SETTLE, so that a busy machine doesn't make a liar of the server.
_LATEST = 0.9 * SETTLE
# Seconds that nobody listens in an outage.
_OUTAGE = 0.5

_TEN = (
    "429",
    "503 with Retry-After",
    "500 after",
    "502 after",
    "504 after",
    "reset before",
    "reset after",
    "close after",
    "silence after",
    "201, body cut",
)


@dataclass(frozen=True, slots=True)
class Mix:
    """What goes wrong. `faults` maps a fault to its share of requests, `outages` is the share that starts an outage.

    `token_life` is for how many seconds a token is good; the API says that it is twice as long.
    """

    faults: Mapping[str, float] = field(default_factory=dict)
    outages: float = 0.0
    token_life: float = 3600.0

    def draw(self, seed: str) -> str:
        """The fault of one request, "" for none; the same for the same seed."""
        shares = self.faults
        return random.Random(seed).choices([*shares, ""], [*shares.values(), 1.0 - sum(shares.values())])[0]


MIXES = {
    "none": Mix(),
    "ten": Mix(dict.fromkeys(_TEN, 0.01)),
    # Second tries too: what is known of the first must not count for them.
    "late": Mix({"late": 0.04, "429": 0.04, "reset before": 0.01}),
    "storm": Mix(dict.fromkeys(_TEN, 0.06)),
    "tokens": Mix(token_life=0.5),
    "outages": Mix(outages=0.002),
}


@dataclass(slots=True)
class Try:
    """One create that arrived. `id` is "" where the work was not done, and `done` is then 0.

    `intent` says whether the journal held the intent at that moment, or a client that was gone by then had had it.
    `sent` is when the intent was noted, `arrived` where there is no journal. `answer` is what went back, "" for none;
    `clean` that it went back whole, in time, and left no doubt of what became of the row. Times are monotonic, in
    seconds.
    """

    sku: str
    arrived: float
    sent: float
    intent: bool
    fault: str
    done: float = 0.0
    id: str = ""
    answer: str = ""
    clean: bool = False
    key: str = ""


def row_of(sku: str) -> int:
    """The row of the file that a SKU stands in: row 7 holds S7."""
    return int(sku.removeprefix("S"))


class Things(FaultServer):
    """The API. `tries` has the creates of each SKU in order of arrival, `records` what was made of them.

    `pause` is the longest, in seconds, that it takes before its work and again after it. `journal` is None where there
    is none to look into. `sign_ins` counts the tokens given and `asked` the look-ups; `fired` has the moments of
    what was armed. `cut` counts the connections that an outage cut between two requests: each may have carried another
    one, that was never read.
    """

    def __init__(self, mix: Mix, seed: int = 0, *, journal: Path | None = None, pause: float = 0.01) -> None:
        super().__init__(self._serve)
        self.tries: dict[str, list[Try]] = defaultdict(list)
        self.records: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.sign_ins = 0
        self.asked = 0
        self.fired: list[float] = []
        self.cut = 0
        self._mix = mix
        self._seed = seed
        self._journal = journal
        self._pause = pause
        self._random = random.Random(seed)
        self._made = 0
        self._tokens: dict[str, float] = {}
        self._by_key: dict[str, str] = {}
        self._in_flight = 0
        self._exchanges: set[Exchange] = set()
        self._at_work: set[Exchange] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._armed: tuple[int, float, Callable[[int], None]] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # What a test can do with it, from its own thread

    def arm(self, arrivals: int, delay: float, fire: Callable[[int], None]) -> None:
        """Once so many requests have arrived from now on, and `delay` seconds more, call `fire`.

        It is told how many requests are in flight at that moment: arrived and not answered.
        """
        self._loop.call_soon_threadsafe(self._set, (arrivals, delay, fire))

    def disarm(self) -> None:
        """Forget what was armed."""
        self._run(self._disarm())

    def wait_until_quiet(self) -> None:
        """Return once no connection has anything more to read: what still works then does so for a client gone."""
        self._run(self._quiet.wait())

    def _set(self, armed: tuple[int, float, Callable[[int], None]] | None) -> None:
        self._armed = armed

    async def _disarm(self) -> None:
        self._armed = None

    # Connections

    async def _serve(self, exchange: Exchange) -> None:
        self._exchanges.add(exchange)
        self._quiet.clear()
        try:
            while await self._respond(exchange, await exchange.request()):
                pass
        finally:
            self._leaves(exchange)

    def _leaves(self, exchange: Exchange) -> None:
        self._exchanges.discard(exchange)
        if not self._exchanges:
            self._quiet.set()

    async def _respond(self, exchange: Exchange, seen: Seen) -> bool:
        """Deal with one request; whether the connection can carry another."""
        if seen.target == "/token":
            return await self._sign_in(exchange, seen)
        self._in_flight += 1
        self._at_work.add(exchange)
        try:
            self._count_down()
            if not self._signed(seen):
                return await self._says(exchange, 401, {"message": "The token is not, or no longer, good."})
            return await (self._create if seen.method == "POST" else self._find)(exchange, seen)
        finally:
            self._in_flight -= 1
            self._at_work.discard(exchange)

    def _count_down(self) -> None:
        if self._random.random() < self._mix.outages:
            self._loop.create_task(self._outage())
        if self._armed:
            arrivals, delay, fire = self._armed
            self._armed = (arrivals - 1, delay, fire) if arrivals > 1 else None
            if self._armed is None:
                self._loop.call_later(delay, self._fire, fire)

    def _fire(self, fire: Callable[[int], None]) -> None:
        self.fired.append(time.monotonic())
        fire(self._in_flight)

    async def _outage(self) -> None:
        """Break every connection, and let nobody in for a while."""
        self._server.close()
        for exchange in list(self._exchanges):
            self.cut += exchange not in self._at_work
            exchange.reset()
        await asyncio.sleep(_OUTAGE)
        if not self.leaving.is_set():
            await self._listen()

    # Sign-in

    async def _sign_in(self, exchange: Exchange, seen: Seen) -> bool:
        if json.loads(seen.body).get("secret") != SECRET:
            return await self._says(exchange, 400, {"message": "The secret is wrong."})
        self.sign_ins += 1
        token = f"token-{self.sign_ins}"
        self._tokens[token] = time.monotonic() + self._mix.token_life
        return await self._says(exchange, 200, {"token": token, "seconds": 2 * self._mix.token_life})

    def _signed(self, seen: Seen) -> bool:
        token = dict(seen.headers).get("authorization", "").removeprefix("Bearer ")
        return self._tokens.get(token, 0.0) > time.monotonic()

    # Creating and finding

    async def _create(self, exchange: Exchange, seen: Seen) -> bool:
        body = json.loads(seen.body)
        tries = self.tries[body["sku"]]
        intent, age = True, 0.0
        if self._journal:
            said = noted(self._journal, row_of(body["sku"]))
            # In this order: a client that waits for an answer must have its row in flight, one that is gone need not.
            intent, age = said.attempts > len(tries) and (said.sending or exchange.left()), said.age
        now = time.monotonic()
        fault = self._mix.draw(f"{self._seed} {body['sku']} {len(tries)}")
        one = Try(body["sku"], now, now - age, intent, fault, key=dict(seen.headers).get("idempotency-key", ""))
        tries.append(one)
        if fault == "late":
            await self._late(exchange, one, body)
            return False
        return await self._exchange(exchange, fault, one, lambda: self._make(one, body))

    async def _find(self, exchange: Exchange, seen: Seen) -> bool:
        self.asked += 1
        (sku,) = parse_qs(urlsplit(seen.target).query)["sku"]
        fault = self._mix.draw(f"{self._seed} ask {sku} {self.asked}")
        return await self._exchange(exchange, fault, None, lambda: {"items": self.records.get(sku, [])})

    async def _exchange(self, exchange: Exchange, fault: str, one: Try | None, work: Callable[[], Any]) -> bool:
        """Do the work and answer, as well as the fault lets us."""
        await self._takes_time()
        if fault == "429":
            return await self._says(exchange, 429, {"message": "Slower, please."}, one)
        if fault == "503 with Retry-After":
            wait = self._random.choice((0, 0, 0, 0, 1))
            return await self._says(exchange, 503, {"message": "Come again."}, one, f"Retry-After: {wait}")
        if fault == "reset before":
            exchange.reset()
            return False
        said = work()
        await self._takes_time()
        if fault in ("500 after", "502 after", "504 after"):
            return await self._says(exchange, int(fault[:3]), {"message": "Something broke."}, one, clean=False)
        status = 201 if one else 200
        if fault == "201, body cut":
            await exchange.send(head(status, "Content-Type: application/json", "Content-Length: 500"))
            await exchange.send(json.dumps(said).encode())
        elif fault == "reset after":
            exchange.reset()
        elif fault == "silence after":
            await exchange.silence()
        elif fault != "close after":
            return await self._says(exchange, status, said, one)
        return False

    async def _late(self, exchange: Exchange, one: Try, body: dict[str, Any]) -> None:
        """Work on for some time after the client has given up."""
        with suppress(EOFError, OSError):
            await exchange.silence()
        gave_up = time.monotonic()
        self._leaves(exchange)
        await asyncio.sleep(self._random.uniform(0, _LATEST))
        self._make(one, body)
        assert one.done - gave_up < SETTLE, "this machine is too busy for the server to keep its word"

    def _make(self, one: Try, body: dict[str, Any]) -> dict[str, str]:
        if one.key in self._by_key:
            return {"id": self._by_key[one.key]}
        self._made += 1
        one.id, one.done = f"T{self._made}", time.monotonic()
        if one.key:
            self._by_key[one.key] = one.id
        self.records[one.sku].append({**body, "id": one.id})
        return {"id": one.id}

    async def _takes_time(self) -> None:
        if self._pause:
            await asyncio.sleep(self._random.uniform(0, self._pause))

    async def _says(
        self, exchange: Exchange, status: int, said: Any, one: Try | None = None, *headers: str, clean: bool = True
    ) -> bool:
        await exchange.answer(status, json.dumps(said).encode(), "Content-Type: application/json", *headers)
        if one:
            one.answer = str(status)
            one.clean = clean and time.monotonic() - one.sent < DEADLINE / 2
        return True


@dataclass(frozen=True, slots=True)
class Noted:
    """What the journal says of a row: in flight or not, how often it was to be sent, and how many seconds ago last."""

    sending: bool
    attempts: int
    age: float


def noted(journal: Path, row: int) -> Noted:
    """Look into the journal, opened from outside, for a row; noughts where there is no such row, or no intent."""
    query = (
        "SELECT max(status = 'sending'), sum(attempts), max(sent) FROM rows"
        " WHERE run IN (SELECT id FROM runs) AND sheet = ? AND row = ?"
    )
    with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as db:
        sending, attempts, sent = db.execute(query, (SHEET, row)).fetchone()
    age = (datetime.now(UTC) - datetime.fromisoformat(sent)).total_seconds() if sent else 0.0
    return Noted(bool(sending), attempts or 0, age)


def document(*, keys: bool = False) -> dict[str, Any]:
    """The API's own description: with a look-up or, instead of that, with idempotency keys."""
    fields = {"sku": {"type": "string"}, "name": {"type": "string"}, "amount": {"type": "integer"}}
    thing = {"type": "object", "required": ["sku", "name"], "properties": fields}
    made = {"type": "object", "properties": {"id": {"type": "string"}}}
    listed = {"type": "object", "properties": {"items": {"type": "array", "items": {"type": "object"}}}}
    granted = {"type": "object", "properties": {"token": {"type": "string"}, "seconds": {"type": "number"}}}
    asks = {"type": "object", "properties": {"secret": {"type": "string", "writeOnly": True}}}
    find = {
        "operation": "findThings",
        "with": {"sku": "sku"},
        "records": "$response.body#/items",
        "match": {"sku": "sku"},
        "id": "id",
        "absent": {"status": 200, "$response.body#/items": "present", "$response.body#/items/0": "absent"},
    }
    way = {"idempotency": {"header": "Idempotency-Key", "life": "1h"}} if keys else {"find": find}
    said = {"resource": SHEET, "key": ["sku"], "id": ["$response.body#/id"], **way}
    sku = {"name": "sku", "in": "query", "required": True, "schema": {"type": "string"}}
    token = {
        "operation": "signIn",
        "credentials": {"secret": "$request.body#/secret"},
        "value": "$response.body#/token",
        "expires": "$response.body#/seconds",
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "security": [{"token": []}],
        "x-bulkload": {"settle": f"{SETTLE:g}s", "token": token},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": {
            "/token": {"post": {"operationId": "signIn", "security": [], **_json(asks), **_answers(200, granted)}},
            "/things": {
                "post": {"operationId": "createThing", "x-bulkload": said, **_json(thing), **_answers(201, made)},
                "get": {"operationId": "findThings", "parameters": [sku], **_answers(200, listed)},
            },
        },
    }


def _json(schema: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _answers(status: int, schema: Any) -> dict[str, Any]:
    answer = {"description": "Well done.", "content": {"application/json": {"schema": schema}}}
    return {"responses": {str(status): answer}}
