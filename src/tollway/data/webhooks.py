"""SQL of webhooks, and of their deliveries as people see them."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Select, desc, select

from tollway.data.conflict import stored
from tollway.data.page import Page, paged
from tollway.data.schema.audit_event import AuditEvent
from tollway.data.schema.webhook import Webhook, WebhookDelivery
from tollway.data.session import AnySession, ReadSession, WriteSession
from tollway.ids import is_uuid

_CONFLICTS = {
    "uq_webhook_organization_id_name": (
        "The organization has a webhook of this name already.",
        "Choose another, or change that one.",
    )
}


class DeliveryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one event on its way to one webhook; `next_at` is when it is tried again."""

    id: str
    event_id: str
    action: str
    at: datetime
    attempts: int
    delivered_at: datetime | None
    next_at: datetime | None
    last_error: str


def _named(organization_id: str, reference: str) -> Select[Webhook]:
    column = Webhook.id if is_uuid(reference) else Webhook.name
    return select(Webhook).where(Webhook.organization_id == organization_id, column == reference)


async def find(session: AnySession, organization_id: str, reference: str) -> Webhook | None:
    """The webhook of this id or name."""
    return (await session.scalars(_named(organization_id, reference))).one_or_none()


async def lock(session: WriteSession, organization_id: str, reference: str) -> Webhook | None:
    """As `find`, held against other changes until the transaction ends."""
    return (await session.scalars(_named(organization_id, reference).with_for_update())).one_or_none()


async def page(session: ReadSession, organization_id: str, wanted: Page) -> Sequence[Webhook]:
    """A page of the organization's webhooks."""
    statement = select(Webhook).where(Webhook.organization_id == organization_id)
    return (await session.scalars(paged(statement, Webhook.id, wanted))).all()


async def deliveries(session: ReadSession, webhook_id: str, wanted: Page) -> list[DeliveryRecord]:
    """A page of what was or is to be sent, the newest first: one more than shown, if there is one."""
    statement = (
        select(WebhookDelivery, AuditEvent.action, AuditEvent.at)
        .join(AuditEvent, WebhookDelivery.event_id == AuditEvent.id)
        .where(WebhookDelivery.webhook_id == webhook_id)
    )
    if wanted.after is not None:
        statement = statement.where(WebhookDelivery.id < wanted.after)
    rows = await session.execute(statement.order_by(desc(WebhookDelivery.id)).limit(wanted.limit + 1))
    return [
        DeliveryRecord(
            id=row.id,
            event_id=row.event_id,
            action=action,
            at=at,
            attempts=row.attempts,
            delivered_at=row.delivered_at,
            next_at=row.next_at,
            last_error=row.last_error,
        )
        for row, action, at in rows
    ]


async def save(session: WriteSession, row: Webhook) -> None:
    """Insert or update. Raises ConflictError if the name is taken."""
    await stored(session, row, _CONFLICTS)


async def remove(session: WriteSession, row: Webhook) -> None:
    """Delete it, and what was still to be sent to it."""
    await session.delete(row)
    await session.flush()
