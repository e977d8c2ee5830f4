"""What one request needs of each unit that quotas count."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from tollway.constants import BYTES_PER_TOKEN
from tollway.ledger.bound import affordable_output_tokens, cost_bound, pays_for_output
from tollway.ledger.lease import Lease
from tollway.ledger.price import PriceSheet
from tollway.ledger.quota import Unit
from tollway.providers.free import NOTHING
from tollway.providers.openai_compatible.bound import RequestBound

CLAMPED_TOKENS_MIN = 16
"""A shorter answer than this is no answer."""
_INPUT_TOKENS, _OUTPUT_TOKENS = Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS  # naming a member of an enum takes 0.2 µs
_UNSTATED_OUTPUT_TOKENS = 256
"""What a token limit holds for an answer whose length the request does not bound: about what most have."""


class Demand(msgspec.Struct, gc=False):
    """What a request needs.

    Attributes:
        bound: what the provider can count at the most.
        sheets: the prices that may apply; empty if none is known.
        output_tokens: the bound of one answer.
        sent_output_tokens: the bound to send upstream; 0 if the request's own is sent.
        cost: the most it can cost, in pico-dollars.
    """

    bound: RequestBound
    sheets: tuple[PriceSheet, ...]
    output_tokens: int
    sent_output_tokens: int = 0
    cost: int = 0

    def tokens_of(self, leases: Iterable[Lease]) -> tuple[int, ...]:
        """What to hold of limits of tokens.

        It is an estimate, since they are counted in the end, and not more than the whole limit: one that is smaller
        than a request lets it through when nothing else runs.
        """
        bound = self.bound
        stated = bound.output_tokens
        input_tokens = bound.text_bytes // BYTES_PER_TOKEN + 1
        output_tokens = (_UNSTATED_OUTPUT_TOKENS if stated is None else stated) * bound.answers
        amounts: tuple[int, ...] = ()
        for lease in leases:  # mostly there is one
            quota = lease.quota
            unit, tokens = quota.unit, input_tokens + output_tokens
            if unit is _INPUT_TOKENS:
                tokens = input_tokens
            elif unit is _OUTPUT_TOKENS:
                tokens = output_tokens
            if tokens > quota.amount:  # noqa: PLR1730 -- `min` takes 0.1 µs
                tokens = quota.amount
            amounts += (tokens or 1,)
        return amounts

    @property
    def clamped(self) -> int:
        """The bound of the answer that the caller did not ask for; 0 if there is none."""
        return self.sent_output_tokens if self.sent_output_tokens != self.bound.output_tokens else 0

    def count(self, bound: RequestBound) -> None:
        """Take over a smaller bound of the input."""
        self.bound = bound
        self.price()

    def price(self) -> None:
        """Work out the cost, after a bound has changed."""
        self.cost = 0
        for sheet in self.sheets:  # mostly there is one
            cost = cost_bound(sheet, self.bound, self.output_tokens)
            if cost > self.cost:  # noqa: PLR1730 -- `max` takes 0.1 µs
                self.cost = cost

    def least(self, *, clamped: bool) -> int:
        """What the request costs at the least, however few tokens its input may have; `clamped`: and its answer."""
        bound = replace(self.bound, input_tokens=1)
        output_tokens = min(self.output_tokens, CLAMPED_TOKENS_MIN) if clamped else self.output_tokens
        return max((cost_bound(sheet, bound, output_tokens) for sheet in self.sheets), default=0)

    def clamp(self, amount: int) -> bool:
        """Shorten the answer so that the request costs at most `amount` pico-dollars; whether enough of it is left."""
        affordable = min(affordable_output_tokens(sheet, self.bound, amount) for sheet in self.sheets)
        if not CLAMPED_TOKENS_MIN <= affordable < self.output_tokens:
            return False
        self.output_tokens = self.sent_output_tokens = affordable
        self.price()
        return True

    def pays_for_output(self) -> bool:
        """Whether a longer answer costs more."""
        return any([pays_for_output(sheet, self.bound) for sheet in self.sheets])  # noqa: C419 -- no generator: faster


class NoDemand(Demand):
    """That of one that asks no model: it is a request, and uses nothing."""

    def tokens_of(self, leases: Iterable[Lease]) -> tuple[int, ...]:
        """Nothing, of each."""
        return tuple([0 for _ in leases])


NO_DEMAND = NoDemand(NOTHING, (), 0)
