"""The first start: an organization, a project, and a key for each, so that there is something to talk to."""

from pathlib import Path

from tollway.data import organizations, projects
from tollway.data.page import Page
from tollway.data.schema.key import ApiKey
from tollway.data.schema.organization import Organization
from tollway.data.schema.project import Project
from tollway.data.session import Database
from tollway.errors import ConflictError
from tollway.identity.principal import Scope
from tollway.services.first_keys import FILE_NAME, FirstKeys, keep_url, write_first_keys
from tollway.services.key_issue import insert_key
from tollway.services.project_settings import tell_project

_NAME = "default"
_ADMIN_SCOPES = (Scope.ADMIN, Scope.PLATFORM, Scope.READ)


class FirstStart:
    """Fills an empty database."""

    def __init__(self, database: Database, *, pepper: bytes, data_dir: Path) -> None:
        self._database = database
        self._pepper = pepper
        self._data_dir = data_dir

    async def ensure(self, url: str) -> FirstKeys | None:
        """Make organization, project and keys if there is no organization at all.

        The keys are kept in a 0600 file for the command line of this machine. It is written before the commit: should
        this process die in between, the database is still empty and the next start does it again.

        Args:
            url: where this installation answers; kept beside the keys.

        Returns:
            The keys at the first start; ``None`` at every later one.
        """
        if await self._is_filled():
            keep_url(self._data_dir, url)
            return None
        try:
            async with self._database.write() as session, session.begin():
                organization = await organizations.save(session, Organization(name=_NAME))
                project = await projects.save(session, Project(organization_id=organization.id, name=_NAME))
                await tell_project(session, project, None, actor_key_id=None)
                admin = ApiKey(
                    organization_id=organization.id, name="first administrator", scopes=sorted(_ADMIN_SCOPES)
                )
                admin_key = await insert_key(session, admin, pepper=self._pepper, project=None)
                caller = ApiKey(
                    organization_id=organization.id, project_id=project.id, name="first", scopes=[Scope.INFERENCE]
                )
                project_key = await insert_key(session, caller, pepper=self._pepper, project=project.name)
                keys = FirstKeys(admin_key.key, project_key.key, url)
                write_first_keys(self._data_dir, keys)
        except ConflictError:  # another machine on the same database was faster
            (self._data_dir / FILE_NAME).unlink(missing_ok=True)
            return None
        return keys

    async def _is_filled(self) -> bool:
        async with self._database.read() as session:
            return bool(await organizations.page(session, Page(limit=1)))
