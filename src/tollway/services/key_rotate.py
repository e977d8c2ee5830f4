"""Replace a key by a new one, with a time in which both work."""

from datetime import UTC, datetime, timedelta

import msgspec

from tollway.data import keys
from tollway.data.audit_events import Action, raise_events
from tollway.data.changes import Change, announce
from tollway.data.schema.key import ApiKey
from tollway.data.session import Database
from tollway.errors import ConflictError
from tollway.identity.principal import Principal, Scope
from tollway.services.key_event import key_events
from tollway.services.key_issue import IssuedKey, insert_key, require_grantable
from tollway.services.key_list import require_key


class RotatedKey(IssuedKey, frozen=True, kw_only=True):
    """The new key of a rotation."""

    replaces: str
    old_key_ends_at: datetime

    __repr__ = IssuedKey.__repr__


class KeyRotate:
    """Rotates keys."""

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database = database
        self._pepper = pepper

    async def rotate(
        self,
        organization_id: str,
        reference: str,
        *,
        maker: Principal | None,
        project: str | None = None,
        overlap_s: int = 3600,
    ) -> RotatedKey:
        """A new key of the same name, project, scopes, models and expiry; the old one dies after `overlap_s`.

        Raises:
            NotFoundError: there is no such key.
            PermissionDeniedError: it has a scope that the maker lacks.
            ConflictError: it is revoked, expired, or being replaced already.
        """
        async with self._database.write() as session, session.begin():
            old, project_name = await require_key(session, organization_id, reference, project)
            await keys.lock(session, old.id)
            require_grantable(maker, (Scope(scope) for scope in old.scopes))
            now = datetime.now(UTC)
            if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
                raise ConflictError(
                    "The key is revoked, expired, or being replaced already.", next_step="Create a new key."
                )
            old.revoked_at = now + timedelta(seconds=overlap_s)
            await keys.save(session, old)
            await announce(session, Change.key_ends(old.id, old.revoked_at.timestamp() if overlap_s else 0.0))
            actor = maker.key_id if maker else None
            new = ApiKey(
                organization_id=organization_id,
                project_id=old.project_id,
                name=old.name,
                scopes=old.scopes,
                allowed_models=old.allowed_models,
                expires_at=old.expires_at,
                created_by=actor,
                origin_id=old.origin_id or old.id,
            )
            issued = await insert_key(session, new, pepper=self._pepper, project=project_name)
            about = {"replaced_by": issued.id, "ends_at": old.revoked_at}
            await raise_events(
                session, key_events(Action.KEY_ROTATED, old, project_name, actor_key_id=actor, about=about)
            )
            return RotatedKey(**msgspec.structs.asdict(issued), replaces=old.id, old_key_ends_at=old.revoked_at)
