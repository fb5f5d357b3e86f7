"""A thread beside an event loop, for what waits for a disk: one thing after the other."""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial


class Desk:
    """A thread that does what it is handed, one thing after the other, for an event loop that hears of each end.

    Its name ends with IDLE once the loop has heard of the last. It keeps nobody from leaving the program.
    """

    IDLE = ", idle"

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._unheard = 0
        self._handed: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ends: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def hand(self, call: Callable[[], object], ended: Callable[[BaseException | None], None]) -> None:
        """Let the thread call this; the loop then calls `ended` with what was raised, None if nothing was."""
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._thread.name = self._name
        self._unheard += 1
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
            ended = self._ends.get_nowait()
            self._unheard -= 1
            if self._thread is not None and not self._unheard:
                self._thread.name = self._name + self.IDLE
            ended()
