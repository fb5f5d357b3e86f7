"""The played APIs on a loopback port, with a ledger of what arrived and the faults that were asked for."""

import asyncio
import json
import re
import secrets
import socket
import struct
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from math import ceil
from time import time
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import quote, unquote

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bulkload.errors import UsageError
from bulkload.resource import Api
from bulkload.sandbox.gate import Call
from bulkload.sandbox.play import Play, Said

HOST = "127.0.0.1"
# Seconds that a request in flight is waited for when the server stops, beside what a fault makes it last.
PATIENCE = 1

FAULTS: Mapping[str, str] = MappingProxyType({
    "lost": "does the work and closes the connection without an answer",
    "reset": "resets the connection before the work",
    "reset-after": "does the work and resets the connection",
    "429": "does no work and says 429 with Retry-After in seconds",
    "429-date": "does no work and says 429 with Retry-After as a date",
    "503": "does no work and says 503 with Retry-After",
    "500": "does no work and says 500",
    "500-after": "does the work and says 500",
    "slow": "does the work and answers late",
    "html": "does the work and answers 200 with HTML",
    "empty": "does the work and answers 200 without a body",
    "duplicate": "refuses a record that exists already",
    "expired": "takes back every token that was given so far, then goes on",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong with every so-many-th request to create or update a record.

    `name` is one of FAULTS. `seconds` is how late `slow` answers, and how long 429 and 503 ask to wait.
    """

    name: str
    every: int = 1
    seconds: float = 2.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `lost:10`, or `duplicate` for every request. Raises UsageError."""
        name, colon, every = text.partition(":")
        if name not in FAULTS:
            raise UsageError(
                f'"{name}" is no fault that the sandbox knows: {", ".join(FAULTS)}. Write it like lost:10.'
            )
        if colon and not re.fullmatch(r"0*[1-9][0-9]*", every):
            raise UsageError(f'"{every}" in the fault {text} is not a number from 1. Write it like {name}:10.')
        return cls(name, int(every or 1))


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request that arrived and what it got.

    `api` is empty and `path` whole where it went to none of the base URLs; else `path` begins behind the base URL, and
    is still quoted. Header names are in lower case. `status` is 0 where the connection was broken instead of an answer,
    `fault` names what went wrong on purpose, `reason` says why it was refused.
    """

    api: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes
    status: int
    fault: str = ""
    reason: str = ""

    @property
    def json(self) -> Any:
        """The body as a JSON value, None where there is none."""
        return json.loads(self.body) if self.body else None


class Sandbox:
    """Plays APIs on loopback while it is entered; use as a context manager.

    Each sandbox is a world of its own that knows no earlier records, and its base URLs say so.
    """

    def __init__(
        self,
        apis: Sequence[Api],
        faults: Sequence[Fault] = (),
        port: int = 0,
        *,
        token_life: float | None = None,
        known: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> None:
        """Prepare to play `apis`; `port` 0 is any free one.

        `token_life`, in seconds, overrides the life that a token call asks for; 0 gives tokens that are dead at once.
        `known` are further values of settings that are right, by name: `{"CUSTOMER_TENANT_ID": [...]}`. Of several
        faults that are due at once the first counts. Raises UnusableDocument where a schema can't be used.
        """
        self.port = port
        self._plays = {api.name: Play(api, token_life=token_life, known=known) for api in apis}
        self._faults = tuple(faults)
        self._world = secrets.token_hex(4)
        self._arrived: list[Arrived] = []
        self._writes = 0
        # Held while the played APIs and the ledger are read or changed: tests look on from other threads.
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        """Bind the port and serve in a thread; raises UsageError where the port can't be had."""
        try:
            listening = socket.create_server((HOST, self.port))
        except OSError as error:
            raise UsageError(
                f"port {self.port} can't be had: {error.strerror}. Choose another, or 0 for any."
            ) from error
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            proxy_headers=False,
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=ceil(PATIENCE + max((fault.seconds for fault in self._faults), default=0)),
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="sandbox", daemon=True)
        self._thread.start()
        self._server.ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    def serve(self) -> None:
        """Go on serving until the process is interrupted: KeyboardInterrupt comes through."""
        # A wait without an end can't be interrupted on Windows.
        while self._thread.is_alive():
            self._thread.join(timeout=0.5)

    def base_url(self, api: str) -> str:
        """`http://127.0.0.1:PORT/WORLD/cinnox`, for the API of that name."""
        return f"http://{HOST}:{self.port}{self._prefix(api)}"

    def credentials(self, api: Api) -> dict[str, str]:
        """The credentials that a connection must give, by the names that it uses."""
        return dict(self._plays[api.name].gate.credentials)

    def settings(self, api: Api) -> dict[str, str]:
        """The settings that a connection must give, by the names of their parameters."""
        return dict(self._plays[api.name].gate.settings)

    def records(self, resource: str) -> list[dict[str, Any]]:
        """The records held of the resource of that full name, oldest first: `id`, `path` (its parameters), `body`."""
        with self._turn:
            held = self._plays[resource.partition("/")[0]].records[resource]
            return [{"id": record.id, "path": dict(record.path), "body": dict(record.body)} for record in held]

    @property
    def requests(self) -> list[Arrived]:
        """All that arrived so far, in order."""
        with self._turn:
            return list(self._arrived)

    def revoke_tokens(self) -> None:
        """From now on no token is good that was given so far."""
        with self._turn:
            for play in self._plays.values():
                play.gate.revoke()

    def _prefix(self, api: str) -> str:
        return f"/{self._world}/{quote(api, safe='')}"

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return
        with self._turn:
            play, call = self._located(scope, body)
            fault = self._due(play, call)
            said = _misbehaved(play, call, fault) if play else Said(404, reason="no API is played there")
            self._arrived.append(_noted(play.api.name if play else "", call, said, fault))
        if said is None:
            await _break(scope["state"]["transport"], receive, reset=fault is not None and fault.name != "lost")
            return
        if fault and fault.name == "slow":
            await _dawdle(fault.seconds, receive)
        await Response(said.body, said.status, dict(said.headers))(scope, receive, send)

    def _located(self, scope: Scope, body: bytes) -> tuple[Play | None, Call]:
        """The API that the request is for, None where there is none, and the request as that API sees it."""
        request = Request(scope)
        path: str = scope["raw_path"].decode("ascii")
        world, name, rest = [*path[1:].split("/", 2), "", ""][:3]
        play = self._plays.get(unquote(name)) if world == self._world else None
        call = Call(
            method=request.method,
            path=f"/{rest}" if play else path,
            url=f"http://{HOST}:{self.port}{path}",
            query=tuple(request.query_params.multi_items()),
            headers=dict(request.headers),
            body=body,
        )
        return play, call

    def _due(self, play: Play | None, call: Call) -> Fault | None:
        """The fault that this request meets, if any."""
        if play is None or not play.writes(call):
            return None
        self._writes += 1
        return next((fault for fault in self._faults if self._writes % fault.every == 0), None)


class _Server(uvicorn.Server):
    """A server that tells when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class _Protocol(H11Protocol):
    """HTTP/1.1 that hands each request its connection, as `state.transport`, so that it can be broken."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio does this only for sockets that name their protocol; without it each answer waits 40 ms for an ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "transport": transport}


def _noted(api: str, call: Call, said: Said | None, fault: Fault | None) -> Arrived:
    return Arrived(
        api=api,
        method=call.method,
        path=call.path,
        query=call.query,
        headers=call.headers,
        body=call.body,
        status=said.status if said else 0,
        fault=fault.name if fault else "",
        reason=said.reason if said else "",
    )


def _misbehaved(play: Play, call: Call, fault: Fault | None) -> Said | None:
    """The answer under that fault, with the work done or not; None for none at all."""
    name = fault.name if fault else ""
    if fault and name in ("429", "429-date", "503"):
        wait = ceil(fault.seconds)
        # A date has no fractions of a second: one more, so that it is not too early.
        after = formatdate(time() + wait + 1, usegmt=True) if name == "429-date" else str(wait)
        said = play.trouble(call, int(name[:3]), "try again later")
        return Said(said.status, {**said.headers, "retry-after": after}, said.body, said.reason)
    if name == "reset":
        return None
    if name == "500":
        return play.trouble(call, 500, "out of order")
    if name == "expired":
        play.gate.revoke()
    said = play.answer(call, refuse_equal=name == "duplicate")
    match name:
        case "lost" | "reset-after":
            return None
        case "500-after":
            return play.trouble(call, 500, "out of order")
        case "html":
            return Said(200, {"content-type": "text/html"}, b"<html><body>Please sign in</body></html>")
        case "empty":
            return Said(200, {"content-type": "application/json"})
    return said


async def _break(transport: asyncio.Transport, receive: Receive, *, reset: bool) -> None:
    """End the connection without an answer: by a reset, or as if there were nothing more to say."""
    if reset:
        # On, for 0 seconds: what is not delivered is dropped and the other side told so. Windows reads the first half.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    else:
        transport.close()
    # Until uvicorn knows of it: it would answer 500 for us.
    await _gone(receive)


async def _dawdle(seconds: float, receive: Receive) -> None:
    """Let the client wait, no longer than it does."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
