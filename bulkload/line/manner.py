"""How lines are laid: what is the same for all requests to a server, as libcurl is told it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pycurl

# Seconds that an idle connection is kept. Servers close theirs after 5 s (Node) or more, and a request that goes out
# just then is lost, so ours must be the first to go.
KEEP_IDLE = 2


@dataclass(frozen=True, slots=True)
class Manner:
    """How lines are laid. `deadline` and `connect_timeout` are in seconds; `proxy` may hold its sign-in, "" means none.

    The deadline is for all of a request, the timeout for its connection: name, TCP, a proxy's tunnel and TLS together.
    `ca_file`, `client_cert` and `client_key` are PEM files; None where no certificate is shown, or where the key stands
    in the certificate's file. `headers` go with each request.
    """

    ca_file: str
    client_cert: str | None
    client_key: str | None
    headers: Mapping[str, str]
    deadline: float
    connect_timeout: float
    proxy: str = field(repr=False)


def options(manner: Manner) -> Iterator[tuple[int, Any]]:
    """libcurl's options, each with its value."""
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
    # As bytes: pycurl takes no other text than ASCII.
    yield pycurl.CAINFO, os.fsencode(manner.ca_file)
    yield pycurl.PROXY_CAINFO, os.fsencode(manner.ca_file)
    if manner.client_cert:
        yield pycurl.SSLCERT, os.fsencode(manner.client_cert)
        yield pycurl.SSLKEY, os.fsencode(manner.client_key or manner.client_cert)


def _milliseconds(seconds: float) -> int:
    """For libcurl, to which 0 means without an end."""
    return max(1, round(seconds * 1000))
