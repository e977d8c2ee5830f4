"""Remove an alias."""

from tollway.data import aliases
from tollway.data.audit_events import Action
from tollway.data.changes import Change, announce
from tollway.data.session import Database
from tollway.services.alias_event import tell_alias
from tollway.services.alias_list import no_alias
from tollway.services.project_list import require_project


class AliasRemove:
    """Removes aliases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remove(self, organization_id: str, project: str, name: str, *, actor_key_id: str) -> None:
        """Remove it.

        Raises:
            NotFoundError: there is no such project or alias.
        """
        async with self._database.write() as session, session.begin():
            owner = await require_project(session, organization_id, project)
            before = await aliases.find(session, organization_id, owner.id, name)
            if before is None or not await aliases.remove(session, owner.id, name):
                raise no_alias()
            await tell_alias(session, organization_id, Action.ALIAS_REMOVED, before, None, actor_key_id=actor_key_id)
            await announce(session, Change("catalog", organization_id))
