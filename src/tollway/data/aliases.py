"""SQL of aliases."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import CursorResult, Select, delete, exists, func, null, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from tollway.data.page import Page, paged
from tollway.data.schema.alias import Alias
from tollway.data.schema.project import Project
from tollway.data.schema.provider import Provider
from tollway.data.session import AnySession, ReadSession, WriteSession
from tollway.ids import uuid7
from tollway.routing.route import Route

_NAMED_MAX = 5
"""Aliases that are named to somebody who asks what leads to a provider."""


class AliasRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An alias with the names of its project and its target, which is the first one of its route if it has one."""

    id: str
    project_id: str
    project: str
    name: str
    target: str
    route: dict[str, Any] | None
    created_at: datetime


def _record(row: Any) -> AliasRecord:
    alias, project, provider = row
    return AliasRecord(
        id=alias.id,
        project_id=alias.project_id,
        project=project,
        name=alias.name,
        target=f"{provider}/{alias.model}",
        route=alias.route,
        created_at=alias.created_at,
    )


def _of(organization_id: str, project_id: str | None) -> Select[Alias, str, str]:
    statement = (
        select(Alias, Project.name, Provider.name)
        .join(Project, Alias.project_id == Project.id)
        .join(Provider, Alias.provider_id == Provider.id)
        .where(Alias.organization_id == organization_id)
    )
    return statement if project_id is None else statement.where(Alias.project_id == project_id)


async def page(
    session: ReadSession, organization_id: str, wanted: Page, *, project_id: str | None
) -> Sequence[AliasRecord]:
    """A page of the organization's aliases, or of one project's."""
    rows = await session.execute(paged(_of(organization_id, project_id), Alias.id, wanted))
    return [_record(row) for row in rows]


async def find(session: AnySession, organization_id: str, project_id: str, name: str) -> AliasRecord | None:
    """One alias."""
    row = (await session.execute(_of(organization_id, project_id).where(Alias.name == name))).one_or_none()
    return _record(row) if row else None


async def is_known(session: AnySession, organization_id: str, name: str, *, project_id: str | None) -> bool:
    """Whether the project, or any project of the organization, has an alias of this name."""
    known = exists().where(Alias.organization_id == organization_id, Alias.name == name)
    if project_id is not None:
        known = known.where(Alias.project_id == project_id)
    return bool(await session.scalar(select(known)))


async def upsert(session: WriteSession, project: Project, name: str, provider: Provider, route: Route) -> bool:
    """Make the alias lead where the route says; tells whether it is new. `provider` is that of its first target."""
    settings: dict[str, Any] = {
        "provider_id": provider.id,
        "model": route.targets[0].model,
        "route": null() if route.is_plain else msgspec.to_builtins(route),
    }
    statement = (
        insert(Alias)
        .values(
            id=uuid7(),
            organization_id=project.organization_id,
            project_id=project.id,
            name=name,
            **settings,
        )
        .on_conflict_do_update(index_elements=[Alias.project_id, Alias.name], set_=settings)
        .returning(text("xmax = 0"))  # a fresh row version has no deleting transaction
    )
    return bool((await session.execute(statement)).scalar_one())


async def names_with_provider(session: AnySession, organization_id: str, provider: Provider) -> Sequence[str]:
    """The first few aliases that lead to a provider, as ``project/alias``."""
    inside = Alias.route.contains({"targets": [{"provider": provider.name}]})
    statement = (
        select(func.concat(Project.name, "/", Alias.name))
        .select_from(Alias)
        .join(Project, Alias.project_id == Project.id)
        .where(Alias.organization_id == organization_id, or_(Alias.provider_id == provider.id, inside))
        .order_by(Alias.id)
        .limit(_NAMED_MAX)
    )
    return (await session.scalars(statement)).all()


async def remove(session: WriteSession, project_id: str, name: str) -> bool:
    """Delete an alias; tells whether there was one."""
    statement = delete(Alias).where(Alias.project_id == project_id, Alias.name == name)
    return cast("CursorResult[tuple[()]]", await session.execute(statement)).rowcount == 1
