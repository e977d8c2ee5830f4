"""How long a request may wait for what it lacks: not at all if it cannot come."""

import time
from collections.abc import Callable

from tollway.constants import LEASE_TIMEOUT_S
from tollway.ledger.lease import Lease
from tollway.ledger.quota import Unit
from tollway.ledger.window import SECOND_US
from tollway.services.inference.claims import Lacking

ANSWER_S = 2 * LEASE_TIMEOUT_S + 0.5
"""Until the database has answered, or is known to be away after two exchanges without an answer."""
RECALL_S = 0.25
"""Until other workers have given back what is free there."""


def potential(lease: Lease) -> int:
    """What this worker could get of a window at the very best, if all that is held anywhere came back unused.

    As of the database's last answer. It never grows, unless the quota changes.
    """
    answer = lease.answer
    if answer is None:
        return max(lease.free, 0)
    return answer.left + answer.elsewhere + answer.granted - lease.spent


def in_reach(lease: Lease) -> int:
    """What nobody else has."""
    return lease.free + max(lease.answer.left if lease.answer is not None else 0, 0)


class Patience:
    """Measures one request's waiting.

    Args:
        now_us: the database's clock, epoch microseconds.
        budget_wait_s: how long at the most for a budget that running requests hold.
    """

    def __init__(self, now_us: Callable[[], int], *, budget_wait_s: float) -> None:
        self._now_us = now_us
        self._budget_wait_s = max(budget_wait_s, RECALL_S)
        self._began_s = time.monotonic()

    def left_s(self, lacking: Lacking) -> float:
        """Seconds left to wait; 0 or less if the time is over, or something of it cannot come in time."""
        return min(self._most_s(lease, amount) for lease, amount in lacking) - self.waited_s

    @property
    def waited_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began_s

    def _most_s(self, lease: Lease, amount: int) -> float:
        """How long a request may wait for so much of a lease, all in all."""
        quota, answer = lease.quota, lease.answer
        now_us = self._now_us()
        if answer is None or answer.amount != quota.amount_at(now_us / SECOND_US) or amount <= in_reach(lease):
            return ANSWER_S
        if quota.unit is Unit.USD:
            return self._budget_wait_s if amount <= potential(lease) else 0
        if amount <= potential(lease) - lease.held:
            return max(quota.queue_s, RECALL_S)
        ends_in_time = quota.unit is Unit.PARALLEL or lease.end_us - now_us < quota.queue_s * SECOND_US
        return quota.queue_s if ends_in_time else 0
