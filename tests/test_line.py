"""The room of libcurl: what the transport's live test can't reach from outside."""

import asyncio
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pycurl
import pytest

from bulkload.line.exchange import Ends, Exchange
from bulkload.line.manner import Manner
from bulkload.line.transfers import Transfers
from bulkload.models import Answer, Lost, NotSent, Reply
from tests import wire
from tests.wire import FaultServer, full


def manner(deadline: float = 5.0) -> Manner:
    return Manner("", None, None, {}, deadline, 5.0, "")


async def send(transfers: Transfers, exchange: Exchange, url: str, body: bytes = b"{}") -> Reply:
    exchange.prepare("POST", url, {}, body)
    try:
        await transfers.perform(exchange.curl)
    except pycurl.error as error:
        return exchange.broken(error)
    return exchange.answer()


def sent(url: str, change: Callable[[pycurl.Curl], None] = lambda _: None, times: int = 1) -> list[Reply]:
    """The replies to so many requests, one after the other, by a libcurl that was told something else before."""

    async def work() -> list[Reply]:
        transfers = Transfers()
        exchange = Exchange(manner(), {}, transfers.opened)
        change(exchange.curl)
        try:
            return [await send(transfers, exchange, f"{url}/things/{number}") for number in range(times)]
        finally:
            transfers.close()

    return asyncio.run(work())


def test_what_libcurl_never_asked_about_is_not_called_unsent_if_it_was_sent() -> None:
    """An older libcurl, or one that was not told to ask, must not make a row go twice: so there is a second witness."""
    with FaultServer("reset after the work") as server:
        replies = sent(f"http://127.0.0.1:{server.port}", lambda curl: curl.unsetopt(pycurl.PREREQFUNCTION))
    assert [type(reply) for reply in replies] == [Lost]
    assert server.ledger.done.total() == 1


@pytest.mark.parametrize("watching", [True, False])
@pytest.mark.parametrize("function", [pycurl.SOCKOPTFUNCTION, pycurl.PREREQFUNCTION])
def test_nobody_waits_for_what_a_failing_function_of_ours_has_spoilt(function: int, watching: bool) -> None:
    """Neither the request that it was called for, nor one beside it."""

    def fail(*_: object) -> int:
        raise RuntimeError

    async def work(url: str) -> tuple[Reply, Reply]:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        transfers = Transfers(watching=watching)
        spoilt, other = (Exchange(manner(), {}, transfers.opened) for _ in range(2))
        spoilt.curl.setopt(function, fail)
        try:
            async with asyncio.timeout(60):  # far longer than their deadline
                return await asyncio.gather(send(transfers, spoilt, url), send(transfers, other, f"{url}/other"))
        finally:
            transfers.close()

    with FaultServer() as server:
        spoilt, other = asyncio.run(work(f"http://127.0.0.1:{server.port}"))
    assert isinstance(spoilt, NotSent)
    assert isinstance(other, NotSent) or "/other" in [seen.target for seen in server.ledger.seen]


def test_a_host_of_whose_addresses_one_does_not_answer_is_reached_by_the_other() -> None:
    """libcurl tries both, and has closed the socket of the one by the time that it asks about the other's."""
    with FaultServer() as server, socket.socket(socket.AF_INET6) as listening:
        try:
            listening.bind(("::1", server.port))
        except OSError:
            pytest.skip("no IPv6 here")
        listening.listen(0)
        with full(listening):
            name = f"dual.test:{server.port}:[::1],127.0.0.1"
            replies = sent(f"http://dual.test:{server.port}", lambda curl: curl.setopt(pycurl.RESOLVE, [name]), times=2)
    assert [type(reply) for reply in replies] == [Answer] * 2
    assert server.ledger.connections == 1


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="without epoll all waits for glances")
def test_a_large_body_does_not_wait_for_glances() -> None:
    """One for each 64 KiB would take twice as long as the deadline allows."""
    body = b"x" * 32_000_000

    async def work(url: str) -> Reply:
        transfers = Transfers()
        try:
            return await send(transfers, Exchange(manner(), {}, transfers.opened), url, body)
        finally:
            transfers.close()

    with FaultServer() as server:
        assert isinstance(asyncio.run(work(f"http://127.0.0.1:{server.port}")), Answer)


