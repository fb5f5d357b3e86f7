"""The transport, told by effect: real sockets on loopback, and a server that counts what it did."""

import asyncio
import os
import ssl
import subprocess
import sys
import threading
import tracemalloc
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pycurl
import pytest
import trustme

from bulkload.errors import SettingsError
from bulkload.models import Answer, HeadOnly, Lost, NotSent, Reply
from bulkload.transport import USER_AGENT, Transport, Wire
from tests.wire import BODY, ENDINGS, PATIENCE, Exchange, FaultServer, dead_port, full_backlog, gzip_bomb

DEADLINE = 0.5
SECRET = "correct-horse-battery"
Result = Reply | asyncio.CancelledError
Talk = Callable[[Transport, FaultServer, "Effect"], Awaitable[Result]]


async def one_post(transport: Transport, server: FaultServer, effect: "Effect") -> Result:
    return await transport.send("POST", "/things/1", headers=effect.headers, body=effect.body)


async def second_post(transport: Transport, server: FaultServer, effect: "Effect") -> Result:
    """The second of two requests, on the first one's connection."""
    assert isinstance(await transport.send("POST", "/things/0", body=b"{}"), Answer)
    return await one_post(transport, server, effect)


async def post_beside_another(transport: Transport, server: FaultServer, effect: "Effect") -> Result:
    """A request while another one has the only connection."""
    async with asyncio.TaskGroup() as group:
        group.create_task(transport.send("POST", "/things/0", body=b"{}"))
        await asyncio.to_thread(server.worked.wait, PATIENCE)
        return await one_post(transport, server, effect)


async def cancelled_post(transport: Transport, server: FaultServer, effect: "Effect") -> Result:
    """A request that is cancelled once the server has done its work."""
    task = asyncio.ensure_future(one_post(transport, server, effect))
    await asyncio.to_thread(server.worked.wait, PATIENCE)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError as error:
        return error


@dataclass(frozen=True, slots=True)
class Effect:
    """What must come of a request: the kind of reply with how many requests the server has done in the end (several
    where two things race), and words of the reply's reason.

    In `url`, `proxy` and `reason` stand the ports: {port} of the server, {proxy} of a proxy, {dead} where nobody
    listens, {full} where a SYN is lost.
    """

    expected: Mapping[type[Result], int]
    reason: str = ""
    behaviour: str = "answers"
    url: str = "http://127.0.0.1:{port}"
    tls: bool = False
    trusted: bool = True
    proxy: str | None = None
    proxy_behaviour: str = "tunnel"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    status: int = 201
    talk: Talk = one_post


def spoilt_header(value: str) -> Effect:
    return Effect({NotSent: 0}, "the value of the header X-Key has", headers={"X-Key": SECRET + value})


HTTPS = "https://127.0.0.1:{port}"
PROXY = "http://user:" + SECRET + "@127.0.0.1:{proxy}"
TLS_PROXY = PROXY.replace("http:", "https:")
LARGE = b"x" * 32 * 1024 * 1024

