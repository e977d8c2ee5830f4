"""The leases that one route's requests take from, sorted by what is taken of each, and what is set aside of them.

Of ample leases a bunch takes for some dozens of requests at once. Each of these then touches a few numbers of the
bunch, not every lease: of four budgets and three limits that is 15 instead of 21 µs a request in process. What is set
aside counts as held in the leases. The lease keeper has it put back before it looks at them, ten times a second, and
before any request waits or is refused for want of it; nothing is aside of a lease that is overdrawn.
"""

from collections.abc import Sequence

from tollway.ledger.lease import Lease
from tollway.ledger.quota import Unit
from tollway.ledger.settlement import charges

BUSY_REQUESTS = 8
"""So many must come before anything is set aside: it would not be worth it for fewer."""
REQUESTS = 32
"""For so many something is set aside."""
_AMPLE = 8
"""A lease from which it is taken has so many times more free."""
_SORTS = ({Unit.USD}, {Unit.REQUESTS}, {Unit.PARALLEL}, {Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS, Unit.TOKENS})
"""The units of each sort."""


class Bunch:
    """Some leases.

    Attributes:
        leases: all of them, in the order of those that follow.
        budgets: of budgets, of which all the same is taken.
        single: of limits of requests, of which one is taken: in a time, or at a time.
        tokens: of limits of tokens.
        requests: those of `single` of limits in a time.
        parallel: those of `single` of limits at a time: it is given back when the request ends.
        charges: the windows of the budgets.
        taken: requests that took from the leases since something was put back; see `BUSY_REQUESTS`.
        is_aside: whether something is set aside, so that requests that end are counted here.
        cost_aside, requests_aside, parallel_aside, tokens_aside: what is set aside of each sort, and is free.
        cost_spent, requests_spent, tokens_spent: what ended requests used, and is not yet told the leases.
        told, told_until_us: the headers that tell of its limits, which stand for a moment while something is set aside.
    """

    __slots__ = (
        "budgets",
        "charges",
        "cost_aside",
        "cost_spent",
        "is_aside",
        "leases",
        "parallel",
        "parallel_aside",
        "requests",
        "requests_aside",
        "requests_spent",
        "single",
        "taken",
        "tokens",
        "tokens_aside",
        "tokens_spent",
        "told",
        "told_until_us",
    )

    def __init__(self, leases: Sequence[Lease] = ()) -> None:
        """Sort them."""
        budgets, requests, parallel, tokens = (
            tuple([lease for lease in leases if lease.quota.unit in units]) for units in _SORTS
        )
        self.budgets, self.requests, self.parallel, self.tokens = budgets, requests, parallel, tokens
        self.single = requests + parallel
        self.leases = budgets + self.single + tokens
        self.told: list[tuple[bytes, bytes]] = []
        self.charges = charges([(lease.quota, lease.ref) for lease in budgets], leased=True)
        self._forget()

    def set_aside(self, cost: int, tokens: Sequence[int]) -> None:
        """Take for more requests like one that needs so much, if that is little of every lease.

        Args:
            cost: what the request takes of each budget.
            tokens: what it takes of the limit of tokens; of several nothing is set aside.
        """
        if len(self.tokens) > 1:
            return
        parts = [REQUESTS * amount for amount in (cost, 1, *tokens)]
        sorts = (self.budgets, self.single, self.tokens)
        for leases, part in zip(sorts, parts, strict=False):
            for lease in leases:
                if lease.free - _AMPLE * part < lease.floor:
                    return
        for leases, part in zip(sorts, parts, strict=False):
            for lease in leases:
                lease.free -= part
        self.cost_aside += parts[0]
        self.requests_aside += REQUESTS
        self.parallel_aside += REQUESTS
        self.tokens_aside += parts[2] if tokens else 0
        self.is_aside = True

    def put_back(self) -> None:
        """Give the leases back what is set aside, and tell them what was used."""
        for lease in self.budgets:
            lease.free += self.cost_aside
            lease.spent += self.cost_spent
        for lease in self.requests:
            lease.free += self.requests_aside
            lease.spent += self.requests_spent
        for lease in self.parallel:
            lease.free += self.parallel_aside
        for lease in self.tokens:
            lease.free += self.tokens_aside
            lease.spent += self.tokens_spent
        self._forget()

    def _forget(self) -> None:
        self.is_aside = False
        self.taken = self.told_until_us = 0
        self.cost_aside: int = 0
        self.requests_aside: int = 0
        self.parallel_aside: int = 0
        self.tokens_aside: int = 0
        self.cost_spent: int = 0
        self.requests_spent: int = 0
        self.tokens_spent: int = 0
