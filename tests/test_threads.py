"""What runs beside: nothing that was told is lost, and whoever leaves, however, leaves nothing running."""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from bulkload.threads import aside, stream


class Beside:
    """Something that goes on for ever unless it is stopped or abandoned."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.over = threading.Event()
        self._stopped = threading.Event()
        self._abandoned = threading.Event()

    def listen(self, *, stubborn: bool = False) -> Iterator[int]:
        async def start(tell: Callable[[int], None]) -> None:
            number = 0
            while not (self._abandoned if stubborn else self._stopped).is_set():
                tell(number := number + 1)
                await asyncio.sleep(0.01)
            self.over.set()

        return stream(
            start,
            interrupted=lambda: self._stop("interrupted"),
            given_up=lambda: self._stop("given up"),
            abandon=self._abandon,
        )

    def _stop(self, why: str) -> None:
        self.calls.append(why)
        self._stopped.set()

    def _abandon(self) -> None:
        self.calls.append("abandon")
        self._abandoned.set()


def test_all_that_is_told_arrives_in_its_order() -> None:
    assert list(_telling(list(range(1000)))) == list(range(1000))


def test_nothing_that_is_told_ends_it_but_its_end() -> None:
    assert list(_telling([None, 0, "", ()])) == [None, 0, "", ()]


def test_trouble_comes_after_what_was_told_before() -> None:
    told = _telling([1, 2], OSError("the end"))
    assert [next(told), next(told)] == [1, 2]
    with pytest.raises(OSError, match="the end"):
        next(told)


def test_whoever_leaves_early_waits_for_its_end() -> None:
    beside = Beside()
    listening = beside.listen()
    next(listening)
    listening.close()  # type: ignore[attr-defined]  # what a break does
    assert (beside.calls, beside.over.is_set()) == (["given up"], True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_lets_it_come_to_its_end(number: signal.Signals) -> None:
    beside = Beside()
    for one in beside.listen():
        if one == 3:
            signal.raise_signal(number)
    assert (beside.calls, beside.over.is_set()) == (["interrupted"], True)


def test_the_second_signal_is_raised_where_the_listener_is() -> None:
    beside = Beside()
    with pytest.raises(KeyboardInterrupt):
        for one in beside.listen(stubborn=True):
            if one in (3, 5):
                signal.raise_signal(signal.SIGINT)
    assert beside.calls == ["interrupted", "abandon", "given up"]
    assert beside.over.is_set()


def test_the_second_signal_does_not_wait_for_what_hangs() -> None:
    heard, hanging = threading.Event(), threading.Event()

    async def start(tell: Callable[[int], None]) -> None:
        tell(1)
        await asyncio.to_thread(heard.wait)
        hanging.wait()

    with pytest.raises(KeyboardInterrupt):
        for _ in stream(start, interrupted=_nothing, given_up=_nothing, abandon=_nothing):
            heard.set()
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
    hanging.set()


def test_signals_go_where_they_went_before() -> None:
    """Afterwards; and those that are ignored stay so, as under nohup."""
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        beside = Beside()
        for one in beside.listen():
            signal.raise_signal(signal.SIGTERM)
            if one == 3:
                signal.raise_signal(signal.SIGINT)
        assert beside.calls == ["interrupted"]
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    heard: list[object] = []
    thread = threading.Thread(target=lambda: heard.extend(_telling([1, 2])))
    thread.start()
    thread.join()
    assert heard == [1, 2]


def test_what_is_called_aside_gives_and_raises() -> None:
    async def work() -> tuple[str, tuple[str | BaseException]]:
        name = await aside(lambda: threading.current_thread().name)
        return name, await asyncio.gather(aside(_broken), return_exceptions=True)

    name, (error,) = asyncio.run(work())
    assert name == "reading"
    assert isinstance(error, OSError)


def test_what_is_called_aside_holds_nobody_up_who_leaves() -> None:
    go_on, over = threading.Event(), threading.Event()

    def slow() -> None:
        go_on.wait()
        over.set()

    async def work() -> None:
        await asyncio.wait_for(aside(slow), 0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(work())
    go_on.set()
    assert over.wait(5.0)


def _telling(words: list[object], end: Exception | None = None) -> Iterator[object]:
    async def start(tell: Callable[[object], None]) -> None:
        for word in words:
            tell(word)
        if end:
            raise end

    begin: Callable[[Callable[[object], None]], Awaitable[None]] = start
    return stream(begin, interrupted=_nothing, given_up=_nothing, abandon=_nothing)


def _broken() -> str:
    raise OSError("broken")


def _nothing() -> None:
    pass
