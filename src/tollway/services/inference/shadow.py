"""Send copies of requests to another deployment, to compare it. The callers neither wait for them nor notice.

A copy has an entry of its own, with the tag `SHADOW_TAG`, and is paid for from the same budgets and within the same
limits as any request of the project; what these do not let through is not sent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from msgspec.structs import replace

from tollway.constants import SHADOW_TAG
from tollway.errors import TollwayError
from tollway.ids import uuid7
from tollway.routing.resolve import Candidate
from tollway.routing.route import Retry, Route
from tollway.services.inference.exchange import Caller, Exchange, Headers
from tollway.services.inference.planner import Planner

_RUNNING_MAX = 32
"""Copies one worker has under way; beyond, none are made."""
_ONCE = Retry(attempts=1)

Serve = Callable[[Exchange, Caller], Awaitable[None]]


class Shadows:
    """The copies of one worker."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._running: set[asyncio.Task[None]] = set()

    def copy(self, exchange: Exchange, serve: Serve) -> None:
        """Send a copy of an admitted request to its shadow, if it has one, beside it."""
        if exchange.shadow is None or len(self._running) >= _RUNNING_MAX:
            return
        try:
            copied = self._copied(exchange, exchange.shadow)
        except TollwayError:
            return  # that one cannot be asked for this
        task = asyncio.create_task(_run(copied, serve))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def aclose(self) -> None:
        """Cut what still runs; each writes its entry."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _copied(self, exchange: Exchange, shadow: Candidate) -> Exchange:
        entry_id = uuid7()
        tags = tuple(sorted((*exchange.call.tags, (SHADOW_TAG, exchange.entry_id))))
        return Exchange(
            inbound=replace(exchange.inbound, request_id=entry_id, own_id=entry_id),
            principal=exchange.principal,
            call=replace(exchange.call, tags=tags),
            target=self._planner.target(exchange, shadow),
            route=Route((shadow.target,), retry=_ONCE),
        )


class _Nobody:
    """A caller who throws everything away."""

    left = False

    async def read_body(self) -> bytes:
        """Nothing: the request was read."""
        return b""

    async def start(self, status: int, headers: Headers) -> None:
        """Throw it away."""

    async def write(self, data: bytes) -> None:
        """Throw it away."""

    async def finish(self, data: bytes, *, whole: bool = True) -> None:
        """Throw it away."""

    def unwatch(self) -> None:
        """Nobody watches."""


async def _run(exchange: Exchange, serve: Serve) -> None:
    try:
        with suppress(TollwayError):  # it is in its entry; nobody waits to be told
            await serve(exchange, _Nobody())
    finally:
        if exchange.claims is not None:
            exchange.claims.abandon()  # nothing, if the recorder has settled it
