"""The HTTP client: whatever happens on the wire comes back as an Answer, HeadOnly, NotSent or Lost.

The one rule that everything here serves: a request is NotSent only where that is proven, so that nothing which may
have been done is ever sent again. The proof is httpcore's own trace of what it did; names of exceptions prove nothing.
"""

import asyncio
import re
import socket
import ssl
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import quote, urlencode

import httpx

from bulkload.errors import SettingsError
from bulkload.models import Answer, HeadOnly, Lost, NotSent, Reply

# The longest body that is read, in bytes: as it arrives, and again once it is unpacked.
MAX_BODY = 1024 * 1024
# Seconds that an idle connection is kept. Servers close theirs after 5 s (Node) or more, and a request that goes out
# just then is lost, so ours must be the first to go.
KEEP_IDLE = 2.0

USER_AGENT = f"bulkload/{version('bulkload')}"
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
# Headers that say how a message is framed, routed or packed: the transport's own, a caller's could only contradict it.
OWN_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "te", "transfer-encoding", "upgrade"}
)
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")


@dataclass(frozen=True, slots=True)
class Wire:
    """What a connection says about the wire.

    `deadline` is in seconds, for a whole request once it has a free connection: connecting, sending and the last byte
    of the answer. `connect_timeout`, in seconds, limits the wait for a free connection, for TCP and for TLS, each.
    `proxy` is the URL of an HTTP proxy, with its sign-in if it needs one; None means none, whatever the environment
    says. `ca_file` holds the certificates to trust in PEM, None means the public ones. `client_cert` is a PEM
    file, None means that we show no certificate; `client_key` is its key's file, None where the key stands in the same.
    """

    base_url: str
    deadline: float = 60.0
    in_flight: int = 4
    connect_timeout: float = 10.0
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


