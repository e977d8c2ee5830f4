"""Usage x prices → charge. Exact integers, one rounding a line, nothing guessed."""

from itertools import compress

import msgspec
from msgspec.structs import astuple

from tollway.ledger.entry import ChargeLine
from tollway.ledger.money import charge
from tollway.ledger.price import PriceSheet, Rate
from tollway.ledger.usage import KINDS, Usage

FALLBACKS: dict[str, tuple[str, ...]] = {
    "cache_read": ("input",),
    "cache_write_5m": ("input",),
    "cache_write_1h": ("cache_write_5m", "input"),
    "audio_input": ("input",),
    "audio_cache_read": ("audio_input", "cache_read", "input"),
    "image_input": ("input",),
    "reasoning": ("output",),
    "audio_output": ("output",),
    "image_output": ("output",),
    "citation": ("output",),
}
"""Whose price a kind pays that has none of its own: providers publish a price only where it differs from the general
one. The same as in genai-prices, where a count without a price stays inside its more general count."""

FREE_UNLESS_PRICED = frozenset({"requests"})
"""Every request is one request; only a few providers charge for that, and they say so."""

COVERED_BY = {"web_searches": "requests"}
"""A kind without a price that the price of another one includes: a provider that charges per request, searching
included, does not charge per search."""


class Charge(msgspec.Struct, frozen=True):
    """What one request costs.

    Attributes:
        total: pico-dollars; the sum of the lines.
        lines: one for each kind that was used and has a price, in the order of `KINDS`.
        priced: whether every kind that was used has a price. If not, `total` is that of the priced part.
    """

    total: int
    lines: tuple[ChargeLine, ...]
    priced: bool


def rate(usage: Usage, sheet: PriceSheet) -> Charge:
    """The charge for the usage at the prices of the sheet."""
    rates = sheet.rates
    lines: list[ChargeLine] = []
    total = 0
    priced = True
    counts = astuple(usage)
    for kind, quantity in compress(zip(KINDS, counts, strict=True), counts):
        found = rates.get(kind)
        if found is None:
            if kind in FREE_UNLESS_PRICED:
                continue
            found = rate_of(kind, rates)
        if found is None:
            priced = priced and _is_included(kind, rates)
            continue
        price = tier_price(found, usage.input_total) if found.tiers else found.price
        amount = charge(quantity, price)
        total += amount
        lines.append(ChargeLine(kind, quantity, price, amount, found.ref))
    return Charge(total, tuple(lines), priced)


def rate_of(kind: str, rates: dict[str, Rate]) -> Rate | None:
    """What a kind costs: its own price or that of a more general kind."""
    found = rates.get(kind)
    if found is not None:
        return found
    for other in FALLBACKS.get(kind, ()):
        found = rates.get(other)
        if found is not None:
            return found
    return None


def tier_price(found: Rate, input_total: int) -> int:
    """Pico-dollars per million units for a request with so many input tokens: of the last tier it lies above."""
    price = found.price
    for above, tier in found.tiers:
        if input_total <= above:
            break
        price = tier
    return price


def _is_included(kind: str, rates: dict[str, Rate]) -> bool:
    return kind in FREE_UNLESS_PRICED or COVERED_BY.get(kind) in rates
