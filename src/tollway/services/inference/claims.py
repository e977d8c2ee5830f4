"""What one request takes from the budgets and limits that apply to it: held before it starts, settled when it ends.

Plain arithmetic in this worker's memory; see docs/adr/0010-budgets-and-limits-by-leases.md.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from tollway.ledger.entry import UsageSource
from tollway.ledger.lease import Lease
from tollway.ledger.quota import Unit, WindowRef
from tollway.ledger.rating import Charge
from tollway.ledger.settlement import Charges, Settlement, charges, unpacked
from tollway.ledger.usage import Usage
from tollway.services.inference.demand import Demand
from tollway.services.inference.terms import Terms
from tollway.services.lease_shelf import Parts

_USD, _REQUESTS, _PARALLEL = Unit.USD, Unit.REQUESTS, Unit.PARALLEL  # naming a member of an enum takes 0.2 µs
_INPUT_TOKENS, _OUTPUT_TOKENS = Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS

Lacking = list[tuple[Lease, int]]
"""Leases that do not suffice, each with all that the request needs to hold of it."""


class Leases(Protocol):
    """What is needed of the lease keeper; see `tollway.services.lease_keeper.LeaseKeeper`."""

    def leases(self, parts: Parts, /) -> Sequence[Lease]:
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


Fallback = Callable[[Lease, int], bool]
"""Whether a request goes on although a lease does not suffice for so much: of a limit it is overdrawn then, of a budget
nothing is held."""


class Claims:
    """All parts of one request: taken together or not at all, and settled once.

    Attributes:
        terms: the quotas that apply. They may change while the request waits for its turn.
        demand: what the request needs.
        opened: whether the request is in the journal.
        settled: whether it has ended.
    """

    __slots__ = ("_amounts", "_charges", "_cost", "_held", "_leases", "demand", "opened", "settled", "terms")

    def __init__(self, leases: Leases, terms: Terms, demand: Demand) -> None:
        self._leases = leases
        self._held: Sequence[Lease] = ()
        self._amounts: Sequence[int] = ()
        self._charges: Sequence[Charges] = ()
        self._cost = 0
        self.terms = terms
        self.demand = demand
        self.opened = self.settled = False

    def take(self, *, queued: bool = False, fallback: Fallback | None = None) -> Lacking:
        """Hold everything, or nothing and return what lacks.

        Args:
            queued: whether the request's turn has come among those that wait.
            fallback: asked where a lease does not suffice.
        """
        terms, demand = self.terms, self.demand
        leases = self._leases.leases(terms.binding)
        amounts = [demand.cost] * terms.budgets + [1] * (terms.requests + terms.parallel)
        if terms.tokens:
            amounts += [demand.tokens_of(lease.quota) for lease in leases[-terms.tokens :]]
        charged = terms.binding.charges + terms.counting
        ample = True
        for lease, amount in zip(leases, amounts):  # noqa: B905 -- `strict` takes a while, and they are as many
            free = lease.free = lease.free - amount
            if free < 0 or free < lease.low or lease.waiting:
                ample = False
        if not ample:
            for lease, amount in zip(leases, amounts, strict=True):  # as if nothing had been taken
                lease.free += amount
            lacking = _lacking(leases, amounts, queued=queued)
            refused = lacking if fallback is None else [part for part in lacking if not fallback(*part)]
            if refused:
                return refused
            if lacking:
                absent = [lease for lease, _ in lacking if lease.quota.unit is _USD]
                leases, amounts = _without(absent, leases, amounts)
                charged = _charges(leases, leased=True) + _charges(absent, leased=False) + terms.counting
            self._hold(leases, amounts)
        self._held, self._amounts, self._charges, self._cost = leases, amounts, charged, demand.cost
        return []

    def _hold(self, leases: Sequence[Lease], amounts: Sequence[int]) -> None:
        """Take all, and ask for more where little is left."""
        for lease, amount in zip(leases, amounts, strict=True):
            lease.free -= amount
            if lease.free < lease.low:
                self._leases.low(lease)

    def limiting(self) -> Sequence[Lease]:
        """The leases of the rate limits, whether anything is held of them or not."""
        limits = self.terms.limits
        return (self._held or self._leases.leases(self.terms.binding))[-limits:] if limits else ()

    def now_us(self) -> int:
        """The clock that windows follow, in epoch microseconds."""
        return self._leases.now_us()

    def opening(self, estimate: int) -> tuple[Settlement, ...]:
        """What the budgets are charged if the request never ends.

        Args:
            estimate: of its charge, in pico-dollars.
        """
        return self._settlements(self._cost, estimate)

    def settle(self, usage: Usage, charge: Charge, source: UsageSource, *, requests: int = 1) -> tuple[Settlement, ...]:
        """End the request, or one attempt of it: take what it used, and give back the rest.

        Args:
            usage: what it used.
            charge: what that costs.
            source: who counted.
            requests: how often it counts in limits of requests.

        Returns:
            What the budgets are charged, for the ledger.
        """
        self.settled = True
        terms = self.terms
        total = strict = charge.total
        used = [total] * (len(self._held) - terms.limits)
        if (not charge.priced or source is UsageSource.ESTIMATED) and self._cost > total:
            strict = self._cost
            used = [strict if lease.ref in self._strict_windows() else total for lease in self._held[: len(used)]]
        used += [requests] * terms.requests + [0] * terms.parallel
        if terms.tokens:
            used += [_tokens(lease.quota.unit, usage) for lease in self._held[-terms.tokens :]]
        for lease, amount, part in zip(self._held, self._amounts, used):  # noqa: B905 -- as above
            lease.spent += part
            lease.free += amount - part
            if lease.waiting:
                self._leases.freed(lease)
        return self._settlements(strict, total)

    def count(self) -> None:
        """Count the request in limits of requests after all, though it was settled without."""
        for lease in self._held:
            if lease.quota.unit is _REQUESTS:
                lease.settle(0, 1)

    def abandon(self) -> None:
        """Whatever was not settled is settled as the opening record says, or given back if there is none."""
        if self.settled:
            return
        self.settled = True
        for lease, amount in zip(self._held, self._amounts, strict=True):
            lease.settle(amount, amount if self.opened and lease.quota.unit is not _PARALLEL else 0)
            if lease.waiting:
                self._leases.freed(lease)

    def _settlements(self, strict: int, other: int) -> tuple[Settlement, ...]:
        """What is charged to strict budgets, and to others."""
        settlements: tuple[Settlement, ...] = ()
        for windows, is_strict, leased in self._charges:  # mostly there is one
            if amount := strict if is_strict else other:
                settlements += (Settlement(windows, amount, leased),)
        return settlements

    def _strict_windows(self) -> Sequence[WindowRef]:
        """As of when it began: the quotas may have been changed."""
        return [ref for charged in self._charges if charged.strict for ref in unpacked(charged.windows)]


def _lacking(leases: Sequence[Lease], amounts: Sequence[int], *, queued: bool) -> Lacking:
    return [
        (lease, amount)
        for lease, amount in zip(leases, amounts, strict=True)
        if (amount > lease.free or (lease.waiting and not queued)) and amount
    ]


def _without(
    absent: Sequence[Lease], leases: Sequence[Lease], amounts: Sequence[int]
) -> tuple[Sequence[Lease], list[int]]:
    """The other leases, with what is held of them."""
    kept = [(lease, amount) for lease, amount in zip(leases, amounts, strict=True) if lease not in absent]
    return [lease for lease, _ in kept], [amount for _, amount in kept]


def _charges(leases: Sequence[Lease], *, leased: bool) -> tuple[Charges, ...]:
    return charges([(lease.quota, lease.ref) for lease in leases], leased=leased)


def _tokens(unit: Unit, usage: Usage) -> int:
    """What a request used of a limit of tokens."""
    if unit is _INPUT_TOKENS:
        return usage.input_total
    if unit is _OUTPUT_TOKENS:
        return usage.output_total
    return usage.input_total + usage.output_total
