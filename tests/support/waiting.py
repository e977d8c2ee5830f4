"""Wait for a condition, not for a time."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.01
_TURN_S = {"minute": 60, "hour": 3_600, "day": 86_400}
_TEST_S = {"minute": 10.0, "hour": 20.0, "day": 20.0}
"""Longer than tests work with one window of the kind."""


def wait_until(condition: Callable[[], T], *, within_s: float = 60.0, what: str = "the condition") -> T:
    """Ask until the answer is true, and return it; fail if it is not within a time far longer than it needs."""
    give_up_at = time.monotonic() + within_s
    while not (answer := condition()):
        assert time.monotonic() < give_up_at, f"{what}: not within {within_s:g} s"
        time.sleep(_POLL_S)
    return answer


async def eventually(condition: Callable[[], object], *, within_s: float = 60.0) -> None:
    """As `wait_until`, while the event loop runs."""
    give_up_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at, f"not within {within_s:g} s"
        await asyncio.sleep(_POLL_S)


def early_in(window: str) -> None:
    """Wait for the next window of this name, in UTC, if the present one may turn while a test works with it."""
    if window in _TURN_S:
        left_s = _TURN_S[window] - time.time() % _TURN_S[window]
        time.sleep(left_s + 0.1 if left_s < _TEST_S[window] else 0)
