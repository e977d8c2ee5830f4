"""Change a project."""

import msgspec

from tollway.data import projects
from tollway.data.changes import Change, announce
from tollway.data.schema.project import Project
from tollway.data.session import Database
from tollway.errors import ConflictError
from tollway.services.project_list import no_project
from tollway.services.project_settings import settings_of, tell_project


class ProjectChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change; ``None`` leaves a value as it is, but for `default_output_tokens`, of which it is a value."""

    name: str | None = None
    allow_unpriced: bool | None = None
    clamp_output: bool | None = None
    default_output_tokens: int | msgspec.UnsetType | None = msgspec.UNSET
    drop_unsupported: bool | None = None
    store_content: str | None = None
    retention_days: int | None = None
    cache_ttl_s: int | None = None
    cache_max_bytes: int | None = None
    cache_single_flight: bool | None = None


_CLEARED_BY_NONE = frozenset({"default_output_tokens"})


def _apply(changes: ProjectChanges, row: Project) -> None:
    for name, value in msgspec.structs.asdict(changes).items():
        if value is not msgspec.UNSET and (value is not None or name in _CLEARED_BY_NONE):
            setattr(row, name, value)


class ProjectChange:
    """Changes projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(
        self, organization_id: str, reference: str, changes: ProjectChanges, *, actor_key_id: str
    ) -> Project:
        """The changed project.

        Raises:
            NotFoundError, ConflictError: there is none; the name is taken, or the project is archived.
        """
        async with self._database.write() as session, session.begin():
            row = await projects.lock(session, organization_id, reference)
            if row is None:
                raise no_project()
            if row.archived_at is not None:
                raise ConflictError("The project is archived.", next_step="Create a new one; its name is free.")
            before = settings_of(row)
            _apply(changes, row)
            await projects.save(session, row)
            await tell_project(session, row, before, actor_key_id=actor_key_id)
            await announce(session, Change("key"))  # workers remember a project's settings with its keys
            return row
