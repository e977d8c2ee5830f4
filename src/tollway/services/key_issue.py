"""Make a key."""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from tollway.data import keys, projects
from tollway.data.audit_events import Action, raise_events
from tollway.data.changes import Change, announce
from tollway.data.keys import KeyRecord
from tollway.data.schema.key import ApiKey
from tollway.data.session import Database, WriteSession
from tollway.errors import PermissionDeniedError, UnprocessableError
from tollway.identity.grant import included
from tollway.identity.key import digest, new_key, shown_prefix
from tollway.identity.principal import Principal, Scope
from tollway.services.key_event import key_events, key_facts
from tollway.services.project_list import no_project


class IssuedKey(KeyRecord, frozen=True, kw_only=True):
    """A new key with its secret, which only the one who asked for it sees, once. `repr` hides it."""

    key: str

    def __repr__(self) -> str:
        return f"IssuedKey(id={self.id!r}, prefix={self.prefix!r})"


def require_grantable(maker: Principal | None, scopes: Iterable[Scope]) -> None:
    """Refuse to pass on scopes the maker lacks. Without a maker the installation itself makes the key.

    Raises:
        PermissionDeniedError: the maker's scopes do not include them all.
    """
    lacking = set() if maker is None else set(scopes) - included(maker.scopes)
    if lacking:
        raise PermissionDeniedError(
            f"This key may not grant, rotate or revoke the scope `{min(lacking)}`, which it does not have.",
            next_step="Use a key that has it.",
        )


def _require_usable(scopes: Iterable[Scope], project: str | None, expires_at: datetime | None) -> None:
    if Scope.INFERENCE in scopes and project is None:
        raise UnprocessableError(
            "A key with scope `inference` belongs to a project.", next_step="Name the project.", param="project"
        )
    if Scope.PLATFORM in scopes and project is not None:
        raise UnprocessableError(
            "A key with scope `platform` belongs to no project.", next_step="Leave the project out.", param="project"
        )
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise UnprocessableError("The expiry lies in the past.", next_step="Give a later time.", param="expires_at")


async def insert_key(session: WriteSession, row: ApiKey, *, pepper: bytes, project: str | None) -> IssuedKey:
    """Draw a new key for a row that has all but the key, save it, tell of it and announce it.

    Raises:
        ConflictError: the name is taken.
    """
    key = new_key()
    row.digest = digest(pepper, key.encode())
    row.shown_prefix = shown_prefix(key)
    await keys.save(session, row)
    await raise_events(
        session, key_events(Action.KEY_CREATED, row, project, actor_key_id=row.created_by, after=key_facts(row))
    )
    await announce(session, Change.key_ends(row.id, math.inf))
    return IssuedKey(**msgspec.structs.asdict(keys.record(row, project)), key=key)


class KeyIssue:
    """Makes keys."""

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database = database
        self._pepper = pepper

    async def issue(
        self,
        organization_id: str,
        *,
        name: str,
        maker: Principal | None = None,
        project: str | None = None,
        scopes: Sequence[Scope] | None = None,
        allowed_models: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> IssuedKey:
        """The new key.

        Args:
            organization_id: whose key it is.
            name: unique among the live keys of its project, or of the organization if it has none.
            maker: who asks; ``None`` for the installation itself (first start).
            project: id or name.
            scopes: default ``inference`` with a project, ``read`` without.
            allowed_models: ``None`` for every model.
            expires_at: ``None`` for never.

        Raises:
            NotFoundError: there is no such project, or it is archived.
            PermissionDeniedError: a scope that the maker lacks.
            UnprocessableError: scopes and project do not fit, or the expiry is past.
            ConflictError: the name is taken.
        """
        wanted = set(scopes) if scopes else {Scope.INFERENCE if project else Scope.READ}
        require_grantable(maker, wanted)
        _require_usable(wanted, project, expires_at)
        async with self._database.write() as session, session.begin():
            # Held, so that the project is not archived before the key is there to be revoked with it.
            owner = await projects.lock(session, organization_id, project) if project else None
            if project and owner is None:
                raise no_project()
            if owner is not None and owner.archived_at is not None:
                raise UnprocessableError("The project is archived.", next_step="Use another project.", param="project")
            row = ApiKey(
                organization_id=organization_id,
                project_id=owner.id if owner else None,
                name=name,
                scopes=sorted(wanted),
                allowed_models=None if allowed_models is None else list(allowed_models),
                expires_at=expires_at,
                created_by=maker.key_id if maker else None,
            )
            return await insert_key(session, row, pepper=self._pepper, project=owner.name if owner else None)
