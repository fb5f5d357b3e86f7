"""What runs in a thread of its own: the sending beside its listener, the reading of rows beside the sending."""

import asyncio
import gc
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Generic, Protocol, TypeVar

from bulkload.system import interrupts

# Seconds that a thread is waited for whose work is done or was given up.
_LEAVING = 0.5
# A wait without an end can't be interrupted on Windows.
_GLANCE = 0.05

# Seconds between two handings over: each wakes the listener, who then wants the interpreter.
_APART = 0.02

# Objects more than before, from which on Python looks for garbage; 700 or 2,000 is its own number.
_COLLECTING = 50_000

INTERRUPTED = "Interrupted."

T = TypeVar("T")


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
    said: queue.SimpleQueue[list[T] | None] = queue.SimpleQueue()
    trouble: list[BaseException] = []
    left = threading.Event()

    async def work() -> None:
        teller = _Teller(said)
        try:
            with seldom_collecting():
                await start(teller.tell)
        except BaseException as error:
            trouble.append(error)
        teller.hand_over()
        said.put(None)

    def leave() -> None:
        left.set()
        abandon()

    thread = threading.Thread(target=lambda: asyncio.run(work()), name="sending", daemon=True)
    with interrupts(interrupted, leave):
        thread.start()
        try:
            while some := _next(said):
                yield from some
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


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Let Python look for garbage in circles once in a while: at its own pace that is a seventh of what sending costs,
    and finds next to nothing."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_COLLECTING, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


class _Teller(Generic[T]):
    """Hands over what is told on an event loop, some of it at a time."""

    def __init__(self, said: "queue.SimpleQueue[list[T] | None]") -> None:
        self._said = said
        self._gathered: list[T] = []
        self._loop = asyncio.get_running_loop()
        self._next = self._loop.time()

    def tell(self, one: T) -> None:
        """Keep this until what the loop has at hand is done, a moment longer if something has just been handed over."""
        if not self._gathered:
            self._loop.call_at(self._next, self.hand_over)
        self._gathered.append(one)

    def hand_over(self) -> None:
        """Hand over what was told."""
        if self._gathered:
            self._said.put(self._gathered)
            self._gathered = []
            self._next = self._loop.time() + _APART


def _next(said: "queue.SimpleQueue[list[T] | None]") -> list[T] | None:
    while True:
        with suppress(queue.Empty):
            return said.get(timeout=_GLANCE)
