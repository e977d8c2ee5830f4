"""The audit log: what happened, append-only for the application."""

from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Id, Reference


class AuditEvent(Base):
    """One event. `actor_key_id` is the key that did it, ``None`` where Tollway itself did."""

    __tablename__ = "audit_event"
    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        Index("ix_audit_event_organization_id", "organization_id", "id"),
    )

    id: Mapped[Id]
    organization_id: Mapped[Reference]
    at: Mapped[CreatedAt]
    actor_key_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
