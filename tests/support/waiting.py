"""Wait for a condition instead of for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_INTERVAL_S = 0.02


def wait_until(condition: Callable[[], T], *, timeout_s: float = 30.0, what: str = "the condition") -> T:
    """Ask until the answer is true, and return it.

    Raises:
        TimeoutError: it was not true in time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            message = f"Waited {timeout_s:g} s for {what}."
            raise TimeoutError(message)
        time.sleep(POLL_INTERVAL_S)
