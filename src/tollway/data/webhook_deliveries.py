"""SQL of the outbox: which deliveries are due, and what became of them.

Two processes never take the same delivery: taking one locks its row, skips what is locked, and puts the next attempt
off by the time that this one may last. A process that dies in between has so only delayed it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
from sqlalchemy import delete, func, lateral, or_, select, true, update
from sqlalchemy.engine import CursorResult

from tollway.data.schema.audit_event import AuditEvent
from tollway.data.schema.webhook import Webhook, WebhookDelivery
from tollway.data.session import WriteSession


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one webhook.

    Attributes:
        id: of the delivery.
        attempts: with this one.
        webhook_id: of the webhook.
        organization_id: whose it is.
        url: where to.
        public_only: whether the address must lead to the public internet.
        secret: sealed.
        event_id, action, at, subject, actor_key_id, detail: of the event.
    """

    id: str
    attempts: int
    webhook_id: str
    organization_id: str
    url: str
    public_only: bool
    secret: bytes
    event_id: str
    action: str
    at: datetime
    subject: str
    actor_key_id: str | None
    detail: dict[str, Any]


async def take_due(
    session: WriteSession,
    *,
    limit: int,
    each_webhook: int,
    each_organization: int,
    busy_webhooks: Collection[str],
    busy_organizations: Collection[str],
    lease_s: float,
) -> Sequence[Delivery]:
    """Take deliveries that are due, the longest waiting first.

    Args:
        session: within a transaction.
        limit: deliveries in all.
        each_webhook: deliveries of one webhook.
        each_organization: deliveries of one organization.
        busy_webhooks: take none of these.
        busy_organizations: take none of theirs.
        lease_s: if nothing is heard of a delivery for so long, it is due again.
    """
    due = lateral(
        select(WebhookDelivery.id, WebhookDelivery.next_at)
        .where(
            WebhookDelivery.webhook_id == Webhook.id,
            WebhookDelivery.delivered_at.is_(None),
            WebhookDelivery.next_at <= func.now(),
        )
        .order_by(WebhookDelivery.next_at)
        .limit(each_webhook)
        .with_for_update(skip_locked=True)
    )
    turn = func.row_number().over(partition_by=Webhook.organization_id, order_by=due.c.next_at)
    found = (
        select(due.c.id, due.c.next_at, turn.label("turn"))
        .select_from(Webhook)
        .join(due, true())
        .where(
            Webhook.enabled,
            Webhook.id.not_in(busy_webhooks),
            Webhook.organization_id.not_in(busy_organizations),
        )
        .subquery()
    )
    chosen = select(found.c.id).where(found.c.turn <= each_organization).order_by(found.c.next_at).limit(limit)
    taken = (await session.scalars(chosen)).all()
    if not taken:
        return []
    put_off = {"attempts": WebhookDelivery.attempts + 1, "next_at": func.now() + timedelta(seconds=lease_s)}
    await session.execute(update(WebhookDelivery).where(WebhookDelivery.id.in_(taken)).values(put_off))
    rows = await session.execute(
        select(WebhookDelivery, Webhook, AuditEvent)
        .join(Webhook, WebhookDelivery.webhook_id == Webhook.id)
        .join(AuditEvent, WebhookDelivery.event_id == AuditEvent.id)
        .where(WebhookDelivery.id.in_(taken))
        .order_by(WebhookDelivery.id)
    )
    return [_delivery(*row) for row in rows]


def _delivery(delivery: WebhookDelivery, webhook: Webhook, event: AuditEvent) -> Delivery:
    return Delivery(
        id=delivery.id,
        attempts=delivery.attempts,
        webhook_id=webhook.id,
        organization_id=webhook.organization_id,
        url=webhook.url,
        public_only=webhook.public_only,
        secret=webhook.secret,
        event_id=event.id,
        action=event.action,
        at=event.at,
        subject=event.subject,
        actor_key_id=event.actor_key_id,
        detail=event.detail,
    )


async def mark_delivered(session: WriteSession, ids: Sequence[str]) -> None:
    """Note that these have arrived."""
    done = {"delivered_at": func.now(), "next_at": None, "last_error": ""}
    await session.execute(update(WebhookDelivery).where(WebhookDelivery.id.in_(ids)).values(done))


async def mark_failed(session: WriteSession, delivery_id: str, *, error: str, again_after_s: float | None) -> None:
    """Note that an attempt failed, and when the next one is due; ``None``: there is none."""
    next_at = None if again_after_s is None else func.now() + timedelta(seconds=again_after_s)
    failed = {"last_error": error, "next_at": next_at}
    statement = update(WebhookDelivery).where(WebhookDelivery.id == delivery_id)
    await session.execute(statement.where(WebhookDelivery.delivered_at.is_(None)).values(failed))


async def purge(session: WriteSession, *, older_than_s: float, limit: int) -> int:
    """Delete old deliveries that have arrived or were given up, at most `limit`; how many were deleted."""
    old = (
        select(WebhookDelivery.id)
        .join(AuditEvent, WebhookDelivery.event_id == AuditEvent.id)
        .where(
            AuditEvent.at < func.now() - timedelta(seconds=older_than_s),
            or_(WebhookDelivery.delivered_at.is_not(None), WebhookDelivery.next_at.is_(None)),
        )
        .limit(limit)
    )
    statement = delete(WebhookDelivery).where(WebhookDelivery.id.in_(old))
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount
