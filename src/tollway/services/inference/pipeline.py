"""The one pipeline of all surfaces: authenticate → read → plan → hold → journal → attempt → rate → journal.

Nothing here asks PostgreSQL unless a key was never seen before, the leased part of a budget or limit is used up, or the
request names a file of which it is not known whose it is. The
entry of a request is written before its caller has the last byte, whatever happens to the caller, the provider or this
worker.
"""

import asyncio

from tollway.errors import InternalError, ModelNotFoundError, ModelNotPricedError, TollwayError
from tollway.identity.principal import Scope
from tollway.ledger.entry import UsageSource
from tollway.providers.named_objects import may_name
from tollway.services.authenticate import Authenticator, require_scope
from tollway.services.inference.attempts import Attempts
from tollway.services.inference.cached import ResponseCache
from tollway.services.inference.ending import estimate, settle_failed, settle_left
from tollway.services.inference.exchange import Caller, Exchange, Inbound
from tollway.services.inference.places import Places
from tollway.services.inference.planner import Planner
from tollway.services.inference.quota_headers import tell_limits
from tollway.services.inference.record import Recorder
from tollway.services.inference.shadow import Shadows
from tollway.services.live_catalog import LiveCatalog
from tollway.services.object_owners import ObjectOwners

_INFERENCE = Scope.INFERENCE  # naming a member of an enum takes 0.2 µs


class Pipeline:
    """Runs requests. One a worker."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        live: LiveCatalog,
        planner: Planner,
        attempts: Attempts,
        cache: ResponseCache,
        shadows: Shadows,
        recorder: Recorder,
        places: Places,
        owners: ObjectOwners,
    ) -> None:
        self._authenticator = authenticator
        self._live = live
        self._planner = planner
        self._attempts = attempts
        self._cache = cache
        self._shadows = shadows
        self._recorder = recorder
        self._places = places
        self._owners = owners

    async def run(self, inbound: Inbound, caller: Caller) -> None:
        """Serve one request from its key to its last byte.

        Raises:
            TollwayError: it was refused, or failed before the caller had a status.
            asyncio.CancelledError: the caller left or the worker stops; the entry is written.
        """
        principal = self._authenticator.cached(inbound.key) or await self._authenticator.authenticate(inbound.key)
        require_scope(principal, _INFERENCE)
        with self._places:
            call = inbound.parse(await caller.read_body())
            if may_name(call):
                call = await self._owners.found(principal, call)
            try:
                exchange = self._planner.plan(inbound, principal, call)
            except (ModelNotFoundError, ModelNotPricedError):  # it may have been made a moment ago
                await self._live.catch_up()
                exchange = self._planner.plan(inbound, principal, call)
            try:
                if principal.cache_ttl_s and inbound.surface.cacheable:
                    await self._cache.run(exchange, caller, self._ask)
                else:
                    await self._ask(exchange, caller)
            except TollwayError as error:
                tell_limits(error, exchange.claims)
                raise
            finally:
                if (claims := exchange.claims) is not None and not claims.settled:
                    claims.abandon()

    async def _ask(self, exchange: Exchange, caller: Caller) -> None:
        """Admit a request, attempt it, and see to it that there is an entry whatever comes of it."""
        await self._attempts.admit(exchange)
        if exchange.shadow is not None:
            self._shadows.copy(exchange, self._ask)
        try:
            await self._attempts.run(exchange, caller)
        except asyncio.CancelledError:
            if not exchange.settled:  # asked first: an estimate costs time, and a relayed stream has its entry
                answer = estimate(exchange, []) if exchange.attempting else None
                settle_left(self._recorder, exchange, caller, answer, UsageSource.ESTIMATED)
            raise
        except TollwayError as error:
            settle_failed(self._recorder, exchange, error)
            raise
        except Exception as error:  # a defect of ours must not lose the entry of a request that went upstream
            fault = InternalError("Tollway failed to serve this request.", next_step="Report it with its request id.")
            settle_failed(self._recorder, exchange, fault)
            raise fault from error
