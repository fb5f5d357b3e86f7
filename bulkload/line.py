"""One line to a server: aiohttp carries a request over it, and what became of the request comes back as a Reply.

aiohttp is known here alone. Two things of it must not get out: it sends a GET, PUT or DELETE again by itself where the
connection breaks, and its exceptions have the same names before a request was sent and after. So its connector is
watched: what was never given a connection was not sent, and what has been given one is given no other.
"""

import asyncio
import io
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from bulkload.models import Answer, HeadOnly, Lost, NotSent, Reply
from bulkload.system import ear

# The longest body that is read, in bytes: as it arrives, and again once it is unpacked.
MAX_BODY = 1024 * 1024
# The longest line of an answer's head, in bytes.
MAX_LINE = 64 * 1024
# Seconds that an idle connection is kept. Servers close theirs after 5 s (Node) or more, and a request that goes out
# just then is lost, so ours must be the first to go.
KEEP_IDLE = 2.0
# Headers that aiohttp adds where nobody gave them.
_ADDED = ("Accept", "Content-Type")
# aiohttp wants longer bodies as a file, so that writing one keeps nobody waiting.
_LONG = 2**20


@dataclass(frozen=True, slots=True)
class Manner:
    """How lines are laid. `deadline` and `connect_timeout` are in seconds; `proxy` may hold its sign-in.

    The deadline is for all of a request, the timeout for its connection: name, TCP, a proxy's tunnel and TLS together.
    """

    tls: ssl.SSLContext
    headers: Mapping[str, str]
    deadline: float
    connect_timeout: float
    proxy: URL | None


class Line:
    """Carries one request at a time, over one connection that is kept for the next; to be made in a running loop."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._connector = _Watched(manner)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            headers=manner.headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=manner.deadline, connect=manner.connect_timeout),
            auto_decompress=False,
            trust_env=False,
            proxy=manner.proxy,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
        )

    async def carry(self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send one request, once, and tell what came of it. Its framing and its packing are ours: see transport.py.

        Cancelled, it drops the connection and lets CancelledError through: the request may have been done.
        """
        trail = self._connector.trail = Trail()
        try:
            return await self._exchange(method, url, headers, body, trail)
        except Exception as error:
            self._connector.drop()
            reason = _why(error, trail, url, self._manner)
            if trail.head is not None:
                return HeadOnly(*trail.head, reason)
            return NotSent(reason) if trail.unsent else Lost(reason)
        except BaseException:
            self._connector.drop()
            raise

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()
        self._connector.drop()

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, trail: "Trail"
    ) -> Answer:
        data = io.BytesIO(body) if body and len(body) > _LONG else body
        # None rather than an empty list saves aiohttp a look at each header.
        unasked = [name for name in _ADDED if name not in headers] or None
        answer = await self._session.request(
            method, url, headers=headers, data=data, skip_auto_headers=unasked, allow_redirects=False
        )
        try:
            if answer.status < 200:
                raise Trouble("what came back is not an HTTP answer")
            trail.head = answer.status, _fields(answer.raw_headers)
            packed = bytearray()
            while chunk := await answer.content.readany():
                packed += chunk
                if len(packed) > MAX_BODY:
                    raise Trouble(f"the body of the answer is longer than {MAX_BODY} bytes")
            body = unpacked(bytes(packed), trail.head[1].get("content-encoding", "identity"))
            return Answer(*trail.head, body)
        except BaseException:
            answer.close()
            raise


class Trouble(Exception):
    """What we find wrong ourselves, with a request or with an answer; `str()` is the reason for a person."""


@dataclass(slots=True)
class Trail:
    """What is known of one request on its way: whether it asked for a connection, and was given one; the answer's
    status and headers once they are all there."""

    asked: bool = False
    given: bool = False
    head: tuple[int, dict[str, str]] | None = None

    @property
    def unsent(self) -> bool:
        """The proof for NotSent. Silence is none: an aiohttp that asked elsewhere would get its connection there."""
        return self.asked and not self.given


