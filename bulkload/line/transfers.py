"""libcurl's transfers on an event loop: it says which sockets to watch and when to wake it, and is told what happened.

pycurl has this, too (AsyncCurlMulti). There each socket is watched by the event loop itself, and since libcurl begins
and ends to watch one for each request, that costs as much as half of all else. So they are watched by a selector of
their own, and the loop watches that one (https://curl.se/libcurl/c/libcurl-multi.html, the "multi_socket" way).
"""

import asyncio
import math
import selectors

import pycurl

# Seconds between two looks at the sockets where the selector can't be watched itself, as on Windows.
_GLANCE = 0.005
# What libcurl wants to know of a socket, in the selector's words; all else means nothing.
_EVENTS = {
    pycurl.POLL_IN: selectors.EVENT_READ,
    pycurl.POLL_OUT: selectors.EVENT_WRITE,
    pycurl.POLL_INOUT: selectors.EVENT_READ | selectors.EVENT_WRITE,
}


class Transfers:
    """Any number of transfers at a time, on one running loop."""

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._selector = selector or selectors.DefaultSelector()
        self._watched: set[int] = set()
        self._futures: dict[pycurl.Curl, asyncio.Future[None]] = {}
        self._timer: asyncio.Handle | None = None
        # Moments of the loop's clock: when libcurl wants to be called, and when the timer rings.
        self._due = self._rings = math.inf
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._wake)
        self._glance: asyncio.Handle | None = None
        if hasattr(self._selector, "fileno"):
            self._loop.add_reader(self._selector.fileno(), self._look)
        else:
            self._look_again()

    async def perform(self, curl: pycurl.Curl) -> None:
        """Return once the transfer is through. Raises pycurl.error where it failed; cancelled, it ends it."""
        self._multi.add_handle(curl)
        future = self._futures[curl] = self._loop.create_future()
        try:
            await future
        finally:
            del self._futures[curl]
            self._multi.remove_handle(curl)

    def close(self) -> None:
        """Close all connections. Nothing may be under way any more."""
        for handle in (self._timer, self._glance):
            if handle:
                handle.cancel()
        if hasattr(self._selector, "fileno"):
            self._loop.remove_reader(self._selector.fileno())
        self._multi.close()
        self._selector.close()

    # What libcurl calls

    def _watch(self, what: int, socket: int, *_: object) -> None:
        events = _EVENTS.get(what)
        if events is None:
            if socket in self._watched:
                self._watched.remove(socket)
                self._selector.unregister(socket)
        elif socket in self._watched:
            self._selector.modify(socket, events)
        else:
            self._watched.add(socket)
            self._selector.register(socket, events)

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
        for key, events in self._selector.select(0):
            self._act(key.fd, events)
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
