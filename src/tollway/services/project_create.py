"""Create a project, or make it so."""

import msgspec

from tollway.data import projects
from tollway.data.changes import Change, announce
from tollway.data.schema.project import Project
from tollway.data.session import Database
from tollway.services.project_settings import ProjectSettings, settings_of, tell_project

_DEFAULTS = ProjectSettings()


class ProjectCreate:
    """Creates projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        organization_id: str,
        *,
        name: str,
        settings: ProjectSettings = _DEFAULTS,
        actor_key_id: str | None = None,
    ) -> Project:
        """The new project. Without an actor Tollway itself makes it.

        Raises:
            ConflictError: the name is taken.
        """
        async with self._database.write() as session, session.begin():
            row = Project(organization_id=organization_id, name=name, **msgspec.structs.asdict(settings))
            await projects.save(session, row)
            await tell_project(session, row, None, actor_key_id=actor_key_id)
            return row

    async def put(
        self, organization_id: str, *, name: str, settings: ProjectSettings, actor_key_id: str
    ) -> tuple[Project, bool]:
        """The project of this name with these settings, and whether it is new."""
        async with self._database.write() as session, session.begin():
            present = await projects.lock(session, organization_id, name)
            before = settings_of(present) if present else None
            row, is_new = await projects.upsert(session, organization_id, name=name, **msgspec.structs.asdict(settings))
            await tell_project(session, row, before, actor_key_id=actor_key_id)
            if not is_new:
                await announce(session, Change("key"))
            return row, is_new
