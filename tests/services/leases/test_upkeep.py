import pytest

from tollway.ledger.lease import Ask, Grant, Lease
from tollway.ledger.quota import Period, Quota, Unit, WindowRef
from tollway.services.leases.upkeep import (
    AMPLE_LIMIT_PART,
    AMPLE_PART,
    FORGET_US,
    IDLE_US,
    SPARE_HOLDS,
    SUPPLY_S,
    UNSETTLED_US,
    UNUSED_US,
    Demand,
    Upkeep,
)

S = 1_000_000
DAY_US = 86_400 * S
PLENTY = 10**12
LITTLE = 100 * AMPLE_PART


class Kept:
    """A lease of a day that began at 0, with its upkeep, and a database that grants whatever is asked."""

    def __init__(self, unit: Unit = Unit.USD, period: Period = Period.DAY) -> None:
        quota = Quota("quota", "organization", unit, period, PLENTY)
        self.lease = Lease(quota, WindowRef("quota", 0, "", 0), DAY_US)
        self.upkeep = Upkeep(self.lease, Demand(), 0)
        self.sequence = 0

    def ask(self, now_us: int, *, first: int = 0, total: int = 0, giving_back: bool = True) -> Ask:
        self.sequence += 1
        return self.upkeep.ask(
            self.sequence, first=first, total=max(first, total), now_us=now_us, giving_back=giving_back
        )

    def answer(self, ask: Ask, now_us: int, *, added: int | None = None, left: int = LITTLE, spent: int = 0) -> None:
        granted = max(ask.have, spent) + (ask.waiting + ask.want if added is None else added)
        self.upkeep.answered(Grant(ask.window, granted, left, 0, spent, PLENTY, spent), now_us)

    def exchange(self, now_us: int, *, first: int = 0, added: int | None = None, spent: int = 0) -> Ask:
        ask = self.ask(now_us, first=first)
        self.answer(ask, now_us, added=added, spent=spent)
        return ask

    def spend(self, amount: int) -> None:
        assert self.lease.hold(amount)
        self.lease.settle(amount, amount)


def spend_a_thousand_a_second(kept: Kept, *, from_us: int, seconds: int) -> Ask:
    now_us = from_us
    for _ in range(10 * seconds):
        now_us += S // 10
        kept.lease.settle(0, 100)
        kept.upkeep.look(now_us)
    return kept.ask(now_us)


def test_a_worker_wants_what_it_spends_in_a_minute_and_a_half() -> None:
    kept = Kept()
    kept.exchange(0, first=10)
    ask = spend_a_thousand_a_second(kept, from_us=0, seconds=20)
    assert ask.want == pytest.approx(SUPPLY_S * 1_000, rel=0.05)


