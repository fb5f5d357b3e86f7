"""libcurl's transfers on an event loop: it says which sockets to watch and when to wake it, and is told what happened.

pycurl has this, too (AsyncCurlMulti). There each socket is watched by the event loop itself, and since libcurl begins
and ends to watch one for each request, that costs as much as half of all else. So they are watched apart, and the
loop watches the one file that tells of them all (https://curl.se/libcurl/c/libcurl-multi.html, the "multi_socket" way).
"""

import asyncio
import math

import pycurl

from bulkload.line.watch import Watch, usual

# Seconds between two looks at the sockets where nothing can be watched that tells of them, as on Windows.
_GLANCE = 0.005


class Transfers:
    """Any number of transfers at a time, on one running loop."""

    def __init__(self, sockets: Watch | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = sockets or usual()
        self._futures: dict[pycurl.Curl, asyncio.Future[None]] = {}
        self._timer: asyncio.Handle | None = None
        # Moments of the loop's clock: when libcurl wants to be called, and when the timer rings.
        self._due = self._rings = math.inf
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._want)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._wake)
        self._glance: asyncio.Handle | None = None
        if self._sockets.number is not None:
            self._loop.add_reader(self._sockets.number, self._look)
        else:
            self._look_again()

    async def perform(self, curl: pycurl.Curl) -> None:
        """Return once the transfer is through. Raises pycurl.error where it failed; cancelled, it ends it."""
        self._multi.add_handle(curl)
        future = self._futures[curl] = self._loop.create_future()
        try:
            # At once: the loop comes to libcurl's timer only after all else that it has at hand.
            self._act(pycurl.SOCKET_TIMEOUT, 0)
            self._tell()
            await future
        finally:
            del self._futures[curl]
            self._multi.remove_handle(curl)

    def close(self) -> None:
        """Close all connections. Nothing may be under way any more."""
        for handle in (self._timer, self._glance):
            if handle:
                handle.cancel()
        if self._sockets.number is not None:
            self._loop.remove_reader(self._sockets.number)
        self._multi.close()
        self._sockets.close()

    # What libcurl calls

    def _want(self, events: int, socket: int, *_: object) -> None:
        self._sockets.want(socket, events)

    def _wake(self, milliseconds: int) -> None:
        """Call again in so long; not at all if that is negative. What was said before holds no more."""
        self._due = self._loop.time() + milliseconds / 1000 if milliseconds >= 0 else math.inf
        # A timer that rings too early looks again: to set it anew for each transfer would cost more.
        if self._rings > self._due:
            self._ring()

    def _ring(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._rings = self._due
        self._timer = self._loop.call_at(self._due, self._go_on) if self._due < math.inf else None

    # What the loop calls

    def _go_on(self) -> None:
        self._timer, self._rings = None, math.inf
        if self._loop.time() < self._due:
            self._ring()
            return
        self._due = math.inf
        self._act(pycurl.SOCKET_TIMEOUT, 0)
        self._tell()

    def _look(self) -> None:
        for socket, events in self._sockets.ready():
            self._act(socket, events)
        self._tell()

    def _act(self, socket: int, events: int) -> None:
        try:
            self._multi.socket_action(socket, events)
        except Exception as error:
            # It has called a function of ours that failed, and nobody may wait for what it will never tell.
            failed = pycurl.error(pycurl.E_ABORTED_BY_CALLBACK, type(error).__name__)
            for future in self._futures.values():
                if not future.done():
                    future.set_exception(failed)

    def _look_again(self) -> None:
        self._look()
        self._glance = self._loop.call_later(_GLANCE, self._look_again)

    def _tell(self) -> None:
        """Tell who waits what came of the transfers that ended."""
        left = 1
        while left:
            left, done, failed = self._multi.info_read()
            for curl in done:
                if not self._futures[curl].done():
                    self._futures[curl].set_result(None)
            for curl, code, words in failed:
                if not self._futures[curl].done():
                    self._futures[curl].set_exception(pycurl.error(code, words))