class Transport:
    """Sends requests to one base URL, each once and never again by itself; use as an async context manager.

    A bad `proxy`, `ca_file` or `client_cert` raises SettingsError on the way in; wire trouble never raises.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._tls = _tls(wire)
        self._proxy = _proxy(wire, self._tls)
        self._patience = httpx.Timeout(None, connect=wire.connect_timeout).as_dict()
        # One line is one connection at most. A shared pool looks through all of its connections and requests for each
        # request, which with 64 in flight takes five times as long.
        self._free: asyncio.LifoQueue[httpx.AsyncHTTPTransport] = asyncio.LifoQueue()
        for _ in range(wire.in_flight):
            self._free.put_nowait(self._line())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while not self._free.empty():
            await self._free.get_nowait().aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] = MappingProxyType({}),
        body: bytes | None = None,
    ) -> Reply:
        """Send one request and tell what came of it.

        `path` is percent-quoted, begins with "/" and is put behind the base URL as it stands; `query` is quoted here.
        Cancelled, it drops the connection and lets CancelledError through: the request may have been done.
        """
        try:
            request = self._request(method, path, query, headers, body)
            line = await self._free_line()
        except _Trouble as trouble:
            return NotSent(str(trouble))
        trail = _Trail(peer=request.url.netloc.decode())
        request.extensions = {"timeout": self._patience, "trace": trail.note}
        try:
            async with asyncio.timeout(self._wire.deadline):
                answer = await _exchange(line, request, trail)
        except Exception as error:
            return self._verdict(error, trail)
        else:
            trail.clean = not _left_over(trail.head)
            return answer
        finally:
            await self._give_back(line, trail)

    def _line(self) -> httpx.AsyncHTTPTransport:
        # The bare transport, without httpx's client around it: nothing here follows redirects, keeps cookies, or looks
        # into the environment or a .netrc.
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_IDLE)
        return httpx.AsyncHTTPTransport(
            verify=self._tls, trust_env=False, http2=False, limits=limits, proxy=self._proxy, retries=0
        )

    async def _free_line(self) -> httpx.AsyncHTTPTransport:
        try:
            async with asyncio.timeout(self._wire.connect_timeout):
                return await self._free.get()
        except TimeoutError:
            raise _Trouble(f"no free connection within {self._wire.connect_timeout:g} s") from None

    async def _give_back(self, line: httpx.AsyncHTTPTransport, trail: "_Trail") -> None:
        """Free the line for the next request; a new one where this exchange may still have something to come."""
        self._free.put_nowait(line if trail.clean else self._line())
        if not trail.clean:
            # What is known of the request stands, however its connection takes being closed.
            with suppress(Exception):
                await line.aclose()

    def _request(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> httpx.Request:
        if method not in METHODS:
            raise _Trouble(f"{method!r} is not a method that can be sent")
        for name, value in headers.items():
            _check_header(name, value)
        fields = httpx.Headers({"Accept-Encoding": "gzip", "User-Agent": USER_AGENT})
        fields.update(headers)
        return httpx.Request(method, _url(self._wire.base_url, path, query), headers=fields, content=body)

    def _verdict(self, error: Exception, trail: "_Trail") -> Reply:
        reason = _why(error, trail, self._wire)
        if trail.head is not None:
            return HeadOnly(trail.head.status_code, dict(trail.head.headers), reason)
        return NotSent(reason) if trail.unsent else Lost(reason)


class _Trouble(Exception):
    """What we find wrong ourselves, with a request or with an answer; `str()` is the reason for a person."""


@dataclass(slots=True)
class _Trail:
    """What is known of one request on its way, from httpcore's trace.

    `peer` is whom we were last connecting to, proxies included. `clean` says that the connection may carry another.
    """

    peer: str
    connecting: bool = False
    sent: bool = False
    head: httpx.Response | None = None
    clean: bool = False

    @property
    def unsent(self) -> bool:
        """The proof for NotSent. Silence is none: something else than httpcore underneath may not tell what it does."""
        return self.connecting and not self.sent

    async def note(self, event: str, info: Mapping[str, Any]) -> None:
        """Take down one event of the trace; raise RuntimeError before a request could go out a second time."""
        step = event.partition(".")[2]
        if step == "connect_tcp.started":
            self.connecting, self.peer = True, f"{info['host']}:{info['port']}"
        elif step == "start_tls.started":
            self.peer = info["server_hostname"]
        # CONNECT asks a proxy for a tunnel: not yet the request itself.
        elif step == "send_request_headers.started" and info["request"].method != b"CONNECT":
            if self.sent:
                raise RuntimeError("this request has been sent before")
            self.sent = True


async def _exchange(line: httpx.AsyncHTTPTransport, request: httpx.Request, trail: _Trail) -> Answer:
    trail.head = await line.handle_async_request(request)
    packed = bytearray()
    async for chunk in trail.head.aiter_raw():
        packed += chunk
        if len(packed) > MAX_BODY:
            raise _Trouble(f"the body of the answer is longer than {MAX_BODY} bytes")
    body = _unpack(bytes(packed), trail.head.headers.get("content-encoding", "identity"))
    return Answer(trail.head.status_code, dict(trail.head.headers), body)


def _unpack(packed: bytes, encoding: str) -> bytes:
    """The body without its gzip or deflate; raise _Trouble where that can't be done within MAX_BODY."""
    encoding = encoding.strip().lower()
    if not packed or encoding in ("", "identity"):
        return packed
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise _Trouble("the body of the answer is packed in a way that was not asked for")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib, whichever it is
    try:
        body = unpacker.decompress(packed, MAX_BODY + 1)
    except zlib.error:
        raise _Trouble("the body of the answer can't be unpacked") from None
    if len(body) > MAX_BODY:
        raise _Trouble(f"the body of the answer is longer than {MAX_BODY} bytes once unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise _Trouble("the body of the answer can't be unpacked: it does not end where it should")
    return body


def _left_over(answer: httpx.Response | None) -> bool:
    """Whether bytes came behind the end of an answer: they would be read as the answer to the next request.

    httpx has no public word for it, so this looks inside; what can't be seen counts as left over.
    """
    try:
        return bool(answer.stream._httpcore_stream._stream._connection._h11_state.trailing_data[0])  # type: ignore[union-attr]
    except AttributeError:
        return True


def _check_header(name: str, value: str) -> None:
    """Raise _Trouble for a header that must not go out; the reason never holds the value, which may be a secret."""
    if not HEADER_NAME.fullmatch(name):
        raise _Trouble(f"{name!r} is not a name for a header")
    if name.lower() in OWN_HEADERS:
        raise _Trouble(f"the header {name} is set by bulkload itself: leave it out")
    if not HEADER_VALUE.fullmatch(value):
        raise _Trouble(
            f"the value of the header {name} has a line break, a control character, a character outside ASCII,"
            " or a space at its begin or end"
        )


def _url(base_url: str, path: str, query: Sequence[tuple[str, str]]) -> httpx.URL:
    """The address to send to; raise _Trouble unless httpx would send exactly the path and query that we mean."""
    if not base_url.startswith(("http://", "https://")):
        raise _Trouble("the base URL does not begin with http:// or https://")
    if not path.startswith("/"):
        raise _Trouble("the path does not begin with /")
    text = base_url.rstrip("/") + path + ("?" + urlencode(query, quote_via=quote) if query else "")
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise _Trouble("the URL made of base URL and path is not valid") from None
    if not url.host or not 0 < (url.port or 443) < 65536:
        raise _Trouble("the base URL has no host, or a port that can't be")
    if url.userinfo or "?" in base_url or "#" in base_url:
        raise _Trouble("the base URL holds a user name, a query or a fragment: leave it out")
    # httpx resolves "." and ".." and quotes what is not quoted: either would reach another record than the one meant.
    if url.raw_path.decode() != "/" + text.split("/", 3)[3]:
        raise _Trouble("the path would not arrive as it stands: it holds '.' or '..', or is not percent-quoted")
    return url


def _tls(wire: Wire) -> ssl.SSLContext:
    try:
        if wire.ca_file:
            tls = ssl.create_default_context(cafile=wire.ca_file)
        else:
            tls = httpx.create_ssl_context(trust_env=False)
    except OSError as error:
        raise SettingsError(f"ca_file: {wire.ca_file} can't be used ({_words(error)}); name a PEM file") from error
    try:
        if wire.client_cert:
            # No password at all would make OpenSSL ask for one at the terminal.
            tls.load_cert_chain(wire.client_cert, wire.client_key, password="")
    except OSError as error:
        files = " with ".join(filter(None, (wire.client_cert, wire.client_key)))
        raise SettingsError(
            f"client_cert: {files} can't be used ({_words(error)}); name PEM files of the certificate and its key,"
            " the key without a password"
        ) from error
    return tls


def _proxy(wire: Wire, tls: ssl.SSLContext) -> httpx.Proxy | None:
    if not wire.proxy:
        return None
    if not wire.proxy.startswith(("http://", "https://")):
        raise SettingsError("proxy: the URL does not begin with http:// or https://; other proxies are not supported")
    try:
        return httpx.Proxy(wire.proxy, ssl_context=tls if wire.proxy.startswith("https:") else None)
    except (httpx.InvalidURL, ValueError):
        # Without the cause: the URL may hold a password.
        raise SettingsError("proxy: not a valid URL; write http://HOST:PORT") from None


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what led to it, outermost first; of a group, the first of its members."""
    while error is not None:
        yield error
        inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
        error = inner or error.__context__


def _why(error: Exception, trail: _Trail, wire: Wire) -> str:
    """A sentence for a person, made of our own words alone: an exception's may quote a header or an answer."""
    if isinstance(error, _Trouble):
        return str(error)
    if isinstance(error, TimeoutError):
        missing = "complete answer" if trail.head else f"connection to {trail.peer}" if trail.unsent else "answer"
        return f"no {missing} within {wire.deadline:g} s"
    if trail.head:
        return "the body of the answer was cut"
    when = "before" if trail.unsent else "after"
    for cause in _causes(error):
        match cause:
            case httpx.ConnectTimeout():
                return f"no connection to {trail.peer} within {wire.connect_timeout:g} s"
            case socket.gaierror():
                return f"no address is known for {trail.peer}"
            case ConnectionRefusedError():
                return f"connection refused by {trail.peer}"
            case ssl.SSLCertVerificationError():
                return f"the certificate of {trail.peer} is not trusted: {cause.verify_message}"
            case ssl.SSLError():
                return f"TLS with {trail.peer} failed: {cause.reason or 'no reason given'}"
            case httpx.ProxyError():
                return f"the proxy refused the tunnel with status {str(cause)[:3]}"
            case httpx.RemoteProtocolError() if "disconnected" in str(cause):
                return "the connection was closed before an answer came"
            case httpx.RemoteProtocolError():
                return "what came back is not an HTTP answer"
            case ConnectionResetError() | BrokenPipeError():
                return f"the connection to {trail.peer} was reset {when} the request was sent"
    return f"the connection to {trail.peer} broke ({type(error).__name__})"
