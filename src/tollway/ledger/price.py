"""Prices that apply to one model at one time: pure data, no source of its own."""

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """The price of one dimension (a kind of `tollway.ledger.usage.Usage`).

    Attributes:
        price: pico-dollars per million units.
        tiers: ``(above, price)`` pairs in ascending order: a request whose ``input_total`` exceeds ``above`` tokens
            pays ``price`` for all units of this dimension.
        ref: the price row this came from, for instance ``genai-prices@0.2.3:openai/gpt-4o-mini`` or
            ``override:0197…``; stored with the charge.
    """

    price: int
    tiers: tuple[tuple[int, int], ...] = ()
    ref: str = ""


class PriceSheet(msgspec.Struct, frozen=True):
    """All rates of one model of one provider, for one instant.

    Attributes:
        provider: name of the provider the sheet is for.
        model: the model as the price book knows it.
        rates: kind → rate. A kind that is absent falls back as `tollway.ledger.rating` states; a kind that has
            neither a rate nor a fallback and is used makes the entry unpriced, never free.
        valid_until: epoch seconds after which the sheet must be looked up again (time-of-day and dated prices).
        valid_from: epoch seconds from which it has held.
        context_tokens: what the model can take in at the most, 0 if that is not known.
        unmapped: dimensions in which the base book prices this model and Tollway does not count, by the base book's
            names: shown with the prices, so that nobody takes them for free.
    """

    provider: str
    model: str
    rates: dict[str, Rate]
    valid_until: float = float("inf")
    valid_from: float = float("-inf")
    unmapped: tuple[str, ...] = ()
    context_tokens: int = 0
