"""SQL of price overrides."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select

from tollway.data.conflict import stored
from tollway.data.page import Page, paged
from tollway.data.schema.price import PriceOverride
from tollway.data.session import AnySession, ReadSession, WriteSession

_CONFLICTS = {
    "uq_price_override_organization_id_provider_model_valid_from": (
        "The same price is being set by somebody else at this moment.",
        "Look at it, and try again.",
    )
}


async def page(
    session: ReadSession, organization_id: str, wanted: Page, *, provider: str | None, model: str | None
) -> Sequence[PriceOverride]:
    """A page of the overrides that an organization sees: its own and those of the installation."""
    statement = select(PriceOverride).where(
        or_(PriceOverride.organization_id == organization_id, PriceOverride.organization_id.is_(None))
    )
    if provider is not None:
        statement = statement.where(PriceOverride.provider == provider)
    if model is not None:
        statement = statement.where(PriceOverride.model == model)
    return (await session.scalars(paged(statement, PriceOverride.id, wanted))).all()


async def models_of(session: ReadSession, organization_id: str, provider: str) -> Sequence[str]:
    """The models for which an organization sees an override of this provider."""
    statement = select(PriceOverride.model).where(
        or_(PriceOverride.organization_id == organization_id, PriceOverride.organization_id.is_(None)),
        PriceOverride.provider == provider,
    )
    return (await session.scalars(statement)).all()


async def lock_same(
    session: WriteSession, organization_id: str | None, provider: str, model: str, valid_from: datetime | None
) -> PriceOverride | None:
    """The override of the same model that begins at the same time."""
    statement = (
        select(PriceOverride)
        .where(
            PriceOverride.organization_id.is_not_distinct_from(organization_id),
            PriceOverride.provider == provider,
            PriceOverride.model == model,
            PriceOverride.valid_from.is_not_distinct_from(valid_from),
        )
        .with_for_update()
    )
    return (await session.scalars(statement)).one_or_none()


async def find(session: AnySession, organization_id: str, override_id: str) -> PriceOverride | None:
    """One override that the organization sees."""
    statement = select(PriceOverride).where(
        PriceOverride.id == override_id,
        or_(PriceOverride.organization_id == organization_id, PriceOverride.organization_id.is_(None)),
    )
    return (await session.scalars(statement)).one_or_none()


async def save(session: WriteSession, row: PriceOverride) -> PriceOverride:
    """Insert. Raises ConflictError if the same price was set at the same moment."""
    return await stored(session, row, _CONFLICTS)


async def remove(session: WriteSession, row: PriceOverride) -> None:
    """Delete."""
    await session.delete(row)
    await session.flush()
