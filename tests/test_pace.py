"""When requests go out, in virtual time: rate, waits asked for, share of retries, and an API that is down."""

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkload.answer import Meaning, Verdict
from bulkload.pace import Pace
from bulkload.resource import Rate
from tests.virtual import clock, now, run

DONE = Verdict(Meaning.DONE, 201)
DOWN = Verdict(Meaning.NOT_PROCESSED, message="Connection refused.")
LOST = Verdict(Meaning.UNKNOWN, message="No answer")
FAST = Rate(1000, 1.0)


def asks(seconds: float, status: int = 429) -> Verdict:
    return Verdict(Meaning.NOT_PROCESSED, status, wait=seconds)


async def ready() -> bool:
    return True


class Sent:
    """A pace, what it told, and the times at which requests went out."""

    def __init__(self, rate: Rate = FAST, wait_for_api: float = 600.0) -> None:
        self.told: list[str] = []
        self.times: list[float] = []
        self.pace = Pace(rate, wait_for_api, clock(), self.told.append)

    async def send(
        self, verdict: Verdict, *, retry: bool = False, prepare: Callable[[], Awaitable[bool]] = ready
    ) -> bool:
        if not await self.pace.turn(prepare, retry=retry):
            return False
        self.times.append(round(now(), 6))
        self.pace.hear(verdict)
        return True


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 50), seconds=st.sampled_from([0.1, 1.0, 7.0, 60.0]), workers=st.integers(1, 20),
       late=st.lists(st.floats(0.0, 2.0), max_size=20))  # fmt: skip
def test_no_window_of_any_place_holds_more_than_the_rate(
    count: int, seconds: float, workers: int, late: list[float]
) -> None:
    """However the workers come, and however long some of them need to get ready."""

    async def work() -> list[float]:
        sent = Sent(Rate(count, seconds))
        delays = iter(late)

        async def prepare() -> bool:
            await asyncio.sleep(next(delays, 0.0))
            return True

        async def worker() -> None:
            for _ in range(8):
                await sent.send(DONE, prepare=prepare)

        await asyncio.gather(*(worker() for _ in range(workers)))
        return sent.times

    times = run(work())
    assert len(times) == 8 * workers
    for start, first in enumerate(times):
        assert sum(first <= one < first + seconds - 1e-5 for one in times[start:]) <= count


def test_one_wait_serves_all_workers() -> None:
    async def work() -> tuple[list[float], list[str]]:
        sent = Sent()
        await sent.send(asks(45.0))
        sent.pace.hear(asks(44.0))
        await asyncio.gather(*(sent.send(DONE) for _ in range(16)))
        return sent.times, sent.told

    times, told = run(work())
    assert times[1] == 45.0
    assert all(time >= 45.0 for time in times[1:])
    assert told == ["The API asks to wait 45 s, until 2025-03-01 12:00:45."]


def test_a_wait_that_begins_while_one_gets_ready_holds_that_one_too() -> None:
    async def work() -> list[float]:
        sent = Sent()

        async def slow() -> bool:
            await asyncio.sleep(1.0)
            return True

        first = asyncio.create_task(sent.send(DONE, prepare=slow))
        await asyncio.sleep(0.5)
        sent.pace.hear(asks(20.0))
        await first
        return sent.times

    assert run(work()) == [21.5]


def test_to_be_asked_for_no_wait_is_a_second_and_ends_too() -> None:
    """`Retry-After: 0`, again and again, would be an endless loop."""

    async def work() -> tuple[list[float], str, list[str]]:
        sent = Sent()
        while await sent.send(asks(0.0)):
            pass
        return sent.times, sent.pace.stopped, sent.told

    times, stopped, told = run(work())
    assert times == [float(second) for second in range(901)]
    assert stopped == "The API asks to wait until 2025-03-01 12:15:01. Go on after that."
    assert told == []


@pytest.mark.parametrize(("waits", "sent"), [([901.0], 1), ([900.0, 1.0], 2), ([450.0, 400.0, 50.0], 4)])
def test_a_run_stands_still_for_15_minutes_in_all(waits: list[float], sent: int) -> None:
    async def work() -> int:
        one = Sent()
        for wait in waits:
            await one.send(asks(wait))
        await one.send(DONE)
        return len(one.times)

    assert run(work()) == sent


def test_retries_are_ten_in_ten_seconds_and_then_wait() -> None:
    async def work() -> list[float]:
        sent = Sent()
        for _ in range(25):
            await sent.send(DONE, retry=True)
        return sent.times

    times = run(work())
    assert [math.floor(time / 10) for time in times] == [0] * 10 + [1] * 10 + [2] * 5


