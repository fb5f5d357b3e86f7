"""libcurl's transfers on an event loop: it says which sockets to watch and when to wake it, and is told what happened.

pycurl has this, too (AsyncCurlMulti). There each socket is watched by the event loop itself, which costs more than all
else about a request: libcurl begins and ends to watch a socket for each. So they are watched by a selector of their
own, and the loop watches that one (https://curl.se/libcurl/c/libcurl-multi.html, the "multi_socket" way).
"""

import asyncio
import selectors

import pycurl

# Seconds between two looks at the sockets where the selector can't be watched itself, as on Windows.
_GLANCE = 0.005
# What libcurl wants to know of a socket, in the selector's words.
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
        self._futures: dict[pycurl.Curl, asyncio.Future[None]] = {}
        self._timer: asyncio.Handle | None = None
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
        future = self._futures[curl] = self._loop.create_future()
        self._multi.add_handle(curl)
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
        known = socket in self._selector.get_map()
        if what in (pycurl.POLL_REMOVE, pycurl.POLL_NONE):
            if known:
                self._selector.unregister(socket)
        elif known:
            self._selector.modify(socket, _EVENTS[what])
        else:
            self._selector.register(socket, _EVENTS[what])

    def _wake(self, milliseconds: int) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if milliseconds == 0:
            # Not at once: it must not be called while it calls.
            self._timer = self._loop.call_soon(self._go_on)
        elif milliseconds > 0:
            self._timer = self._loop.call_later(milliseconds / 1000, self._go_on)

    # What the loop calls

    def _go_on(self) -> None:
        self._timer = None
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._tell()

    def _look(self) -> None:
        for key, events in self._selector.select(0):
            self._multi.socket_action(key.fd, events)
        self._tell()

    def _look_again(self) -> None:
        self._look()
        self._glance = self._loop.call_later(_GLANCE, self._look_again)

    def _tell(self) -> None:
        """Tell who waits what came of the transfers that ended."""
        left = 1
        while left:
            left, done, failed = self._multi.info_read()
            for curl in done:
                self._futures[curl].set_result(None)
            for curl, code, words in failed:
                self._futures[curl].set_exception(pycurl.error(code, words))
