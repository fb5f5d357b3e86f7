"""One exchange at a time: a request as libcurl is told it, and what is known of it on its way."""

from collections.abc import Callable, Mapping

import pycurl

from bulkload.line.breakage import why
from bulkload.line.manner import Manner, options
from bulkload.line.message import MAX_BODY, MAX_HEAD, Trouble, fields, status_of, unpacked
from bulkload.models import Answer, HeadOnly, Lost, NotSent, Reply
from bulkload.system import bytes_read, own_end, readable

# Headers that libcurl adds where nobody gave them; one without a value says that it shall not.
_UNASKED = ("Accept:", "Content-Type:", "Expect:")
# Methods that say how long their body is, even where they have none (RFC 9110, 8.6).
_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})
# Bytes of a body that libcurl hands to a socket at a time: as it does by itself, and as many as it can.
_PIECE, _LARGEST_PIECE = 64 * 1024, 2 * 1024 * 1024
_END_OF_HEAD = frozenset({b"\r\n", b"\n"})
_BROKEN = "the connection was closed or reset before an answer came"

_STRAY = "what came back was there before the request went out: it is no answer to it"

# The connections that libcurl may have kept: address and port of the other end and of ours, and the number of the
# socket. Ours alone won't do: the system gives a port twice where the other ends differ.
Ends = dict[tuple[str, int, str, int], int]


class Exchange:
    """Requests one after the other; `ends` are the connections of all who share them.

    `opened` is told the number of each socket that libcurl makes.
    """

    def __init__(self, manner: Manner, ends: Ends, opened: Callable[[int], None]) -> None:
        self._manner = manner
        self._ends = ends
        self._tell_opened = opened
        self._asked: tuple[str, str, Mapping[str, str], bool] | None = None
        self._piece = _PIECE
        self._own = [f"{name}: {value}" for name, value in manner.headers.items()]
        self.curl = curl = pycurl.Curl()
        for option, value in options(manner):
            curl.setopt(option, value)
        curl.setopt(pycurl.SOCKOPTFUNCTION, self._opened)
        curl.setopt(pycurl.PREREQFUNCTION, self._let_out)
        curl.setopt(pycurl.HEADERFUNCTION, self._hear)
        curl.setopt(pycurl.WRITEFUNCTION, self._take)

    def prepare(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> None:
        """Make this the next request, of which nothing is known yet."""
        self._url = url
        # Whether it was let out; whether it was not because its connection was spoilt.
        self._out = self.spoilt = False
        self._sockets: list[int] = []
        # The kept connection that it goes out on, and how many bytes of that had been read by then, where that matters.
        self._kept: tuple[int, int] | None = None
        self._raw: list[bytes] = []
        self._size = 0
        self._head: tuple[int, dict[str, str]] | None = None
        self._body = bytearray()
        self._trouble = ""
        with_body = body is not None or method in _WITH_LENGTH
        # Most requests of a run differ in their body alone, and libcurl keeps what it was told.
        if (method, url, headers, with_body) != self._asked:
            self._ask(method, url, headers, with_body)
            self._asked = method, url, dict(headers), with_body
        if with_body:
            self.curl.setopt(pycurl.POSTFIELDS, body or b"")
            self._part(len(body or b""))

    def _ask(self, method: str, url: str, headers: Mapping[str, str], with_body: bool) -> None:
        """Tell libcurl all of a request but its body."""
        set_option = self.curl.setopt
        set_option(pycurl.URL, url)
        self._in_tls = any(one.casefold().startswith("https:") for one in (url, self._manner.proxy))
        # A header without a value is written with a semicolon: with a colon it is one to leave out.
        asked = [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]
        set_option(pycurl.HTTPHEADER, [*self._own, *asked, *_UNASKED])
        set_option(pycurl.NOBODY, method == "HEAD")
        if with_body:
            set_option(pycurl.POST, True)
        elif method != "HEAD":
            set_option(pycurl.HTTPGET, True)
        set_option(pycurl.CUSTOMREQUEST, method)

    def _part(self, length: int) -> None:
        """Let a body of this length go out in few pieces: a socket that took one whole has no more to say of it, and
        the next waits for a glance."""
        piece = min(max(length, _PIECE), _LARGEST_PIECE)
        if piece != self._piece:
            self.curl.setopt(pycurl.UPLOAD_BUFFERSIZE, piece)
            self._piece = piece

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
        headed = self._head is not None
        reason = self._trouble or why(self.curl, error, self._url, self._manner, unsent=unsent, headed=headed)
        if self._head is not None:
            return HeadOnly(*self._head, reason)
        return NotSent(reason) if unsent else Lost(reason)

    # What libcurl calls. An exception would be lost on the way, and the request with it.

    def _opened(self, number: int, _: int) -> int:
        """A socket was made, to be connected for this request; once that has gone out it gets no other connection."""
        if self._out:
            self._trouble = _BROKEN
            return pycurl.SOCKOPT_ERROR
        self._sockets.append(number)
        self._tell_opened(number)
        return pycurl.SOCKOPT_OK

    def _let_out(self, peer: str, host: str, peer_port: int, port: int) -> int:
        """Whether the request may go out on the connection that has these ends: once, and not if that is spoilt."""
        if self._out:
            self._trouble = _BROKEN
            return pycurl.PREREQFUNC_ABORT
        ends = peer, peer_port, host, port
        if self._sockets:
            of_this_end = (number for number in self._sockets if own_end(number) == (host, port))
            self._ends[ends] = next(of_this_end, self._sockets[-1])
        # libcurl looks at a kept connection once a second (https://github.com/curl/curl/pull/22169). What has come over
        # it since would be read as the answer to this request.
        elif ends not in self._ends or readable(self._ends[ends]):
            self.spoilt = True
            return pycurl.PREREQFUNC_ABORT
        elif self._in_tls and (before := bytes_read(self._ends[ends])) is not None:
            self._kept = self._ends[ends], before
        self._out = True
        return pycurl.PREREQFUNC_OK

    def _hear(self, line: bytes) -> int | None:
        """Take a line of an answer's head; the answers that come before the real one (1xx) are passed over."""
        if self._kept and self._strays():
            self._trouble = _STRAY
            return -1
        self._size += len(line)
        if self._size > MAX_HEAD:
            self._trouble = f"the head of the answer is longer than {MAX_HEAD} bytes"
            return -1
        if line not in _END_OF_HEAD:
            self._raw.append(line)
            return None
        raw, self._raw = self._raw, []
        # Not a proxy's answer to CONNECT, nor the trailer of a chunked body.
        if self._out and self._head is None and (status := status_of(raw)) >= 200:
            self._head = status, fields(raw[1:])
        return None

    def _strays(self) -> bool:
        """Whether an answer begins though nothing has been read of the kept connection since the request went out.

        OpenSSL reads ahead: what came behind the last answer may be with it, where nobody else sees it.
        """
        assert self._kept
        (number, before), self._kept = self._kept, None
        since = bytes_read(number)
        return since is not None and since - before in (0, 1)  # 1: the end of the connection

    def _take(self, some: bytes) -> int | None:
        """Take a piece of an answer's body."""
        self._body += some
        if len(self._body) <= MAX_BODY:
            return None
        self._trouble = f"the body of the answer is longer than {MAX_BODY} bytes"
        return -1
