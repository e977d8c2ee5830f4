"""SQL of keys."""

from datetime import datetime

from sqlalchemy import select

from tollway.data.schema.key import ApiKey
from tollway.data.schema.project import Project
from tollway.data.session import AnySession
from tollway.identity.principal import Principal, Scope


def _epoch_s(instant: datetime | None) -> float | None:
    return instant.timestamp() if instant else None


def _principal(key: ApiKey, allow_unpriced: bool | None) -> Principal:  # noqa: FBT001 -- a column of the row
    return Principal(
        key_id=key.id,
        organization_id=key.organization_id,
        project_id=key.project_id or "",
        key_name=key.name,
        scopes=frozenset(Scope(scope) for scope in key.scopes),
        allowed_models=None if key.allowed_models is None else tuple(key.allowed_models),
        expires_at=_epoch_s(key.expires_at),
        revoked_at=_epoch_s(key.revoked_at),
        allow_unpriced=bool(allow_unpriced),
    )


async def find_principal(session: AnySession, digest: bytes) -> Principal | None:
    """The key of this digest, alive or not, with what is needed of its project."""
    statement = (
        select(ApiKey, Project.allow_unpriced)
        .join(Project, ApiKey.project_id == Project.id, isouter=True)
        .where(ApiKey.digest == digest)
    )
    row = (await session.execute(statement)).one_or_none()
    return _principal(*row) if row else None
