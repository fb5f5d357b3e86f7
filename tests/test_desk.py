"""A thread beside a loop: one thing after the other, each end heard of in the loop's own thread."""

import asyncio
import threading

from bulkload.desk import Desk


def test_what_is_handed_is_done_in_its_order_and_its_end_is_heard_of_in_the_loop() -> None:
    async def work() -> list[object]:
        desk, seen, over = Desk("desk"), list[object](), asyncio.Event()
        mine = threading.current_thread()

        def ended(trouble: BaseException | None) -> None:
            seen.append((trouble, threading.current_thread() is mine))

        for number in range(3):
            desk.hand(lambda number=number: seen.append((number, threading.current_thread().name)), ended)  # type: ignore[misc]
        desk.hand(lambda: None, lambda _: over.set())
        await over.wait()
        desk.close()
        return seen

    seen = asyncio.run(work())
    assert [one for one in seen if one[1] == "desk"] == [(0, "desk"), (1, "desk"), (2, "desk")]  # type: ignore[index]
    assert seen.count((None, True)) == 3


def test_what_is_raised_is_handed_on() -> None:
    async def work() -> BaseException | None:
        desk, ended = Desk("desk"), asyncio.get_running_loop().create_future()
        desk.hand(lambda: 1 / 0, ended.set_result)
        trouble: BaseException | None = await ended
        desk.close()
        return trouble

    assert isinstance(asyncio.run(work()), ZeroDivisionError)


def test_to_close_waits_for_what_is_under_way_and_leaves_no_thread() -> None:
    async def work() -> list[BaseException | None]:
        desk, go_on, ends = Desk("desk"), threading.Event(), list[BaseException | None]()
        desk.hand(go_on.wait, ends.append)
        go_on.set()
        desk.close()
        return ends

    assert asyncio.run(work()) == [None]
    assert not [one for one in threading.enumerate() if one.name.startswith("desk")]


def test_its_name_says_whether_it_is_at_work() -> None:
    async def work() -> tuple[str, str]:
        desk, go_on, ended = Desk("desk"), threading.Event(), asyncio.get_running_loop().create_future()
        desk.hand(go_on.wait, ended.set_result)
        (thread,) = [one for one in threading.enumerate() if one.name.startswith("desk")]
        busy = thread.name
        go_on.set()
        await ended
        idle = thread.name
        desk.close()
        return busy, idle

    assert asyncio.run(work()) == ("desk", "desk, idle")


def test_to_close_one_that_never_began_is_nothing() -> None:
    Desk("desk").close()
