"""The sum of what several attempts of one request have taken. Exact integers."""

from collections.abc import Iterable

from msgspec.structs import astuple

from tollway.ledger.entry import Spent, UsageSource
from tollway.ledger.money import ENTRY_MAX_PICO
from tollway.ledger.settlement import Settlement
from tollway.ledger.usage import Usage

_SURENESS = (UsageSource.NONE, UsageSource.PROVIDER, UsageSource.ESTIMATED)
"""What is estimated in part is an estimate."""


def together(first: Spent | None, second: Spent) -> Spent:
    """Both. If together they exceed what an entry can hold, the charge of the second is left out, as unpriced."""
    if first is None:
        return second
    fits = first.charge + second.charge <= ENTRY_MAX_PICO
    return Spent(
        Usage(*(one + other for one, other in zip(astuple(first.usage), astuple(second.usage), strict=True))),
        max(first.usage_source, second.usage_source, key=_SURENESS.index),
        first.priced and second.priced and fits,
        first.charge + (second.charge if fits else 0),
        first.lines + (second.lines if fits else ()),
        merged((*first.settlements, *second.settlements)),
    )


def merged(settlements: Iterable[Settlement]) -> tuple[Settlement, ...]:
    """One settlement for the same windows and way of paying."""
    amounts: dict[tuple[bytes, bool], int] = {}
    for each in settlements:
        key = (each.windows, each.leased)
        amounts[key] = amounts.get(key, 0) + each.amount
    return tuple([Settlement(windows, amount, leased) for (windows, leased), amount in amounts.items()])
