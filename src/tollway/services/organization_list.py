"""Find the organizations a caller may see."""

from collections.abc import Sequence

from tollway.data import organizations
from tollway.data.page import Page
from tollway.data.schema.organization import Organization
from tollway.data.session import Database
from tollway.errors import NotFoundError
from tollway.identity.principal import Principal, Scope


def no_organization() -> NotFoundError:
    """There is none, or the caller may not know of it."""
    return NotFoundError("There is no organization of this name or id.", next_step="See /api/v1/organizations.")


class OrganizationList:
    """Reads organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, caller: Principal, reference: str) -> Organization:
        """The organization of this id or name.

        Raises:
            NotFoundError: there is none, or it is not the caller's (and the caller is not of the platform).
        """
        async with self._database.read() as session:
            row = await organizations.find(session, reference)
        if row is None or (row.id != caller.organization_id and Scope.PLATFORM not in caller.scopes):
            raise no_organization()
        return row

    async def page(self, caller: Principal, page: Page) -> Sequence[Organization]:
        """A page of all organizations for the platform; for everyone else the own one."""
        if Scope.PLATFORM not in caller.scopes:
            return [] if page.after else [await self.find(caller, caller.organization_id)]
        async with self._database.read() as session:
            return await organizations.page(session, page)
