"""The HTTP client: whatever happens on the wire comes back as an Answer, HeadOnly, NotSent or Lost.

The one rule that everything here serves: a request is NotSent only where that is proven, so that nothing which may
have been done is ever sent again. What is wrong with a request itself is found here, before a line is asked for; the
proof for all the rest is line's.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Self
from urllib.parse import quote, urlencode, urlsplit

import certifi

from bulkload.address import wrong_url
from bulkload.errors import SettingsError
from bulkload.line import Lines, Manner, Trouble
from bulkload.models import NotSent, Reply

USER_AGENT = f"bulkload/{version('bulkload')}"
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
# Headers that say how a message is framed, routed or packed: the transport's own, a caller's could only contradict it.
OWN_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "te", "transfer-encoding", "upgrade"}
)
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")
# Segments as RFC 3986 has them, none of them "." or "..": a server would take those for another path.
PATH = re.compile(r"(?:/(?!\.\.?(?:/|\Z))(?:[\w.~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wire:
    """What a connection says about the wire.

    `deadline` is in seconds, for a whole request once it has a free connection: connecting, sending and the last byte
    of the answer. `connect_timeout`, in seconds, limits the wait for a free connection, and then that for the server's
    address, TCP, a proxy's tunnel and TLS together.
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
        self._base = _base(wire.base_url)
        _check_certificates(wire)
        self._lines = Lines(
            Manner(
                ca_file=wire.ca_file or certifi.where(),  # Not the system's, so that a run trusts the same everywhere.
                client_cert=wire.client_cert,
                client_key=wire.client_key,
                headers={"Accept-Encoding": "gzip", "User-Agent": USER_AGENT},
                deadline=wire.deadline,
                connect_timeout=wire.connect_timeout,
                proxy=_proxy(wire),
            )
        )
        self._slots = asyncio.Semaphore(wire.in_flight)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._lines.close()

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
            url = self._url(path, query)
            _check(method, headers)
            await self._free_slot()
        except Trouble as trouble:
            return NotSent(str(trouble))
        try:
            return await self._lines.carry(method, url, headers, body)
        finally:
            self._slots.release()

    def _url(self, path: str, query: Sequence[tuple[str, str]]) -> str:
        if isinstance(self._base, Trouble):
            raise self._base
        _check_path(path)
        return self._base + path + ("?" + urlencode(query, quote_via=quote) if query else "")

    async def _free_slot(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(self._wire.connect_timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise Trouble(f"no free connection within {self._wire.connect_timeout:g} s") from None


def _base(base_url: str) -> str | Trouble:
    """What stands before every path, or what keeps anything from being sent there."""
    if wrong := wrong_url(base_url, allow_http=True):
        return Trouble(f"the base URL {wrong}")
    scheme, _, rest = base_url.partition("://")
    place, _, path = rest.partition("/")
    try:
        # As DNS writes it; libcurl may not know how.
        place = place if place.isascii() else place.encode("idna").decode()
    except UnicodeError:
        return Trouble("the base URL is no valid URL: write https://HOST/PATH")
    path = path.rstrip("/")
    if path and not PATH.fullmatch(f"/{path}"):
        return Trouble("the base URL's path holds '.' or '..', or is not percent-quoted")
    return f"{scheme}://{place}/{path}".rstrip("/")


@lru_cache(maxsize=256)
def _check_path(path: str) -> None:
    """Raise Trouble for a path that would not arrive as it stands."""
    if not PATH.fullmatch(path):
        raise Trouble(
            "the path would not arrive as it stands: it does not begin with /, holds '.' or '..', or is not"
            " percent-quoted"
        )


def _check(method: str, headers: Mapping[str, str]) -> None:
    """Raise Trouble for a method or a header that must not go out."""
    if method not in METHODS:
        raise Trouble(f"{method!r} is not a method that can be sent")
    for name, value in headers.items():
        _check_header(name, value)


# The headers of a run are the same for row after row.
@lru_cache(maxsize=256)
def _check_header(name: str, value: str) -> None:
    """Raise Trouble for a header that must not go out; the reason never holds the value, which may be a secret."""
    if not HEADER_NAME.fullmatch(name):
        raise Trouble(f"{name!r} is not a name for a header")
    if name.lower() in OWN_HEADERS:
        raise Trouble(f"the header {name} is set by bulkload itself: leave it out")
    if not HEADER_VALUE.fullmatch(value):
        raise Trouble(
            f"the value of the header {name} has a line break, a control character, a character outside ASCII,"
            " or a space at its begin or end"
        )


def _check_certificates(wire: Wire) -> None:
    """Raise SettingsError for a PEM file that can't be used: libcurl would find that only when it sends."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if wire.ca_file:
            tls.load_verify_locations(wire.ca_file)
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


def _proxy(wire: Wire) -> str:
    """The proxy's URL, "" for none."""
    if not wire.proxy:
        return ""
    if not wire.proxy.startswith(("http://", "https://")):
        raise SettingsError("proxy: the URL does not begin with http:// or https://; other proxies are not supported")
    try:
        parts = urlsplit(wire.proxy)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not wire.proxy.isascii():
        # Without the cause: the URL may hold a password.
        raise SettingsError("proxy: not a valid URL; write http://HOST:PORT")
    return wire.proxy


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
