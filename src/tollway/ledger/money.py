"""Money as integers.

One entry's money is an ``int`` of pico-dollars (1e-12 USD): the cheapest token on sale costs a thousand of them,
so no charge rounds to zero, and 2**63 of them are 9.2 million dollars, so that one entry fits a ``bigint``.
Prices are an ``int`` of pico-dollars per million units, which holds every published price exactly.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

PICO_PER_USD = 10**12
ENTRY_MAX_PICO = 2**63 - 1
"""What one entry can hold, as a ``bigint``."""
UNITS_PER_PRICE = 10**6
"""Prices are per million units, as providers publish them."""


def pico_from_usd(usd: Decimal) -> int:
    """Pico-dollars of an amount in USD, rounded half to even below one pico-dollar."""
    return int((usd * PICO_PER_USD).to_integral_value(ROUND_HALF_EVEN))


def usd_from_pico(pico: int) -> Decimal:
    """Exact USD of an amount in pico-dollars."""
    return Decimal(pico).scaleb(-12)


@lru_cache(maxsize=1_024)  # a charge is told to the caller and to the log
def usd_text(pico: int) -> str:
    """Exact decimal USD without an exponent and without trailing zeros: ``0``, ``0.00042``, ``12.5``."""
    whole, fraction = divmod(abs(pico), PICO_PER_USD)
    sign = "-" if pico < 0 else ""
    return f"{sign}{whole}.{fraction:012d}".rstrip("0").rstrip(".") if fraction else f"{sign}{whole}"


def charge(quantity: int, price_per_million: int) -> int:
    """Pico-dollars for a quantity at a price in pico-dollars per million units, rounded half up, once."""
    return (quantity * price_per_million + UNITS_PER_PRICE // 2) // UNITS_PER_PRICE
