"""Tokens are counted in one thread of their own, and no more counts wait than it can be through with soon."""

import asyncio
import threading

import pytest

from tollway.errors import OverloadedError
from tollway.services.inference.counting import Counting


async def test_counts_wait_for_one_thread_and_too_many_are_refused() -> None:
    counting, gate, begun = Counting(waiting_max=3), threading.Event(), threading.Event()

    def held() -> str:
        begun.set()
        gate.wait()
        return threading.current_thread().name

    first, second, third = (asyncio.ensure_future(counting.run(held)) for _ in range(3))
    await asyncio.to_thread(begun.wait)  # the event loop's own threads are free
    with pytest.raises(OverloadedError):
        await counting.run(held)
    third.cancel()
    await asyncio.wait({third})
    fourth = asyncio.ensure_future(counting.run(held))  # in the place of the one that left
    gate.set()
    assert len({await first, await second, await fourth}) == 1


async def test_what_fails_to_be_counted_gives_its_place_back() -> None:
    counting = Counting(waiting_max=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await counting.run(lambda: 1 // 0)
