"""Lines to a server: libcurl carries a request over one, and what became of the request comes back as a Reply.

libcurl is known here alone. Two things of it must not get out: it sends a request again by itself where a kept
connection breaks before an answer comes, and its errors have the same numbers before a request was sent and after. So
it has to ask before it sends (https://curl.se/libcurl/c/CURLOPT_PREREQFUNCTION.html): what it never asked about was
not sent, and what it asks about again is not sent again.
"""

import errno
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pycurl

from bulkload.models import Answer, HeadOnly, Lost, NotSent, Reply
from bulkload.system import own_end, readable
from bulkload.transfers import Transfers

# The longest body that is read, in bytes: as it arrives, and again once it is unpacked.
MAX_BODY = 1024 * 1024
# The longest head of an answer, in bytes.
MAX_HEAD = 64 * 1024
# Seconds that an idle connection is kept. Servers close theirs after 5 s (Node) or more, and a request that goes out
# just then is lost, so ours must be the first to go.
KEEP_IDLE = 2
# Headers that libcurl adds where nobody gave them; one without a value says that it shall not.
_UNASKED = ("Accept:", "Content-Type:", "Expect:")
# Methods that say how long their body is, even where they have none (RFC 9110, 8.6).
_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})
# Errors for an answer that is none: no status line, odd lines after it (a name from the days of FTP), and a line that
# grew too long, for which pycurl has no name (https://curl.se/libcurl/c/libcurl-errors.html).
_NO_HTTP = frozenset({pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_FTP_WEIRD_SERVER_REPLY, 100})
_END_OF_HEAD = frozenset({b"\r\n", b"\n"})
_BROKEN = "the connection was closed or reset before an answer came"


@dataclass(frozen=True, slots=True)
class Manner:
    """How lines are laid. `deadline` and `connect_timeout` are in seconds; `proxy` may hold its sign-in, "" means none.

    The deadline is for all of a request, the timeout for its connection: name, TCP, a proxy's tunnel and TLS together.
    `client_cert` and `client_key` are PEM files; None where there is none, or where the key stands with the certificate.
    """

    ca_file: str
    client_cert: str | None
    client_key: str | None
    headers: Mapping[str, str]
    deadline: float
    connect_timeout: float
    proxy: str = field(repr=False)


# The connections that libcurl may have kept: address and port of our end, and the number of the socket.
Ends = dict[tuple[str, int], int]


class Lines:
    """All lines to a server, with the connections that are kept for the next request; for one running loop."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._transfers = Transfers()
        self._ends: Ends = {}
        self._free: list[Line] = []

    async def carry(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send one request, once, and tell what came of it. Its framing and its packing are ours: see transport.py.

        Cancelled, it drops the connection and lets CancelledError through: the request may have been done.
        """
        line = self._free.pop() if self._free else Line(self._manner, self._ends)
        try:
            while True:
                line.prepare(method, url, headers, body)
                try:
                    await self._transfers.perform(line.curl)
                except pycurl.error as error:
                    if line.spoilt:
                        continue  # With the next connection that was kept, or a new one at last.
                    return line.broken(error)
                return line.answer()
        finally:
            self._free.append(line)

    async def close(self) -> None:
        """Close the connections."""
        self._transfers.close()


