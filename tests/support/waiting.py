"""Wait for a condition, not for a time."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.01


def wait_until(condition: Callable[[], T], *, within_s: float = 30.0, what: str = "the condition") -> T:
    """Ask until the answer is true, and return it; fail if it is not within a time far longer than it needs."""
    give_up_at = time.monotonic() + within_s
    while not (answer := condition()):
        assert time.monotonic() < give_up_at, f"{what}: not within {within_s:g} s"
        time.sleep(_POLL_S)
    return answer


async def eventually(condition: Callable[[], object], *, within_s: float = 30.0) -> None:
    """As `wait_until`, while the event loop runs."""
    give_up_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at, f"not within {within_s:g} s"
        await asyncio.sleep(_POLL_S)
