"""Archive a project."""

from datetime import UTC, datetime

from tollway.data import keys, projects, quotas
from tollway.data.changes import Change, announce
from tollway.data.schema.project import Project
from tollway.data.session import Database
from tollway.services.project_list import no_project
from tollway.services.quota_change import remove_quotas


class ProjectArchive:
    """Archives projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def archive(self, organization_id: str, reference: str, *, actor_key_id: str) -> Project:
        """Revoke the project's keys, remove its budgets and limits and put it aside; its entries in the ledger stay.

        Again: nothing changes.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.write() as session, session.begin():
            row = await projects.lock(session, organization_id, reference)
            if row is None:
                raise no_project()
            if row.archived_at is None:
                row.archived_at = datetime.now(UTC)
                await keys.revoke_of_project(session, row.id, row.archived_at)
                await announce(session, Change("key"))
                await remove_quotas(session, await quotas.lock_of_project(session, row.id), actor_key_id=actor_key_id)
            return await projects.save(session, row)
