"""The first start: an organization, a project, and a key for each, so that there is something to talk to."""

import json
import os
import tempfile
from pathlib import Path

import msgspec

from tollway.data import organizations, projects
from tollway.data.page import Page
from tollway.data.schema.key import ApiKey
from tollway.data.schema.organization import Organization
from tollway.data.schema.project import Project
from tollway.data.session import Database
from tollway.errors import ConflictError
from tollway.identity.principal import Scope
from tollway.services.key_issue import insert_key

FILE_NAME = "first_keys.json"
_NAME = "default"
_ADMIN_SCOPES = (Scope.ADMIN, Scope.PLATFORM, Scope.READ)


class FirstKeys(msgspec.Struct, frozen=True):
    """The first two keys, and where this installation answers. `repr` hides the keys."""

    admin_key: str
    project_key: str
    url: str

    def __repr__(self) -> str:
        return f"FirstKeys({self.url!r})"


class FirstStart:
    """Fills an empty database."""

    def __init__(self, database: Database, *, pepper: bytes, data_dir: Path) -> None:
        self._database = database
        self._pepper = pepper
        self._path = data_dir / FILE_NAME

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
            self._keep_url(url)
            return None
        try:
            async with self._database.write() as session, session.begin():
                organization = await organizations.save(session, Organization(name=_NAME))
                project = await projects.save(session, Project(organization_id=organization.id, name=_NAME))
                admin = ApiKey(
                    organization_id=organization.id, name="first administrator", scopes=sorted(_ADMIN_SCOPES)
                )
                admin_key = await insert_key(session, admin, pepper=self._pepper, project=None)
                caller = ApiKey(
                    organization_id=organization.id, project_id=project.id, name="first", scopes=[Scope.INFERENCE]
                )
                project_key = await insert_key(session, caller, pepper=self._pepper, project=project.name)
                keys = FirstKeys(admin_key.key, project_key.key, url)
                self._write(keys)
        except ConflictError:  # another machine on the same database was faster
            self._path.unlink(missing_ok=True)
            return None
        return keys

    async def _is_filled(self) -> bool:
        async with self._database.read() as session:
            return bool(await organizations.page(session, Page(limit=1)))

    def _keep_url(self, url: str) -> None:
        """Bring the address in the file up to date. If the operator took the file away, it stays away."""
        try:
            keys = msgspec.json.decode(self._path.read_bytes(), type=FirstKeys)
        except (FileNotFoundError, msgspec.DecodeError):
            return
        if keys.url != url:
            self._write(msgspec.structs.replace(keys, url=url))

    def _write(self, keys: FirstKeys) -> None:
        """Put the file in place whole; `mkstemp` makes it readable by its owner alone."""
        descriptor, draft = tempfile.mkstemp(dir=self._path.parent, prefix=FILE_NAME)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(msgspec.structs.asdict(keys), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(self._path)
