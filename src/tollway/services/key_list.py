"""Find keys. What is found never holds a key or its digest."""

from collections.abc import Sequence

from tollway.data import keys
from tollway.data.keys import KeyRecord
from tollway.data.page import Page
from tollway.data.schema.key import ApiKey
from tollway.data.session import AnySession, Database
from tollway.errors import ConflictError, NotFoundError
from tollway.services.project_list import project_id_of


async def require_key(
    session: AnySession, organization_id: str, reference: str, project: str | None
) -> tuple[ApiKey, str | None]:
    """The key of this id, or the one of this name that is not revoked; with its project's name.

    Raises:
        NotFoundError: the organization has none.
        ConflictError: several projects have a key of this name.
    """
    project_id = await project_id_of(session, organization_id, project)
    found = await keys.matching(session, organization_id, reference, project_id=project_id)
    if not found:
        raise NotFoundError("There is no key of this name or id.", next_step="List them at /api/v1/keys.")
    if len(found) > 1:
        raise ConflictError("Several keys have this name.", next_step="Name the project, or use the key's id.")
    return found[0]


class KeyList:
    """Reads keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, organization_id: str, reference: str, *, project: str | None = None) -> KeyRecord:
        """The key of this id, or the one of this name that is not revoked.

        Raises:
            NotFoundError, ConflictError: the organization has none, or several.
        """
        async with self._database.read() as session:
            return keys.record(*await require_key(session, organization_id, reference, project))

    async def page(
        self, organization_id: str, page: Page, *, project: str | None = None, include_revoked: bool = False
    ) -> Sequence[KeyRecord]:
        """A page of the organization's keys, or of one project's.

        Raises:
            NotFoundError: there is no such project.
        """
        async with self._database.read() as session:
            project_id = await project_id_of(session, organization_id, project)
            return await keys.page(
                session, organization_id, page, project_id=project_id, include_revoked=include_revoked
            )
