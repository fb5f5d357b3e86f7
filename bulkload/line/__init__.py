"""Lines to a server: libcurl carries a request over one, and what became of the request comes back as a Reply.

libcurl is known here alone. Three things of it must not get out: it sends a request again by itself where a kept
connection breaks before an answer comes; it sends one over a kept connection that has been closed, or over which
something has come since; and its errors have the same numbers before a request was sent and after. So it has to ask
before it sends (https://curl.se/libcurl/c/CURLOPT_PREREQFUNCTION.html): what it never asked about was not sent, what it
asks about again is not sent again, and a connection is looked at before.
"""

from collections.abc import Mapping

import pycurl

from bulkload.line.exchange import Ends, Exchange
from bulkload.line.manner import Manner as Manner
from bulkload.line.message import Trouble as Trouble
from bulkload.line.transfers import Transfers
from bulkload.models import Reply


class Lines:
    """All lines to a server, with the connections that are kept for the next request; for one running loop."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._transfers = Transfers()
        self._ends: Ends = {}
        self._free: list[Exchange] = []

    async def carry(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send one request, once, and tell what came of it. Its framing and its packing are ours: see transport.py.

        Cancelled, it drops the connection and lets CancelledError through: the request may have been done.
        """
        exchange = self._free.pop() if self._free else Exchange(self._manner, self._ends, self._transfers.opened)
        try:
            while True:
                exchange.prepare(method, url, headers, body)
                try:
                    await self._transfers.perform(exchange.curl)
                except pycurl.error as error:
                    if exchange.spoilt:
                        continue  # With the next connection that was kept, or at last with a new one.
                    return exchange.broken(error)
                return exchange.answer()
        finally:
            self._free.append(exchange)

    def close(self) -> None:
        """Close the connections. Nothing may be under way any more."""
        self._transfers.close()
