"""Projects: what keys, aliases and costs belong to."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Id, Reference
from tollway.ids import NAME_PATTERN


class Project(Base):
    """A project of an organization. Never deleted, so that the ledger's ids keep their meaning: archived."""

    __tablename__ = "project"
    __table_args__ = (
        CheckConstraint(f"name ~ '{NAME_PATTERN}'", name="name_form"),
        CheckConstraint("default_output_tokens > 0", name="default_output_tokens_positive"),
        CheckConstraint("store_content IN ('none', 'metadata', 'full')", name="store_content_known"),
        CheckConstraint("retention_days BETWEEN 1 AND 3650", name="retention_days_range"),
        CheckConstraint("cache_ttl_s BETWEEN 0 AND 2592000", name="cache_ttl_s_range"),
        CheckConstraint("cache_max_bytes >= 0", name="cache_max_bytes_positive"),
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        UniqueConstraint("organization_id", "id"),
        Index(
            "uq_project_live_name", "organization_id", "name", unique=True, postgresql_where=text("archived_at IS NULL")
        ),
    )

    id: Mapped[Id]
    organization_id: Mapped[Reference]
    name: Mapped[str]
    allow_unpriced: Mapped[bool] = mapped_column(server_default=false())
    clamp_output: Mapped[bool] = mapped_column(server_default=true())
    default_output_tokens: Mapped[int | None]
    drop_unsupported: Mapped[bool] = mapped_column(server_default=false())
    store_content: Mapped[str] = mapped_column(server_default="metadata")
    """What is kept of responses and conversations: ``none``, ``metadata`` or ``full``."""
    retention_days: Mapped[int] = mapped_column(server_default="30")
    cache_ttl_s: Mapped[int] = mapped_column(server_default="0")
    """How long an answer may be given again for the same request; 0: never."""
    cache_max_bytes: Mapped[int] = mapped_column(BigInteger, server_default="16777216")
    cache_single_flight: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[CreatedAt]
    archived_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
