"""Which leases a worker keeps in memory, and for whom."""

import pytest

from tollway.errors import OverloadedError
from tollway.ledger.quota import Period, Quota, Unit
from tollway.services.database_clock import DatabaseClock
from tollway.services.leases.shelf import LeaseShelf

MOST = 100


def quota_of(organization: str) -> Quota:
    return Quota(f"quota-of-{organization}", organization, Unit.USD, Period.TOTAL, 1_000, each=("user",))


def test_an_organization_that_names_ever_new_users_leaves_room_for_the_others() -> None:
    shelf = LeaseShelf(DatabaseClock(), most=MOST)
    greedy = [shelf.turn(quota_of("greedy"), f'["{number}"]')[0] for number in range(MOST * 3 // 4)]
    with pytest.raises(OverloadedError):
        shelf.turn(quota_of("greedy"), '["one more"]')
    assert shelf.turn(quota_of("greedy"), '["0"]')[0] is greedy[0]
    for number in range(MOST // 4):
        shelf.turn(quota_of("modest"), f'["{number}"]')
    with pytest.raises(OverloadedError):
        shelf.turn(quota_of("third"), "")
    for lease in greedy[:30]:
        shelf.forget(lease)
    shelf.turn(quota_of("third"), "")
    shelf.turn(quota_of("greedy"), '["one more"]')
