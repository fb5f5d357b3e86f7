"""The API of the benches: granian in a process of its own, which makes a record of whatever it is sent.

With a latency, that is what a client waits for an answer. What the server needs beside its pause is found by a client
that does next to nothing, and taken off: else 20 ms are 23, and of the requests that 20 ms allow a seventh are lost
before anybody has been measured.
"""

import asyncio
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.bench.bare import ask

_PAUSE = "BULKLOAD_BENCH_PAUSE"
# The share of what the latency allows at which it holds: with more in flight an answer takes a little longer.
_LOAD = 0.7
# Rounds of so many seconds in which that is found. What else the machine does only ever adds to a time.
_ROUNDS, _ROUND = 3, 1.0
# Seconds that the server has to answer for the first time.
_STARTING = 20.0
_pause = float(os.environ.get(_PAUSE, "0"))
_made = itertools.count(1)


async def app(scope: Any, protocol: Any) -> None:
    """Read the body, take the time that an API takes, and give a new ID."""
    await protocol()
    if _pause:
        await asyncio.sleep(_pause)
    protocol.response_str(201, [("content-type", "application/json")], f'{{"id":"T{next(_made)}"}}')


@contextmanager
def served(latency: float, in_flight: int) -> Iterator[str]:
    """The server's base URL; an answer takes `latency` seconds where so many requests are in flight."""
    pause = latency
    if latency:
        with _running(pause) as url:
            pause -= min(waits(url, latency, in_flight) for _ in range(_ROUNDS)) - latency
    with _running(max(pause, 0.0)) as url:
        yield url


def waits(url: str, latency: float, in_flight: int) -> float:
    """The seconds that a client waits for an answer, in the median, if it does nothing else."""
    lines = round(in_flight * _LOAD) or 1
    return ask(url, lines, int(lines * _ROUND / latency)).latency


@contextmanager
def _running(pause: float) -> Iterator[str]:
    """The server's base URL; it sleeps `pause` seconds before each answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--interface", "rsgi", "--port", str(port), "--no-ws", "--http", "1", "--log-level", "error"]
    server = subprocess.Popen(
        [sys.executable, "-m", "granian", *words, "tests.bench.server:app"], env={**os.environ, _PAUSE: str(pause)}
    )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    ends = time.monotonic() + _STARTING
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
