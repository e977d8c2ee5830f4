"""Remove a price override."""

from tollway.data import price_overrides
from tollway.data.changes import Change, announce
from tollway.data.session import Database
from tollway.errors import NotFoundError, PermissionDeniedError
from tollway.identity.principal import Principal, Scope
from tollway.services.price_override_event import tell_price


class PriceOverrideRemove:
    """Removes price overrides."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remove(self, organization_id: str, override_id: str, *, caller: Principal) -> None:
        """Remove it; the base price holds again.

        Raises:
            NotFoundError: there is none.
            PermissionDeniedError: it is the installation's, and the caller is not of the platform.
        """
        async with self._database.write() as session, session.begin():
            row = await price_overrides.find(session, organization_id, override_id)
            if row is None:
                raise NotFoundError("There is no such price override.", next_step="See /api/v1/price-overrides.")
            if row.organization_id is None and Scope.PLATFORM not in caller.scopes:
                raise PermissionDeniedError(
                    "This price holds for the whole installation.", next_step="Use a key with scope `platform`."
                )
            await price_overrides.remove(session, row)
            await tell_price(session, organization_id, row, None, caller=caller)
            await announce(session, Change("price", row.id))
