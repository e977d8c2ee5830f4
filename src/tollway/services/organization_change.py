"""Change an organization."""

from tollway.data import organizations
from tollway.data.schema.organization import Organization
from tollway.data.session import Database
from tollway.services.organization_create import require_time_zone
from tollway.services.organization_list import no_organization


class OrganizationChange:
    """Changes organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(self, organization_id: str, *, name: str | None, time_zone: str | None) -> Organization:
        """The changed organization; ``None`` leaves a value as it is.

        Raises:
            NotFoundError, ConflictError, UnprocessableError: it is gone, the name is taken, no such time zone.
        """
        async with self._database.write() as session, session.begin():
            row = await organizations.lock(session, organization_id)
            if row is None:
                raise no_organization()
            if time_zone is not None:
                await require_time_zone(session, time_zone)
                row.time_zone = time_zone
            if name is not None:
                row.name = name
            return await organizations.save(session, row)
