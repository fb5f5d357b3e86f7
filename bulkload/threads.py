"""What runs in a thread of its own: the sending beside its listener, the reading of rows beside the sending."""

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

from bulkload.system import interrupts

# Seconds that a thread is waited for whose work is done or was given up.
_LEAVING = 1.0
# A wait without an end can't be interrupted on Windows.
_GLANCE = 0.05

INTERRUPTED = "Interrupted."

T = TypeVar("T")


class Desk:
    """A thread that does what it is handed, one thing after the other, for an event loop that hears of each end.

    Its name ends with IDLE once the loop has heard of the last. It keeps nobody from leaving the program.
    """

    IDLE = ", idle"

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._handed: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ends: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def hand(self, call: Callable[[], object], ended: Callable[[BaseException | None], None]) -> None:
        """Let the thread call this; the loop then calls `ended` with what was raised, None if nothing was."""
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._thread.name = self._name
        self._handed.put(partial(self._do, call, ended, loop))

    def close(self) -> None:
        """Wait for what was handed, hear of its end, and let the thread go. For the loop's own thread."""
        if self._thread is not None:
            self._handed.put(None)
            self._thread.join()
            self._thread = None
        self._hear()

    def _work(self) -> None:
        while (task := self._handed.get()) is not None:
            task()

    def _do(
        self,
        call: Callable[[], object],
        ended: Callable[[BaseException | None], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        trouble: BaseException | None = None
        try:
            call()
        except BaseException as error:
            trouble = error
        self._ends.put(partial(ended, trouble))
        # A loop that is closed has heard of it in `close`, or nobody is left to hear.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._hear)

    def _hear(self) -> None:
        while not self._ends.empty():
            if self._thread is not None:
                self._thread.name = self._name + self.IDLE
            self._ends.get_nowait()()


class Stoppable(Protocol):
    """Work that can be told to end, from any thread."""

    def stop(self, why: str) -> None: ...

    def abandon(self) -> None: ...


async def aside(call: Callable[[], T]) -> T:
    """What `call` gives. Unlike asyncio.to_thread's, its thread is not waited for when the program must end at once."""
    given: Future[T] = Future()
    given.set_running_or_notify_cancel()

    def work() -> None:
        try:
            given.set_result(call())
        except BaseException as trouble:
            given.set_exception(trouble)

    threading.Thread(target=work, name="reading", daemon=True).start()
    return await asyncio.wrap_future(given)


def stream(
    start: Callable[[Callable[[T], None]], Awaitable[None]],
    *,
    interrupted: Callable[[], None],
    given_up: Callable[[], None],
    abandon: Callable[[], None],
) -> Iterator[T]:
    """Whatever `start` tells the function that it is handed; it runs on an event loop in a thread of its own.

    `interrupted` is called for the first Ctrl-C or SIGTERM and `given_up` where the listener leaves early: both then
    wait for what `start` still does. `abandon` is called for the second, before KeyboardInterrupt is raised.
    """
    said: queue.SimpleQueue[tuple[T] | None] = queue.SimpleQueue()
    trouble: list[BaseException] = []
    left = threading.Event()

    async def work() -> None:
        try:
            await start(lambda one: said.put((one,)))
        except BaseException as error:
            trouble.append(error)
        said.put(None)

    def leave() -> None:
        left.set()
        abandon()

    thread = threading.Thread(target=lambda: asyncio.run(work()), name="sending", daemon=True)
    with interrupts(interrupted, leave):
        thread.start()
        try:
            while one := _next(said):
                yield one[0]
        except BaseException:
            given_up()
            while thread.is_alive() and not left.is_set():
                thread.join(_GLANCE)
            thread.join(_LEAVING)
            raise
        thread.join(_LEAVING)
    if trouble:
        raise trouble[0]


def listen(start: Callable[[Callable[[T], None]], Awaitable[None]], work: Stoppable) -> Iterator[T]:
    """What work tells as it goes on, in a thread of its own.

    The first Ctrl-C or SIGTERM lets it begin nothing more and waits for what is under way; the second leaves that and
    raises KeyboardInterrupt. Whoever stops listening before the end waits, too.
    """
    return stream(
        start,
        interrupted=lambda: work.stop(INTERRUPTED),
        given_up=lambda: work.stop("The run was given up."),
        abandon=work.abandon,
    )


def _next(said: "queue.SimpleQueue[tuple[T] | None]") -> tuple[T] | None:
    while True:
        with suppress(queue.Empty):
            return said.get(timeout=_GLANCE)
