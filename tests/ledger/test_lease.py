"""One lease as arithmetic; see `test_lease_machine` for many of them and their window."""

from hypothesis import given
from hypothesis import strategies as st

from tollway.ledger.lease import Grant, Lease
from tollway.ledger.quota import Period, Quota, Unit, WindowRef

AMOUNTS = st.integers(0, 10**18)


def a_lease() -> Lease:
    quota = Quota(id="budget", organization_id="organization", unit=Unit.USD, period=Period.DAY, amount=10**18)
    return Lease(quota, WindowRef(quota.id, 0, "", 0), 86_400_000_000)


def test_a_request_looks_closer_while_somebody_waits_or_less_is_free_than_is_to_be_asked_for() -> None:
    lease = a_lease()
    assert lease.floor == 0
    lease.ask_below(70)
    assert lease.floor == 70
    lease.wait(+2)
    lease.wait(-1)
    lease.ask_below(40)
    assert lease.floor > 10**30
    lease.wait(-1)
    assert lease.floor == 40
    lease.ask_below(-1)
    assert lease.floor == 0


@given(left=AMOUNTS, elsewhere=AMOUNTS, granted=AMOUNTS, held=AMOUNTS, used=AMOUNTS, keep=AMOUNTS, more=AMOUNTS)
def test_what_remains_of_a_window_changes_with_what_is_held_and_used_and_with_nothing_else(
    *, left: int, elsewhere: int, granted: int, held: int, used: int, keep: int, more: int
) -> None:
    lease = a_lease()
    lease.regranted(asked_with=0, granted=granted)
    lease.answered(Grant(lease.ref, granted, left, elsewhere, 0, 10**18))
    assert lease.remaining == left + elsewhere + granted
    lease.free -= held
    assert lease.remaining == left + elsewhere + granted - held
    lease.settle(held, used)
    assert lease.remaining == left + elsewhere + granted - used
    lease.give_back(keep)
    lease.regranted(asked_with=lease.granted, granted=lease.granted + more)
    assert lease.remaining == left + elsewhere + granted - used
