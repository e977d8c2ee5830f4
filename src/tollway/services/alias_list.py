"""Find aliases."""

from collections.abc import Sequence

from tollway.data import aliases
from tollway.data.aliases import AliasRecord
from tollway.data.page import Page
from tollway.data.session import Database
from tollway.errors import NotFoundError
from tollway.services.project_list import project_id_of, require_project


def no_alias() -> NotFoundError:
    """The project has none of this name."""
    return NotFoundError("The project has no alias of this name.", next_step="List them at /api/v1/aliases.")


class AliasList:
    """Reads aliases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, organization_id: str, project: str, name: str) -> AliasRecord:
        """One alias of a project.

        Raises:
            NotFoundError: there is no such project or alias.
        """
        async with self._database.read() as session:
            owner = await require_project(session, organization_id, project)
            found = await aliases.find(session, organization_id, owner.id, name)
        if found is None:
            raise no_alias()
        return found

    async def page(self, organization_id: str, page: Page, *, project: str | None = None) -> Sequence[AliasRecord]:
        """A page of the aliases of all projects, or of one.

        Raises:
            NotFoundError: there is no such project.
        """
        async with self._database.read() as session:
            project_id = await project_id_of(session, organization_id, project)
            return await aliases.page(session, organization_id, page, project_id=project_id)
