"""A loopback server that misbehaves on command and keeps a ledger of what it was asked and what it did.

A behaviour is a name in BEHAVIOURS and a function that deals with one connection: it reads requests, does their work
(`Exchange.work`, which the ledger counts) and then ends as badly as its name says. The server runs in a thread of its
own, so that whatever is tested may have its own event loop, or be another process.
"""

import asyncio
import functools
import socket
import ssl
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

from bulkload.system import readable

# Seconds that a connection may still take to end once the test is through: its client should be gone by then.
PATIENCE = 5.0
BODY = b'{"id": "1"}'
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived. Header names in lower case; `body` is empty where it was not read."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


@dataclass(slots=True)
class Ledger:
    """What happened to a server: its connections, the requests read, and how often the work of each target was done."""

    connections: int = 0
    seen: list[Seen] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)


class Exchange:
    """One connection, and what a behaviour can do on it. Reading raises EOFError or OSError once the client is gone."""

    def __init__(self, server: "FaultServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer

    async def head(self) -> Seen:
        """The next request without its body."""
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.split(":", 1) for line in lines)
        seen = Seen(method, target, tuple((name.lower(), value.strip()) for name, value in pairs))
        self.server.ledger.seen.append(seen)
        return seen

    async def request(self) -> Seen:
        """The next request with its body, which needs a Content-Length."""
        head = await self.head()
        body = await self.reader.readexactly(int(dict(head.headers).get("content-length", "0")))
        seen = Seen(head.method, head.target, head.headers, body)
        self.server.ledger.seen[-1] = seen
        return seen

    def work(self, seen: Seen) -> None:
        """Do what the request asks for: from here on it counts as done."""
        self.server.ledger.done[seen.target] += 1
        self.server.worked.set()

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def answer(self, status: int = 201, body: bytes = BODY, *headers: str) -> None:
        await self.send(head(status, f"Content-Length: {len(body)}", *headers) + body)

    def reset(self) -> None:
        """Drop the connection with an RST."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def left(self) -> bool:
        """Whether the client has closed the connection; what it sent before must have been read."""
        return readable(self.writer.get_extra_info("socket").fileno())

    async def silence(self) -> None:
        """Say nothing until the client goes."""
        while await self.reader.read(65536):
            pass


Behaviour = Callable[[Exchange], Awaitable[None]]
BEHAVIOURS: dict[str, Behaviour] = {}
# What a server may do instead of answering; each is a behaviour after the work and another before it.
ENDINGS: dict[str, Behaviour] = {}


class FaultServer:
    """A server on a free loopback port that shows one behaviour, over TLS if it is given a context.

    `behaviour` is a name in BEHAVIOURS, or a function of one's own. `elsewhere` is the base URL that redirects point
    to; empty means this server itself. `worked` is set from the first work done. Leaving waits for all connections to
    end, so that the ledger is final then, and raises what went wrong in the server itself.
    """

    def __init__(
        self, behaviour: str | Behaviour = "answers", *, tls: ssl.SSLContext | None = None, elsewhere: str = ""
    ) -> None:
        self.ledger = Ledger()
        self.worked = threading.Event()
        self.port = 0
        self.leaving = asyncio.Event()
        self._behaviour = BEHAVIOURS[behaviour] if isinstance(behaviour, str) else behaviour
        self._tls = tls
        self._elsewhere = elsewhere
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def elsewhere(self) -> str:
        return self._elsewhere or f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self._run(self._leave())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _listen(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _leave(self) -> None:
        self.leaving.set()
        async with asyncio.timeout(PATIENCE):
            # asyncio leaves a connection open that comes in while its server is closed.
            while coming := asyncio.all_tasks() - self._connections - {asyncio.current_task()}:
                await asyncio.gather(*coming, return_exceptions=True)
            self._server.close()
            await asyncio.gather(*self._connections)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ledger.connections += 1
        self._connections.add(self._loop.create_task(self._deal(Exchange(self, reader, writer))))

    async def _deal(self, exchange: Exchange) -> None:
        try:
            await self._behaviour(exchange)
        except (EOFError, OSError):
            pass  # The client is gone, which is for the test to judge.
        finally:
            exchange.writer.close()


def head(status: int, *headers: str) -> bytes:
    """A status line and headers, with the empty line that ends them."""
    return "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} Said So", *headers, "")).encode()


@contextmanager
def dead_port() -> Iterator[int]:
    """A port where nobody listens, and nobody will while this lasts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def full_backlog() -> Iterator[int]:
    """A listening port with no room for another connection: a SYN to it is dropped, as by a firewall."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        with full(listening):
            yield listening.getsockname()[1]


@contextmanager
def full(listening: socket.socket) -> Iterator[None]:
    """Take all the room that a port has for connections."""
    waiting = [socket.socket(listening.family) for _ in range(4)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(listening.getsockname())
    yield
    for each in waiting:
        each.close()


def behaviour(name: str) -> Callable[[Behaviour], Behaviour]:
    """Enter a function that deals with a whole connection."""

    def enter(function: Behaviour) -> Behaviour:
        BEHAVIOURS[name] = function
        return function

    return enter


def ending(name: str) -> Callable[[Behaviour], Behaviour]:
    """Enter a way to end: `NAME after the work` and `NAME before the work` are the behaviours."""

    def enter(function: Behaviour) -> Behaviour:
        async def after(exchange: Exchange) -> None:
            exchange.work(await exchange.request())
            await function(exchange)

        async def before(exchange: Exchange) -> None:
            await exchange.request()
            await function(exchange)

        ENDINGS[name] = function
        BEHAVIOURS[f"{name} after the work"] = after
        BEHAVIOURS[f"{name} before the work"] = before
        return function

    return enter


@ending("reset")
async def _reset(exchange: Exchange) -> None:
    exchange.reset()


@ending("close")
async def _close(exchange: Exchange) -> None:
    exchange.writer.close()


@ending("half a status line")
async def _half_a_status_line(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 20")


@ending("garbage")
async def _garbage(exchange: Exchange) -> None:
    await exchange.send(b"\x00\xff what is this?\r\n\r\n")


@ending("a 200 kB header")
async def _long_header(exchange: Exchange) -> None:
    await exchange.answer(201, BODY, "X-Long: " + "x" * 200_000)


@ending("silence")
async def _silence(exchange: Exchange) -> None:
    await exchange.silence()


@ending("101 unasked")
async def _switch(exchange: Exchange) -> None:
    await exchange.send(head(101, "Upgrade: else", "Connection: upgrade"))


@ending("a head in drips")
async def _head_in_drips(exchange: Exchange) -> None:
    await _drip(exchange, head(201, "Content-Length: 0"))


@behaviour("answers")
async def _answers(exchange: Exchange) -> None:
    while True:
        exchange.work(await exchange.request())
        await exchange.answer(201, BODY, "X-Two: a", "X-Two: b", "Set-Cookie: session=1")


@behaviour("reset on accept")
async def _reset_on_accept(exchange: Exchange) -> None:
    exchange.reset()


@behaviour("close on accept")
async def _close_on_accept(exchange: Exchange) -> None:
    exchange.writer.close()


@behaviour("silence on accept")
async def _silence_on_accept(exchange: Exchange) -> None:
    await exchange.silence()


@behaviour("400 to whatever comes")
async def _bad_request(exchange: Exchange) -> None:
    await exchange.reader.read(65536)
    await exchange.answer(400, b"not HTTP", "Connection: close")


@behaviour("never reads")
async def _never_reads(exchange: Exchange) -> None:
    exchange.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await exchange.server.leaving.wait()


@behaviour("one answer, then reset after the work")
async def _kept_alive_after(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.answer()
    exchange.work(await exchange.request())
    exchange.reset()


@behaviour("one answer, then close after the work")
async def _kept_alive_close(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.answer()
    exchange.work(await exchange.request())


@behaviour("one answer, then reset before the work")
async def _kept_alive_before(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.answer()
    await exchange.reader.readexactly(1)
    exchange.reset()


@behaviour("one answer, then close")
async def _one_answer(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.answer()


@behaviour("413 at once, then close")
async def _too_large(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.answer(413, b"too large", "Connection: close")


@behaviour("201, body cut")
async def _body_cut(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.send(head(201, "Content-Length: 500", "Location: /things/1") + BODY)


@behaviour("201, body cut by a reset")
async def _body_reset(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.send(head(201, "Transfer-Encoding: chunked") + b"ff\r\n" + BODY)
    exchange.reset()


@behaviour("201, body stalled")
async def _body_stalled(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.send(head(201, "Content-Length: 500") + BODY)
    await exchange.silence()


@behaviour("201, body in drips")
async def _body_in_drips(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.send(head(201, "Content-Length: 500"))
    await _drip(exchange, b"x" * 500)


@behaviour("201, endless body")
async def _endless(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.send(head(201, "Transfer-Encoding: chunked"))
    while True:
        await exchange.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


@behaviour("201, gzip")
async def _gzip(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.answer(201, _gzipped(BODY), "Content-Encoding: gzip")


@behaviour("201, gzip cut")
async def _gzip_cut(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.answer(201, _gzipped(BODY)[:-6], "Content-Encoding: gzip")


@behaviour("201, undecodable gzip")
async def _not_gzip(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.answer(201, b"\x1f\x8bnonsense", "Content-Encoding: gzip")


@behaviour("201, gzip bomb")
async def _gzip_bomb(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.answer(201, gzip_bomb(), "Content-Encoding: gzip")


@behaviour("201, unknown encoding")
async def _unknown_encoding(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.answer(201, BODY, "Content-Encoding: br")


@behaviour("1xx, then 201")
async def _informational(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.send(head(100) + head(102) + head(103, "Link: </x>; rel=preload"))
    await exchange.answer()


@behaviour("204")
async def _no_content(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.send(head(204))


@behaviour("302")
async def _found(exchange: Exchange) -> None:
    await _redirect(exchange, 302)


@behaviour("307")
async def _temporary_redirect(exchange: Exchange) -> None:
    await _redirect(exchange, 307)


@behaviour("two answers")
async def _two_answers(exchange: Exchange) -> None:
    """Each request gets its target as the answer, with another answer right behind it that nobody asked for."""
    while True:
        seen = await exchange.request()
        exchange.work(seen)
        stray = head(201, "Content-Length: 5") + b"stray"
        await exchange.send(head(201, f"Content-Length: {len(seen.target)}") + seen.target.encode() + stray)


@behaviour("two answers in pieces")
async def _two_in_pieces(exchange: Exchange) -> None:
    """The same, so that the end of the one and the other come together, behind what says how long the first is."""
    while True:
        seen = await exchange.request()
        exchange.work(seen)
        await exchange.send(head(201, f"Content-Length: {len(seen.target)}"))
        await exchange.send(seen.target.encode() + head(201, "Content-Length: 5") + b"stray")


@behaviour("201, more than announced")
async def _more(exchange: Exchange) -> None:
    exchange.work(await exchange.request())
    await exchange.send(head(201, "Content-Length: 5") + BODY)


@behaviour("tunnel")
async def _tunnel(exchange: Exchange) -> None:
    """A proxy that opens the tunnel that CONNECT asks for."""
    seen = await exchange.request()
    host, port = seen.target.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    await exchange.send(head(200))
    async with asyncio.TaskGroup() as both:
        both.create_task(_pipe(exchange.reader, writer))
        both.create_task(_pipe(reader, exchange.writer))


@behaviour("refuses the tunnel")
async def _no_tunnel(exchange: Exchange) -> None:
    await exchange.request()
    await exchange.answer(403, b"not for you")


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # One side is gone; closing tells the other.
    finally:
        writer.close()


async def _redirect(exchange: Exchange, status: int) -> None:
    seen = await exchange.request()
    await exchange.answer(status, b"", f"Location: {exchange.server.elsewhere}{seen.target}")


async def _drip(exchange: Exchange, raw: bytes) -> None:
    for byte in raw:
        await exchange.send(bytes([byte]))
        await asyncio.sleep(0.1)


def _gzipped(raw: bytes) -> bytes:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    return packer.compress(raw) + packer.flush()


@functools.cache
def gzip_bomb() -> bytes:
    """Just under 1 MiB that unpacks to 1 GiB: one packed block of 16 MiB of zeros, 64 times over."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    start = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(16 * 1024 * 1024)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * 64
