"""Hold what a request takes from every budget and limit before it goes upstream: all or nothing, without the database.

Where something lacks, the request waits for the next exchange with the database, or for others to end; then its input
is counted instead of bounded, then its answer shortened, and only then is it refused.
"""

import asyncio
import time
from functools import partial
from weakref import WeakValueDictionary

from tollway.config.limits import LimitSettings
from tollway.errors import OverloadedError, RateLimitedError, UpstreamTimeoutError
from tollway.ledger.lease import Lease
from tollway.ledger.quota import Unit
from tollway.ledger.window import SECOND_US
from tollway.services.inference import refusal
from tollway.services.inference.claims import Claims, Lacking
from tollway.services.inference.demand import NO_DEMAND
from tollway.services.inference.exchange import Exchange
from tollway.services.inference.fair_thread import FairThread
from tollway.services.inference.measure import measure
from tollway.services.inference.patience import Patience, in_reach, potential
from tollway.services.inference.terms import Terms, TermsFinder
from tollway.services.inference.visit import Visit
from tollway.services.leases.keeper import LeaseKeeper
from tollway.services.leases.shelf import Parts
from tollway.services.live_catalog import LiveCatalog

_CLAMPS_MAX = 3
"""Others take from the same budget meanwhile, so that a shortened answer may have to be shortened again."""


