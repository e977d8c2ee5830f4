"""What routes set aside of their leases is never lost, never spent twice, and never keeps a request from its due."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tollway.data.session import Database, create_engine
from tollway.ids import uuid7
from tollway.ledger.entry import UsageSource
from tollway.ledger.lease import Lease
from tollway.ledger.quota import Period, Quota, Unit
from tollway.ledger.quota_book import QuotaBook
from tollway.ledger.rating import Charge
from tollway.ledger.usage import Usage
from tollway.providers.openai_compatible.bound import RequestBound
from tollway.services.database_clock import DatabaseClock
from tollway.services.inference.claims import Claims
from tollway.services.inference.demand import Demand
from tollway.services.inference.quota_headers import quota_headers
from tollway.services.inference.terms import Terms
from tollway.services.leases.bunch import BUSY_REQUESTS, Bunch
from tollway.services.leases.exchange import LeaseExchange
from tollway.services.leases.keeper import LeaseKeeper
from tollway.services.leases.shelf import Parts

GRANTED = {Unit.USD: 20_000, Unit.REQUESTS: 600, Unit.PARALLEL: 500, Unit.TOKENS: 15_000}
"""Ample for small requests at first, and no longer after some hundreds."""
places = st.integers(0, 1_000)


class Routes:
    """Two routes of one worker that share their quotas, which the database never grants more of."""

    def __init__(self, amounts: dict[Unit, int]) -> None:
        nowhere = Database(create_engine("postgresql://nobody@127.0.0.1:1/none", pool_size=1, timeout_s=1.0))
        self.keeper = LeaseKeeper(LeaseExchange(nowhere, uuid7(), DatabaseClock()), self._no_quotas)
        quotas = [Quota(uuid7(), "o", unit, Period.TOTAL, amount) for unit, amount in amounts.items()]
        parts = [Parts([(quota, "") for quota in quotas]) for _ in range(2)]
        book = QuotaBook(quotas)
        self.terms = [Terms(book, each, bounded=True) for each in parts]
        self.leases = {lease.quota.unit: lease for lease in self.keeper.leases(parts[0]).leases}
        for unit, lease in self.leases.items():
            lease.regranted(asked_with=0, granted=amounts[unit])

    async def _no_quotas(self, *_: object) -> None:
        return None

    @property
    def bunches(self) -> list[Bunch]:
        return [terms.binding.present for terms in self.terms]

    def begin(self, route: int, cost: int, tokens: int) -> Claims | None:
        bound = RequestBound(
            0, text_bytes=0, text_only=True, output_tokens=tokens - 1, heeded=True, longest=None, service_tier=""
        )
        claims = Claims(self.keeper, self.terms[route], Demand(bound, (), tokens - 1, cost=cost))
        return None if claims.take() else claims


def ended(claims: Claims, used: int, tokens: int, source: UsageSource = UsageSource.PROVIDER) -> None:
    claims.settle(Usage(output=tokens), Charge(used, (), priced=True), source)


class BunchMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.routes = Routes(GRANTED)
        self.running: list[tuple[Claims, int, int]] = []
        self.spent = dict.fromkeys(GRANTED, 0)

    def held(self) -> dict[Unit, int]:
        costs, tokens = (sum(each[place] for each in self.running) for place in (1, 2))
        count = len(self.running)
        return {Unit.USD: costs, Unit.REQUESTS: count, Unit.PARALLEL: count, Unit.TOKENS: tokens}

    @rule(route=st.integers(0, 1), cost=st.integers(1, 9), tokens=st.integers(1, 7), times=st.integers(1, 60))
    def begin_some(self, route: int, cost: int, tokens: int, times: int) -> None:
        for _ in range(times):
            self.begin(route, cost, tokens)

    @rule(route=st.integers(0, 1), cost=st.integers(1, 20_000), tokens=st.integers(1, 15_000))
    def begin(self, route: int, cost: int, tokens: int) -> None:
        held = self.held()
        needed = {Unit.USD: cost, Unit.REQUESTS: 1, Unit.PARALLEL: 1, Unit.TOKENS: tokens}
        fits = all(held[unit] + self.spent[unit] + needed[unit] <= GRANTED[unit] for unit in GRANTED)
        claims = self.routes.begin(route, cost, tokens)
        assert (claims is not None) == fits
        if claims is not None:
            self.running.append((claims, cost, tokens))

    @precondition(lambda self: self.running)
    @rule(
        which=places,
        percent=st.sampled_from([0, 1, 50, 100, 150]),
        times=st.integers(1, 60),
        source=st.sampled_from([UsageSource.PROVIDER, UsageSource.ESTIMATED]),
    )
    def end_some(self, which: int, percent: int, times: int, source: UsageSource) -> None:
        for _ in range(min(times, len(self.running))):
            claims, cost, tokens = self.running.pop(which % len(self.running))
            used, used_tokens = cost * percent // 100, tokens * percent // 100
            ended(claims, used, used_tokens, source)
            self.spent[Unit.USD] += used if source is UsageSource.PROVIDER else max(used, cost)
            self.spent[Unit.REQUESTS] += 1
            self.spent[Unit.TOKENS] += used_tokens

    @precondition(lambda self: self.running)
    @rule(which=places)
    def abandon(self, which: int) -> None:
        self.running.pop(which % len(self.running))[0].abandon()

    @rule()
    def look(self) -> None:
        """As the lease keeper does, ten times a second."""
        self.routes.keeper.put_back()
        held = self.held()
        for unit, lease in self.routes.leases.items():
            assert lease.spent == self.spent[unit]
            assert lease.held == held[unit]

    @invariant()
    def nothing_is_lost(self) -> None:
        bunches, held = self.routes.bunches, self.held()
        aside = {
            Unit.USD: sum(each.cost_aside for each in bunches),
            Unit.REQUESTS: sum(each.requests_aside for each in bunches),
            Unit.PARALLEL: sum(each.parallel_aside for each in bunches),
            Unit.TOKENS: sum(each.tokens_aside for each in bunches),
        }
        for unit, lease in self.routes.leases.items():
            assert lease.free + aside[unit] + held[unit] + self.spent[unit] == GRANTED[unit]


TestBunchMachine = BunchMachine.TestCase
TestBunchMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


@pytest.fixture
def routes() -> Iterator[Routes]:
    made = Routes(GRANTED)
    yield made
    made.keeper.put_back()


def busy(routes: Routes, route: int = 0) -> Lease:
    """So many requests that more is set aside for those to come; the lease of requests."""
    for _ in range(BUSY_REQUESTS):
        assert routes.begin(route, 1, 1)
    assert routes.bunches[route].is_aside
    return routes.leases[Unit.REQUESTS]


def test_a_busy_route_leaves_its_leases_alone(routes: Routes) -> None:
    lease = busy(routes)
    free = lease.free
    assert routes.begin(0, 1, 1)
    assert lease.free == free


def test_what_is_set_aside_still_remains_in_the_headers(routes: Routes) -> None:
    lease = busy(routes)
    lease.beyond = 0
    claims = routes.begin(0, 1, 1)
    assert (b"x-ratelimit-remaining-requests", b"%d" % (600 - BUSY_REQUESTS - 1)) in quota_headers(claims)


def test_of_several_limits_of_tokens_nothing_is_set_aside() -> None:
    routes = Routes(GRANTED | {Unit.INPUT_TOKENS: 15_000})
    for _ in range(2 * BUSY_REQUESTS):
        assert routes.begin(0, 1, 1)
    assert not routes.bunches[0].is_aside


@pytest.mark.parametrize("scarce", list(GRANTED))
def test_where_little_is_left_nothing_is_set_aside(scarce: Unit) -> None:
    routes = Routes(GRANTED | {scarce: 100})
    for _ in range(2 * BUSY_REQUESTS):
        assert routes.begin(0, 1, 1)
    assert not routes.bunches[0].is_aside


def test_nothing_is_set_aside_of_what_somebody_waits_for(routes: Routes) -> None:
    routes.leases[Unit.USD].wait(+1)
    for _ in range(2 * BUSY_REQUESTS):
        routes.begin(0, 1, 1)
    assert not routes.bunches[0].is_aside


def test_what_was_used_beyond_what_was_held_is_missing_at_once(routes: Routes) -> None:
    large = routes.begin(0, 1, 10_000)
    assert large
    busy(routes)
    ended(large, 1, 16_000)
    assert not routes.begin(0, 1, 1)
