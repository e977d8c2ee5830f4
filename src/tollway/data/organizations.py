"""SQL of organizations."""

from collections.abc import Sequence

from sqlalchemy import column, delete, exists, select, table

from tollway.data.conflict import stored
from tollway.data.page import Page, paged
from tollway.data.schema.audit_event import AuditEvent
from tollway.data.schema.key import ApiKey
from tollway.data.schema.organization import Organization
from tollway.data.schema.price import PriceOverride
from tollway.data.schema.project import Project
from tollway.data.schema.provider import Provider
from tollway.data.schema.quota import QuotaRow
from tollway.data.schema.webhook import Webhook
from tollway.data.session import AnySession, ReadSession, WriteSession
from tollway.ids import is_uuid

_CONFLICTS = {"uq_organization_name": ("There is an organization of this name already.", "Choose another.")}


async def find(session: AnySession, reference: str) -> Organization | None:
    """The organization of this id or name."""
    column_ = Organization.id if is_uuid(reference) else Organization.name
    return (await session.scalars(select(Organization).where(column_ == reference))).one_or_none()


async def lock(session: WriteSession, organization_id: str) -> Organization | None:
    """The organization, held against other changes until the transaction ends."""
    statement = select(Organization).where(Organization.id == organization_id).with_for_update()
    return (await session.scalars(statement)).one_or_none()


async def page(session: ReadSession, wanted: Page) -> Sequence[Organization]:
    """A page of all of them."""
    return (await session.scalars(paged(select(Organization), Organization.id, wanted))).all()


async def save(session: WriteSession, row: Organization) -> Organization:
    """Insert or update. Raises ConflictError if the name is taken."""
    return await stored(session, row, _CONFLICTS)


async def is_used(session: WriteSession, organization_id: str) -> bool:
    """Whether it has, or ever had, a project, a key or an event, or has something else of its own."""
    owners = (Project, ApiKey, Provider, PriceOverride, QuotaRow, Webhook, AuditEvent)
    owned = [exists().where(owner.organization_id == organization_id) for owner in owners]
    return any([await session.scalar(select(one)) for one in owned])


async def remove(session: WriteSession, organization_id: str) -> None:
    """Delete the row."""
    await session.execute(delete(Organization).where(Organization.id == organization_id))


async def time_zone_known(session: AnySession, name: str) -> bool:
    """Whether PostgreSQL knows the time zone: it computes the days of reports."""
    zones = table("pg_timezone_names", column("name"))
    return bool(await session.scalar(select(exists().where(zones.c.name == name))))
