"""SQL of what routing and pricing hold in memory: everything of every tenant at once."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec
from sqlalchemy import select

from tollway.data.schema.alias import Alias
from tollway.data.schema.model import ProviderModel
from tollway.data.schema.price import PriceOverride
from tollway.data.schema.provider import Provider
from tollway.data.session import ReadSession
from tollway.routing.route import Route, direct


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


async def all_aliases(session: ReadSession) -> dict[tuple[str, str], Route]:
    """``(project id, alias)`` → what stands behind it."""
    rows = await session.execute(
        select(Alias.project_id, Alias.name, Provider.name, Alias.model, Alias.route).join(
            Provider, Alias.provider_id == Provider.id
        )
    )
    return {
        (project_id, name): direct(provider, model) if route is None else msgspec.convert(route, Route)
        for project_id, name, provider, model, route in rows
    }


async def all_price_overrides(session: ReadSession) -> Sequence[PriceOverride]:
    """Every override, of the platform and of all organizations."""
    return (await session.scalars(select(PriceOverride))).all()
