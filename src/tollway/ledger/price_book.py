"""The price book: overrides laid over a base book, remembered per model."""

from tollway.ledger.price_override import ANY, PriceOverride

__all__ = ["ANY", "PriceOverride"]
