"""Remove a provider."""

from tollway.data import aliases, providers
from tollway.data.audit_events import raise_events
from tollway.data.changes import Change, announce
from tollway.data.session import Database
from tollway.errors import ConflictError
from tollway.identity.principal import Principal
from tollway.services.provider_event import provider_events
from tollway.services.provider_list import no_provider


class ProviderRemove:
    """Removes providers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remove(self, organization_id: str, reference: str, *, caller: Principal) -> None:
        """Delete it with its credential and declared models.

        Raises:
            NotFoundError: there is none.
            ConflictError: aliases point to it.
        """
        async with self._database.write() as session, session.begin():
            row = await providers.lock(session, organization_id, reference)
            if row is None:
                raise no_provider()
            if led := await aliases.names_with_provider(session, organization_id, row):
                raise ConflictError(
                    f"Aliases lead to this provider: {', '.join(led)}.",
                    next_step="Remove them or lead them elsewhere first.",
                )
            before = await providers.found(session, row)
            await providers.remove(session, row)
            await raise_events(session, provider_events(before, None, caller=caller))
            await announce(session, Change("catalog", organization_id))