def test_a_kept_connection_that_nobody_knows_is_not_used() -> None:
    async def work(url: str) -> tuple[list[Reply], bool]:
        ends: Ends = {}
        transfers = Transfers()
        exchange = Exchange(manner(), ends, transfers.opened)
        try:
            replies = [await send(transfers, exchange, url)]
            ends.clear()
            return [*replies, await send(transfers, exchange, url)], exchange.spoilt
        finally:
            transfers.close()

    with FaultServer() as server:
        replies, spoilt = asyncio.run(work(f"http://127.0.0.1:{server.port}"))
    assert [type(reply) for reply in replies] == [Answer, NotSent]
    assert spoilt
    assert len(server.ledger.seen) == 1


@pytest.mark.parametrize("watching", [True, False])
def test_large_bodies_pass_both_ways(watching: bool) -> None:
    """In many pieces: whoever watches the sockets must not wait for a piece that has come. Windows can watch none."""
    body, answer, times = b"x" * 8_000_000, b"y" * 1_000_000, 3

    async def serve(exchange: wire.Exchange) -> None:
        exchange.work(await exchange.request())
        await exchange.answer(201, answer)

    async def work(url: str) -> list[Reply]:
        transfers = Transfers(watching=watching)

        async def one() -> Reply:
            exchange = Exchange(manner(), {}, transfers.opened)
            return await send(transfers, exchange, url, body)

        try:
            return await asyncio.gather(*(one() for _ in range(times)))
        finally:
            transfers.close()

    with FaultServer(serve) as server:
        replies = asyncio.run(work(f"http://127.0.0.1:{server.port}"))
    assert [getattr(reply, "body", reply) for reply in replies] == [answer] * times
    assert server.ledger.done.total() == times


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="only Linux can refuse to watch")
def test_what_the_system_refuses_to_watch_is_sent_all_the_same(tmp_path: Path) -> None:
    """The sockets are not told to epoll but a plain file, which it refuses."""

    async def work(url: str) -> Reply:
        transfers = Transfers()
        with (tmp_path / "file").open("wb") as file:
            exchange = Exchange(manner(), {}, lambda _: transfers.opened(file.fileno()))
            try:
                return await send(transfers, exchange, url)
            finally:
                transfers.close()

    with FaultServer() as server:
        assert isinstance(asyncio.run(work(f"http://127.0.0.1:{server.port}")), Answer)


def test_nothing_goes_on_once_it_is_closed() -> None:
    """Even what was about to: a request that was given up at once, or a kept connection that its server has left."""
    trouble: list[object] = []

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))
        transfers = Transfers()
        exchange = Exchange(manner(), {}, transfers.opened)
        exchange.prepare("POST", "http://127.0.0.1:9", {}, b"{}")
        given_up = transfers.perform(exchange.curl)
        given_up.send(None)
        given_up.close()
        transfers.close()
        await asyncio.sleep(0)

    asyncio.run(work())
    assert not trouble


@pytest.mark.parametrize("deadlines", [(0.4, 0.2), (0.2, 0.4), (0.2, 5.0, 0.3)])
def test_each_request_keeps_its_own_deadline(deadlines: tuple[float, ...]) -> None:
    """Whichever was set first; the one that is told last is not the one that comes first."""

    async def work(url: str) -> list[Reply]:
        transfers = Transfers()
        silent = [send(transfers, Exchange(manner(one), {}, transfers.opened), url) for one in deadlines if one < 1]
        try:
            return await asyncio.gather(*silent)
        finally:
            transfers.close()

    with FaultServer("silence before the work") as server:
        began = time.monotonic()
        replies = asyncio.run(work(f"http://127.0.0.1:{server.port}"))
        took = time.monotonic() - began
    assert replies == [Lost(f"no answer within {one:g} s") for one in deadlines if one < 1]
    assert took >= max(one for one in deadlines if one < 1)
