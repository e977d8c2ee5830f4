"""Find price overrides."""

from collections.abc import Sequence

from tollway.data import price_overrides
from tollway.data.page import Page
from tollway.data.schema.price import PriceOverride
from tollway.data.session import Database


class PriceOverrideList:
    """Reads price overrides."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, organization_id: str, page: Page, *, provider: str | None = None, model: str | None = None
    ) -> Sequence[PriceOverride]:
        """A page of the overrides that hold for an organization: its own and those of the installation."""
        async with self._database.read() as session:
            return await price_overrides.page(session, organization_id, page, provider=provider, model=model)
