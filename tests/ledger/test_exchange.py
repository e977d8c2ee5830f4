"""An exchange makes the database say what a worker has, and grants no more than is left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tollway.ledger.exchange import LeaseState, WindowState, exchange, release, settle
from tollway.ledger.lease import Ask, Grant
from tollway.ledger.quota import WindowRef

REF = WindowRef("quota", 0, "", 0)
NEW_WINDOW = WindowState()
NEW_LEASE = LeaseState()
counts = st.integers(0, 1_000)


def an_ask(have: int = 0, *, sequence: int = 1, held: int = 0, first: int = 0, waiting: int = 0, want: int = 0) -> Ask:
    return Ask(REF, 60, have, held, sequence, first, waiting, want)


def exchanged(
    ask: Ask,
    window: WindowState = NEW_WINDOW,
    lease: LeaseState = NEW_LEASE,
    *,
    amount: int | None = 100,
    workers: int = 1,
    recovering: bool = False,
    others: WindowState = NEW_WINDOW,
) -> tuple[WindowState, LeaseState, Grant]:
    return exchange(window, lease, ask, amount=amount, workers=workers, recovering=recovering, others=others)


def test_what_waits_is_granted_whole_and_what_is_wanted_shares_half_of_the_rest() -> None:
    window, lease, grant = exchanged(an_ask(first=10, waiting=20, want=1_000), workers=2)
    assert (window, lease) == (WindowState(40), LeaseState(40, sequence=1))
    assert grant == Grant(REF, granted=40, left=60, elsewhere=0, settled=0, amount=100)


def test_a_lost_answer_grants_nothing_twice() -> None:
    window, lease, _ = exchanged(an_ask(first=100, waiting=100))
    window, lease, grant = exchanged(an_ask(sequence=2, first=100, waiting=100), window, lease)
    assert (window.granted, lease.granted, grant.granted) == (100, 100, 100)


def test_an_exchange_that_arrives_after_a_later_one_changes_and_grants_nothing() -> None:
    held = LeaseState(30, spent=10, held=5, sequence=7)
    window, lease, grant = exchanged(an_ask(90, sequence=7, waiting=10, want=10), WindowState(20, 10), held)
    assert (window, lease, grant.granted) == (WindowState(20, 10), held, 90)


def test_what_is_given_back_is_left_for_others() -> None:
    window, lease, grant = exchanged(an_ask(40, sequence=2), WindowState(100), LeaseState(80, sequence=1))
    assert (window.granted, lease.granted, grant.left, grant.elsewhere) == (60, 40, 40, 20)


def test_what_a_worker_has_is_taken_over_above_the_amount_and_then_nothing_is_granted() -> None:
    window, lease, grant = exchanged(an_ask(150, first=1, waiting=1, want=9), WindowState(20))
    assert (window.granted, lease.granted, grant.granted, grant.left) == (170, 150, 150, -70)


def test_nothing_is_granted_while_the_database_may_have_forgotten_grants() -> None:
    window, _, grant = exchanged(an_ask(30, first=1, waiting=1, want=9), recovering=True)
    assert (window.granted, grant.granted, grant.left) == (30, 30, 70)


def test_a_window_that_nothing_binds_grants_all_that_is_asked() -> None:
    window, _, grant = exchanged(an_ask(5, first=200, waiting=300, want=400), WindowState(0, 1_000), amount=None)
    assert (window.granted, grant.granted, grant.amount) == (705, 705, None)


def test_other_slots_of_a_rolling_window_count_against_its_amount() -> None:
    _, _, grant = exchanged(an_ask(first=30, waiting=30), others=WindowState(30, 41))
    assert (grant.granted, grant.left, grant.elsewhere, grant.settled) == (0, 29, 30, 41)
    _, _, grant = exchanged(an_ask(first=29, waiting=29), others=WindowState(30, 41))
    assert (grant.granted, grant.left) == (29, 0)


def test_an_ask_from_before_the_last_entry_does_not_hide_what_that_entry_used() -> None:
    window, lease, grant = exchanged(an_ask(10, sequence=2), WindowState(0, 25), LeaseState(25, spent=25, sequence=1))
    assert (window, lease.granted, grant.left) == (WindowState(0, 25), 25, 75)


def test_a_settlement_moves_money_from_granted_to_settled() -> None:
    assert settle(WindowState(50, 5), LeaseState(30), 10) == (WindowState(40, 15), LeaseState(30, spent=10))


@pytest.mark.parametrize("lease", [NEW_LEASE, LeaseState(10, spent=4)])
def test_a_settlement_beyond_the_lease_leaves_that_much_less_to_grant(lease: LeaseState) -> None:
    window, after = settle(WindowState(lease.granted - lease.spent, lease.spent), lease, 50)
    assert window == WindowState(0, lease.spent + 50)
    assert after.granted == after.spent == lease.spent + 50


@given(st.lists(st.tuples(counts, counts, counts, counts), min_size=1), counts, st.integers(1, 9), counts)
def test_a_grant_never_exceeds_what_is_left_and_the_window_is_the_sum_of_its_leases(
    asks: list[tuple[int, int, int, int]], amount: int, workers: int, settled: int
) -> None:
    window, leases = WindowState(0, settled), [NEW_LEASE] * workers
    for number, (have, first, more, want) in enumerate(asks):
        place = number % workers
        ask = an_ask(have, sequence=number + 1, first=first, waiting=first + more, want=want)
        before = exchanged(replace(ask, first=0, waiting=0, want=0), window, leases[place], amount=amount)[0]
        window, leases[place], grant = exchanged(ask, window, leases[place], amount=amount, workers=workers)
        granted = grant.granted - have
        assert 0 <= granted <= max(amount - before.granted - before.settled, 0)
        assert grant.left == amount - window.granted - window.settled
        assert window.granted == sum(lease.granted - lease.spent for lease in leases)


@given(st.lists(counts), counts)
def test_a_released_lease_leaves_nothing_but_what_was_settled(charges: list[int], granted: int) -> None:
    window, lease = WindowState(granted), LeaseState(granted)
    for charge in charges:
        window, lease = settle(window, lease, charge)
    assert release(window, lease) == WindowState(0, sum(charges))
