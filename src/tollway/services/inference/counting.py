"""Count tokens beside the event loop: in one thread of its own, so that nobody's texts hold up anything else.

The event loop's own threads look up the addresses of providers: a few megabytes to be counted there would keep every
new connection waiting. The tokenizer takes a tenth of a second for a megabyte; who comes when too many wait is refused.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from tollway.errors import OverloadedError

T = TypeVar("T")

_WAITING_MAX = 64
"""Counts that run or wait: some seconds of the thread, if each is as large as a body may be."""


class Counting:
    """The thread of one worker. It starts with the first count."""

    def __init__(self, waiting_max: int = _WAITING_MAX) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="count")
        self._waiting_max = waiting_max
        self._waiting = 0
        self._changing = Lock()

    def begin(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have something counted. Who cancels it before its turn has come lets go of its place.

        Raises:
            OverloadedError: too much waits already.
        """
        if self._waiting >= self._waiting_max:
            raise OverloadedError(
                f"{self._waiting_max} requests wait for their tokens to be counted here.",
                next_step="Try again shortly.",
                headers=(("retry-after", "1"),),
            )
        self._change(1)
        counted = self._executor.submit(work)
        counted.add_done_callback(lambda _: self._change(-1))
        return asyncio.wrap_future(counted)

    async def run(self, work: Callable[[], T]) -> T:
        """What is counted.

        Raises:
            OverloadedError: too much waits already.
        """
        return await self.begin(work)

    def _change(self, by: int) -> None:
        with self._changing:
            self._waiting += by
