"""SQL of single declared models."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from tollway.data.page import Page, paged
from tollway.data.schema.model import ProviderModel
from tollway.data.schema.provider import Provider
from tollway.data.session import ReadSession, WriteSession
from tollway.ids import uuid7


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A declared model with the name callers use."""

    id: str
    provider: str
    model: str
    created_at: datetime

    @property
    def name(self) -> str:
        """``provider/model``."""
        return f"{self.provider}/{self.model}"


async def page(
    session: ReadSession, organization_id: str, wanted: Page, *, provider_id: str | None
) -> Sequence[ModelRecord]:
    """A page of the organization's declared models, or of one provider's."""
    statement = (
        select(ProviderModel, Provider.name)
        .join(Provider, ProviderModel.provider_id == Provider.id)
        .where(Provider.organization_id == organization_id)
    )
    if provider_id is not None:
        statement = statement.where(Provider.id == provider_id)
    rows = await session.execute(paged(statement, ProviderModel.id, wanted))
    return [
        ModelRecord(id=row.id, provider=provider, model=row.name, created_at=row.created_at) for row, provider in rows
    ]


async def declare(session: WriteSession, provider: Provider, model: str) -> tuple[ModelRecord, bool]:
    """Declare a model; also tells whether it was not yet."""
    statement = (
        insert(ProviderModel)
        .values(id=uuid7(), provider_id=provider.id, name=model)
        .on_conflict_do_nothing(index_elements=[ProviderModel.provider_id, ProviderModel.name])
        .returning(ProviderModel.id)
    )
    is_new = await session.scalar(statement) is not None
    found = select(ProviderModel).where(ProviderModel.provider_id == provider.id, ProviderModel.name == model)
    row = (await session.scalars(found)).one()
    return ModelRecord(id=row.id, provider=provider.name, model=row.name, created_at=row.created_at), is_new


async def remove(session: WriteSession, provider_id: str, model: str) -> str | None:
    """Take a declaration back; returns its id, ``None`` if there was none."""
    statement = delete(ProviderModel).where(ProviderModel.provider_id == provider_id, ProviderModel.name == model)
    return (await session.scalars(statement.returning(ProviderModel.id))).one_or_none()
