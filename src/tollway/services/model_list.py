"""Find declared models."""

from collections.abc import Sequence

from tollway.data import models
from tollway.data.models import ModelRecord
from tollway.data.page import Page
from tollway.data.session import Database
from tollway.services.provider_list import require_provider


class ModelList:
    """Reads declared models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, organization_id: str, page: Page, *, provider: str | None = None) -> Sequence[ModelRecord]:
        """A page of the organization's declared models, or of one provider's.

        Raises:
            NotFoundError: there is no such provider.
        """
        async with self._database.read() as session:
            owner = None if provider is None else await require_provider(session, organization_id, provider)
            return await models.page(session, organization_id, page, provider_id=owner.id if owner else None)
