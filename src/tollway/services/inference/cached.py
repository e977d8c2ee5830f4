"""Answers from the response cache: looked up when a request is planned, kept when its answer is whole.

A hit is a request like any other: authenticated, allowed, limited, and in the ledger, at a cost of zero with the saving
noted. Where the project chose it, the same requests at the same time are asked once and all answered with that.
"""

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable

import msgspec
from msgspec.structs import replace

from tollway.cache.control import CacheControl, cache_control
from tollway.cache.kept import CacheStore, Kept
from tollway.cache.key import cache_key
from tollway.errors import NotInCacheError, UpstreamTimeoutError
from tollway.ledger.entry import Outcome
from tollway.services.inference.exchange import Caller, Exchange, Headers, Target
from tollway.services.inference.holder import Holder
from tollway.services.inference.passing import Remembering
from tollway.services.inference.quota_headers import quota_headers
from tollway.services.inference.record import Recorder
from tollway.services.inference.reply_headers import request_ids

Ask = Callable[[Exchange, Caller], Awaitable[None]]
_OK = 200
_encode = msgspec.json.Encoder().encode
_KEPT_HEADERS = frozenset({b"content-type", b"x-tollway-provider", b"x-tollway-model", b"x-tollway-dropped"})
"""What of an answer's headers is true of its copy."""
_COST_EVENT = re.compile(rb": x-tollway-cost [0-9.]+\n\n")


class ResponseCache:
    """Stands before the attempts of requests whose project has a cache. One a worker."""

    def __init__(self, store: CacheStore, *, recorder: Recorder, holder: Holder, entry_max_bytes: int) -> None:
        self._store = store
        self._recorder = recorder
        self._holder = holder
        self._entry_max_bytes = entry_max_bytes
        self._flights: dict[bytes, asyncio.Future[bool]] = {}

    async def run(self, exchange: Exchange, caller: Caller, ask: Ask) -> None:
        """Answer from the cache, or ask and keep the answer.

        Raises:
            NotInCacheError: the caller wanted nothing else.
            TollwayError, asyncio.CancelledError: as `ask`, and as holding rate limits.
            JournalUnavailableError: as `Recorder.require_room`.
        """
        control = cache_control(exchange.inbound.cache_control)
        key = _key(exchange) if control.stores else None
        if key is None:
            await ask(exchange, caller)
            return
        kept = await self._find(exchange, key, control)
        if kept is None and control.only_cached:
            raise NotInCacheError(
                "The answer is not in the response cache, and `cache-control: only-if-cached` allows nothing else.",
                next_step="Leave the directive out.",
            )
        if kept is None and exchange.principal.cache_single_flight and control.reads:
            kept = await self._follow(exchange, key, control)
        if kept is not None:
            await self._replay(exchange, caller, kept)
            return
        await self._lead(exchange, caller, ask, key)

    async def aclose(self) -> None:
        """Let go of the store."""
        await self._store.aclose()

    async def _find(self, exchange: Exchange, key: bytes, control: CacheControl) -> Kept | None:
        if not control.reads:
            return None
        kept = await self._store.get(exchange.principal.project_id, key)
        if kept is None:
            return None
        oldest_s = exchange.principal.cache_ttl_s
        if control.max_age_s is not None:
            oldest_s = min(oldest_s, control.max_age_s)
        return kept if time.time() - kept.stored_at_s <= oldest_s else None

    async def _follow(self, exchange: Exchange, key: bytes, control: CacheControl) -> Kept | None:
        """Wait for the same request that runs already, if there is one; what it left in the cache.

        Nobody waits for another one after one that was answered and left nothing: such answers are not kept.

        Raises:
            UpstreamTimeoutError: the caller waits no longer.
        """
        while (flight := self._flights.get(key)) is not None:
            left_s = exchange.left_s()
            done, _ = await asyncio.wait({flight}, timeout=None if left_s == math.inf else max(left_s, 0))
            if not done:
                raise UpstreamTimeoutError(
                    "The same request, which runs already, was not answered in time.",
                    next_step="Try again, or allow more: `x-tollway-timeout`.",
                )
            kept = await self._find(exchange, key, control)
            if kept is not None or flight.result():
                return kept
        return None

    async def _lead(self, exchange: Exchange, caller: Caller, ask: Ask, key: bytes) -> None:
        flight: asyncio.Future[bool] | None = None
        answered = False
        if exchange.principal.cache_single_flight and key not in self._flights:
            flight = self._flights[key] = asyncio.get_running_loop().create_future()
        keeping = _Keeping(caller, self._entry_max_bytes)
        try:
            await ask(exchange, keeping)
            await self._keep(exchange, key, keeping)
            answered = True
        finally:
            if flight is not None:
                del self._flights[key]
                flight.set_result(answered)

    async def _keep(self, exchange: Exchange, key: bytes, keeping: "_Keeping") -> None:
        body = keeping.answer()
        claims = exchange.claims
        if body is None or (claims is not None and claims.demand.clamped):
            return
        target, principal = exchange.target, exchange.principal
        kept = Kept(time.time(), keeping.headers, body, exchange.charge, target.deployment.name, target.model)
        await self._store.put(
            principal.project_id, key, kept, ttl_s=principal.cache_ttl_s, max_bytes=principal.cache_max_bytes
        )

    async def _replay(self, exchange: Exchange, caller: Caller, kept: Kept) -> None:
        self._recorder.require_room()
        await self._holder.hold(exchange, free=True)
        exchange.target = _answered_by(exchange.target, kept)
        exchange.saved = kept.charge
        exchange.passed(len(kept.body))
        self._recorder.settle(exchange, outcome=Outcome.OK, status=_OK)
        headers = [
            *kept.headers,
            *request_ids(exchange),
            (b"x-tollway-cost", b"0"),
            (b"x-tollway-cache", b"hit"),
            (b"age", b"%d" % max(time.time() - kept.stored_at_s, 0)),
            (b"content-length", b"%d" % len(kept.body)),
            *quota_headers(exchange.claims),
        ]
        await caller.start(_OK, headers)
        await caller.finish(kept.body)


def _key(exchange: Exchange) -> bytes | None:
    """The key; ``None`` if the request cannot be compared."""
    return cache_key(
        exchange.call,
        project_id=exchange.principal.project_id,
        path=exchange.inbound.surface.path,
        route=_encode(exchange.route).decode(),
    )


def _answered_by(planned: Target, kept: Kept) -> Target:
    """For the ledger: who gave the answer, which need not be who would be asked now."""
    if (planned.deployment.name, planned.model) == (kept.provider, kept.model):
        return planned
    return replace(planned, deployment=replace(planned.deployment, name=kept.provider), model=kept.model)


class _Keeping(Remembering):
    """The caller as the attempts see it. Attributes: headers: those that are true of a copy."""

    def __init__(self, caller: Caller, max_bytes: int) -> None:
        super().__init__(caller, max_bytes)
        self._whole = False
        self.headers: tuple[tuple[bytes, bytes], ...] = ()

    async def start(self, status: int, headers: Headers) -> None:
        """Pass on the status and headers."""
        self.headers = tuple((name, value) for name, value in headers if name in _KEPT_HEADERS)
        await super().start(status, [*headers, (b"x-tollway-cache", b"miss")])

    async def finish(self, data: bytes, *, whole: bool = True) -> None:
        """Pass on the last part of the body."""
        self._whole = whole
        await super().finish(data, whole=whole)

    def answer(self) -> bytes | None:
        """The answer without what told its cost; ``None`` if it is not one to keep."""
        body = self.body if self._whole and self.status == _OK else None
        return None if body is None else _COST_EVENT.sub(b"", body)
