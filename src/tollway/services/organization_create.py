"""Create an organization."""

from typing import Any
from zoneinfo import ZoneInfo

from tollway.data import organizations
from tollway.data.audit_events import Action, raise_events
from tollway.data.schema.organization import Organization
from tollway.data.session import AnySession, Database
from tollway.errors import UnprocessableError
from tollway.identity.principal import Principal
from tollway.services.change_event import change_events


async def require_time_zone(session: AnySession, name: str) -> None:
    """Refuse a time zone that the database or this process cannot compute with: reports and windows need both.

    Raises:
        UnprocessableError: PostgreSQL or Python does not know it.
    """
    if not (_computes(name) and await organizations.time_zone_known(session, name)):
        raise UnprocessableError(
            f"There is no time zone {name!r}.", next_step="Use an IANA name such as Europe/Berlin.", param="time_zone"
        )


def _computes(time_zone: str) -> bool:
    try:
        ZoneInfo(time_zone)
    except (ValueError, OSError, LookupError):  # not a name, a directory of the time zone files, unknown
        return False
    return True


def organization_facts(row: Organization) -> dict[str, Any]:
    """What can be set of it."""
    return {name: getattr(row, name) for name in ("name", "time_zone", "serve_without_database")}


class OrganizationCreate:
    """Creates organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        *,
        name: str,
        time_zone: str = "UTC",
        serve_without_database: bool = False,
        maker: Principal | None = None,
    ) -> Organization:
        """The new organization. It is told in the audit log of its maker's, so that it can be deleted unused.

        Raises:
            ConflictError: the name is taken.
            UnprocessableError: the time zone is unknown.
        """
        async with self._database.write() as session, session.begin():
            await require_time_zone(session, time_zone)
            row = Organization(name=name, time_zone=time_zone, serve_without_database=serve_without_database)
            await organizations.save(session, row)
            if maker is not None:
                await raise_events(
                    session,
                    change_events(
                        Action.ORGANIZATION_CREATED,
                        organization_id=maker.organization_id,
                        subject=row.id,
                        actor_key_id=maker.key_id,
                        after=organization_facts(row),
                    ),
                )
            return row
