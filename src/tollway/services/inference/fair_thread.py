"""Work that takes its time, beside the event loop: in one thread of its own, in which organizations take turns.

The event loop's own threads look up the addresses of providers: a few megabytes to be read through there would keep
every new connection waiting. Where one organization has much to be done, another one waits for one piece of it at most.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from tollway.errors import OverloadedError, RateLimitedError

T = TypeVar("T")
_Pieces = deque[tuple[Callable[[], Any], asyncio.Future[Any]]]

_SHORTLY: dict[str, Any] = {"next_step": "Try again shortly.", "headers": (("retry-after", "1"),)}


class FairThread:
    """One thread of one worker, used by its event loop alone. It starts with the first piece of work."""

    def __init__(
        self, name: str, *, what: str = "", waiting_max: float = math.inf, own_waiting_max: float = math.inf
    ) -> None:
        """Prepare it.

        Args:
            name: of the thread.
            what: what whoever is refused waits for, as in "requests wait for …".
            waiting_max: pieces that wait or run; where requests at a time bound them, none is needed.
            own_waiting_max: of one organization.
        """
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._what = what
        self._waiting_max = waiting_max
        self._own_waiting_max = own_waiting_max
        self._queues: dict[str, _Pieces] = {}
        """Organization → its pieces. The first one's turn is next."""
        self._places: dict[str, int] = {}
        self._busy = False

    def begin(self, organization_id: str, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have something done. Who cancels it before its turn has come lets go of its place.

        Raises:
            RateLimitedError: too much of the organization's waits already.
            OverloadedError: too much waits already.
        """
        self._require_room(organization_id)
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._places[organization_id] = self._places.get(organization_id, 0) + 1
        done.add_done_callback(lambda _: self._leave(organization_id))
        self._queues.setdefault(organization_id, deque()).append((work, done))
        self._go_on()
        return done

    async def run(self, organization_id: str, work: Callable[[], T]) -> T:
        """What the work returns. Raises: as `begin`, and what the work does."""
        return await self.begin(organization_id, work)

    def _require_room(self, organization_id: str) -> None:
        if self._places.get(organization_id, 0) >= self._own_waiting_max:
            raise RateLimitedError(
                f"{self._own_waiting_max} requests of this organization wait for {self._what}.", **_SHORTLY
            )
        if sum(self._places.values()) >= self._waiting_max:
            raise OverloadedError(f"{self._waiting_max} requests wait for {self._what}.", **_SHORTLY)

    def _leave(self, organization_id: str) -> None:
        left = self._places.pop(organization_id) - 1
        if left:
            self._places[organization_id] = left

    def _go_on(self) -> None:
        """Begin what is next: each organization's turn comes once before one's comes again."""
        while self._queues and not self._busy:
            organization_id = next(iter(self._queues))
            pieces = self._queues.pop(organization_id)
            work, done = pieces.popleft()
            if pieces:
                self._queues[organization_id] = pieces
            if not done.done():  # else who asked has left
                self._busy = True
                asyncio.wrap_future(self._executor.submit(work)).add_done_callback(partial(self._tell, done))

    def _tell(self, done: asyncio.Future[T], ran: asyncio.Future[T]) -> None:
        error = ran.exception()
        if done.done():
            pass  # who asked has left while it ran
        elif error is not None:
            done.set_exception(error)
        else:
            done.set_result(ran.result())
        self._busy = False
        self._go_on()
