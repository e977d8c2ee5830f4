"""What one request takes from the budgets and limits that apply to it: held before it starts, settled when it ends.

Plain arithmetic in this worker's memory; see docs/adr/0010-budgets-and-limits-by-leases.md.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from tollway.ledger.entry import UsageSource
from tollway.ledger.interrupted import estimated_charge
from tollway.ledger.lease import Lease
from tollway.ledger.quota import Unit
from tollway.ledger.rating import Charge
from tollway.ledger.settlement import Charges, Settlement, charges, unpacked
from tollway.ledger.usage import Usage
from tollway.services.inference.demand import Demand
from tollway.services.inference.terms import Terms
from tollway.services.leases.bunch import BUSY_REQUESTS, Bunch
from tollway.services.leases.shelf import Parts

_ESTIMATED = UsageSource.ESTIMATED  # naming a member of an enum takes 0.2 µs
_INPUT_TOKENS, _OUTPUT_TOKENS = Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS
_NOTHING = Bunch()

Lacking = list[tuple[Lease, int]]
"""Leases that do not suffice, each with all that the request needs to hold of it."""


class Leases(Protocol):
    """What is needed of the lease keeper; see `tollway.services.leases.keeper.LeaseKeeper`."""

    def leases(self, parts: Parts, /) -> Bunch:
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

    def set_aside(self, bunch: Bunch, cost: int, tokens: Sequence[int]) -> None:
        """Take for more requests like one that was served, if there is ample."""
        ...

    def put_back(self) -> None:
        """Give the leases back what is set aside of them."""
        ...


Fallback = Callable[[Lease, int], bool]
"""Whether a request goes on although a lease does not suffice for so much: of a limit it is overdrawn then, of a budget
nothing is held."""


class Claims(msgspec.Struct, gc=False, eq=False):
    """All parts of one request: taken together or not at all, and settled once.

    What every request does is written out, one loop for each sort of lease: `Lease.hold` and `Lease.settle` called for
    each, and a list of what it takes of each, were a third of the time.

    Attributes:
        leases: of this worker.
        terms: the quotas that apply. They may change while the request waits for its turn.
        demand: what the request needs.
        opened: whether the request is in the journal.
        settled: whether it has ended.
    """

    leases: Leases
    terms: Terms
    demand: Demand
    opened: bool = False
    settled: bool = False
    _held: Bunch = _NOTHING
    _cost: int = 0
    _tokens: tuple[int, ...] = ()
    _charges: tuple[Charges, ...] = ()

    def take(self, *, queued: bool = False, fallback: Fallback | None = None) -> Lacking:
        """Hold everything, or nothing and return what lacks.

        Args:
            queued: whether the request's turn has come among those that wait.
            fallback: asked where a lease does not suffice.
        """
        terms, demand = self.terms, self.demand
        bunch = self.leases.leases(terms.binding)
        cost = demand.cost
        tokens = demand.tokens_of(bunch.tokens) if bunch.tokens else ()
        self._held, self._cost, self._tokens = bunch, cost, tokens
        self._charges = bunch.charges + terms.counting if terms.counting else bunch.charges
        if bunch.requests_aside > 0 and bunch.parallel_aside > 0 and cost <= bunch.cost_aside:
            amount = tokens[0] if tokens else 0
            if amount <= bunch.tokens_aside:
                bunch.cost_aside -= cost
                bunch.requests_aside -= 1
                bunch.parallel_aside -= 1
                bunch.tokens_aside -= amount
                return []
        if self._take_of_each():
            bunch.taken += 1
            if bunch.taken >= BUSY_REQUESTS:
                self.leases.set_aside(bunch, cost, tokens)
            return []
        for lease, amount in self._amounts():  # as if nothing had been taken
            lease.free += amount
        return self._take_what_is_there(queued=queued, fallback=fallback)

    def _take_of_each(self) -> bool:
        """Take from every lease; whether all had ample."""
        held, cost, ample = self._held, self._cost, True
        for lease in held.budgets:
            free = lease.free = lease.free - cost
            if free < lease.floor:
                ample = False
        for lease in held.single:
            free = lease.free = lease.free - 1
            if free < lease.floor:
                ample = False
        for lease, amount in zip(held.tokens, self._tokens):  # noqa: B905 -- `strict` takes a while, and they are as many
            free = lease.free = lease.free - amount
            if free < lease.floor:
                ample = False
        return ample

    def _take_what_is_there(self, *, queued: bool, fallback: Fallback | None) -> Lacking:
        """As `take`, one by one: somebody waits, or little is left."""
        self.leases.put_back()
        amounts = list(self._amounts())
        lacking = [
            (lease, amount)
            for lease, amount in amounts
            if (amount > lease.free or (lease.waiting and not queued)) and amount
        ]
        refused = lacking if fallback is None else [part for part in lacking if not fallback(*part)]
        if refused:
            self._held, self._cost, self._tokens, self._charges = _NOTHING, 0, (), ()
            return refused
        absent = [lease for lease, _ in lacking if lease.quota.unit is Unit.USD]
        if absent:
            self._held = Bunch([lease for lease, _ in amounts if lease not in absent])
            unheld = charges([(lease.quota, lease.ref) for lease in absent], leased=False)
            self._charges = self._held.charges + unheld + self.terms.counting
        for lease, amount in self._amounts():
            lease.free -= amount
            if lease.free < lease.low:
                self.leases.low(lease)
        return []

    def _amounts(self) -> Iterator[tuple[Lease, int]]:
        """What is held, each lease with its part."""
        held = self._held
        yield from ((lease, self._cost) for lease in held.budgets)
        yield from ((lease, 1) for lease in held.single)
        yield from zip(held.tokens, self._tokens, strict=True)

    def limiting(self) -> Bunch:
        """Those with the leases of the rate limits, whether anything is held of them or not."""
        held = self._held
        return self.leases.leases(self.terms.binding) if held is _NOTHING else held

    def opening(self, input_bytes: int, input_price: int | None) -> tuple[Settlement, ...]:
        """What the budgets are charged if the request never ends. Args: see `estimated_charge`."""
        settlements: tuple[Settlement, ...] = ()
        for windows, is_strict, leased in self._charges:  # mostly there is one
            amount = self._cost if is_strict else estimated_charge(input_bytes, input_price)
            if amount:
                settlements += (Settlement(windows, amount, leased),)
        return settlements

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
        held, total = self._held, charge.total
        strict = total
        if (not charge.priced or source is _ESTIMATED) and self._cost > total:
            strict = self._cost
            self._keep(strict - total)
        if held.is_aside:
            held.cost_spent += total
            held.cost_aside += self._cost - total
            held.requests_spent += requests
            held.requests_aside += 1 - requests
            held.parallel_aside += 1
            if held.tokens:
                used = _tokens(held.tokens[0].quota.unit, usage)
                held.tokens_spent += used
                held.tokens_aside += self._tokens[0] - used
            if held.cost_aside < 0 or held.tokens_aside < 0:
                self.leases.put_back()
        else:
            self._settle_each(total, usage, requests)
        settlements: tuple[Settlement, ...] = ()
        for windows, is_strict, leased in self._charges:  # mostly there is one
            amount = strict if is_strict else total
            if amount:
                settlements += (Settlement(windows, amount, leased),)
        return settlements

    def _settle_each(self, total: int, usage: Usage, requests: int) -> None:
        """Tell every lease what was used, and give it back the rest."""
        held, rest = self._held, self._cost - total
        overdrawn = rest < 0
        for lease in held.budgets:
            lease.spent += total
            lease.free += rest
            if lease.waiting:
                self.leases.freed(lease)
        for lease in held.requests:
            lease.spent += requests
            lease.free += 1 - requests
            if lease.waiting:
                self.leases.freed(lease)
        for lease in held.parallel:
            lease.free += 1
            if lease.waiting:
                self.leases.freed(lease)
        for lease, amount in zip(held.tokens, self._tokens):  # noqa: B905 -- as above
            used = _tokens(lease.quota.unit, usage)
            lease.spent += used
            lease.free += amount - used
            overdrawn = overdrawn or used > amount
            if lease.waiting:
                self.leases.freed(lease)
        if overdrawn:
            self._heed_overdraft()

    def _heed_overdraft(self) -> None:
        """See to it that nothing is set aside of a lease of which more was used than it had."""
        if any(lease.free < 0 for lease in self._held.leases):
            self.leases.put_back()

    def _keep(self, amount: int) -> None:
        """Spend so much more of the budgets that were strict when it began: the quotas may have been changed."""
        strict = {ref for charged in self._charges if charged.strict for ref in unpacked(charged.windows)}
        for lease in self._held.budgets:
            if lease.ref in strict:
                lease.settle(0, amount)
        self._heed_overdraft()

    def count(self) -> None:
        """Count the request in limits of requests after all, though it was settled without."""
        for lease in self._held.requests:
            lease.settle(0, 1)
        self._heed_overdraft()

    def abandon(self) -> None:
        """Whatever was not settled is settled as the opening record says, or given back if there is none."""
        if self.settled:
            return
        self.settled = True
        for lease, amount in self._amounts():
            lease.settle(amount, amount if self.opened and lease.quota.unit is not Unit.PARALLEL else 0)
            if lease.waiting:
                self.leases.freed(lease)


def _tokens(unit: Unit, usage: Usage) -> int:
    """What a request used of a limit of tokens."""
    if unit is _INPUT_TOKENS:
        return usage.input_total
    if unit is _OUTPUT_TOKENS:
        return usage.output_total
    return usage.input_total + usage.output_total
