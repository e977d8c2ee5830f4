"""A price override between its row (decimal text, USD per million units) and arithmetic (pico-dollars)."""

from datetime import datetime
from decimal import Decimal

from tollway.data.schema.price import PriceOverride as PriceOverrideRow
from tollway.ledger.money import pico_from_usd
from tollway.ledger.price_override import PriceOverride


def _epoch_s(instant: datetime | None) -> float | None:
    return instant.timestamp() if instant else None


def override_from_row(row: PriceOverrideRow) -> PriceOverride:
    """The override as the price book takes it."""
    return PriceOverride(
        id=row.id,
        organization_id=row.organization_id,
        provider=row.provider,
        model=row.model,
        rates={kind: pico_from_usd(Decimal(usd)) for kind, usd in row.rates.items()},
        tiers={
            kind: tuple((int(above), pico_from_usd(Decimal(usd))) for above, usd in tiers)
            for kind, tiers in row.tiers.items()
        },
        valid_from=_epoch_s(row.valid_from),
        valid_to=_epoch_s(row.valid_to),
        source=row.source,
        note=row.note,
    )
