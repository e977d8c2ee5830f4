"""SQL of projects."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select, text
from sqlalchemy.dialects.postgresql import insert

from tollway.data.conflict import stored
from tollway.data.page import Page, paged
from tollway.data.schema.project import Project
from tollway.data.session import AnySession, ReadSession, WriteSession
from tollway.ids import is_uuid, uuid7

_CONFLICTS = {
    "uq_project_live_name": ("The organization has a project of this name already.", "Choose another, or use that one.")
}


def _named(organization_id: str, reference: str) -> Select[Project]:
    mine = select(Project).where(Project.organization_id == organization_id)
    if is_uuid(reference):
        return mine.where(Project.id == reference)
    return mine.where(Project.name == reference, Project.archived_at.is_(None))


async def find(session: AnySession, organization_id: str, reference: str) -> Project | None:
    """The project of this id, or the live one of this name."""
    return (await session.scalars(_named(organization_id, reference))).one_or_none()


async def lock(session: WriteSession, organization_id: str, reference: str) -> Project | None:
    """As `find`, held against other changes until the transaction ends."""
    return (await session.scalars(_named(organization_id, reference).with_for_update())).one_or_none()


async def page(
    session: ReadSession, organization_id: str, wanted: Page, *, include_archived: bool
) -> Sequence[Project]:
    """A page of the organization's projects."""
    statement = select(Project).where(Project.organization_id == organization_id)
    if not include_archived:
        statement = statement.where(Project.archived_at.is_(None))
    return (await session.scalars(paged(statement, Project.id, wanted))).all()


async def save(session: WriteSession, row: Project) -> Project:
    """Insert or update. Raises ConflictError if the name is taken."""
    return await stored(session, row, _CONFLICTS)


async def upsert(session: WriteSession, organization_id: str, *, name: str, **settings: Any) -> tuple[Project, bool]:
    """Make the live project of this name so; also tells whether it is new."""
    statement = (
        insert(Project)
        .values(id=uuid7(), organization_id=organization_id, name=name, **settings)
        .on_conflict_do_update(
            index_elements=[Project.organization_id, Project.name],
            index_where=Project.archived_at.is_(None),
            set_=settings,
        )
        .returning(Project, text("xmax = 0"))  # a fresh row version has no deleting transaction
    )
    row, is_new = (await session.execute(statement, execution_options={"populate_existing": True})).one()
    return row, bool(is_new)
