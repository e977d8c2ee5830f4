"""Measure what a request needs, before it is admitted. No I/O: everything is in memory."""

import time
from collections.abc import Mapping

from tollway.errors import InvalidRequestError
from tollway.ledger.bound import pays_for_output
from tollway.ledger.price import PriceSheet, Rate
from tollway.ledger.price_book import PriceBook
from tollway.providers.adapter import DEFAULT_TIERS
from tollway.providers.openai_compatible.bound import RequestBound
from tollway.services.inference.demand import Demand
from tollway.services.inference.exchange import Exchange, Target
from tollway.services.inference.plan import not_priced
from tollway.services.live_catalog import LiveCatalog

UNKNOWN_CONTEXT_TOKENS = 1_048_576
"""The longest context on offer: for models whose own is not known."""
_ANSWER_PART = 4
"""An answer without a bound gets no less than this part of the context, however long the prompt may be."""


def measure(exchange: Exchange, live: LiveCatalog, *, binding: bool, default_output_tokens: int) -> Demand:
    """What a request needs.

    Args:
        exchange: the request.
        live: knows the prices of the service tier it asks for.
        binding: whether a hard budget relies on the bound. Then a price must be known, and the answer is bounded.
        default_output_tokens: of an answer that nothing else bounds, unless the project says otherwise.

    Raises:
        ModelNotPricedError: a hard budget applies, and what the request costs is not known.
        InvalidRequestError: a field that bounds the request is no number, or lets it cost more than can be bounded.
    """
    target = exchange.target
    sheet = target.sheet
    context_tokens = (sheet.context_tokens if sheet is not None else 0) or UNKNOWN_CONTEXT_TOKENS
    bound = target.adapter.bound(exchange.call, spec=target.spec, model=target.model, context_tokens=context_tokens)
    output_tokens = bound.output_tokens
    if output_tokens is None:
        default = exchange.principal.default_output_tokens or default_output_tokens
        output_tokens = _default(bound, context_tokens, default)
    if binding:
        _require_bounded(target, bound, output_tokens)
    sheets: tuple[PriceSheet, ...] = (sheet,) if sheet is not None else ()
    if sheets and bound.service_tier not in DEFAULT_TIERS:
        sheets += _tier_sheets(exchange, live.price_book, bound.service_tier)
    demand = Demand(bound, sheets, output_tokens)
    demand.price()
    if binding and not bound.heeded and demand.pays_for_output():
        demand.sent_output_tokens = output_tokens
    return demand


def _require_bounded(target: Target, bound: RequestBound, output_tokens: int) -> None:
    """Raises as `measure` for a hard budget."""
    sheet = target.sheet
    rates: Mapping[str, Rate] = sheet.rates if sheet is not None else {}
    in_tokens = "input" in rates and ("output" in rates or not output_tokens)
    if sheet is None or not (in_tokens or _is_priced_by_piece(rates, bound)):
        raise not_priced(target.deployment, target.model, "or make the budget that applies a soft one")
    if bound.boundless:
        raise boundless(bound.boundless)
    if bound.boundless_output and pays_for_output(sheet, bound):
        raise boundless(bound.boundless_output)


def _default(bound: RequestBound, context_tokens: int, default_output_tokens: int) -> int:
    """The bound of an answer that the request does not bound: not more than the model writes or has room for."""
    room = max(context_tokens - bound.input_tokens, context_tokens // _ANSWER_PART)
    return min(default_output_tokens, room, bound.longest or room)


def boundless(field: str) -> InvalidRequestError:
    """What is said of a request whose cost has no bound, because of one of its fields."""
    return InvalidRequestError(
        f"With the field `{field[:64]}` this request may cost more than can be known before, and a hard budget applies "
        "to it.",
        next_step="Leave the field out, or have an administrator make the budget a soft one.",
        param=field[:64],
    )


def _is_priced_by_piece(rates: Mapping[str, Rate], bound: RequestBound) -> bool:
    """Whether what it costs is known although its tokens have no price."""
    if (bound.images and "images" in rates) or (bound.characters and "characters" in rates):
        return True
    return bool(bound.audio_seconds) and "audio_seconds" in rates


def _tier_sheets(exchange: Exchange, prices: PriceBook, service_tier: str) -> tuple[PriceSheet, ...]:
    """The prices of the service tier that the request asks for, if they are known."""
    target = exchange.target
    deployment = target.deployment
    tier = prices.sheet(
        deployment.price_provider,
        target.model,
        organization_id=exchange.principal.organization_id,
        provider_name=deployment.name,
        at=time.time(),
        service_tier=service_tier,
    )
    return (tier,) if tier is not None else ()
