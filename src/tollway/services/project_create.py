"""Create a project, or make it so."""

from tollway.data import projects
from tollway.data.changes import Change, announce
from tollway.data.schema.project import Project
from tollway.data.session import Database


class ProjectCreate:
    """Creates projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, organization_id: str, *, name: str, allow_unpriced: bool = False) -> Project:
        """The new project.

        Raises:
            ConflictError: the name is taken.
        """
        async with self._database.write() as session, session.begin():
            row = Project(organization_id=organization_id, name=name, allow_unpriced=allow_unpriced)
            return await projects.save(session, row)

    async def put(self, organization_id: str, *, name: str, allow_unpriced: bool = False) -> tuple[Project, bool]:
        """The project of this name with these settings, and whether it is new."""
        async with self._database.write() as session, session.begin():
            row, is_new = await projects.upsert(session, organization_id, name=name, allow_unpriced=allow_unpriced)
            if not is_new:
                await announce(session, Change("key"))
            return row, is_new
