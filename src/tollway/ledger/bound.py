"""The most that a request can cost, known before it is sent: what a hard budget holds for it."""

import msgspec

from tollway.ledger.money import UNITS_PER_PRICE
from tollway.ledger.price import PriceSheet, Rate
from tollway.ledger.rating import rate_of
from tollway.ledger.usage import KINDS

CACHE_ENTRIES = 4_096
"""Remembered sheets with their dearest prices: about 2 MB at the most."""
OUTPUT_TOKENS_MAX = 2**31 - 1
"""What is affordable where output costs nothing: no model writes that much, and every provider can read the number."""

_INPUT = ("input", "cache_read", "cache_write_5m", "cache_write_1h")
_AUDIO_INPUT = ("audio_input", "audio_cache_read")
_IMAGE_INPUT = ("image_input",)
_OUTPUT = ("output", "reasoning", "citation")
_OTHER_OUTPUT = ("audio_output", "image_output")
_SINGLE = (("requests",), ("web_searches",), ("images",), ("audio_seconds",), ("characters",))
_ROUNDING_PICO = -(-len(KINDS) // 2)
"""Each line of a charge is rounded on its own, by half a pico-dollar at the most."""


class UsageBound(msgspec.Struct, frozen=True, gc=False):
    """The most that one request makes a provider count, but for the length of its answers.

    Attributes:
        input_tokens: of every kind together.
        answers: how many answers are generated.
        extra_output_tokens: billed as output beside the answers.
        audio_input, image_input: whether input tokens may be of that kind.
        other_output: whether output tokens may be audio or images.
        searches: how often the provider may search for it.
        images: how many pictures it may make.
        audio_seconds: of sound that it may hear.
        characters: of text that it may speak.
    """

    input_tokens: int
    answers: int = 1
    extra_output_tokens: int = 0
    audio_input: bool = False
    image_input: bool = False
    other_output: bool = False
    searches: int = 1
    images: int = 0
    audio_seconds: int = 0
    characters: int = 0


class _Dearest(msgspec.Struct, frozen=True, gc=False):
    """The highest prices for requests with more than `above` input tokens: pico-dollars per million units.

    `has_other`: whether anything but tokens has one.
    """

    has_other: bool
    above: int
    input: int
    output: int
    request: int
    search: int
    image: int
    second: int
    character: int


_held: dict[tuple[int, bool, bool, bool], tuple[PriceSheet, tuple[_Dearest, ...]]] = {}


def cost_bound(sheet: PriceSheet, bound: UsageBound, output_tokens: int) -> int:
    """The most that a usage within the bounds is charged by `tollway.ledger.rating.rate`, in pico-dollars.

    Input may be cached or written to a cache, output may be reasoning: the dearest of these counts for all of it. A
    kind without any price counts nothing, as in a charge.

    Args:
        sheet: the prices.
        bound: the request's bounds.
        output_tokens: of one answer.
    """
    units = _units(_dearest(sheet, bound), bound, output_tokens)
    return -(-units // UNITS_PER_PRICE) + _ROUNDING_PICO if units else 0


def pays_for_output(sheet: PriceSheet, bound: UsageBound) -> bool:
    """Whether a longer answer may cost more."""
    return _dearest(sheet, bound).output > 0 and bound.answers > 0


def affordable_output_tokens(sheet: PriceSheet, bound: UsageBound, amount: int) -> int:
    """The longest answer for which `cost_bound` is `amount` pico-dollars or less; 0 if there is none."""
    if cost_bound(sheet, bound, 0) > amount:
        return 0
    dearest = _dearest(sheet, bound)
    price = bound.answers * dearest.output
    if not price:
        return OUTPUT_TOKENS_MAX
    left = (amount - _ROUNDING_PICO) * UNITS_PER_PRICE - _units(dearest, bound, 0)
    return min(max(left // price, 0), OUTPUT_TOKENS_MAX)


def _units(dearest: _Dearest, bound: UsageBound, output_tokens: int) -> int:
    """Millionths of a pico-dollar."""
    output_tokens = output_tokens * bound.answers + bound.extra_output_tokens
    units = bound.input_tokens * dearest.input + output_tokens * dearest.output
    if not dearest.has_other:
        return units
    return (
        units
        + dearest.request
        + bound.searches * dearest.search
        + bound.images * dearest.image
        + bound.audio_seconds * dearest.second
        + bound.characters * dearest.character
    )


def _dearest(sheet: PriceSheet, bound: UsageBound) -> _Dearest:
    """The prices for so many input tokens or fewer, worked out once a sheet.

    A sheet is named by its identity: it lives long in the price book, and is held here so that no other one takes that
    identity meanwhile.
    """
    key = (id(sheet), bound.audio_input, bound.image_input, bound.other_output)
    held = _held.get(key)
    if held is None:
        if len(_held) >= CACHE_ENTRIES:
            del _held[next(iter(_held))]
        held = _held[key] = (sheet, _steps(sheet.rates, bound))
    steps = held[1]
    found = steps[0]
    if len(steps) == 1:
        return found
    for step in steps:
        if step.above >= bound.input_tokens:
            break
        found = step
    return found


def _steps(rates: dict[str, Rate], bound: UsageBound) -> tuple[_Dearest, ...]:
    """Ascending by `above`. Each step includes the prices below it: an input may be smaller than its bound."""
    inputs = _INPUT + _AUDIO_INPUT * bound.audio_input + _IMAGE_INPUT * bound.image_input
    outputs = _OUTPUT + _OTHER_OUTPUT * bound.other_output
    groups = [
        [rate for kind in kinds if (rate := rate_of(kind, rates)) is not None] for kinds in (inputs, outputs, *_SINGLE)
    ]
    edges = sorted({above for group in groups for rate in group for above, _ in rate.tiers})
    has_other = any(groups[2:])
    return tuple(_Dearest(has_other, above, *(_highest(group, above) for group in groups)) for above in (-1, *edges))


def _highest(rates: list[Rate], above: int) -> int:
    """The highest price for an input of ``above + 1`` tokens or fewer, or of more but below the next tier."""
    prices = [rate.price for rate in rates]
    prices += [price for rate in rates for start, price in rate.tiers if start <= above]
    return max(prices, default=0)
