"""Archive a project."""

from datetime import UTC, datetime
from itertools import chain

from tollway.data import keys, projects, quotas
from tollway.data.audit_events import Action, raise_events
from tollway.data.changes import Change, announce
from tollway.data.schema.project import Project
from tollway.data.session import Database
from tollway.services.change_event import change_events
from tollway.services.key_event import key_events
from tollway.services.project_list import no_project
from tollway.services.project_settings import settings_of
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
                revoked = await keys.revoke_of_project(session, row.id, row.archived_at)
                events = [key_events(Action.KEY_REVOKED, key, row.name, actor_key_id=actor_key_id) for key in revoked]
                await raise_events(session, [*chain.from_iterable(events)])
                for key in revoked:
                    await announce(session, Change.key_ends(key.id, 0.0))
                await remove_quotas(session, await quotas.lock_of_project(session, row.id), actor_key_id=actor_key_id)
                await raise_events(
                    session,
                    change_events(
                        Action.PROJECT_ARCHIVED,
                        organization_id=organization_id,
                        subject=row.id,
                        actor_key_id=actor_key_id,
                        before=settings_of(row),
                    ),
                )
            return await projects.save(session, row)
