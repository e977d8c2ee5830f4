"""SQL of what routing and pricing hold in memory: everything of every tenant at once."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select

from tollway.data.schema.alias import Alias
from tollway.data.schema.model import ProviderModel
from tollway.data.schema.price import PriceOverride
from tollway.data.schema.provider import Provider
from tollway.data.schema.provider_credential import ProviderCredential
from tollway.data.session import ReadSession


class AliasRow(msgspec.Struct, frozen=True):
    """An alias: its first target, and its route as it is stored; ``None`` for a plain one."""

    project_id: str
    name: str
    provider: str
    model: str
    route: dict[str, Any] | None


async def all_providers(session: ReadSession) -> Sequence[Provider]:
    """Every provider of every organization, credentials sealed."""
    return (await session.scalars(select(Provider))).all()


async def all_models(session: ReadSession) -> dict[str, tuple[str, ...]]:
    """Provider id → its declared models, by name."""
    models: defaultdict[str, list[str]] = defaultdict(list)
    rows = await session.execute(select(ProviderModel.provider_id, ProviderModel.name).order_by(ProviderModel.name))
    for provider_id, name in rows:
        models[provider_id].append(name)
    return {provider_id: tuple(names) for provider_id, names in models.items()}


async def all_credentials(session: ReadSession) -> dict[str, tuple[ProviderCredential, ...]]:
    """Provider id → its further credentials, sealed, in the order in which they were added."""
    found: defaultdict[str, list[ProviderCredential]] = defaultdict(list)
    for row in await session.scalars(select(ProviderCredential).order_by(ProviderCredential.id)):
        found[row.provider_id].append(row)
    return {provider_id: tuple(rows) for provider_id, rows in found.items()}


async def all_aliases(session: ReadSession) -> Sequence[AliasRow]:
    """Every alias of every organization."""
    rows = await session.execute(
        select(Alias.project_id, Alias.name, Provider.name, Alias.model, Alias.route).join(
            Provider, Alias.provider_id == Provider.id
        )
    )
    return [AliasRow(*row) for row in rows]


async def all_price_overrides(session: ReadSession) -> Sequence[PriceOverride]:
    """Every override, of the platform and of all organizations."""
    return (await session.scalars(select(PriceOverride))).all()
