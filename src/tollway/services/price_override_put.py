"""Set the price of a model."""

from datetime import datetime
from decimal import Decimal

import msgspec

from tollway.data import price_overrides
from tollway.data.changes import Change, announce
from tollway.data.schema.price import PriceOverride
from tollway.data.session import Database
from tollway.identity.principal import Principal
from tollway.services.price_override_event import tell_price


class PriceTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a price says.

    Attributes:
        rates: kind of usage → decimal text, USD per million units.
        tiers: kind → ``(above, price)`` pairs, ascending.
        valid_from, valid_to: the span of time, ``None`` for no bound.
        source, note: for people.
    """

    rates: dict[str, str]
    tiers: dict[str, list[tuple[int, str]]] = {}
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    source: str = ""
    note: str = ""


def _canonical(usd: str) -> str:
    """One text for one amount, so that the same price set twice is seen as the same."""
    return f"{Decimal(usd).normalize():f}"


def _row(organization_id: str | None, provider: str, model: str, terms: PriceTerms) -> PriceOverride:
    return PriceOverride(
        organization_id=organization_id,
        provider=provider,
        model=model,
        rates={kind: _canonical(usd) for kind, usd in terms.rates.items()},
        tiers={kind: [(above, _canonical(usd)) for above, usd in tiers] for kind, tiers in terms.tiers.items()},
        valid_from=terms.valid_from,
        valid_to=terms.valid_to,
        source=terms.source,
        note=terms.note,
    )


def _same(one: PriceOverride, other: PriceOverride) -> bool:
    tiers = [{kind: [tuple(pair) for pair in pairs] for kind, pairs in row.tiers.items()} for row in (one, other)]
    return tiers[0] == tiers[1] and all(
        getattr(one, name) == getattr(other, name) for name in ("rates", "valid_to", "source", "note")
    )


class PriceOverridePut:
    """Sets prices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self,
        organization_id: str,
        provider: str,
        model: str,
        terms: PriceTerms,
        *,
        caller: Principal,
        all_organizations: bool = False,
    ) -> tuple[PriceOverride, bool]:
        """The override, of the organization or of all of them, and whether anything changed.

        One override of the same model and `valid_from` is replaced by a new row with a new id: ledger entries refer
        to the row they were charged by, so a row never changes.

        Raises:
            ConflictError: the same price was set at the same moment.
        """
        owner = None if all_organizations else organization_id
        row = _row(owner, provider, model, terms)
        async with self._database.write() as session, session.begin():
            present = await price_overrides.lock_same(session, owner, provider, model, terms.valid_from)
            if present is not None:
                if _same(present, row):
                    return present, False
                await price_overrides.remove(session, present)
            await price_overrides.save(session, row)
            await tell_price(session, organization_id, present, row, caller=caller)
            await announce(session, Change("price", row.id))
            return row, True
