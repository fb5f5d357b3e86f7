"""When the next request may go out: at the set rate, not while the API asks to wait, one at a time while it is down."""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from bulkload.answer import Meaning, Verdict
from bulkload.resource import Rate

# What an API may ask a run to wait in all, in seconds; then the run stops and says when to go on.
LONGEST_STANDSTILL = 15 * 60.0
# So many failed tries in a row and the API counts as down: from then on one request goes out each PROBE seconds.
PATIENCE = 20
PROBE = 30.0
# Retries that were nobody's wish but ours: so many in a window of seconds, or that share of its requests if it is more.
_WINDOW, _RETRIES, _SHARE = 10.0, 10, 0.1
# Before the second and third try of a row, at random up to so many seconds, twice as many each time.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0
# An API may ask for no wait at all, again and again.
_SHORTEST_WAIT = 1.0
_WORTH_TELLING = 5.0
# The shortest sleep: a rest of nearly nothing would never move a clock on.
_TICK = 0.001
# Requests that are due within so many seconds may go out together: no timer is fine enough for each of them.
_TOGETHER = 0.010

T = TypeVar("T")


def _local_now() -> datetime:
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, as the sending sees it: `monotonic` in seconds for waits, `now` for people, `sleep`, and `jitter` between
    two bounds."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _local_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[float, float], float] = random.uniform


REAL = Clock()


class Pace:
    """One for all workers of a host. `stopped` says why no further request goes out, "" while they do.

    Requests are spread evenly over time, a hundredth of a second at a time where more than one is due in that, so that
    no window of the rate's length holds more than the rate. `told` hears what a person should know while nothing moves.
    """

    def __init__(self, rate: Rate, wait_for_api: float, clock: Clock, told: Callable[[str], None]) -> None:
        self.stopped = ""
        interval = rate.seconds / rate.count
        self._early = _TOGETHER if interval < _TOGETHER else 0.0
        # What may go out early at the end of a window is left out of it.
        self._interval = (rate.seconds + self._early) / rate.count
        self._wait_for_api = wait_for_api
        self._clock = clock
        self._told = told
        self._line = asyncio.Lock()
        self._news = asyncio.Event()
        self._next = self._not_before = clock.monotonic()
        self._standstill = 0.0
        self._failed = 0
        self._why = ""
        self._down_since: float | None = None
        self._sent: deque[float] = deque()
        self._resent: deque[float] = deque()

    @property
    def shut(self) -> bool:
        """Whether nothing may go out at this moment, be it that the run stopped or that the API asks to wait."""
        return bool(self.stopped) or self._clock.monotonic() < self._not_before

    @property
    def down(self) -> bool:
        """Whether the API counts as down."""
        return self._down_since is not None

    def stop(self, why: str) -> None:
        """Let no further request out, for this reason unless there was one before."""
        self.stopped = self.stopped or why
        self.wake()

    def wake(self) -> None:
        """End all rests: something has changed."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def turn(self, prepare: Callable[[], Awaitable[T]], *, retry: bool) -> T | None:
        """What `prepare` gives, once a request may go out at once; None if the run stopped first.

        First come, first served. What must be ready at that moment (a token that lives) is prepared at the head of the
        line: a turn that was taken first would be used too late. A `retry` also waits for its share.
        """
        while not self.stopped:
            async with self._line:
                await self._until_open()
                ready = None if self.stopped else await prepare()
                rest = self._rest_of(retry)
                if not rest and not self.stopped:
                    self._take(retry)
                    return ready
            await self.rest(rest)
        return None

    async def rest(self, seconds: float) -> None:
        """Sleep, unless the run stops or something changes."""
        if self.stopped:
            return
        sleep = asyncio.ensure_future(self._clock.sleep(max(seconds, _TICK)))
        waits = [sleep, asyncio.ensure_future(self._news.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def back_off(self, tries: int) -> None:
        """Rest a while before a row that failed so many times goes out again."""
        await self.rest(self._clock.jitter(0, min(_FIRST_PAUSE * 2 ** (tries - 1), _LONGEST_PAUSE)))

    def hear(self, verdict: Verdict) -> None:
        """Learn from an answer, at once when it comes: others are about to send. Its message is fit to be shown."""
        if verdict.meaning is Meaning.NOT_PROCESSED and verdict.wait is not None:
            self._wait(max(verdict.wait, _SHORTEST_WAIT))
        elif verdict.meaning in (Meaning.NOT_PROCESSED, Meaning.UNKNOWN) and verdict.status != 202:
            self._fail(verdict.message)
        else:
            self._live()

    async def _until_open(self) -> None:
        while not self.stopped and (rest := self._rest_of(retry=False)):
            await self.rest(min(rest, self._patience()))
            if not self._patience():
                length = f" for {_length(self._wait_for_api)}" if self._wait_for_api else ""
                self.stop(f"The API was down{length}: {self._why}. Go on once it is up again.")

    def _patience(self) -> float:
        """The seconds that the API may go on being down; endless while it is up."""
        if self._down_since is None:
            return math.inf
        return max(self._down_since + self._wait_for_api - self._clock.monotonic(), 0.0)

    def _rest_of(self, retry: bool) -> float:
        """The seconds until a request may go out; 0: now."""
        now = self._clock.monotonic()
        opens = max(self._next - (0.0 if self.down else self._early), self._not_before)
        if retry:
            opens = max(opens, self._share_free(now))
        return max(opens - now, 0.0)

    def _share_free(self, now: float) -> float:
        """When the retries of the window have room for another."""
        self._forget(now)
        room = len(self._resent) + 1 <= max(_RETRIES, _SHARE * (len(self._sent) + 1))
        return now if room else self._resent[0] + _WINDOW

    def _forget(self, now: float) -> None:
        for times in (self._sent, self._resent):
            while times and times[0] + _WINDOW <= now:
                times.popleft()

    def _take(self, retry: bool) -> None:
        now = self._clock.monotonic()
        self._forget(now)
        self._next = now + PROBE if self.down else max(self._next, now) + self._interval
        self._sent.append(now)
        if retry:
            self._resent.append(now)

    def _wait(self, seconds: float) -> None:
        """Nobody sends for so long."""
        now = self._clock.monotonic()
        until, begun = now + seconds, max(self._not_before, now)
        if until <= begun:
            return
        self._standstill += until - begun
        self._not_before = until
        then = _time(self._clock.now() + timedelta(seconds=seconds))
        if self._standstill > LONGEST_STANDSTILL:
            self.stop(f"The API asks to wait until {then}. Go on after that.")
        elif begun == now and seconds >= _WORTH_TELLING:
            self._told(f"The API asks to wait {_length(seconds)}, until {then}.")

    def _fail(self, why: str) -> None:
        self._failed += 1
        self._why = why.rstrip(".")
        if self._failed < PATIENCE or self.down:
            return
        self._down_since = self._clock.monotonic()
        self._next = self._down_since + PROBE
        if self._wait_for_api:
            then = _time(self._clock.now() + timedelta(seconds=self._wait_for_api))
            self._told(f"The API is down: {self._why}. One row is tried every {PROBE:g} s until {then}.")

    def _live(self) -> None:
        self._failed = 0
        if self.down:
            self._down_since = None
            self._next = self._clock.monotonic()
            self._told("The API is up again.")
            self.wake()


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S}"