EFFECTS = {
    "a plain answer": Effect({Answer: 1}),
    "an answer over TLS": Effect({Answer: 1}, url=HTTPS, tls=True),
    "an answer in gzip": Effect({Answer: 1}, behaviour="201, gzip"),
    "refused": Effect({NotSent: 0}, "connection refused by 127.0.0.1:{dead}", url="http://127.0.0.1:{dead}"),
    "DNS failure": Effect({NotSent: 0}, "no address is known for none.invalid", url="http://none.invalid:{port}"),
    "a name in other letters": Effect(
        {NotSent: 0}, "no address is known for xn--bcher-kva.invalid", url="http://bücher.invalid:{port}"
    ),
    "bad URL: a name that DNS can't have": Effect({NotSent: 0}, "no valid URL", url="http://" + "ü" * 80 + ".invalid"),
    "untrusted certificate": Effect({NotSent: 0}, "is not trusted", url=HTTPS, tls=True, trusted=False),
    "certificate of another host": Effect(
        {NotSent: 0}, "is not trusted", url="https://localhost:{port}", tls=True, trusted=True
    ),
    "TLS spoken to a plain port": Effect({NotSent: 0}, "TLS with 127.0.0.1 failed", "400 to whatever comes", HTTPS),
    "plain HTTP spoken to a TLS port": Effect({Lost: 0}, tls=True),
    "SYN lost": Effect({NotSent: 0}, "no connection to 127.0.0.1:{full} within 0.3 s", url="http://127.0.0.1:{full}"),
    "TLS handshake never answered": Effect({NotSent: 0}, "no connection to", "silence on accept", HTTPS),
    "TLS handshake reset": Effect({NotSent: 0}, "before the request was sent", "reset on accept", HTTPS),
    "pool exhausted": Effect(
        {NotSent: 1}, "no free connection within 0.3 s", "silence after the work", talk=post_beside_another
    ),
    "bad scheme": Effect({NotSent: 0}, "no valid URL", url="ftp://127.0.0.1:{port}"),
    "bad URL: no host": Effect({NotSent: 0}, "no valid URL", url="http://"),
    "bad URL: port": Effect({NotSent: 0}, "no valid URL", url="http://127.0.0.1:{port}x"),
    "bad URL: no such port": Effect({NotSent: 0}, "no valid URL", url="http://127.0.0.1:99999"),
    "bad URL: IPv6": Effect({NotSent: 0}, "no valid URL", url="http://[127.0.0.1]:{port}"),
    "bad URL: backslash": Effect({NotSent: 0}, "no valid URL", url="http://127.0.0.1:{port}\\none.invalid"),
    "bad URL: path": Effect({NotSent: 0}, "holds '.' or '..'", url="http://127.0.0.1:{port}/a/../b"),
    "bad URL: query": Effect({NotSent: 0}, "a query", url="http://127.0.0.1:{port}?a=b"),
    "bad URL: sign-in": Effect({NotSent: 0}, "user name", url="http://me:" + SECRET + "@127.0.0.1:{port}"),
    "CR in a header": spoilt_header("\r"),
    "LF in a header": spoilt_header("\n"),
    "CRLF in a header": spoilt_header("\r\nX-Other: 1"),
    "NUL in a header": spoilt_header("\0"),
    "non-ASCII in a header": spoilt_header("é"),
    "a header's name with a colon": Effect({NotSent: 0}, "is not a name for a header", headers={"X:Y": SECRET}),
    "wrong Content-Length of ours": Effect({NotSent: 0}, "leave it out", headers={"Content-length": "7"}),
    "proxy unreachable": Effect(
        {NotSent: 0}, "connection refused by 127.0.0.1:{dead}", url=HTTPS, proxy="http://127.0.0.1:{dead}"
    ),
    "proxy unreachable, plain": Effect(
        {NotSent: 0}, "connection refused by 127.0.0.1:{dead}", proxy="http://127.0.0.1:{dead}"
    ),
    "proxy refuses the tunnel": Effect(
        {NotSent: 0}, "refused the tunnel with status 403", url=HTTPS, proxy=PROXY, proxy_behaviour="refuses the tunnel"
    ),
    "proxy says nothing to CONNECT": Effect(
        {NotSent: 0}, "no connection to", url=HTTPS, proxy=PROXY, proxy_behaviour="silence before the work"
    ),
    "proxy resets at CONNECT": Effect(
        {NotSent: 0}, "", url=HTTPS, proxy=PROXY, proxy_behaviour="reset before the work"
    ),
    "tunnel to an untrusted certificate": Effect(
        {NotSent: 0}, "is not trusted", url=HTTPS, tls=True, trusted=False, proxy=PROXY
    ),
    "an answer through a tunnel": Effect({Answer: 1}, url=HTTPS, tls=True, proxy=PROXY),
    "an answer through a tunnel in TLS": Effect({Answer: 1}, url=HTTPS, tls=True, proxy=TLS_PROXY),
    "a proxy's untrusted certificate": Effect(
        {NotSent: 0}, "is not trusted", url=HTTPS, tls=True, trusted=False, proxy=TLS_PROXY
    ),
    "reset after the work, through a tunnel": Effect(
        {Lost: 1}, "", "reset after the work", url=HTTPS, tls=True, proxy=PROXY
    ),
    # Noticed before the request's first byte or after it.
    "reset on accept": Effect({NotSent: 0, Lost: 0}, "", "reset on accept"),
    "close on accept": Effect({NotSent: 0, Lost: 0}, "", "close on accept"),
    **{f"{name} after the work": Effect({Lost: 1}, "", f"{name} after the work") for name in ENDINGS},
    **{f"{name} before the work": Effect({Lost: 0}, "", f"{name} before the work") for name in ENDINGS},
    **{
        f"kept-alive connection: {ending}": Effect({Lost: done}, "", f"one answer, then {ending}", talk=second_post)
        for ending, done in (("reset after the work", 2), ("close after the work", 2), ("reset before the work", 1))
    },
    # Seen before anything goes out: another connection. Else the request is lost; it never goes out a second time.
    "kept-alive connection: close": Effect({Answer: 2, Lost: 1}, "", "one answer, then close", talk=second_post),
    "server never reads a large body": Effect({Lost: 0}, "no answer within 0.5 s", "never reads", body=LARGE),
    # The 413 can be read only if it comes before the reset that follows it.
    "413 while the body is being written": Effect(
        {Answer: 0, Lost: 0}, "", "413 at once, then close", body=LARGE, status=413
    ),
    "201, body cut": Effect({HeadOnly: 1}, "the body of the answer was cut", "201, body cut"),
    # The reset may overtake the head.
    "201, body cut by a reset": Effect({HeadOnly: 1, Lost: 1}, "", "201, body cut by a reset"),
    "201, body stalled": Effect({HeadOnly: 1}, "no complete answer within 0.5 s", "201, body stalled"),
    "201, body in drips": Effect({HeadOnly: 1}, "no complete answer within 0.5 s", "201, body in drips"),
    "201, undecodable gzip": Effect({HeadOnly: 1}, "can't be unpacked", "201, undecodable gzip"),
    "201, gzip cut": Effect({HeadOnly: 1}, "does not end where it should", "201, gzip cut"),
    "201, gzip bomb": Effect({HeadOnly: 1}, "longer than 1048576 bytes once unpacked", "201, gzip bomb"),
    "201, unknown encoding": Effect({HeadOnly: 1}, "not asked for", "201, unknown encoding"),
    "201, endless body": Effect({HeadOnly: 1}, "longer than 1048576 bytes", "201, endless body"),
    # It ends where it says itself (RFC 9112, 6.3); whether that is a whole one is for answer.py to judge.
    "201, more than announced": Effect({Answer: 1}, behaviour="201, more than announced"),
    "1xx before the answer": Effect({Answer: 1}, behaviour="1xx, then 201"),
    "204": Effect({Answer: 1}, behaviour="204", status=204),
    "302 to the same origin": Effect({Answer: 0}, behaviour="302", status=302),
    "307 to the same origin": Effect({Answer: 0}, behaviour="307", status=307),
    "cancelled in flight": Effect({asyncio.CancelledError: 1}, behaviour="silence after the work", talk=cancelled_post),
    "two answers on one connection": Effect({Answer: 2}, behaviour="two answers", talk=second_post),
}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("Schlüssel") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