def test_of_many_requests_a_tenth_may_be_retries_and_others_need_not_wait() -> None:
    async def work() -> tuple[float, float, float]:
        sent = Sent()
        for _ in range(200):
            await sent.send(DONE)
        for _ in range(22):
            await sent.send(DONE, retry=True)
        before = now()
        retry = asyncio.create_task(sent.send(DONE, retry=True))
        await asyncio.sleep(0.1)
        await sent.send(DONE)
        after = now()
        await retry
        return before, after, now()

    before, after, end = run(work())
    assert before < 1.0
    assert after < 1.0
    assert end >= 10.0


@pytest.mark.parametrize("failure", [DOWN, LOST, Verdict(Meaning.UNKNOWN, 502, message="No answer")])
def test_after_20_failed_tries_one_goes_out_each_30_s_and_after_10_minutes_none(failure: Verdict) -> None:
    async def work() -> tuple[Sent, float]:
        sent = Sent()

        async def worker() -> None:
            while await sent.send(failure):
                pass

        await asyncio.gather(*(worker() for _ in range(4)))
        return sent, now()

    sent, end = run(work())
    down = sent.times[19]
    assert len(sent.times) == 20 + 19
    assert sent.times[20:] == [pytest.approx(down + 30 * probe) for probe in range(1, 20)]
    assert end == pytest.approx(down + 600.0)
    why = failure.message.rstrip(".")
    assert sent.told == [f"The API is down: {why}. One row is tried every 30 s until 2025-03-01 12:10:00."]
    assert sent.pace.stopped == f"The API was down for 10 minutes: {why}. Go on once it is up again."


def test_who_will_not_wait_for_an_api_stops_at_once() -> None:
    async def work() -> tuple[Sent, float]:
        sent = Sent(wait_for_api=0.0)
        while await sent.send(DOWN):
            pass
        return sent, now()

    sent, end = run(work())
    assert (len(sent.times), sent.told, end < 0.1) == (20, [], True)
    assert sent.pace.stopped == "The API was down: Connection refused. Go on once it is up again."


def test_an_answer_from_an_api_that_was_down_opens_the_way_at_once() -> None:
    """Also an answer to a request that was on its way before."""

    async def work() -> tuple[Sent, bool]:
        sent = Sent()
        for _ in range(20):
            await sent.send(DOWN)
        waiting = [asyncio.create_task(sent.send(DONE)) for _ in range(5)]
        await asyncio.sleep(10.0)
        down = sent.pace.down
        sent.pace.hear(DONE)
        await asyncio.gather(*waiting)
        return sent, down

    sent, down = run(work())
    assert down
    assert all(10.0 <= time < 10.1 for time in sent.times[20:])
    assert sent.told[1:] == ["The API is up again."]


@pytest.mark.parametrize(
    "between", [DONE, Verdict(Meaning.REFUSED, 400), Verdict(Meaning.CREDENTIALS, 401), Verdict(Meaning.UNKNOWN, 202)]
)
def test_failed_tries_count_only_in_a_row(between: Verdict) -> None:
    async def work() -> bool:
        sent = Sent()
        for verdict in [*[DOWN] * 19, between, *[DOWN] * 19]:
            await sent.send(verdict)
        return sent.pace.down

    assert not run(work())


def test_a_wait_that_is_asked_for_is_no_failed_try_nor_a_sign_of_health() -> None:
    async def work() -> tuple[bool, bool]:
        sent = Sent()
        for verdict in [*[DOWN] * 19, *[asks(1.0)] * 30]:
            await sent.send(verdict)
        before = sent.pace.down
        await sent.send(DOWN)
        return before, sent.pace.down

    assert run(work()) == (False, True)


def test_a_stop_ends_all_rests_at_once() -> None:
    async def work() -> tuple[float, list[bool | None], str]:
        sent = Sent()
        sent.pace.hear(asks(600.0))
        resting = [asyncio.create_task(sent.pace.turn(ready, retry=False)) for _ in range(8)]
        backing_off = asyncio.create_task(sent.pace.back_off(2))
        await asyncio.sleep(0.5)
        sent.pace.stop("Enough.")
        sent.pace.stop("More than enough.")
        found = await asyncio.gather(*resting)
        await backing_off
        await sent.pace.rest(10.0)
        return now(), found, sent.pace.stopped

    assert run(work()) == (0.5, [None] * 8, "Enough.")


def test_a_stop_while_one_gets_ready_keeps_it_from_going_out() -> None:
    async def work() -> bool:
        sent = Sent()

        async def stopping() -> bool:
            sent.pace.stop("Enough.")
            return True

        return await sent.send(DONE, prepare=stopping)

    assert not run(work())


def test_before_each_further_try_the_longest_pause_doubles_up_to_20_s() -> None:
    async def work() -> list[float]:
        pauses = []
        for tries in range(1, 9):
            before = now()
            await Sent().pace.back_off(tries)
            pauses.append(now() - before)
        return pauses

    assert run(work()) == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0])
