"""SQL of aliases."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import CursorResult, Select, delete, exists, select, text
from sqlalchemy.dialects.postgresql import insert

from tollway.data.page import Page, paged
from tollway.data.schema.alias import Alias
from tollway.data.schema.project import Project
from tollway.data.schema.provider import Provider
from tollway.data.session import AnySession, ReadSession, WriteSession
from tollway.ids import uuid7


class AliasRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An alias with the names of its project and its target."""

    id: str
    project_id: str
    project: str
    name: str
    target: str
    created_at: datetime


def _record(row: Any) -> AliasRecord:
    alias, project, provider = row
    return AliasRecord(
        id=alias.id,
        project_id=alias.project_id,
        project=project,
        name=alias.name,
        target=f"{provider}/{alias.model}",
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


async def upsert(session: WriteSession, project: Project, name: str, provider: Provider, model: str) -> bool:
    """Make the alias point to the model; tells whether it is new."""
    statement = (
        insert(Alias)
        .values(
            id=uuid7(),
            organization_id=project.organization_id,
            project_id=project.id,
            name=name,
            provider_id=provider.id,
            model=model,
        )
        .on_conflict_do_update(
            index_elements=[Alias.project_id, Alias.name], set_={"provider_id": provider.id, "model": model}
        )
        .returning(text("xmax = 0"))  # a fresh row version has no deleting transaction
    )
    return bool((await session.execute(statement)).scalar_one())


async def remove(session: WriteSession, project_id: str, name: str) -> bool:
    """Delete an alias; tells whether there was one."""
    statement = delete(Alias).where(Alias.project_id == project_id, Alias.name == name)
    return cast("CursorResult[tuple[()]]", await session.execute(statement)).rowcount == 1
