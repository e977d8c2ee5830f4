"""What takes its time is done in one thread, in which organizations take turns, and no more waits than is bounded."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from tollway.errors import OverloadedError, RateLimitedError
from tollway.services.inference.fair_thread import FairThread


class Gate:
    """Work that holds the thread until it is opened."""

    def __init__(self) -> None:
        self.begun, self._open = threading.Event(), threading.Event()
        self.done: list[str] = []

    def held(self) -> str:
        self.begun.set()
        self._open.wait()
        return threading.current_thread().name

    def noted(self, name: str) -> Callable[[], None]:
        return lambda: self.done.append(name)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


async def test_work_waits_for_one_thread_and_too_much_is_refused(gate: Gate) -> None:
    thread = FairThread("t", what="it", waiting_max=3)
    first, second, third = (asyncio.ensure_future(thread.run("acme", gate.held)) for _ in range(3))
    await asyncio.to_thread(gate.begun.wait)  # the event loop's own threads are free
    with pytest.raises(OverloadedError, match="3 requests wait for it"):
        await thread.run("rival", gate.held)
    third.cancel()
    await asyncio.wait({third})
    fourth = asyncio.ensure_future(thread.run("acme", gate.held))  # in the place of the one that left
    await asyncio.sleep(0)
    gate.open()
    assert len({await first, await second, await fourth}) == 1


async def test_who_fills_its_own_places_is_told_to_slow_down_and_the_others_find_theirs(gate: Gate) -> None:
    thread = FairThread("t", what="it", waiting_max=4, own_waiting_max=2)
    waiting = [thread.begin("acme", gate.held) for _ in range(2)]
    with pytest.raises(RateLimitedError, match="2 requests of this organization wait for it"):
        thread.begin("acme", gate.held)
    waiting += [thread.begin("rival", gate.held) for _ in range(2)]
    gate.open()
    await asyncio.gather(*waiting)
    assert await thread.run("acme", lambda: "again") == "again"


async def test_who_asks_for_one_thing_does_not_wait_for_all_of_another_s(gate: Gate) -> None:
    thread = FairThread("t")
    running = thread.begin("acme", gate.held)
    waiting = [thread.begin("acme", gate.noted(f"acme {number}")) for number in range(3)]
    waiting += [thread.begin("rival", gate.noted("rival")), thread.begin("third", gate.noted("third"))]
    gate.open()
    await asyncio.gather(running, *waiting)
    assert gate.done == ["acme 0", "rival", "third", "acme 1", "acme 2"]


async def test_who_left_while_its_work_ran_holds_nobody_up(gate: Gate) -> None:
    thread = FairThread("t", waiting_max=1)
    left = thread.begin("acme", gate.held)
    await asyncio.to_thread(gate.begun.wait)
    left.cancel()
    await asyncio.wait({left})
    next_one = thread.begin("acme", lambda: "next")
    gate.open()
    assert await next_one == "next"


async def test_what_fails_gives_its_place_back() -> None:
    thread = FairThread("t", waiting_max=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await thread.run("acme", lambda: 1 // 0)
