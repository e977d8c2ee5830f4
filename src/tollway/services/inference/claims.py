"""What one request takes from the budgets and limits that apply to it: held before it starts, settled when it ends.

Plain arithmetic in this worker's memory; see docs/adr/0010-budgets-and-limits-by-leases.md.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from tollway.ledger.entry import UsageSource
from tollway.ledger.lease import Lease
from tollway.ledger.quota import Quota, Settlement, Unit, WindowRef
from tollway.ledger.rating import Charge
from tollway.ledger.usage import Usage
from tollway.services.inference.demand import Demand
from tollway.services.inference.terms import Terms

_USD, _REQUESTS, _PARALLEL = Unit.USD, Unit.REQUESTS, Unit.PARALLEL  # naming a member of an enum takes 0.2 µs
_INPUT_TOKENS, _OUTPUT_TOKENS = Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS

Lacking = list[tuple[Lease, int]]
"""Leases that do not suffice, each with all that the request needs to hold of it."""


class Leases(Protocol):
    """What is needed of the lease keeper; see `tollway.services.lease_keeper.LeaseKeeper`."""

    def leases(self, parts: Iterable[tuple[Quota, str]], /) -> list[Lease]:
        """The leases of the present windows."""
        ...

    def now_us(self) -> int:
        """The database's clock, in epoch microseconds."""
        ...

    def low(self, lease: Lease) -> None:
        """More is to be asked for."""
        ...

    def freed(self, lease: Lease) -> None:
        """Somebody may go on who waits for it."""
        ...


Claim = tuple[Quota, WindowRef, int, Lease | None]
"""A request's part in one quota: the quota, its window when the request was admitted, what is held in the quota's unit,
and the lease it is held of: ``None`` if of none, because the budget does not bind, or the database is away and the
organization chose to go on. A bare tuple, since several are made for every request."""

Fallback = Callable[[Quota, Lease, int], Claim | None]
"""Makes a claim on a lease that does not suffice, or does not."""


class Claims:
    """All parts of one request: taken together or not at all, and settled once.

    Attributes:
        terms: the quotas that apply. They may change while the request waits for its turn.
        demand: what the request needs.
        held: what it has taken.
        opened: whether the request is in the journal.
        settled: whether it has ended.
    """

    __slots__ = ("_leases", "demand", "held", "opened", "settled", "terms")

    def __init__(self, leases: Leases, terms: Terms, demand: Demand) -> None:
        self._leases = leases
        self.terms = terms
        self.demand = demand
        self.held: Sequence[Claim] = ()
        self.opened = self.settled = False

    def take(self, *, queued: bool = False, fallback: Fallback | None = None) -> Lacking:
        """Hold everything, or nothing and return what lacks.

        Args:
            queued: whether the request's turn has come among those that wait.
            fallback: tried where a lease does not suffice.
        """
        terms, demand = self.terms, self.demand
        held: list[Claim] = []
        lacking: Lacking = []
        for (quota, _), lease in zip(terms.binding, self._leases.leases(terms.binding), strict=True):
            amount = demand.cost if quota.unit is _USD else demand.count_of(quota)
            if not amount or ((queued or not lease.waiting) and lease.hold(amount)):
                held.append((quota, lease.ref, amount, lease))
                if lease.free < lease.low:
                    self._leases.low(lease)
            elif fallback is not None and (claim := fallback(quota, lease, amount)) is not None:
                held.append(claim)
            else:
                lacking.append((lease, amount))
        if lacking:
            for _, _, amount, of in held:
                if of is not None:
                    of.settle(amount, 0)
            return lacking
        for quota, window in terms.counting:
            held.append((quota, window, demand.cost, None))
        self.held = held
        return lacking

    def limiting(self) -> list[Lease]:
        """The leases of the rate limits, whether anything is held of them or not."""
        if self.held:
            return [lease for quota, _, _, lease in self.held if lease is not None and quota.unit is not _USD]
        return self._leases.leases(self.terms.limits)

    def now_us(self) -> int:
        """The clock that windows follow, in epoch microseconds."""
        return self._leases.now_us()

    def opening(self, estimate: int) -> tuple[Settlement, ...]:
        """What the budgets are charged if the request never ends.

        Args:
            estimate: of its charge, in pico-dollars.
        """
        return tuple(
            [
                Settlement(window, amount if quota.strict else estimate, lease is not None)
                for quota, window, amount, lease in self.held
                if quota.unit is _USD
            ]
        )

    def settle(self, usage: Usage, charge: Charge, source: UsageSource) -> tuple[Settlement, ...]:
        """End the request: take what it used, and give back the rest.

        Returns:
            What each budget is charged, for the ledger.
        """
        self.settled = True
        counted = charge.priced and source is not UsageSource.ESTIMATED
        settlements: list[Settlement] = []
        for quota, window, amount, lease in self.held:
            if quota.unit is _USD:
                used = charge.total if counted or not quota.strict else max(amount, charge.total)
                if used:
                    settlements.append(Settlement(window, used, lease is not None))
            else:
                used = _used(quota.unit, usage)
            if lease is not None:
                lease.settle(amount, used)
                if lease.waiting:
                    self._leases.freed(lease)
        return tuple(settlements)

    def abandon(self) -> None:
        """Whatever was not settled is settled as the opening record says, or given back if there is none."""
        if self.settled:
            return
        self.settled = True
        for quota, _, amount, lease in self.held:
            if lease is not None:
                lease.settle(amount, amount if self.opened and quota.unit is not _PARALLEL else 0)
                if lease.waiting:
                    self._leases.freed(lease)


def _used(unit: Unit, usage: Usage) -> int:
    """What a request used of a rate limit."""
    if unit is _REQUESTS:
        return 1
    if unit is _PARALLEL:
        return 0
    if unit is _INPUT_TOKENS:
        return usage.input_total
    if unit is _OUTPUT_TOKENS:
        return usage.output_total
    return usage.input_total + usage.output_total
