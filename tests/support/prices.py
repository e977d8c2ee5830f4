"""The base book of the installed genai-prices, built once for a test run."""

from functools import cache

from tollway.ledger.price_base import PriceBase
from tollway.services.price_base_build import build


@cache
def price_base() -> PriceBase:
    """The book, converted in this process."""
    return PriceBase(build())
