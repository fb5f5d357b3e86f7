"""What a request costs the sender, of the processor's time: by our transport, by pycurl alone, by requests in turn."""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe

import pycurl
import requests

from bulkload.transport import Transport, Wire

REQUESTS = 5_000
IN_FLIGHT = 64
# A row of 12 columns.
BODY = json.dumps({f"column{number}": f"value number {number}" for number in range(12)}).encode()
HEADERS = {"Accept": "application/json", "Content-Type": "application/json", "Authorization": "Bearer " + "x" * 40}
ANSWER = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 23\r\n\r\n{"result":{"id":"42"}}\n'


def main(rounds: int = 3) -> None:
    """Send the same requests by each in turn, again and again, and print what one costs at its cheapest.

    What else the machine does only ever adds to a time: the shortest is the truest.
    """
    ways: dict[str, Callable[[str], float]] = {
        "requests.Session, one at a time": _by_requests,
        f"pycurl's own loop, {IN_FLIGHT} in flight": lambda url: asyncio.run(_by_pycurl(url)),
        f"bulkload's transport, {IN_FLIGHT} in flight": lambda url: asyncio.run(_by_transport(url)),
    }
    with _served() as url:
        costs = dict.fromkeys(ways, float("inf"))
        for _ in range(rounds):
            costs = {name: min(costs[name], way(url)) for name, way in ways.items()}
    most = max(costs.values())
    print(f"{REQUESTS:,} requests of {len(BODY)} bytes, {rounds} rounds; the server is asyncio, in its own process")
    for name, cost in costs.items():
        print(f"{name:40} {cost * 1e6:6.0f} µs a request, {most / cost:.1f} times as fast as the slowest")


def _by_requests(url: str) -> float:
    with requests.Session() as session:
        session.trust_env = False
        began = time.process_time()
        for _ in range(REQUESTS):
            assert session.post(url + "/things", data=BODY, headers=HEADERS, timeout=60).status_code == 201
        return (time.process_time() - began) / REQUESTS


async def _by_pycurl(url: str) -> float:
    """As its manual does it, with nothing asked and nothing looked at."""
    free: list[pycurl.Curl] = []
    headers = [f"{name}: {value}" for name, value in HEADERS.items()]
    async with pycurl.AsyncCurlMulti() as multi:

        async def one() -> int:
            curl = free.pop() if free else pycurl.Curl()
            heard: list[bytes] = []
            told = {pycurl.URL: url + "/things", pycurl.HTTPHEADER: headers, pycurl.POSTFIELDS: BODY}
            for option, value in {**told, pycurl.HEADERFUNCTION: heard.append, pycurl.WRITEFUNCTION: len}.items():
                curl.setopt(option, value)
            await multi.perform(curl)
            free.append(curl)
            return int(curl.getinfo(pycurl.RESPONSE_CODE))

        return await _cost(one)


async def _by_transport(url: str) -> float:
    async with Transport(Wire(url, in_flight=IN_FLIGHT)) as transport:

        async def one() -> int:
            reply = await transport.send("POST", "/things", headers=HEADERS, body=BODY)
            return getattr(reply, "status", 0)

        return await _cost(one)


async def _cost(one: Callable[[], Awaitable[int]]) -> float:
    """Seconds of the processor's time for one of many requests, their connections made before."""
    await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))
    left = iter(range(REQUESTS))

    async def work() -> None:
        for _ in left:
            assert await one() == 201

    began = time.process_time()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return (time.process_time() - began) / REQUESTS


class _Answering(asyncio.Protocol):
    """Answers every request with a Content-Length at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._come = transport, b""

    def data_received(self, data: bytes) -> None:
        self._come += data
        while b"\r\n\r\n" in self._come:
            head, rest = self._come.split(b"\r\n\r\n", 1)
            length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            if len(rest) < length:
                return
            self._come = rest[length:]
            self._transport.write(ANSWER)


@contextmanager
def _served() -> Iterator[str]:
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,))
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Pipe) -> None:
    """Serve until the end; the port goes through the pipe."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())
