"""The sockets that libcurl wants watched, and which of them have something to read or room to write.

What to watch for and what happened are said in libcurl's numbers, which are the same: 1 to read, 2 to write, 3 both.
"""

import select
import selectors
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

import pycurl

_READ, _WRITE = pycurl.POLL_IN, pycurl.POLL_OUT
_WANTED = {_READ, _WRITE, pycurl.POLL_INOUT}


class Watch(Protocol):
    """Watches sockets. `number` is the file that is readable when one of them is ready, None where there is none."""

    @property
    def number(self) -> int | None: ...

    def want(self, socket: int, events: int) -> None:
        """Watch this socket for these events from now on; events that are none mean not at all."""

    def ready(self) -> Iterator[tuple[int, int]]:
        """The sockets where something happened by now, each with what did; waits for nothing."""

    def close(self) -> None: ...


class Epoll:
    """Linux's own. After each answer libcurl wants a kept connection no longer watched, and with the next request it
    does: one call to the system for both, as a socket that is not wanted goes only when it next has something to say.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._wanted: set[int] = set()

    @property
    def number(self) -> int:
        return self._epoll.fileno()

    def want(self, socket: int, events: int) -> None:
        if events not in _WANTED:
            self._wanted.discard(socket)
            return
        self._wanted.add(socket)
        mask = (select.EPOLLIN if events & _READ else 0) | (select.EPOLLOUT if events & _WRITE else 0)
        try:
            self._epoll.modify(socket, mask)
        except FileNotFoundError:
            # New, or a number given anew: a closed socket is forgotten by the system itself.
            self._epoll.register(socket, mask)

    def ready(self) -> Iterator[tuple[int, int]]:
        for socket, mask in self._epoll.poll(0):
            if socket in self._wanted:
                # What is neither is an error or the end: libcurl shall find that, whatever it waits for.
                yield socket, (_READ if mask & ~select.EPOLLOUT else 0) | (_WRITE if mask & ~select.EPOLLIN else 0)
            else:
                with suppress(OSError):
                    self._epoll.unregister(socket)

    def close(self) -> None:
        self._epoll.close()


class Selector:
    """Any of Python's selectors, for systems without epoll."""

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        self._selector = selector or selectors.DefaultSelector()
        self._watched: set[int] = set()

    @property
    def number(self) -> int | None:
        return self._selector.fileno() if hasattr(self._selector, "fileno") else None

    def want(self, socket: int, events: int) -> None:
        if events not in _WANTED:
            if socket in self._watched:
                self._watched.remove(socket)
                self._selector.unregister(socket)
        elif socket in self._watched:
            self._selector.modify(socket, events)
        else:
            self._watched.add(socket)
            self._selector.register(socket, events)

    def ready(self) -> Iterator[tuple[int, int]]:
        for key, events in self._selector.select(0):
            yield key.fd, events

    def close(self) -> None:
        self._selector.close()


def usual() -> Watch:
    """The best that this system has."""
    return Epoll() if hasattr(select, "epoll") else Selector()
