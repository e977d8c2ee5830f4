"""Keys: only their digest is stored."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint, Index, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Id, Reference


class ApiKey(Base):
    """A key of an organization, or of one of its projects."""

    __tablename__ = "api_key"
    __table_args__ = (
        CheckConstraint("octet_length(digest) = 32", name="digest_length"),
        CheckConstraint("char_length(name) BETWEEN 1 AND 128", name="name_length"),
        CheckConstraint(
            "cardinality(scopes) > 0 AND scopes <@ ARRAY['inference', 'read', 'admin', 'platform']", name="scopes_known"
        ),
        CheckConstraint("project_id IS NOT NULL OR NOT 'inference' = ANY (scopes)", name="inference_has_project"),
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        ForeignKeyConstraint(["organization_id", "project_id"], ["project.organization_id", "project.id"]),
        UniqueConstraint("digest"),
        Index("ix_api_key_project_id", "project_id"),
        Index(
            "uq_api_key_live_name",
            "organization_id",
            "project_id",
            "name",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index("ix_api_key_organization_id", "organization_id"),
    )

    id: Mapped[Id]
    organization_id: Mapped[Reference]
    project_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    name: Mapped[str]
    digest: Mapped[bytes]
    shown_prefix: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    allowed_models: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    origin_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    """The first key of the rotations that led to this one, ``None`` if it is none of a rotation: budgets and limits
    know all of them under that id, so that a rotation does not begin them anew."""
    created_at: Mapped[CreatedAt]
    created_by: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    """The key that made this one; no foreign key: it is a note for audits and may be of another organization."""
