"""Wait for a condition, not for a time."""

import asyncio
import time
from collections.abc import Callable

_POLL_S = 0.01


async def eventually(condition: Callable[[], object], *, within_s: float = 30.0) -> None:
    """Return once the condition holds; fail if it does not within a time that is far more than it needs."""
    give_up_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at, f"not within {within_s} s"
        await asyncio.sleep(_POLL_S)