class _Watched(aiohttp.TCPConnector):
    """aiohttp's own source of connections, one at a time, with a look at which request is given one."""

    def __init__(self, manner: Manner) -> None:
        # The system's resolver, whatever else is installed.
        super().__init__(
            limit=1, ssl=manner.tls, keepalive_timeout=KEEP_IDLE, resolver=aiohttp.ThreadedResolver(), force_close=False
        )
        self.trail = Trail()
        self._last: asyncio.Transport | None = None
        self._heard: Callable[[], bool] = lambda: False

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        """Give the request on the trail its one connection, the last one if that is still good."""
        if self.trail.given:
            raise Trouble("the connection was closed or reset before an answer came")
        self.trail.asked = True
        connection = await super().connect(*args, **kwargs)
        if connection.transport is self._last and self._has_spoken(connection):
            connection.close()
            connection = await super().connect(*args, **kwargs)
        if connection.transport is not self._last and connection.transport is not None:
            self._last = connection.transport
            self._heard = ear(connection.transport.get_extra_info("socket"))
        self.trail.given = True
        return connection

    def _has_spoken(self, connection: aiohttp.connector.Connection) -> bool:
        """Whether the idle connection was closed, or holds bytes that would be read as the answer to the next."""
        return connection.protocol is None or connection.protocol.should_close or self._heard()

    def drop(self) -> None:
        """Cut the connection, whatever of a request or an answer may still be on it."""
        if self._last:
            self._last.abort()


def _fields(raw: tuple[tuple[bytes, bytes], ...]) -> dict[str, str]:
    """An answer's headers: names in lower case, those that stand there several times joined by ", "."""
    fields: dict[str, str] = {}
    for name, value in raw:
        key, text = _text(name).lower(), _text(value)
        fields[key] = f"{fields[key]}, {text}" if key in fields else text
    return fields


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def unpacked(packed: bytes, encoding: str) -> bytes:
    """The body without its gzip or deflate; raise Trouble where that can't be done within MAX_BODY."""
    encoding = encoding.strip().lower()
    if not packed or encoding in ("", "identity"):
        return packed
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Trouble("the body of the answer is packed in a way that was not asked for")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib, whichever it is
    try:
        body = unpacker.decompress(packed, MAX_BODY + 1)
    except zlib.error:
        raise Trouble("the body of the answer can't be unpacked") from None
    if len(body) > MAX_BODY:
        raise Trouble(f"the body of the answer is longer than {MAX_BODY} bytes once unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise Trouble("the body of the answer can't be unpacked: it does not end where it should")
    return body


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what led to it, outermost first; of a group, the first of its members."""
    while error is not None:
        yield error
        inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
        error = inner or error.__context__


def _why(error: Exception, trail: Trail, url: URL, manner: Manner) -> str:
    """A sentence for a person, made of our own words alone: an exception's may quote a header or an answer."""
    if isinstance(error, Trouble):
        return str(error)
    host, peer = url.host, url.authority
    if isinstance(error, aiohttp.ClientConnectorError):
        # A proxy's own, where it is the proxy that can't be reached.
        host, peer = error.host, f"{error.host}:{error.port}"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"no connection to {peer} within {manner.connect_timeout:g} s"
    if isinstance(error, TimeoutError):
        missing = "complete answer" if trail.head else f"connection to {peer}" if trail.unsent else "answer"
        return f"no {missing} within {manner.deadline:g} s"
    if trail.head:
        return "the body of the answer was cut"
    when = "before" if trail.unsent else "after"
    for cause in _causes(error):
        match cause:
            case aiohttp.ClientSSLError():
                continue  # It poses as the error of the ssl module that it was made of, without what that knows.
            case socket.gaierror():
                return f"no address is known for {peer}"
            case ConnectionRefusedError():
                return f"connection refused by {peer}"
            case ssl.SSLCertVerificationError():
                return f"the certificate of {host} is not trusted: {cause.verify_message}"
            case ssl.SSLError():
                return f"TLS with {host} failed: {cause.reason or 'no reason given'}"
            case aiohttp.ClientHttpProxyError():
                return f"the proxy refused the tunnel with status {cause.status}"
            case aiohttp.ServerDisconnectedError():
                return (
                    f"the connection was closed before {'the request was sent' if trail.unsent else 'an answer came'}"
                )
            case aiohttp.ClientResponseError():
                return "what came back is not an HTTP answer"
            case ConnectionResetError() | BrokenPipeError():
                return f"the connection to {peer} was reset {when} the request was sent"
    return f"the connection to {peer} broke ({type(error).__name__})"
