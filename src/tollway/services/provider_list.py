"""Find providers. What is found never holds a credential."""

from collections.abc import Sequence

from tollway.data import providers
from tollway.data.page import Page
from tollway.data.providers import ProviderRecord
from tollway.data.schema.provider import Provider
from tollway.data.session import AnySession, Database
from tollway.errors import NotFoundError


def no_provider() -> NotFoundError:
    """There is none, or it is another tenant's."""
    return NotFoundError("There is no provider of this name or id.", next_step="List them at /api/v1/providers.")


async def require_provider(session: AnySession, organization_id: str, reference: str) -> Provider:
    """The provider of this id or name.

    Raises:
        NotFoundError: the organization has none.
    """
    row = await providers.find(session, organization_id, reference)
    if row is None:
        raise no_provider()
    return row


class ProviderList:
    """Reads providers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, organization_id: str, reference: str) -> ProviderRecord:
        """The provider of this id or name.

        Raises:
            NotFoundError: the organization has none.
        """
        async with self._database.read() as session:
            row = await require_provider(session, organization_id, reference)
            return await providers.found(session, row)

    async def page(self, organization_id: str, page: Page) -> Sequence[ProviderRecord]:
        """A page of the organization's providers."""
        async with self._database.read() as session:
            return await providers.page(session, organization_id, page)