class Holder:
    """Holds for the requests of one worker."""

    def __init__(self, keeper: LeaseKeeper, live: LiveCatalog, counting: FairThread, limits: LimitSettings) -> None:
        self._keeper = keeper
        self._counting = counting
        self._live = live
        self._default_output_tokens = limits.default_output_tokens
        self._budget_wait_s = limits.budget_wait_s
        self._terms = TermsFinder()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def hold(self, exchange: Exchange, *, free: bool = False) -> None:
        """Take everything that applies, as soon as nothing lacks.

        Args:
            exchange: the request.
            free: whether no model is asked, so that it counts in limits of requests alone.

        Raises:
            BudgetExceededError, RateLimitedError: refused.
            BudgetUnavailableError: the database is away, and what was leased is used up.
            ModelNotPricedError, InvalidRequestError: see `measure`.
            NotReadyError: this worker has not read the budgets yet.
            OverloadedError: too many leases are in memory.
            UpstreamTimeoutError: its caller waits no longer.
        """
        lacking = self.take(exchange, free=free)
        if lacking:
            await self.overcome(exchange, lacking)

    async def hold_visit(self, visit: Visit) -> None:
        """Take the limits of requests in a time that apply to one that asks no model. Errors: as `hold`."""
        book = self._keeper.book
        terms = self._terms.find(book, visit.facts(), self._keeper.now_us) if book.quotas else None
        if terms is None:
            return
        visit.claims = Claims(self._keeper, terms.counted, NO_DEMAND)
        lacking = visit.claims.take()
        if lacking:
            await self._wait(visit, visit.claims, lacking, Patience(self._keeper.now_us, budget_wait_s=0))

    def take(self, exchange: Exchange, *, free: bool = False) -> Lacking:
        """Take everything that applies, if nothing lacks; return what does. Args and errors: as `hold`."""
        book = self._keeper.book
        if not book.quotas:
            return []
        call, target = exchange.call, exchange.target
        if call.user_tag or call.tags:
            terms = self._terms.find(book, exchange.facts(), self._keeper.now_us)
        else:
            route = (exchange.principal.key_id, target.deployment.name, target.model, call.model)
            terms = self._terms.find_of_route(book, route, exchange.facts, self._keeper.now_us)
        if terms is None:
            return []
        if free:
            exchange.claims = claims = Claims(self._keeper, terms.counted, NO_DEMAND)
            return claims.take()
        default = self._default_output_tokens
        demand = measure(exchange, self._live, binding=terms.bounded, default_output_tokens=default)
        exchange.claims = claims = Claims(self._keeper, terms, demand)
        return claims.take()

    async def overcome(self, exchange: Exchange, lacking: Lacking) -> None:
        """Wait for what lacked, and take it. Errors: as `hold`."""
        assert exchange.claims is not None  # noqa: S101 -- without them nothing lacks
        await self._overcome(exchange, exchange.claims, lacking)
        exchange.attempt_started_ns = time.perf_counter_ns()

    def _take(self, exchange: Exchange | Visit, claims: Claims) -> Lacking:
        """Try again, by the quotas as they are now."""
        book = self._keeper.book
        if book is not claims.terms.book:
            measured_for = claims.terms
            terms = self._terms.find(book, exchange.facts(), self._keeper.now_us) or Terms(book, Parts(()))
            if isinstance(exchange, Visit) or claims.demand is NO_DEMAND:
                terms = terms.counted
            elif terms.bounded and not measured_for.bounded:
                default = self._default_output_tokens
                claims.demand = measure(exchange, self._live, binding=True, default_output_tokens=default)
            claims.terms = terms
        return claims.take(queued=True)

    async def _overcome(self, exchange: Exchange, claims: Claims, lacking: Lacking) -> None:
        """Get what lacks, or refuse."""
        patience = Patience(self._keeper.now_us, budget_wait_s=self._budget_wait_s)
        cost = claims.demand.cost
        lacking = await self._wait(exchange, claims, lacking, patience)
        if lacking and await self._count(exchange, claims, lacking):
            patience = Patience(self._keeper.now_us, budget_wait_s=self._budget_wait_s - patience.waited_s)
            lacking = await self._wait(exchange, claims, self._take(exchange, claims), patience)
        if lacking and exchange.principal.clamp_output:
            lacking = await self._clamp(exchange, claims, lacking)
        if lacking:
            self._tell(lacking)
            raise refusal.budget_exceeded([lease for lease, _ in lacking], cost, self._keeper.now_us())

    async def _wait(self, exchange: Exchange | Visit, claims: Claims, lacking: Lacking, patience: Patience) -> Lacking:
        """Wait for what lacks, as long as it may come; return what of budgets still lacks.

        Raises:
            RateLimitedError: a limit lets nothing through in time.
            UpstreamTimeoutError: see `_require_time`.
            BudgetUnavailableError: see `_without_database`.
        """
        while lacking:
            if not self._keeper.available:
                self._without_database(exchange, claims)
                return []
            timeout_s = patience.left_s(lacking)
            if timeout_s <= 0:
                break
            timeout_s = min(timeout_s, exchange.left_s())
            await self._keeper.wait(lacking, timeout_s=timeout_s, key=exchange.principal.key_id)
            self._require_time(exchange, lacking)
            lacking = self._take(exchange, claims)
        self._require_limits(lacking)
        return lacking

    async def _clamp(self, exchange: Exchange, claims: Claims, lacking: Lacking) -> Lacking:
        """Shorten the answer until it fits into what is there; return what lacks if it cannot."""
        for _ in range(_CLAMPS_MAX):
            if not claims.demand.clamp(min(in_reach(lease) for lease, _ in lacking)):
                return lacking
            patience = Patience(self._keeper.now_us, budget_wait_s=0)
            lacking = await self._wait(exchange, claims, self._take(exchange, claims), patience)
            if not lacking:
                break
        return lacking

    async def _count(self, exchange: Exchange, claims: Claims, lacking: Lacking) -> bool:
        """Count the input, if fewer tokens could help; whether they are fewer."""
        demand = claims.demand
        if demand.least(clamped=exchange.principal.clamp_output) > min(potential(lease) for lease, _ in lacking):
            return False
        turn = self._turns.setdefault(exchange.principal.organization_id, asyncio.Lock())
        try:
            async with asyncio.timeout(min(self._budget_wait_s, exchange.left_s())):
                await turn.acquire()  # one at a time: nobody keeps the thread busy with requests that never fit
        except TimeoutError:
            return False
        adapter = exchange.target.adapter
        try:
            counting = self._counting.begin(
                exchange.principal.organization_id,
                partial(adapter.count, exchange.call, demand.bound, model=exchange.target.model),
            )
        except (OverloadedError, RateLimitedError):
            turn.release()
            return False
        counting.add_done_callback(lambda _: turn.release())  # also if the caller leaves: the thread goes on
        bound = await asyncio.shield(counting)
        if bound is None:
            return False
        demand.count(bound)
        return True

    def _without_database(self, exchange: Exchange | Visit, claims: Claims) -> None:
        """Take what lacks while the database is away: of rate limits an equal share, of budgets if it is so chosen.

        Raises:
            RateLimitedError: the share is used up.
            BudgetUnavailableError: what was leased is used up.
        """
        now_s = self._keeper.now_us() / SECOND_US

        def go_on(lease: Lease, amount: int) -> bool:
            if lease.quota.unit is Unit.USD:
                return exchange.principal.serve_without_database
            return lease.held + lease.spent + amount <= lease.quota.amount_at(now_s) // self._keeper.workers

        lacking = claims.take(queued=True, fallback=go_on)
        self._require_limits(lacking)
        if lacking:
            raise refusal.budget_unavailable(lacking[0][0])

    def _require_time(self, exchange: Exchange | Visit, lacking: Lacking) -> None:
        """Refuse a request whose caller waits no longer.

        Raises:
            RateLimitedError: what it waited for is a rate limit.
            UpstreamTimeoutError: it is a budget, or the database was not there in time.
        """
        if exchange.left_s() > 0:
            return
        self._require_limits([part for part in lacking if part[0].answer is not None])
        raise UpstreamTimeoutError(
            "What this request takes of its budgets was not free in time.",
            next_step="Try again, or allow more: `x-tollway-timeout`.",
        )

    def _require_limits(self, lacking: Lacking) -> None:
        """Raises RateLimitedError if a rate limit is among what lacks."""
        limits = [(lease, amount) for lease, amount in lacking if lease.quota.unit is not Unit.USD]
        if limits:
            self._tell(limits)
            raise refusal.rate_limited([lease for lease, _ in limits], self._keeper.now_us())

    def _tell(self, lacking: Lacking) -> None:
        for lease, _ in lacking:
            self._keeper.refused(lease)
