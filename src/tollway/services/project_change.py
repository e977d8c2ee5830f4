"""Change a project."""

from tollway.data import projects
from tollway.data.changes import Change, announce
from tollway.data.schema.project import Project
from tollway.data.session import Database
from tollway.errors import ConflictError
from tollway.services.project_list import no_project


class ProjectChange:
    """Changes projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(
        self, organization_id: str, reference: str, *, name: str | None = None, allow_unpriced: bool | None = None
    ) -> Project:
        """The changed project; ``None`` leaves a value as it is.

        Raises:
            NotFoundError, ConflictError: there is none; the name is taken, or the project is archived.
        """
        async with self._database.write() as session, session.begin():
            row = await projects.lock(session, organization_id, reference)
            if row is None:
                raise no_project()
            if row.archived_at is not None:
                raise ConflictError("The project is archived.", next_step="Create a new one; its name is free.")
            if name is not None:
                row.name = name
            if allow_unpriced is not None:
                row.allow_unpriced = allow_unpriced
            await announce(session, Change("key"))  # workers remember a project's settings with its keys
            return await projects.save(session, row)
