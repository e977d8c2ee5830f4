"""Turns genai-prices into our base book. Run as a process of its own: it writes the book, as MessagePack, to stdout.

Importing genai-prices takes 0.6 s and 28 MB, which a worker need not carry: it reads the finished book instead. Its
updater is never started, so nothing here touches the network.
"""

import sys
from datetime import UTC, datetime, time
from decimal import Decimal

import msgspec
from genai_prices import __version__, types
from genai_prices.data import providers

from tollway.ledger.money import pico_from_usd
from tollway.ledger.price import Rate
from tollway.ledger.price_base import BaseBook, BookModel, BookProvider, Match, PriceSpan, When
from tollway.providers.stated_free import STATED_FREE

PER_MILLION = 1
PER_THOUSAND = 1_000
PER_HOUR = Decimal(1_000_000) / 3_600
"""What a price per hour times this is per million seconds."""

DIMENSIONS: dict[str, tuple[str, int | Decimal]] = {
    "input_mtok": ("input", PER_MILLION),
    "cache_read_mtok": ("cache_read", PER_MILLION),
    "cache_write_mtok": ("cache_write_5m", PER_MILLION),
    "cache_write_1h_mtok": ("cache_write_1h", PER_MILLION),
    "input_audio_mtok": ("audio_input", PER_MILLION),
    "cache_audio_read_mtok": ("audio_cache_read", PER_MILLION),
    "input_image_mtok": ("image_input", PER_MILLION),
    "output_mtok": ("output", PER_MILLION),
    "output_reasoning_mtok": ("reasoning", PER_MILLION),
    "output_audio_mtok": ("audio_output", PER_MILLION),
    "output_image_mtok": ("image_output", PER_MILLION),
    "output_citation_mtok": ("citation", PER_MILLION),
    "requests_kcount": ("requests", PER_THOUSAND),
    "web_searches_kcount": ("web_searches", PER_THOUSAND),
    "audio_hours": ("audio_seconds", PER_HOUR),
    "input_audio_hours": ("audio_seconds", PER_HOUR),
    "input_mchars": ("characters", PER_MILLION),
}
"""Price key of genai-prices → kind of usage, and what its price times this is per million units.

``cache_write_mtok`` is the price of a write kept for the provider's shortest time (5 minutes)."""

_BATCH = {"processing": "batch"}
"""What genai-prices calls the service tier ``batch``."""
FREE_SUFFIX = ":free"
"""Genai-prices lists some models without any price and so takes them for free: whether they are, or it merely does not
know, it does not tell. Only OpenRouter's ``:free`` variants say it themselves
(https://openrouter.ai/docs/guides/routing/model-variants/free); the others are not priced."""
FREE = {"input": Rate(0), "output": Rate(0)}


def build() -> BaseBook:
    """The whole book."""
    return BaseBook(f"genai-prices@{__version__}", tuple(_provider(each) for each in providers))


def _provider(source: types.Provider) -> BookProvider:
    return BookProvider(
        id=source.id,
        match=_match(source.provider_match) if source.provider_match else None,
        models=tuple(_model(each, free=_is_free(source, each)) for each in source.models),
        fallbacks=tuple(source.fallback_model_providers or ()),
    )


def _is_free(provider: types.Provider, model: types.ModelInfo) -> bool:
    """Whether a model without any price is one that costs nothing."""
    unstated = isinstance(model.prices, types.ModelPrice) and not _stated(model.prices)
    return unstated and (model.id.endswith(FREE_SUFFIX) or (provider.id, model.id) in STATED_FREE)


def _model(source: types.ModelInfo, *, free: bool) -> BookModel:
    if free:
        spans: tuple[PriceSpan, ...] = (PriceSpan(When(), FREE),)
    elif isinstance(source.prices, types.ModelPrice):
        spans = (_price_span(None, source.prices),)
    else:
        spans = tuple(_price_span(each.constraint, each.prices) for each in source.prices)
    # Other variants are chosen by what no surface offers (speed modes, search types).
    variants = tuple(
        _price_span(each.constraint, each.prices, next(iter(each.when.values())))
        for each in source.price_variants or ()
        if each.when.keys() == {"service_tier"} or each.when == _BATCH
    )
    return BookModel(source.id, _match(source.match), spans, variants, source.context_window or 0)


def _price_span(
    constraint: types.StartDateConstraint | types.TimeOfDateConstraint | None,
    prices: types.ModelPrice,
    service_tier: str = "",
) -> PriceSpan:
    stated = _stated(prices)
    mapped = ((DIMENSIONS[key], price) for key, price in stated.items() if key in DIMENSIONS)
    return PriceSpan(
        when=_when(constraint),
        rates={kind: _rate(price, factor) for (kind, factor), price in mapped},
        service_tier=service_tier,
        unmapped=tuple(key for key in stated if key not in DIMENSIONS),
    )


def _stated(prices: types.ModelPrice) -> dict[str, Decimal | types.TieredPrices]:
    return {key: price for key, price in vars(prices).items() if price is not None}


def _rate(price: Decimal | types.TieredPrices, factor: int | Decimal) -> Rate:
    if isinstance(price, types.TieredPrices):
        tiers = tuple((each.start, pico_from_usd(each.price * factor)) for each in price.tiers)
        return Rate(pico_from_usd(price.base * factor), tiers)
    return Rate(pico_from_usd(price * factor))


def _when(constraint: types.StartDateConstraint | types.TimeOfDateConstraint | None) -> When:
    if constraint is None:
        return When()
    if isinstance(constraint, types.StartDateConstraint):
        start = datetime.combine(constraint.start_date, time(), UTC)
        return When(since=start.timestamp())
    return When(daily=(_second_of_day(constraint.start_time), _second_of_day(constraint.end_time)))


def _second_of_day(at: time) -> int:
    """Seconds after midnight UTC; a time without a zone is in UTC."""
    moment = datetime.combine(datetime(1970, 1, 2, tzinfo=UTC), at, at.tzinfo or UTC)
    return int(moment.timestamp()) % 86_400


def _match(clause: types.MatchLogic) -> Match:  # noqa: PLR0911 - one return a clause
    match clause:
        case types.ClauseEquals(text):
            return Match("equals", text.lower())
        case types.ClauseStartsWith(text):
            return Match("starts_with", text.lower())
        case types.ClauseEndsWith(text):
            return Match("ends_with", text.lower())
        case types.ClauseContains(text):
            return Match("contains", text.lower())
        case types.ClauseRegex(text):
            return Match("regex", text)
        case types.ClauseOr(parts):
            return Match("or", parts=tuple(_match(part) for part in parts))
        case types.ClauseAnd(parts):
            return Match("and", parts=tuple(_match(part) for part in parts))


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.msgpack.encode(build()))
