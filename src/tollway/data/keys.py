"""SQL of keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ARRAY, LargeBinary, Select, and_, any_, bindparam, func, or_, select, update

from tollway.data.conflict import stored
from tollway.data.page import Page, paged
from tollway.data.schema.key import ApiKey
from tollway.data.schema.organization import Organization
from tollway.data.schema.project import Project
from tollway.data.session import AnySession, ReadSession, WriteSession
from tollway.identity.principal import Principal, Scope
from tollway.ids import is_uuid

_CONFLICTS = {
    "uq_api_key_live_name": (
        "There is a key of this name already.",
        "Choose another name, or rotate or revoke that key.",
    )
}

_SETTINGS = (
    "drop_unsupported",
    "store_content",
    "retention_days",
    "cache_ttl_s",
    "cache_max_bytes",
    "cache_single_flight",
)


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it may be shown: neither the key nor its digest."""

    id: str
    organization_id: str
    project_id: str | None
    project: str | None
    name: str
    prefix: str
    scopes: tuple[str, ...]
    allowed_models: tuple[str, ...] | None
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    created_by: str | None


def record(row: ApiKey, project: str | None) -> KeyRecord:
    """What may be shown of a row; `project` is the name of its project."""
    return KeyRecord(
        id=row.id,
        organization_id=row.organization_id,
        project_id=row.project_id,
        project=project,
        name=row.name,
        prefix=row.shown_prefix,
        scopes=tuple(row.scopes),
        allowed_models=None if row.allowed_models is None else tuple(row.allowed_models),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        created_at=row.created_at,
        created_by=row.created_by,
    )


def _epoch_s(instant: datetime | None) -> float | None:
    return instant.timestamp() if instant else None


def _settings(project: Project | None) -> dict[str, Any]:
    """What has the same name and default in a project and a principal."""
    return {} if project is None else {name: getattr(project, name) for name in _SETTINGS}


def _principal(key: ApiKey, project: Project | None, organization: Organization) -> Principal:
    return Principal(
        key_id=key.id,
        organization_id=key.organization_id,
        project_id=key.project_id or "",
        key_name=key.name,
        scopes=frozenset(Scope(scope) for scope in key.scopes),
        allowed_models=None if key.allowed_models is None else tuple(key.allowed_models),
        expires_at=_epoch_s(key.expires_at),
        revoked_at=_epoch_s(key.revoked_at),
        allow_unpriced=project is not None and project.allow_unpriced,
        clamp_output=project is None or project.clamp_output,
        **_settings(project),
        default_output_tokens=project.default_output_tokens if project else None,
        serve_without_database=organization.serve_without_database,
        origin_id=key.origin_id or key.id,
    )


async def find_principals(session: AnySession, digests: Sequence[bytes]) -> dict[bytes, Principal]:
    """The keys of these digests, alive or not, with what is needed of their projects; those that exist."""
    statement = (
        select(ApiKey, Project, Organization)
        .join(Organization, ApiKey.organization_id == Organization.id)
        .join(Project, ApiKey.project_id == Project.id, isouter=True)
        .where(ApiKey.digest == any_(bindparam("digests", list(digests), ARRAY(LargeBinary))))
    )
    rows = (await session.execute(statement)).all()
    return {key.digest: _principal(key, project, organization) for key, project, organization in rows}


def _with_project(organization_id: str) -> Select[ApiKey, Any]:
    return (
        select(ApiKey, Project.name)
        .join(Project, ApiKey.project_id == Project.id, isouter=True)
        .where(ApiKey.organization_id == organization_id)
    )


async def matching(
    session: AnySession, organization_id: str, reference: str, *, project_id: str | None
) -> Sequence[tuple[ApiKey, str | None]]:
    """The key of this id, or all keys of this name that are not revoked; each with its project's name."""
    statement = _with_project(organization_id)
    if project_id is not None:
        statement = statement.where(ApiKey.project_id == project_id)
    if is_uuid(reference):
        statement = statement.where(ApiKey.id == reference)
    else:
        statement = statement.where(ApiKey.name == reference, ApiKey.revoked_at.is_(None))
    return [(key, project) for key, project in await session.execute(statement)]


async def lock(session: WriteSession, key_id: str) -> None:
    """Hold a key against other changes until the transaction ends, and read it again."""
    await session.execute(
        select(ApiKey).where(ApiKey.id == key_id).with_for_update(), execution_options={"populate_existing": True}
    )


async def page(
    session: ReadSession, organization_id: str, wanted: Page, *, project_id: str | None, include_revoked: bool
) -> Sequence[KeyRecord]:
    """A page of the organization's keys, or of one project's."""
    statement = _with_project(organization_id)
    if project_id is not None:
        statement = statement.where(ApiKey.project_id == project_id)
    if not include_revoked:
        statement = statement.where(or_(ApiKey.revoked_at.is_(None), ApiKey.revoked_at > func.now()))
    rows = await session.execute(paged(statement, ApiKey.id, wanted))
    return [record(key, project) for key, project in rows]


async def save(session: WriteSession, row: ApiKey) -> ApiKey:
    """Insert or update. Raises ConflictError if the name is taken."""
    return await stored(session, row, _CONFLICTS)


async def revoke_of_project(session: WriteSession, project_id: str, at: datetime) -> Sequence[ApiKey]:
    """Revoke every key of a project that still works at this time; returns those."""
    revoked = await session.scalars(
        update(ApiKey)
        .where(ApiKey.project_id == project_id, or_(ApiKey.revoked_at.is_(None), ApiKey.revoked_at > at))
        .values(revoked_at=at)
        .returning(ApiKey)
    )
    return revoked.all()


async def another_platform_key_lives(session: WriteSession, key_id: str) -> bool:
    """Whether a platform key besides this one works. Locks them all, so that no two of them end at the same moment."""
    alive = and_(
        ApiKey.scopes.contains([Scope.PLATFORM.value]),
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()),
    )
    ids = (await session.scalars(select(ApiKey.id).where(alive).order_by(ApiKey.id).with_for_update())).all()
    return any(found != key_id for found in ids)
