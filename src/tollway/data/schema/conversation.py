"""Conversations: lists of items that requests read and append to."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKeyConstraint, Index, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Instant, Reference


class Conversation(Base):
    """One conversation of a project. `metadata_json` is the caller's; `next_position` that of the next item.

    While a request goes on with it, `lock_id` names that request, and `lock_worker_id` where it runs; at `locked_until`
    it has ended for certain.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        ForeignKeyConstraint(["organization_id", "project_id"], ["project.organization_id", "project.id"]),
        Index("ix_conversation_expires_at", "expires_at"),
        Index("ix_conversation_lock_worker_id", "lock_worker_id", postgresql_where=text("lock_worker_id IS NOT NULL")),
    )

    project_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[Reference]
    metadata_json: Mapped[bytes]
    next_position: Mapped[int] = mapped_column(BigInteger, server_default="0")
    lock_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    lock_worker_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    locked_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant]


class ConversationItem(Base):
    """One item; `content`, sealed, is its JSON. Of two items with the same id the later one holds."""

    __tablename__ = "conversation_item"
    __table_args__ = (
        ForeignKeyConstraint(
            ["project_id", "conversation_id"], ["conversation.project_id", "conversation.id"], ondelete="CASCADE"
        ),
        Index("ix_conversation_item_id", "project_id", "conversation_id", "id"),
    )

    project_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str]
    content: Mapped[bytes]
    created_at: Mapped[CreatedAt]
