"""The API of the benches: granian in a process of its own, which makes a record of whatever it is sent."""

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

_LATENCY = "BULKLOAD_BENCH_LATENCY"
# Seconds that the server has to answer for the first time.
_STARTING = 20.0
_pause = float(os.environ.get(_LATENCY, "0"))
_made = itertools.count(1)


async def app(scope: Any, protocol: Any) -> None:
    """Read the body, take the time that an API takes, and give a new ID."""
    await protocol()
    if _pause:
        await asyncio.sleep(_pause)
    protocol.response_str(201, [("content-type", "application/json")], f'{{"id":"T{next(_made)}"}}')


@contextmanager
def served(latency: float) -> Iterator[str]:
    """The server's base URL; each answer takes it `latency` seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--interface", "rsgi", "--port", str(port), "--no-ws", "--http", "1", "--log-level", "error"]
    server = subprocess.Popen(
        [sys.executable, "-m", "granian", *words, "tests.bench.server:app"], env={**os.environ, _LATENCY: str(latency)}
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
