"""Change an organization."""

from typing import Any

from tollway.data import organizations
from tollway.data.audit_events import Action, raise_events
from tollway.data.changes import Change, announce
from tollway.data.schema.organization import Organization
from tollway.data.session import Database, WriteSession
from tollway.services.change_event import change_events
from tollway.services.organization_create import require_time_zone
from tollway.services.organization_list import no_organization


class OrganizationChange:
    """Changes organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(
        self,
        organization_id: str,
        *,
        name: str | None = None,
        time_zone: str | None = None,
        serve_without_database: bool | None = None,
        actor_key_id: str,
    ) -> Organization:
        """The changed organization; ``None`` leaves a value as it is. With another time zone its windows begin anew.

        Raises:
            NotFoundError, ConflictError, UnprocessableError: it is gone, the name is taken, no such time zone.
        """
        wanted = {"name": name, "time_zone": time_zone, "serve_without_database": serve_without_database}
        async with self._database.write() as session, session.begin():
            row = await organizations.lock(session, organization_id)
            if row is None:
                raise no_organization()
            if time_zone is not None:
                await require_time_zone(session, time_zone)
            before = {field: getattr(row, field) for field in wanted}
            changed = {field: value for field, value in wanted.items() if value is not None and value != before[field]}
            for field, value in changed.items():
                setattr(row, field, value)
            await organizations.save(session, row)
            if changed:
                await _tell(session, row, before, changed, actor_key_id=actor_key_id)
            return row


async def _tell(
    session: WriteSession, row: Organization, before: dict[str, Any], changed: dict[str, Any], *, actor_key_id: str
) -> None:
    await raise_events(
        session,
        change_events(
            Action.ORGANIZATION_CHANGED,
            organization_id=row.id,
            subject=row.id,
            actor_key_id=actor_key_id,
            before=before,
            after=before | changed,
        ),
    )
    if "time_zone" in changed:
        await announce(session, Change("quota"))  # days and months begin elsewhere
    if "serve_without_database" in changed:
        await announce(session, Change("key"))  # workers remember it with the keys
