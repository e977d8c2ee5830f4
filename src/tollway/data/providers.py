"""SQL of providers and their declared models."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Select, delete, select

from tollway.data.conflict import flush, stored
from tollway.data.page import Page, paged
from tollway.data.schema.model import ProviderModel
from tollway.data.schema.provider import Provider
from tollway.data.session import AnySession, ReadSession, WriteSession
from tollway.ids import is_uuid

_CONFLICTS = {
    "uq_provider_organization_id_name": (
        "The organization has a provider of this name already.",
        "Choose another name, or change that one.",
    ),
    "fk_alias_organization_id_provider_id_provider": (
        "Aliases point to this provider.",
        "Remove them or point them elsewhere first.",
    ),
}


class ProviderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as it may be shown: not its credential, sealed or not."""

    id: str
    organization_id: str
    name: str
    spec: str
    dialect: str
    base_url: str
    has_credential: bool
    credential_suffix: str
    price_provider: str
    declared_only: bool
    models: tuple[str, ...]
    options: dict[str, str]
    created_at: datetime
    updated_at: datetime


def record(row: Provider, models: Sequence[str]) -> ProviderRecord:
    """What may be shown of a row."""
    return ProviderRecord(
        id=row.id,
        organization_id=row.organization_id,
        name=row.name,
        spec=row.spec,
        dialect=row.dialect,
        base_url=row.base_url,
        has_credential=row.credential is not None,
        credential_suffix=row.credential_suffix,
        price_provider=row.price_provider,
        declared_only=row.declared_only,
        models=tuple(models),
        options=row.options,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _named(organization_id: str, reference: str) -> Select[Provider]:
    column = Provider.id if is_uuid(reference) else Provider.name
    return select(Provider).where(Provider.organization_id == organization_id, column == reference)


async def find(session: AnySession, organization_id: str, reference: str) -> Provider | None:
    """The provider of this id or name."""
    return (await session.scalars(_named(organization_id, reference))).one_or_none()


async def lock(session: WriteSession, organization_id: str, reference: str) -> Provider | None:
    """As `find`, held against other changes until the transaction ends."""
    return (await session.scalars(_named(organization_id, reference).with_for_update())).one_or_none()


async def lock_named(session: WriteSession, organization_id: str, names: Collection[str]) -> dict[str, Provider]:
    """Name → provider, of those that there are, held against changes until the transaction ends."""
    statement = select(Provider).where(Provider.organization_id == organization_id, Provider.name.in_(names))
    rows = await session.scalars(statement.order_by(Provider.id).with_for_update())
    return {row.name: row for row in rows}


async def page(session: ReadSession, organization_id: str, wanted: Page) -> Sequence[ProviderRecord]:
    """A page of the organization's providers."""
    statement = select(Provider).where(Provider.organization_id == organization_id)
    rows = (await session.scalars(paged(statement, Provider.id, wanted))).all()
    declared = select(ProviderModel.provider_id, ProviderModel.name).where(
        ProviderModel.provider_id.in_([row.id for row in rows])
    )
    models: defaultdict[str, list[str]] = defaultdict(list)
    for provider_id, name in await session.execute(declared.order_by(ProviderModel.name)):
        models[provider_id].append(name)
    return [record(row, models[row.id]) for row in rows]


async def all_of(session: AnySession, organization_id: str) -> Sequence[Provider]:
    """All providers of an organization, by name."""
    statement = select(Provider).where(Provider.organization_id == organization_id).order_by(Provider.name)
    return (await session.scalars(statement)).all()


async def models_of(session: AnySession, provider_id: str) -> Sequence[str]:
    """The declared models of a provider, by name."""
    statement = select(ProviderModel.name).where(ProviderModel.provider_id == provider_id).order_by(ProviderModel.name)
    return (await session.scalars(statement)).all()


async def found(session: AnySession, row: Provider) -> ProviderRecord:
    """What may be shown of a row, with its declared models."""
    return record(row, await models_of(session, row.id))


async def set_models(session: WriteSession, provider_id: str, models: Sequence[str]) -> None:
    """Make these, and no others, the declared models."""
    await session.execute(
        delete(ProviderModel).where(ProviderModel.provider_id == provider_id, ProviderModel.name.not_in(models))
    )
    present = set(await models_of(session, provider_id))
    session.add_all(ProviderModel(provider_id=provider_id, name=name) for name in sorted(set(models) - present))
    await session.flush()


async def save(session: WriteSession, row: Provider) -> Provider:
    """Insert or update. Raises ConflictError if the name is taken."""
    return await stored(session, row, _CONFLICTS)


async def remove(session: WriteSession, row: Provider) -> None:
    """Delete with its declared models. Raises ConflictError if aliases point to it."""
    await session.delete(row)
    await flush(session, _CONFLICTS)
