"""Create an organization."""

from tollway.data import organizations
from tollway.data.schema.organization import Organization
from tollway.data.session import AnySession, Database
from tollway.errors import UnprocessableError


async def require_time_zone(session: AnySession, name: str) -> None:
    """Refuse a time zone that the database cannot compute with.

    Raises:
        UnprocessableError: PostgreSQL does not know it.
    """
    if not await organizations.time_zone_known(session, name):
        raise UnprocessableError(
            f"There is no time zone {name!r}.", next_step="Use an IANA name such as Europe/Berlin.", param="time_zone"
        )


class OrganizationCreate:
    """Creates organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, *, name: str, time_zone: str = "UTC") -> Organization:
        """The new organization.

        Raises:
            ConflictError: the name is taken.
            UnprocessableError: the time zone is unknown.
        """
        async with self._database.write() as session, session.begin():
            await require_time_zone(session, time_zone)
            return await organizations.save(session, Organization(name=name, time_zone=time_zone))
