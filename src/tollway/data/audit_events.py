"""SQL of the audit log, and of what it sets going: an event is written together with its deliveries to webhooks."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import desc, insert, select

from tollway.data.page import Page
from tollway.data.schema.audit_event import AuditEvent
from tollway.data.schema.webhook import Webhook, WebhookDelivery
from tollway.data.session import ReadSession, WriteSession
from tollway.ids import uuid7

EVERY_ACTION = "*"
"""Stands in a webhook's events for all of them."""


class Action(StrEnum):
    """What the audit log tells of."""

    ALIAS_CREATED = "alias.created"
    ALIAS_CHANGED = "alias.changed"
    ALIAS_REMOVED = "alias.removed"
    BUDGET_CREATED = "budget.created"
    BUDGET_CHANGED = "budget.changed"
    BUDGET_RESET = "budget.reset"
    BUDGET_REMOVED = "budget.removed"
    BUDGET_THRESHOLD = "budget.threshold"
    """So many percent of a budget's window are used; at 100 a hard one refuses."""
    CREDENTIAL_ADDED = "credential.added"
    CREDENTIAL_ROTATED = "credential.rotated"
    CREDENTIAL_REMOVED = "credential.removed"
    KEY_CREATED = "key.created"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"
    LIMIT_CREATED = "limit.created"
    LIMIT_CHANGED = "limit.changed"
    LIMIT_RESET = "limit.reset"
    LIMIT_REMOVED = "limit.removed"
    MODEL_DECLARED = "model.declared"
    MODEL_REMOVED = "model.removed"
    ORGANIZATION_CREATED = "organization.created"
    """In the audit log of who created it: one with events of its own is never deleted."""
    ORGANIZATION_CHANGED = "organization.changed"
    ORGANIZATION_DELETED = "organization.deleted"
    PRICE_CREATED = "price.created"
    PRICE_CHANGED = "price.changed"
    PRICE_REMOVED = "price.removed"
    PROJECT_CREATED = "project.created"
    PROJECT_CHANGED = "project.changed"
    PROJECT_ARCHIVED = "project.archived"
    PROVIDER_CREATED = "provider.created"
    PROVIDER_CHANGED = "provider.changed"
    PROVIDER_REMOVED = "provider.removed"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_REMOVED = "webhook.removed"
    WEBHOOK_TEST = "webhook.test"
    WORKER_RELEASED = "worker.released"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event to be told.

    Attributes:
        organization_id: whose it is.
        action: what happened.
        subject: id of what it happened to.
        detail: what else there is to know, fit for JSON; money as decimal text.
        actor_key_id: the key that did it; ``None`` if Tollway itself did.
        id: UUIDv7.
    """

    organization_id: str
    action: Action
    subject: str
    detail: Mapping[str, Any]
    actor_key_id: str | None = None
    id: str = msgspec.field(default_factory=uuid7)


async def raise_events(session: WriteSession, events: Sequence[Event]) -> None:
    """Append events to the audit log, each with a delivery for every enabled webhook of its organization that wants it.

    In one transaction with what they tell of: so neither is there without the other.
    """
    if not events:
        return
    await append(session, events)
    organizations = {event.organization_id for event in events}
    webhooks = (
        await session.scalars(select(Webhook).where(Webhook.organization_id.in_(organizations), Webhook.enabled))
    ).all()
    await deliver(
        session,
        [
            (webhook.id, event.id)
            for event in events
            for webhook in webhooks
            if webhook.organization_id == event.organization_id
            and (EVERY_ACTION in webhook.events or event.action in webhook.events)
        ],
    )


async def append(session: WriteSession, events: Sequence[Event]) -> None:
    """Append events to the audit log, and tell nobody."""
    await session.execute(insert(AuditEvent), [msgspec.structs.asdict(event) for event in events])


async def deliver(session: WriteSession, pairs: Sequence[tuple[str, str]]) -> None:
    """Put ``(webhook id, event id)`` pairs into the outbox."""
    if pairs:
        rows = [{"id": uuid7(), "webhook_id": webhook_id, "event_id": event_id} for webhook_id, event_id in pairs]
        await session.execute(insert(WebhookDelivery), rows)


async def page(
    session: ReadSession, organization_id: str, wanted: Page, *, action: str | None, subject: str | None
) -> Sequence[AuditEvent]:
    """A page of the organization's events, newest first: one row more than shown, if there is one."""
    statement = select(AuditEvent).where(AuditEvent.organization_id == organization_id)
    if action is not None:
        statement = statement.where(AuditEvent.action == action)
    if subject is not None:
        statement = statement.where(AuditEvent.subject == subject)
    if wanted.after is not None:
        statement = statement.where(AuditEvent.id < wanted.after)
    return (await session.scalars(statement.order_by(desc(AuditEvent.id)).limit(wanted.limit + 1))).all()
