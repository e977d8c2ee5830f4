"""Webhooks, and what is to be delivered to them: written in the transaction of the event, so that none is lost."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Text,
    UniqueConstraint,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Id, Reference
from tollway.ids import NAME_PATTERN


class Webhook(Base):
    """A place that is told of events. Its secret is sealed by `tollway.identity.vault`."""

    __tablename__ = "webhook"
    __table_args__ = (
        CheckConstraint(f"name ~ '{NAME_PATTERN}'", name="name_form"),
        CheckConstraint("url ~ '^https?://'", name="url_form"),
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        UniqueConstraint("organization_id", "name"),
    )

    id: Mapped[Id]
    organization_id: Mapped[Reference]
    name: Mapped[str]
    url: Mapped[str]
    public_only: Mapped[bool] = mapped_column(server_default=true())
    """Whether the address must lead to the public internet at each connection: a tenant chose it."""
    secret: Mapped[bytes]
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    enabled: Mapped[bool] = mapped_column(server_default=true())
    created_at: Mapped[CreatedAt]


class WebhookDelivery(Base):
    """An event on its way to a webhook. Without `next_at` and `delivered_at` it was given up."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        ForeignKeyConstraint(["webhook_id"], ["webhook.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["event_id"], ["audit_event.id"]),
        Index(
            "ix_webhook_delivery_due",
            "webhook_id",
            "next_at",
            postgresql_where=text("delivered_at IS NULL AND next_at IS NOT NULL"),
        ),
        Index("ix_webhook_delivery_webhook_id", "webhook_id", "id"),
    )

    id: Mapped[Id]
    webhook_id: Mapped[Reference]
    event_id: Mapped[Reference]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), server_default=func.now())
    delivered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_error: Mapped[str] = mapped_column(server_default="")
