"""Find projects."""

from collections.abc import Sequence

from tollway.data import projects
from tollway.data.page import Page
from tollway.data.schema.project import Project
from tollway.data.session import AnySession, Database
from tollway.errors import NotFoundError


def no_project() -> NotFoundError:
    """There is none, or it is another tenant's."""
    return NotFoundError("There is no project of this name or id.", next_step="List them at /api/v1/projects.")


async def require_project(session: AnySession, organization_id: str, reference: str) -> Project:
    """The project of this id, or the live one of this name.

    Raises:
        NotFoundError: the organization has none.
    """
    row = await projects.find(session, organization_id, reference)
    if row is None:
        raise no_project()
    return row


async def project_id_of(session: AnySession, organization_id: str, reference: str | None) -> str | None:
    """The id of the project a list is narrowed to, ``None`` if it is not.

    Raises:
        NotFoundError: the organization has none.
    """
    return None if reference is None else (await require_project(session, organization_id, reference)).id


class ProjectList:
    """Reads projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, organization_id: str, reference: str) -> Project:
        """The project of this id, or the live one of this name.

        Raises:
            NotFoundError: the organization has none.
        """
        async with self._database.read() as session:
            return await require_project(session, organization_id, reference)

    async def page(self, organization_id: str, page: Page, *, include_archived: bool = False) -> Sequence[Project]:
        """A page of the organization's projects."""
        async with self._database.read() as session:
            return await projects.page(session, organization_id, page, include_archived=include_archived)