@pytest.mark.parametrize(
    ("unit", "wanted"), [(Unit.USD, PLENTY // AMPLE_PART), (Unit.TOKENS, PLENTY // AMPLE_LIMIT_PART)]
)
def test_a_worker_wants_a_part_of_what_is_ample_however_little_it_spends_and_keeps_it_while_it_rests(
    unit: Unit, wanted: int
) -> None:
    kept = Kept(unit)
    kept.answer(kept.ask(0, first=10), 0, left=PLENTY)
    kept.answer(kept.ask(1), 1, left=PLENTY)
    kept.spend(10)
    kept.upkeep.look(2)
    kept.ask(IDLE_US + 3)
    assert kept.lease.free == max(wanted, SPARE_HOLDS * 10)


def test_as_much_again_is_wanted_as_requests_wait_for() -> None:
    kept = Kept()
    kept.exchange(0, first=10)
    assert kept.ask(1, first=100, total=1_000).want >= 1_000


def test_while_more_is_out_than_the_amount_allows_what_a_request_leaves_goes_back() -> None:
    kept = Kept()
    kept.exchange(0, first=100)
    assert kept.lease.hold(kept.lease.free)
    lowered = kept.ask(S)
    kept.answer(lowered, S, added=0, left=-50)
    kept.lease.settle(kept.lease.held, 30)
    assert kept.lease.free > 0
    assert kept.upkeep.look(S + 1)
    returned = kept.ask(S + 1)
    assert (kept.lease.free, returned.have) == (0, 30)


def test_what_a_window_that_is_over_has_waits_for_another_exchange_but_not_for_ever() -> None:
    kept = Kept(Unit.REQUESTS)
    kept.exchange(0, first=10)
    kept.upkeep.end(over_us=DAY_US)
    assert kept.upkeep.lingers(DAY_US)
    assert DAY_US < kept.upkeep.ready_us() <= DAY_US + S
    assert not kept.upkeep.lingers(kept.upkeep.ready_us())


@pytest.mark.parametrize(("period", "over_us"), [(Period.ROLLING, DAY_US), (Period.DAY, 0)])
def test_what_others_may_take_at_once_goes_back_at_once(period: Period, over_us: int) -> None:
    kept = Kept(period=period)
    kept.exchange(0, first=10)
    kept.upkeep.end(over_us=over_us)
    assert kept.upkeep.ready_us() == 0


def test_near_the_end_of_a_window_no_more_is_wanted_than_can_be_spent_in_it() -> None:
    kept = Kept()
    kept.exchange(DAY_US - 10 * S, first=10)
    ask = spend_a_thousand_a_second(kept, from_us=DAY_US - 10 * S, seconds=9)
    assert ask.want == pytest.approx(1_000, rel=0.05)


def test_an_unused_lease_gives_back_most_of_it_then_all_and_is_forgotten_once_the_ledger_has_what_it_spent() -> None:
    kept = Kept()
    kept.exchange(0, first=100)
    kept.spend(100)
    kept.upkeep.look(1)
    assert kept.lease.free == 500
    kept.lease.free += 10_000
    kept.lease.granted += 10_000
    assert kept.upkeep.look(IDLE_US + 2)
    kept.exchange(IDLE_US + 2)
    assert kept.lease.free == SPARE_HOLDS * 100
    assert kept.upkeep.look(UNUSED_US + 2)
    kept.exchange(UNUSED_US + 2)
    assert (kept.lease.free, kept.lease.granted) == (0, 100)
    late_us = UNUSED_US + FORGET_US
    assert not kept.upkeep.forgettable(late_us), "the ledger lacks what it spent"
    assert kept.upkeep.look(late_us), "nobody asks whether the ledger has it now"
    kept.exchange(late_us, spent=100)
    assert not kept.upkeep.look(late_us + 1)
    assert kept.upkeep.forgettable(late_us + 1)


@pytest.mark.parametrize("unit", [Unit.USD, Unit.REQUESTS])
def test_a_lease_that_was_forgotten_goes_on_from_what_was_spent(unit: Unit) -> None:
    kept = Kept(unit)
    ask = kept.ask(0, first=30)
    assert ask.have == 0
    kept.answer(ask, 0, added=50, spent=700)
    assert (kept.lease.granted, kept.lease.spent, kept.lease.free) == (750, 700, 50)
    kept.spend(20)
    assert kept.ask(1).have == 750


def test_a_lease_with_a_running_request_is_never_forgotten() -> None:
    kept = Kept()
    kept.exchange(0, first=100)
    assert kept.lease.hold(100)
    kept.upkeep.look(1)
    kept.upkeep.end()
    kept.exchange(DAY_US)
    assert not kept.upkeep.forgettable(DAY_US + UNSETTLED_US + FORGET_US)
    assert kept.lease.granted == 100


def test_the_lease_of_an_ended_window_gives_back_all_that_nothing_holds() -> None:
    kept = Kept()
    kept.exchange(0, first=100)
    assert kept.lease.hold(100)
    kept.upkeep.end()
    assert kept.upkeep.look(DAY_US)
    assert kept.exchange(DAY_US).have == 100
    assert not kept.upkeep.look(DAY_US + 1)
    kept.lease.settle(100, 40)
    assert kept.upkeep.look(DAY_US + 2)
    assert kept.exchange(DAY_US + 2).have == 40


def test_what_others_want_back_goes_back_but_not_from_under_a_request_that_waits_here() -> None:
    kept = Kept()
    kept.exchange(0, first=100)
    free = kept.lease.free
    kept.upkeep.recall(S)
    ask = kept.ask(S, first=200)
    assert (kept.lease.free, ask.want) == (200, 0)
    kept.answer(ask, S)
    assert kept.upkeep.look(S + 1)
    assert kept.ask(S + 1).have == 0
    assert free > 200


def test_a_part_that_serves_nobody_here_is_given_back_while_asking_for_the_whole() -> None:
    kept = Kept()
    kept.exchange(0, first=100)
    ask = kept.ask(1, first=5_000)
    assert ask.first == 5_000 - kept.lease.free
    kept.answer(ask, 1, added=0, left=50)
    ask = kept.ask(2, first=5_000)
    assert (ask.have, ask.first) == (0, 5_000)


def test_nothing_is_given_back_while_the_database_is_away() -> None:
    kept = Kept()
    kept.exchange(0, first=100)
    free = kept.lease.free
    kept.upkeep.look(1)
    kept.ask(2 * UNUSED_US, giving_back=False)
    assert kept.lease.free == free


def test_what_was_not_there_is_asked_for_again_after_pauses_that_grow_to_a_tenth_of_a_second() -> None:
    kept = Kept()
    pauses = []
    for now_us in range(S, 8 * S, S):
        kept.lease.waiting = 1
        kept.answer(kept.ask(now_us, first=100), now_us, added=0, left=50)
        pauses.append(kept.upkeep.ready_us() - now_us)
    assert pauses == [10_000, 20_000, 40_000, 80_000, 100_000, 100_000, 100_000]
    kept.exchange(9 * S, first=100)
    assert kept.upkeep.ready_us() == 9 * S


def test_a_refusal_is_told_once_until_the_quota_changes() -> None:
    kept = Kept()
    assert kept.upkeep.refuse()
    assert kept.exchange(0).refused
    assert not kept.upkeep.refuse()
    assert not kept.exchange(1).refused
    kept.upkeep.changed()
    assert kept.upkeep.refuse()