class Line:
    """One request at a time, and what is known of it on its way."""

    def __init__(self, manner: Manner, ends: Ends) -> None:
        self._manner = manner
        self._ends = ends
        self._asked: tuple[str, str, Mapping[str, str], bool] | None = None
        self._own = [f"{name}: {value}" for name, value in manner.headers.items()]
        self.curl = curl = pycurl.Curl()
        for option, value in _options(manner):
            curl.setopt(option, value)
        curl.setopt(pycurl.SOCKOPTFUNCTION, self._opened)
        curl.setopt(pycurl.PREREQFUNCTION, self._let_out)
        curl.setopt(pycurl.HEADERFUNCTION, self._hear)
        curl.setopt(pycurl.WRITEFUNCTION, self._take)

    def prepare(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> None:
        """Make this the next request, of which nothing is known yet."""
        self._url = url
        self._out = self.spoilt = False
        self._sockets: list[int] = []
        self._raw: list[bytes] = []
        self._head: tuple[int, dict[str, str]] | None = None
        self._body = bytearray()
        self._size = 0
        self._trouble = ""
        with_body = body is not None or method in _WITH_LENGTH
        # Most requests of a run differ in their body alone, and libcurl keeps what it was told.
        if (method, url, headers, with_body) != self._asked:
            self._ask(method, url, headers, with_body)
            self._asked = method, url, dict(headers), with_body
        if with_body:
            self.curl.setopt(pycurl.POSTFIELDS, body or b"")

    def _ask(self, method: str, url: str, headers: Mapping[str, str], with_body: bool) -> None:
        """Tell libcurl all of a request but its body."""
        set_option = self.curl.setopt
        set_option(pycurl.URL, url)
        # A header without a value is written with a semicolon: with a colon it is one to leave out.
        asked = [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]
        set_option(pycurl.HTTPHEADER, [*self._own, *asked, *_UNASKED])
        set_option(pycurl.NOBODY, method == "HEAD")
        if with_body:
            set_option(pycurl.POST, True)
        elif method != "HEAD":
            set_option(pycurl.HTTPGET, True)
        set_option(pycurl.CUSTOMREQUEST, method)

    def answer(self) -> Reply:
        """What libcurl has brought."""
        if self._head is None:
            return Lost("what came back is not an HTTP answer")
        status, headers = self._head
        try:
            return Answer(status, headers, unpacked(bytes(self._body), headers.get("content-encoding", "identity")))
        except Trouble as trouble:
            return HeadOnly(status, headers, str(trouble))

    def broken(self, error: pycurl.error) -> Reply:
        """What became of a request that libcurl has given up."""
        # Two witnesses: it never asked, and counts not one byte of the request as sent.
        unsent = not self._out and self.curl.getinfo(pycurl.REQUEST_SIZE) == 0
        reason = self._trouble or self._why(error, unsent)
        if self._head is not None:
            return HeadOnly(*self._head, reason)
        return NotSent(reason) if unsent else Lost(reason)

    # What libcurl calls

    def _opened(self, number: int, _: int) -> int:
        """A socket was made, to be connected for this request; once that has gone out it gets no other connection."""
        if self._out:
            self._trouble = _BROKEN
            return pycurl.SOCKOPT_ERROR
        self._sockets.append(number)
        return pycurl.SOCKOPT_OK

    def _let_out(self, _: str, host: str, __: int, port: int) -> int:
        """Whether the request may go out on the connection that has this end: once, and not if that is spoilt."""
        if self._out:
            self._trouble = _BROKEN
            return pycurl.PREREQFUNC_ABORT
        end = host, port
        if self._sockets:
            self._ends[end] = next((number for number in self._sockets if own_end(number) == end), -1)
        # libcurl looks at a kept connection once a second (https://github.com/curl/curl/pull/22169). What has come over
        # it since would be read as the answer to this request.
        elif readable(self._ends[end]):
            self.spoilt = True
            return pycurl.PREREQFUNC_ABORT
        self._out = True
        return pycurl.PREREQFUNC_OK

    def _hear(self, line: bytes) -> int | None:
        """Take a line of an answer's head; the answers that come before the real one (1xx) are passed over."""
        self._size += len(line)
        if self._size > MAX_HEAD:
            self._trouble = f"the head of the answer is longer than {MAX_HEAD} bytes"
            return -1
        if line not in _END_OF_HEAD:
            self._raw.append(line)
            return None
        raw, self._raw = self._raw, []
        # Not a proxy's answer to CONNECT, nor the trailer of a chunked body.
        if self._out and self._head is None and (status := _status(raw)) >= 200:
            self._head = status, _fields(raw[1:])
        return None

    def _take(self, some: bytes) -> int | None:
        self._body += some
        if len(self._body) <= MAX_BODY:
            return None
        self._trouble = f"the body of the answer is longer than {MAX_BODY} bytes"
        return -1

    def _why(self, error: pycurl.error, unsent: bool) -> str:
        """A sentence for a person, made of our own words alone: libcurl's may quote a header or an answer."""
        code, info, manner = error.args[0], self.curl.getinfo, self._manner
        server, proxy = urlsplit(self._url), urlsplit(manner.proxy)
        # A connection is made to the proxy where there is one; its own TLS comes before the tunnel.
        peer = (proxy if manner.proxy and unsent else server).netloc.rpartition("@")[2]
        tunnel = info(pycurl.HTTP_CONNECTCODE)
        host = (proxy if proxy.scheme == "https" and not tunnel else server).hostname
        reset = info(pycurl.OS_ERRNO) in (errno.ECONNRESET, errno.EPIPE)
        if code == pycurl.E_OPERATION_TIMEDOUT:
            if unsent:
                return f"no connection to {peer} within {min(manner.connect_timeout, manner.deadline):g} s"
            return f"no {'complete answer' if self._head else 'answer'} within {manner.deadline:g} s"
        if self._head:
            return "the body of the answer was cut"
        if not unsent:
            if code in _NO_HTTP:
                return "what came back is not an HTTP answer"
            if code == pycurl.E_GOT_NOTHING:
                return "the connection was closed before an answer came"
            return f"the connection to {peer} {'was reset' if reset else 'broke'} after the request was sent"
        if tunnel not in (0, 200):
            return f"the proxy refused the tunnel with status {tunnel}"
        match code:
            case pycurl.E_COULDNT_RESOLVE_HOST | pycurl.E_COULDNT_RESOLVE_PROXY:
                return f"no address is known for {peer}"
            case pycurl.E_COULDNT_CONNECT if info(pycurl.OS_ERRNO) == errno.ECONNREFUSED:
                return f"connection refused by {peer}"
            case pycurl.E_PEER_FAILED_VERIFICATION:
                return f"the certificate of {host} is not trusted"
            case _ if reset:
                return f"the connection to {peer} was reset before the request was sent"
            case pycurl.E_SSL_CONNECT_ERROR:
                return f"TLS with {host} failed"
        return f"no connection to {peer} (libcurl's error {code})"


def _options(manner: Manner) -> Iterator[tuple[int, Any]]:
    """What is the same for all requests."""
    yield pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
    yield pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1
    yield pycurl.PATH_AS_IS, True
    # Without a signal, which the main thread alone could take.
    yield pycurl.NOSIGNAL, True
    yield pycurl.TIMEOUT_MS, _milliseconds(manner.deadline)
    yield pycurl.CONNECTTIMEOUT_MS, _milliseconds(manner.connect_timeout)
    yield pycurl.MAXAGE_CONN, KEEP_IDLE
    yield pycurl.TCP_KEEPALIVE, True
    # Empty rather than unset: unset would mean the environment's.
    yield pycurl.PROXY, manner.proxy
    yield pycurl.NOPROXY, ""
    yield pycurl.CAINFO, manner.ca_file
    yield pycurl.PROXY_CAINFO, manner.ca_file
    if manner.client_cert:
        yield pycurl.SSLCERT, manner.client_cert
        yield pycurl.SSLKEY, manner.client_key or manner.client_cert


def _milliseconds(seconds: float) -> int:
    """For libcurl, which takes 0 for «without an end»."""
    return max(1, round(seconds * 1000))


class Trouble(Exception):
    """What we find wrong ourselves, with a request or with an answer; `str()` is the reason for a person."""


def _status(head: list[bytes]) -> int:
    """The status of an answer, 0 where its head has none."""
    found = re.match(rb"HTTP/\S+ (\d{3})\b", head[0]) if head else None
    return int(found[1]) if found else 0


def _fields(lines: Iterable[bytes]) -> dict[str, str]:
    """An answer's headers: names in lower case, those that stand there several times joined by ", "."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = _text(line).partition(":")
        key, value = name.strip().lower(), value.strip()
        fields[key] = f"{fields[key]}, {value}" if key in fields else value
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
