"""Responses that Tollway keeps, so that a dialogue can go on with any provider."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint, Index, Text, Uuid, false, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Instant, Reference


class StoredResponse(Base):
    """One response of a project.

    `outline` is the response without content, as JSON. `content`, sealed, is its input and the whole of it; without it
    the project let only metadata be kept. A response in the background runs in `worker_id`.
    """

    __tablename__ = "response"
    __table_args__ = (
        CheckConstraint("char_length(id) BETWEEN 1 AND 200", name="id_length"),
        CheckConstraint(
            "status IN ('in_progress', 'completed', 'incomplete', 'failed', 'cancelled')", name="status_known"
        ),
        ForeignKeyConstraint(["organization_id", "project_id"], ["project.organization_id", "project.id"]),
        Index("ix_response_expires_at", "expires_at"),
        Index(
            "ix_response_previous_id",
            "project_id",
            "previous_id",
            postgresql_where=text("previous_id IS NOT NULL"),
        ),
        Index("ix_response_item_ids", "item_ids", postgresql_using="gin"),
        Index("ix_response_worker_id", "worker_id", postgresql_where=text("worker_id IS NOT NULL")),
    )

    project_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[Reference]
    key_id: Mapped[Reference]
    previous_id: Mapped[str | None]
    conversation_id: Mapped[str | None]
    status: Mapped[str]
    fault: Mapped[str | None]
    """Why it failed, where its worker could not write it into the content."""
    background: Mapped[bool] = mapped_column(server_default=false())
    worker_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    item_ids: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    """Of its input and output, by which a request may refer to them."""
    outline: Mapped[bytes]
    content: Mapped[bytes | None]
    created_at: Mapped[CreatedAt]
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[Instant]
