"""Revoke a key."""

from datetime import UTC, datetime

from tollway.data import keys
from tollway.data.audit_events import Action, raise_events
from tollway.data.changes import Change, announce
from tollway.data.keys import KeyRecord
from tollway.data.session import Database
from tollway.errors import ConflictError
from tollway.identity.principal import Principal, Scope
from tollway.services.key_event import key_events
from tollway.services.key_issue import require_grantable
from tollway.services.key_list import require_key


class KeyRevoke:
    """Revokes keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revoke(
        self, organization_id: str, reference: str, *, revoker: Principal | None, project: str | None = None
    ) -> KeyRecord:
        """End a key at once, in every worker within a second. A key that is dead already stays as it is.

        Raises:
            NotFoundError: there is no such key.
            PermissionDeniedError: it has a scope that the revoker lacks.
            ConflictError: it is the last platform key: without one nobody could make another.
        """
        async with self._database.write() as session, session.begin():
            row, project_name = await require_key(session, organization_id, reference, project)
            if Scope.PLATFORM in row.scopes and not await keys.another_platform_key_lives(session, row.id):
                raise ConflictError(
                    "This is the last key with scope `platform`.", next_step="Rotate it, or create another one first."
                )
            await keys.lock(session, row.id)
            require_grantable(revoker, (Scope(scope) for scope in row.scopes))
            now = datetime.now(UTC)
            if row.revoked_at is None or row.revoked_at > now:
                row.revoked_at = now
                await keys.save(session, row)
                actor = revoker.key_id if revoker else None
                await raise_events(session, key_events(Action.KEY_REVOKED, row, project_name, actor_key_id=actor))
                await announce(session, Change.key_ends(row.id, 0.0))
            return keys.record(row, project_name)
