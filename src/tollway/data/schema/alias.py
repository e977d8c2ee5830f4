"""Aliases: a project's own names for models."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Id, Reference


class Alias(Base):
    """A name that stands for one model of one provider. The foreign keys keep both ends in one organization."""

    __tablename__ = "alias"
    __table_args__ = (
        CheckConstraint("name ~ '^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$'", name="name_form"),
        CheckConstraint("char_length(model) BETWEEN 1 AND 256", name="model_length"),
        ForeignKeyConstraint(["organization_id", "project_id"], ["project.organization_id", "project.id"]),
        ForeignKeyConstraint(["organization_id", "provider_id"], ["provider.organization_id", "provider.id"]),
        UniqueConstraint("project_id", "name"),
        Index("ix_alias_organization_id_provider_id", "organization_id", "provider_id"),
    )

    id: Mapped[Id]
    organization_id: Mapped[Reference]
    project_id: Mapped[Reference]
    name: Mapped[str]
    provider_id: Mapped[Reference]
    model: Mapped[str]
    route: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """A `tollway.routing.route.Route` as JSON; `provider_id` and `model` are then its first target."""
    created_at: Mapped[CreatedAt]
