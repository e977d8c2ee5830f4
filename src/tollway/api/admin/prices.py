"""Prices: what models cost now, and what was set over the base book."""

import math
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from tollway.api.admin.auth import Administrator, Reader, Services, require_included
from tollway.api.admin.models.price import EffectiveRate, Price, PriceOverride, PriceSet, PriceTier
from tollway.api.admin.pagination import LIMIT_DEFAULT, LIMIT_MAX, Listing, Paging, listing
from tollway.api.admin.paths import IdPath, ModelPath, PricedModelPath, PricedProviderPath, ProviderPath, ProviderQuery
from tollway.api.admin.problems import CONFLICT
from tollway.data.page import Page
from tollway.data.schema.price import PriceOverride as OverrideRow
from tollway.identity.principal import Scope
from tollway.ledger.money import usd_text
from tollway.services.price_list import EffectivePrice
from tollway.services.price_override_put import PriceTerms

router = APIRouter(tags=["prices"])


def _price(found: EffectivePrice) -> Price:
    rates = {
        kind: EffectiveRate(
            usd_per_million=usd_text(rate.price),
            tiers=[PriceTier(above=above, usd_per_million=usd_text(price)) for above, price in rate.tiers],
            ref=rate.ref,
        )
        for kind, rate in found.sheet.rates.items()
    }
    until = found.sheet.valid_until
    return Price(
        name=found.name,
        provider=found.provider,
        model=found.model,
        rates=rates,
        valid_until=None if math.isinf(until) else datetime.fromtimestamp(until, UTC),
    )


def _override(row: OverrideRow) -> PriceOverride:
    return PriceOverride(
        id=row.id,
        organization_id=row.organization_id,
        name=f"{row.provider}/{row.model}",
        provider=row.provider,
        model=row.model,
        rates=row.rates,
        tiers={
            kind: [PriceTier(above=above, usd_per_million=usd) for above, usd in tiers]
            for kind, tiers in row.tiers.items()
        },
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        source=row.source,
        note=row.note,
        created_at=row.created_at,
    )


@router.get("/prices")
async def list_prices(
    access: Reader,
    services: Services,
    provider: ProviderQuery = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Rows of a page at the most.")] = LIMIT_DEFAULT,
    cursor: Annotated[
        str | None, Query(pattern="^[!-~]{1,400}$", max_length=400, description="`next_cursor` of the page before.")
    ] = None,
) -> Listing[Price]:
    """What the models of the organization's providers cost now, by name. Scope: `read`."""
    rows = await services.price_list().page(access.organization_id, provider=provider, after=cursor, limit=limit)
    return listing(rows, Page(limit=limit), show=_price, id_of=lambda row: row.name)


@router.get("/prices/{provider}/{model:path}")
async def get_price(provider: ProviderPath, model: ModelPath, access: Reader, services: Services) -> Price:
    """What one model costs now. 404: no price is known. Scope: `read`."""
    return _price(await services.price_list().find(access.organization_id, provider, model))


@router.put("/prices/{provider}/{model:path}", responses=CONFLICT)
async def put_price(
    provider: PricedProviderPath, model: PricedModelPath, body: PriceSet, access: Administrator, services: Services
) -> PriceOverride:
    """Set the price of a model over the base book. Scope: `admin`.

    The one with the same `valid_from` is replaced; a later `valid_from` takes over when its time comes.
    """
    if body.all_organizations:
        require_included(access.principal, Scope.PLATFORM)
    terms = PriceTerms(
        rates=body.rates,
        tiers={kind: [(tier.above, tier.usd_per_million) for tier in tiers] for kind, tiers in body.tiers.items()},
        valid_from=body.valid_from,
        valid_to=body.valid_to,
        source=body.source,
        note=body.note,
    )
    row, _ = await services.price_override_put().put(
        access.organization_id,
        provider,
        model,
        terms,
        caller=access.principal,
        all_organizations=body.all_organizations,
    )
    return _override(row)


@router.get("/price-overrides")
async def list_price_overrides(
    access: Reader,
    services: Services,
    page: Paging,
    provider: Annotated[
        str | None,
        Query(pattern=r"^(\*|[a-z0-9][a-z0-9._-]{0,62})$", max_length=63, description="Of this provider (or `*`)."),
    ] = None,
    model: Annotated[
        str | None, Query(pattern="^[!-~]{1,256}$", max_length=256, description="Of this model (or `*`).")
    ] = None,
) -> Listing[PriceOverride]:
    """The prices that were set, for the organization or for the whole installation. Scope: `read`."""
    rows = await services.price_override_list().page(access.organization_id, page, provider=provider, model=model)
    return listing(rows, page, show=_override, id_of=lambda row: row.id)


@router.delete("/price-overrides/{override}", status_code=HTTPStatus.NO_CONTENT)
async def remove_price_override(override: IdPath, access: Administrator, services: Services) -> None:
    """Remove a price that was set; the one below it holds again. Scope: `admin`."""
    await services.price_override_remove().remove(access.organization_id, override, caller=access.principal)
