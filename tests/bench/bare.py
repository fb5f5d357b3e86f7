"""A client that does nothing but send and wait: what a server gives to one that costs next to nothing."""

import select
import socket
import statistics
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

_BODY = b'{"name":"value"}'
_HEAD = "POST /things HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of the requests: how many answers a second, and the median time from request to answer in seconds."""

    rate: float
    latency: float


def ask(url: str, in_flight: int, requests: int) -> Seen:
    """Send so many requests over as many connections as may be in flight, the next as soon as an answer is there."""
    parts = urlsplit(url)
    request = _HEAD.format(parts.netloc, len(_BODY)).encode() + _BODY
    poll = select.poll()
    lines = {}
    for _ in range(in_flight):
        line = socket.create_connection((parts.hostname, parts.port))
        lines[line.fileno()] = line
        poll.register(line, select.POLLIN)
    latencies: list[float] = []
    began = time.perf_counter()
    sent = dict.fromkeys(lines, began)
    for line in lines.values():
        line.send(request)
    while len(latencies) < requests:
        for number, _ in poll.poll():
            assert lines[number].recv(65536).startswith(b"HTTP/1.1 201")
            now = time.perf_counter()
            latencies.append(now - sent[number])
            sent[number] = now
            lines[number].send(request)
    took = time.perf_counter() - began
    for line in lines.values():
        line.close()
    return Seen(len(latencies) / took, statistics.median(latencies))
