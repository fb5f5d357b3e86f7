"""The rows on their way: handed out in order, those of the next batch read while this one is sent."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from bulkload.errors import UnusableFile
from bulkload.models import Request
from bulkload.resource import Operation
from bulkload.underway import Feed, Outgoing

MAKE = Operation("make", "POST", "/things")
ROWS = [Outgoing(Request("Things", row, "create", "POST", "/things", (), {}, {}), MAKE) for row in range(1, 5)]
# Seconds that a thread is given to come so far.
PATIENCE = 20.0


def test_the_next_batch_is_read_while_this_one_is_handed_out() -> None:
    reading = threading.Event()

    def batches() -> Iterator[list[Outgoing]]:
        yield ROWS[:2]
        reading.set()
        yield ROWS[2:]

    async def main() -> list[Outgoing | None]:
        feed = Feed(batches())
        first = await feed.next()
        assert await asyncio.to_thread(reading.wait, PATIENCE)
        return [first, *[await feed.next() for _ in range(5)]]

    assert asyncio.run(main()) == [*ROWS, None, None]


def test_what_reading_ahead_raises_is_raised_when_its_batch_is_due() -> None:
    def batches() -> Iterator[list[Outgoing]]:
        yield ROWS[:2]
        raise UnusableFile("Gone.")

    async def main() -> None:
        feed = Feed(batches())
        assert [await feed.next() for _ in range(2)] == ROWS[:2]
        for _ in range(2):  # each worker learns of it
            with pytest.raises(UnusableFile, match="Gone"):
                await feed.next()

    asyncio.run(main())


def test_who_closes_waits_for_what_is_being_read_but_not_for_ever() -> None:
    """The thread has the file and the journal in hand, which others want now."""
    reading, leave = threading.Event(), threading.Event()
    ended: list[bool] = []

    def batches() -> Iterator[list[Outgoing]]:
        yield ROWS[:2]
        reading.set()
        leave.wait(PATIENCE)
        ended.append(True)
        raise UnusableFile("Nobody needs to know.")

    async def main() -> None:
        feed = Feed(batches())
        await feed.next()
        assert await asyncio.to_thread(reading.wait, PATIENCE)
        asyncio.get_running_loop().call_soon(leave.set)
        await feed.close(PATIENCE)
        assert ended == [True]

    asyncio.run(main())

    async def hangs() -> None:
        feed = Feed(batches())
        await feed.next()
        await feed.close(0.0)

    leave.clear()
    asyncio.run(hangs())
    assert ended == [True]
    leave.set()
