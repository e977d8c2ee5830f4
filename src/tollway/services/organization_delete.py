"""Delete an organization that was never used."""

from tollway.data import organizations
from tollway.data.audit_events import Action, raise_events
from tollway.data.session import Database
from tollway.errors import ConflictError
from tollway.identity.principal import Principal
from tollway.services.change_event import change_events
from tollway.services.organization_create import organization_facts
from tollway.services.organization_list import no_organization


class OrganizationDelete:
    """Deletes organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete(self, organization_id: str, *, caller: Principal) -> None:
        """Delete it, if nothing belongs to it or ever did: the ledger keeps its id for ever.

        Raises:
            NotFoundError: it is gone.
            ConflictError: it has, or had, projects, keys, providers or prices.
        """
        async with self._database.write() as session, session.begin():
            # The lock keeps others from adding to it meanwhile: their foreign keys wait for it.
            row = await organizations.lock(session, organization_id)
            if row is None:
                raise no_organization()
            if await organizations.is_used(session, organization_id):
                raise ConflictError(
                    "The organization has, or had, projects, keys, providers or prices.",
                    next_step="Archive its projects, revoke its keys and remove its providers instead.",
                )
            await raise_events(
                session,
                change_events(
                    Action.ORGANIZATION_DELETED,
                    organization_id=caller.organization_id,
                    subject=row.id,
                    actor_key_id=caller.key_id,
                    before=organization_facts(row),
                ),
            )
            await organizations.remove(session, organization_id)
