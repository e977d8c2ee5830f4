"""What one request needs of each unit that quotas count. No I/O: everything is in memory."""

import time

import msgspec

from tollway.ledger.bound import affordable_output_tokens, cost_bound
from tollway.ledger.price import PriceSheet
from tollway.ledger.price_book import PriceBook
from tollway.ledger.quota import Quota, Unit
from tollway.providers.adapter import ADAPTERS, DEFAULT_TIERS
from tollway.providers.openai_compatible.bound import RequestBound
from tollway.services.inference.exchange import Exchange
from tollway.services.inference.plan import not_priced

CLAMPED_TOKENS_MIN = 16
"""A shorter answer than this is no answer."""
UNKNOWN_CONTEXT_TOKENS = 1_048_576
"""The longest context on offer: for models whose own is not known."""
_ANSWER_PART = 4
"""An answer without a bound gets no less than this part of the context, however long the prompt may be."""
_BYTES_PER_TOKEN = 4
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

    def amount(self, quota: Quota) -> int:
        """What to hold of a quota, in its unit.

        Of tokens it is an estimate, since they are counted in the end, and not more than the whole limit: one that is
        smaller than a request lets it through when nothing else runs.
        """
        unit = quota.unit
        if unit is Unit.USD:
            return self.cost
        if unit is Unit.REQUESTS or unit is Unit.PARALLEL:
            return 1
        tokens = 0
        if unit is not Unit.OUTPUT_TOKENS:
            tokens += self.bound.text_bytes // _BYTES_PER_TOKEN + 1
        if unit is not Unit.INPUT_TOKENS:
            stated = self.bound.output_tokens
            tokens += (_UNSTATED_OUTPUT_TOKENS if stated is None else stated) * self.bound.answers
        return max(min(tokens, quota.amount), 1)

    def price(self) -> None:
        """Work out the cost, after a bound has changed."""
        self.cost = max((cost_bound(sheet, self.bound, self.output_tokens) for sheet in self.sheets), default=0)

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
        return any(cost_bound(sheet, self.bound, 1) > cost_bound(sheet, self.bound, 0) for sheet in self.sheets)


def demand_of(exchange: Exchange, prices: PriceBook, *, binding: bool, default_output_tokens: int) -> Demand:
    """What a request needs.

    Args:
        exchange: the request.
        prices: for the service tier it asks for.
        binding: whether a hard budget relies on the bound. Then a price must be known, and the answer is bounded.
        default_output_tokens: of an answer that nothing else bounds.

    Raises:
        ModelNotPricedError: a hard budget applies, and what the request costs is not known.
        InvalidRequestError: a field that bounds the request is no number.
    """
    sheet = exchange.sheet
    context_tokens = (sheet.context_tokens if sheet is not None else 0) or UNKNOWN_CONTEXT_TOKENS
    bound = ADAPTERS[exchange.spec.dialect].bound(
        exchange.call, spec=exchange.spec, model=exchange.model_sent, context_tokens=context_tokens
    )
    output_tokens = bound.output_tokens
    if output_tokens is None:
        output_tokens = _default(bound, context_tokens, default_output_tokens)
    if binding and not _is_priced(sheet, output_tokens):
        raise not_priced(exchange.deployment, exchange.model_sent, "or make the budget that applies a soft one")
    demand = Demand(bound, _sheets(exchange, prices, bound.service_tier), output_tokens)
    demand.price()
    if binding and not bound.heeded and demand.pays_for_output():
        demand.sent_output_tokens = output_tokens
    return demand


def _default(bound: RequestBound, context_tokens: int, default_output_tokens: int) -> int:
    """The bound of an answer that the request does not bound: not more than the model writes or has room for."""
    room = max(context_tokens - bound.input_tokens, context_tokens // _ANSWER_PART)
    return min(default_output_tokens, room, bound.longest or room)


def _is_priced(sheet: PriceSheet | None, output_tokens: int) -> bool:
    return sheet is not None and "input" in sheet.rates and (not output_tokens or "output" in sheet.rates)


def _sheets(exchange: Exchange, prices: PriceBook, service_tier: str) -> tuple[PriceSheet, ...]:
    """The prices of the model, and those of the service tier that the request asks for."""
    if exchange.sheet is None:
        return ()
    if service_tier in DEFAULT_TIERS:
        return (exchange.sheet,)
    deployment = exchange.deployment
    tier = prices.sheet(
        deployment.price_provider,
        exchange.model_sent,
        organization_id=exchange.principal.organization_id,
        provider_name=deployment.name,
        at=time.time(),
        service_tier=service_tier,
    )
    return (exchange.sheet, tier) if tier is not None else (exchange.sheet,)