@pytest.mark.parametrize("name", EFFECTS)
def test_what_is_not_proven_undone_is_never_called_not_sent(
    name: str, server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    """Each effect of the live test: the reply, how often the work was done, and that nothing arrived twice."""
    effect = EFFECTS[name]
    with ExitStack() as stack:
        server = stack.enter_context(FaultServer(effect.behaviour, tls=server_tls if effect.tls else None))
        secure_proxy = effect.proxy is not None and effect.proxy.startswith("https:")
        proxy = stack.enter_context(FaultServer(effect.proxy_behaviour, tls=server_tls if secure_proxy else None))
        ports = {
            "port": server.port,
            "proxy": proxy.port,
            "dead": stack.enter_context(dead_port()),
            "full": stack.enter_context(full_backlog()),
        }
        wire = Wire(
            effect.url.format(**ports),
            deadline=DEADLINE,
            in_flight=1,
            connect_timeout=0.3,
            proxy=effect.proxy and effect.proxy.format(**ports),
            ca_file=str(ca_file) if effect.trusted else None,
        )
        result = asyncio.run(talk(wire, server, effect))
    assert type(result) in effect.expected
    assert server.ledger.done.total() == effect.expected[type(result)]
    if isinstance(result, Answer | HeadOnly):
        assert result.status == effect.status
    if isinstance(result, HeadOnly | NotSent | Lost):
        assert effect.reason.format(**ports) in result.reason
        assert SECRET not in result.reason
    targets = [seen.target for seen in server.ledger.seen]
    assert len(targets) == len(set(targets))
    if isinstance(result, NotSent):
        assert "/things/1" not in targets


async def talk(wire: Wire, server: FaultServer, effect: Effect) -> Result:
    async with Transport(wire) as transport:
        return await effect.talk(transport, server, effect)


async def post(base_url: str, path: str = "/things/1", **wire: str) -> Reply:
    async with Transport(Wire(base_url, deadline=DEADLINE, **wire)) as transport:  # type: ignore[arg-type]
        return await transport.send("POST", path, body=b"{}")


@pytest.mark.parametrize("status", ["302", "307"])
def test_a_redirect_to_another_origin_is_an_answer_and_goes_nowhere(status: str) -> None:
    with FaultServer() as other, FaultServer(status, elsewhere=other.elsewhere) as server:
        reply = asyncio.run(post(f"http://127.0.0.1:{server.port}"))
        location = f"{other.elsewhere}/things/1"
    assert reply == Answer(int(status), {"content-length": "0", "location": location}, b"")
    assert other.ledger.connections == 0
    assert len(server.ledger.seen) == 1


def test_a_stray_answer_is_not_taken_for_the_next_request_s() -> None:
    async def three(wire: Wire) -> list[Reply]:
        async with Transport(wire) as transport:
            return [await transport.send("POST", f"/things/{number}") for number in range(3)]

    with FaultServer("two answers") as server:
        replies = asyncio.run(three(Wire(f"http://127.0.0.1:{server.port}", in_flight=1)))
    paths = [f"/things/{number}".encode() for number in range(3)]
    assert replies == [Answer(201, {"content-length": "9"}, path) for path in paths]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much of a connection has been read")
def test_a_stray_answer_over_tls_is_not_taken_for_the_next_request_s(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    """OpenSSL reads ahead, and holds it where neither the system nor libcurl can see it."""

    async def some(wire: Wire) -> list[Reply]:
        async with Transport(wire) as transport:
            return [await transport.send("POST", f"/things/{number}") for number in range(20)]

    with FaultServer("two answers in pieces", tls=server_tls) as server:
        replies = asyncio.run(some(Wire(f"https://127.0.0.1:{server.port}", in_flight=1, ca_file=str(ca_file))))
    answers = [
        Answer(201, {"content-length": str(len(path))}, path.encode()) for path in map("/things/{}".format, range(20))
    ]
    stray = Lost("what came back was there before the request went out: it is no answer to it")
    assert all(reply in (answer, stray) for reply, answer in zip(replies, answers, strict=True))
    assert replies.count(stray) >= 1


@pytest.mark.parametrize("busy", [False, True])
def test_a_stray_answer_that_comes_late_is_not_taken_for_the_next_request_s(busy: bool) -> None:
    """Nor where nothing has looked at the connection since."""
    answered, strayed = threading.Event(), threading.Event()

    async def stray_late(exchange: Exchange) -> None:
        while True:
            seen = await exchange.request()
            exchange.work(seen)
            await exchange.answer(201, seen.target.encode())
            await asyncio.to_thread(answered.wait, PATIENCE)
            await exchange.answer(201, b"stray")
            strayed.set()

    async def two(wire: Wire) -> list[Reply]:
        async with Transport(wire) as transport:
            first = await transport.send("POST", "/things/0")
            answered.set()
            strayed.wait(PATIENCE) if busy else await asyncio.to_thread(strayed.wait, PATIENCE)
            return [first, await transport.send("POST", "/things/1")]

    with FaultServer(stray_late) as server:
        replies = asyncio.run(two(Wire(f"http://127.0.0.1:{server.port}", in_flight=1)))
    paths = [f"/things/{number}".encode() for number in range(2)]
    assert replies == [Answer(201, {"content-length": "9"}, path) for path in paths]
    assert server.ledger.connections == 2


def test_a_connection_closed_while_nothing_looked_carries_no_request() -> None:
    closed = threading.Event()

    async def one_answer(exchange: Exchange) -> None:
        exchange.work(await exchange.request())
        await exchange.answer()
        exchange.writer.close()
        await exchange.writer.wait_closed()
        closed.set()

    async def two(wire: Wire) -> list[Reply]:
        async with Transport(wire) as transport:
            first = await transport.send("POST", "/things/0")
            closed.wait(PATIENCE)
            return [first, await transport.send("POST", "/things/1")]

    with FaultServer(one_answer) as server:
        replies = asyncio.run(two(Wire(f"http://127.0.0.1:{server.port}", in_flight=1)))
    assert [type(reply) for reply in replies] == [Answer, Answer]


@pytest.mark.parametrize("ending", ["reset after the work", "close after the work", "reset before the work"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_no_method_is_sent_twice_when_a_kept_connection_breaks(method: str, ending: str) -> None:
    """Clients send those again that should do no harm; whether they do is the API's document to say."""

    async def two(wire: Wire) -> list[Reply]:
        async with Transport(wire) as transport:
            body = b"{}" if method in ("PUT", "POST") else None
            return [await transport.send(method, f"/things/{number}", body=body) for number in range(2)]

    with FaultServer(f"one answer, then {ending}") as server:
        replies = asyncio.run(two(Wire(f"http://127.0.0.1:{server.port}", deadline=DEADLINE, in_flight=1)))
    assert [type(reply) for reply in replies] == [Answer, Lost]
    assert server.ledger.connections == 1
    assert server.ledger.done == dict.fromkeys(("/things/0", "/things/1")[: 1 + ("after" in ending)], 1)


async def bare(url: str, proxy: str = "") -> int:
    """The number of libcurl's error at the second of two requests; 0 for an answer."""
    async with pycurl.AsyncCurlMulti() as multi:
        curl = pycurl.Curl()
        for option, value in {pycurl.PROXY: proxy, pycurl.POSTFIELDS: b"{}", pycurl.WRITEFUNCTION: len}.items():
            curl.setopt(option, value)
        try:
            for number in range(2):
                curl.setopt(pycurl.URL, f"{url}/things/{number}")
                await multi.perform(curl)
        except pycurl.error as error:
            return int(error.args[0])
    return 0


def test_libcurl_left_alone_sends_a_post_twice() -> None:
    """What the tests above would find."""
    with FaultServer("one answer, then close after the work") as server:
        assert asyncio.run(bare(f"http://127.0.0.1:{server.port}")) == 0
    assert server.ledger.done["/things/1"] == 2


def test_the_same_error_comes_before_a_request_is_sent_and_after_it_was_done() -> None:
    """Whoever went by its number would send the one again that was done, or give up the one that was not."""
    with FaultServer("reset after the work") as server, FaultServer("reset before the work") as proxy:
        done = asyncio.run(bare(f"http://127.0.0.1:{server.port}"))
        unsent = asyncio.run(bare(f"https://127.0.0.1:{server.port}", f"http://127.0.0.1:{proxy.port}"))
    assert done == unsent == pycurl.E_RECV_ERROR
    assert server.ledger.done == {"/things/0": 1}


def test_a_gzip_bomb_of_1_gib_costs_at_most_16_mib() -> None:
    assert len(gzip_bomb()) < 1024 * 1024
    with FaultServer("201, gzip bomb") as server:
        tracemalloc.start()
        reply = asyncio.run(post(f"http://127.0.0.1:{server.port}"))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(reply, HeadOnly)
    assert peak < 16 * 1024 * 1024


def test_what_arrives_is_what_was_asked_for_and_nothing_of_the_request_before() -> None:
    """Base path, quoted path and query as meant; no cookie of the first answer; one connection for both."""

    async def two(wire: Wire) -> list[Reply]:
        async with Transport(wire) as transport:
            get = await transport.send("GET", "/a%2Fb/%2e%2E/%C3%A9;v=1", query=[("q", "ä &/"), ("q", "+")])
            return [get, await transport.send("POST", "/b", headers={"X-Key": "k", "Content-Type": "a/b"}, body=b"{}")]

    with FaultServer() as server:
        replies = asyncio.run(two(Wire(f"http://127.0.0.1:{server.port}/api/v2/", in_flight=4)))
    headers = {"content-length": "11", "x-two": "a, b", "set-cookie": "session=1"}
    assert replies == [Answer(201, headers, BODY)] * 2
    common = (("host", f"127.0.0.1:{server.port}"), ("accept-encoding", "gzip"), ("user-agent", USER_AGENT))
    get, post = server.ledger.seen
    assert (get.method, get.target, get.headers, get.body) == (
        "GET",
        "/api/v2/a%2Fb/%2E%2E/%C3%A9;v=1?q=%C3%A4%20%26%2F&q=%2B",
        common,
        b"",
    )
    own = (("x-key", "k"), ("content-type", "a/b"), ("content-length", "2"))
    assert (post.method, post.target, post.headers, post.body) == ("POST", "/api/v2/b", common + own, b"{}")
    assert server.ledger.connections == 1


@pytest.mark.parametrize("path", ["/things/../1", "/things/.", "/a b", "/é", "/a#b", "things", "", ".example.org/x"])
def test_a_path_that_would_arrive_otherwise_is_not_sent(path: str) -> None:
    with FaultServer() as server:
        reply = asyncio.run(post(f"http://127.0.0.1:{server.port}", path))
    assert isinstance(reply, NotSent)
    assert server.ledger.connections == 0


def test_a_method_that_is_none_is_not_sent() -> None:
    async def brew(wire: Wire) -> Reply:
        async with Transport(wire) as transport:
            return await transport.send("CONNECT", "/")

    with FaultServer() as server:
        reply = asyncio.run(brew(Wire(f"http://127.0.0.1:{server.port}")))
    assert reply == NotSent("'CONNECT' is not a method that can be sent")


def test_after_a_cancelled_request_the_connection_is_dropped_and_the_next_request_goes_out() -> None:
    async def cancel_then_send(wire: Wire, server: FaultServer) -> Reply:
        async with Transport(wire) as transport:
            await cancelled_post(transport, server, Effect({Lost: 1}))
            return await transport.send("POST", "/things/2", body=b"{}")

    with FaultServer("silence after the work") as server:
        wire = Wire(f"http://127.0.0.1:{server.port}", deadline=0.3, in_flight=1)
        reply = asyncio.run(cancel_then_send(wire, server))
    assert reply == Lost("no answer within 0.3 s")
    assert server.ledger.connections == 2
    assert server.ledger.done == {"/things/1": 1, "/things/2": 1}


def test_no_more_requests_are_in_flight_than_the_wire_allows() -> None:
    async def many(wire: Wire) -> list[Reply]:
        async with Transport(wire) as transport:
            return await asyncio.gather(*(transport.send("POST", f"/things/{number}") for number in range(50)))

    with FaultServer() as server:
        replies = asyncio.run(many(Wire(f"http://127.0.0.1:{server.port}", in_flight=3)))
    assert all(isinstance(reply, Answer) for reply in replies)
    assert server.ledger.done == {f"/things/{number}": 1 for number in range(50)}
    assert server.ledger.connections == 3


def test_a_proxy_of_the_environment_is_not_used() -> None:
    script = "import sys; from tests.test_transport import *; print(type(asyncio.run(post(sys.argv[1]))).__name__)"
    with FaultServer() as server, dead_port() as dead:
        proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), f"http://127.0.0.1:{dead}")
        command = [sys.executable, "-c", script, f"http://127.0.0.1:{server.port}"]
        told = subprocess.run(command, env=os.environ | proxies, capture_output=True, text=True, check=True)
    assert told.stdout == "Answer\n"


def test_a_proxy_gets_its_sign_in_and_the_api_does_not(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    """It also gets the whole address of a plain request, and of one over TLS host and port alone."""
    with FaultServer(tls=server_tls) as server, FaultServer("tunnel") as tunnel, FaultServer() as plain:
        url, ports = f"127.0.0.1:{server.port}", (tunnel.port, plain.port)
        proxies = [f"http://user:{SECRET}@127.0.0.1:{port}" for port in ports]
        assert isinstance(asyncio.run(post(f"https://{url}", proxy=proxies[0], ca_file=str(ca_file))), Answer)
        assert isinstance(asyncio.run(post(f"http://{url}", proxy=proxies[1])), Answer)
    sign_in = "Basic " + b64encode(f"user:{SECRET}".encode()).decode()
    (asked,), (passed,), (arrived,) = tunnel.ledger.seen, plain.ledger.seen, server.ledger.seen
    assert (asked.method, asked.target, dict(asked.headers)["proxy-authorization"]) == ("CONNECT", url, sign_in)
    assert (passed.target, dict(passed.headers)["proxy-authorization"]) == (f"http://{url}/things/1", sign_in)
    assert "proxy-authorization" not in dict(arrived.headers)


def test_a_client_certificate_is_shown_to_who_asks_for_it(authority: trustme.CA, ca_file: Path, tmp_path: Path) -> None:
    authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "ключ.pem"))
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(strict)
    authority.configure_trust(strict)
    strict.verify_mode = ssl.CERT_REQUIRED
    with FaultServer(tls=strict) as server:
        url = f"https://127.0.0.1:{server.port}"
        with_one = asyncio.run(post(url, ca_file=str(ca_file), client_cert=str(tmp_path / "ключ.pem")))
        # The client ends its handshake, and sends, before the server has looked at what it was shown.
        without = asyncio.run(post(url, ca_file=str(ca_file)))
    assert (type(with_one), type(without)) == (Answer, Lost)
    assert server.ledger.done.total() == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ca_file": "none.pem"}, "ca_file: none.pem can't be used (No such file or directory)"),
        ({"client_cert": "none.pem"}, "client_cert: none.pem can't be used (No such file or directory)"),
        ({"proxy": "socks5://127.0.0.1:1"}, "proxy: the URL does not begin with"),
        ({"proxy": f"http://me:{SECRET}@127.0.0.1:x"}, "proxy: not a valid URL"),
        ({"proxy": f"http://mé:{SECRET}@127.0.0.1:1"}, "proxy: not a valid URL"),
    ],
)
def test_a_setting_that_can_t_be_used_is_named(settings: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        asyncio.run(post("http://127.0.0.1:1", **settings))
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)
