"""libcurl's transfers on an event loop, all of them at a time: what they can do by now, they do in one call.

pycurl has this, too (AsyncCurlMulti). There, and in libcurl's "multi_socket" way, each socket has calls of its own and
is watched anew for each request. That costs half as much again as looking at all of them whenever something happened
(https://curl.se/libcurl/c/curl_multi_perform.html), at 64 in flight and by far most of it in Python.
"""

import asyncio
import select
from contextlib import suppress

import pycurl

# Seconds after which libcurl is called at the latest while something is under way: it waits for more than sockets, for
# the address of a name, say. Where the sockets can't be watched it is all that there is.
_GLANCE_BESIDE, _GLANCE_ALONE = 0.02, 0.005


class Transfers:
    """Any number of transfers at a time, on one running loop; `watching` their sockets by epoll, which Linux has."""

    def __init__(self, *, watching: bool = hasattr(select, "epoll")) -> None:
        self._loop = asyncio.get_running_loop()
        self._futures: dict[pycurl.Curl, asyncio.Future[None]] = {}
        self._multi = pycurl.CurlMulti()
        self._next: asyncio.TimerHandle | None = None
        self._due: asyncio.Handle | None = None
        self._sockets = select.epoll() if watching else None
        self._glance = _GLANCE_BESIDE if watching else _GLANCE_ALONE
        if self._sockets:
            self._loop.add_reader(self._sockets.fileno(), self._look, self._sockets)

    def opened(self, number: int) -> None:
        """Watch this socket, which libcurl is about to connect, until it is closed."""
        if self._sockets:
            # What happens is told once and not until somebody reads: a kept connection may wait for long. Where the
            # system's limits let no more be watched, the next glance sees it.
            with suppress(OSError):
                self._sockets.register(number, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    async def perform(self, curl: pycurl.Curl) -> None:
        """Return once the transfer is through. Raises pycurl.error where it failed; cancelled, it ends it."""
        self._multi.add_handle(curl)
        future = self._futures[curl] = self._loop.create_future()
        try:
            self._soon()
            await future
        finally:
            del self._futures[curl]
            self._multi.remove_handle(curl)

    def close(self) -> None:
        """Close all connections. Nothing may be under way any more."""
        for call in filter(None, (self._next, self._due)):
            call.cancel()
        if self._sockets:
            self._loop.remove_reader(self._sockets.fileno())
            self._sockets.close()
        self._multi.close()

    def _look(self, sockets: "select.epoll") -> None:
        """Something has happened on a socket, no matter which."""
        sockets.poll(0)
        self._soon()

    def _soon(self) -> None:
        """Not at once: others may be about to begin."""
        if not self._due:
            self._due = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._due = None
        try:
            self._multi.perform()
        except pycurl.error as error:
            # Nobody may wait for what it will never tell.
            failed = pycurl.error(pycurl.E_ABORTED_BY_CALLBACK, str(error))
            for future in self._futures.values():
                if not future.done():
                    future.set_exception(failed)
        finally:
            # Also where a function of ours has failed, which pycurl raises here.
            self._tell()
            self._call_again()

    def _call_again(self) -> None:
        if self._next:
            self._next.cancel()
        if self._futures:
            wait = self._multi.timeout()  # in milliseconds; negative where libcurl waits for no moment
            self._next = self._loop.call_later(
                min(wait / 1000, self._glance) if wait >= 0 else self._glance, self._go_on
            )

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
