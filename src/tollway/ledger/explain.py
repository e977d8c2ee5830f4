"""The arithmetic of one entry's charge, done again from what the entry itself holds."""

import msgspec

from tollway.ledger.entry import LedgerEntry
from tollway.ledger.money import charge, usd_text


class ExplainedLine(msgspec.Struct, frozen=True):
    """One line of the charge, done again.

    Attributes:
        kind: the dimension.
        quantity: units counted.
        price_usd_per_million: decimal text.
        amount_usd: what the entry says, decimal text.
        price_ref: the price row.
        arithmetic: the calculation in words.
        agrees: whether quantity x price is that amount.
    """

    kind: str
    quantity: int
    price_usd_per_million: str
    amount_usd: str
    price_ref: str
    arithmetic: str
    agrees: bool


class Explanation(msgspec.Struct, frozen=True):
    """How an entry's charge came about.

    Attributes:
        lines: one for each dimension that was charged.
        charge_usd: what the entry says.
        recomputed_usd: the sum of the lines, each done again.
        agrees: whether every line and the sum are right.
        remarks: what else a reader must know: estimated counts, missing prices, the provider's own figure.
    """

    lines: tuple[ExplainedLine, ...]
    charge_usd: str
    recomputed_usd: str
    agrees: bool
    remarks: tuple[str, ...]


def explain(entry: LedgerEntry) -> Explanation:
    """Do the arithmetic of the entry again."""
    amounts = [charge(line.quantity, line.price) for line in entry.lines]
    lines = tuple(
        ExplainedLine(
            kind=line.kind,
            quantity=line.quantity,
            price_usd_per_million=usd_text(line.price),
            amount_usd=usd_text(line.amount),
            price_ref=line.ref,
            arithmetic=f"{line.quantity:,} x {usd_text(line.price)} USD / 1,000,000 = {usd_text(amount)} USD",
            agrees=amount == line.amount,
        )
        for line, amount in zip(entry.lines, amounts, strict=True)
    )
    return Explanation(
        lines=lines,
        charge_usd=usd_text(entry.charge),
        recomputed_usd=usd_text(sum(amounts)),
        agrees=sum(amounts) == entry.charge and all(line.agrees for line in lines),
        remarks=tuple(_remarks(entry)),
    )


def _remarks(entry: LedgerEntry) -> list[str]:
    remarks: list[str] = []
    if entry.usage_source == "estimated":
        remarks.append("The provider did not tell its counts; they are estimated.")
    if entry.usage_source == "none":
        remarks.append("Nothing was used: no provider counted anything for this request.")
    if entry.outcome == "interrupted":
        remarks.append("The process that served this request died; the input is estimated from the size of the body.")
    if not entry.priced:
        remarks.append("Part of the use, or all of it, has no price: the charge holds only the priced part.")
    if entry.provider_cost is not None:
        remarks.append(f"The provider itself reports a cost of {usd_text(entry.provider_cost)} USD.")
    return remarks
