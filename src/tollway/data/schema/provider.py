"""Providers as an organization configured them."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint, false
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Id, Reference
from tollway.ids import NAME_PATTERN


class Provider(Base):
    """A place that answers requests. Its credential is sealed by `tollway.identity.vault`."""

    __tablename__ = "provider"
    __table_args__ = (
        CheckConstraint(f"name ~ '{NAME_PATTERN}'", name="name_form"),
        CheckConstraint("base_url ~ '^https?://'", name="base_url_form"),
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        UniqueConstraint("organization_id", "name"),
        UniqueConstraint("organization_id", "id"),
    )

    id: Mapped[Id]
    organization_id: Mapped[Reference]
    name: Mapped[str]
    spec: Mapped[str]
    dialect: Mapped[str]
    base_url: Mapped[str]
    public_only: Mapped[bool] = mapped_column(server_default=false())
    """Whether the address must lead to the public internet at each connection: a tenant chose it."""
    credential: Mapped[bytes | None]
    credential_suffix: Mapped[str] = mapped_column(server_default="")
    price_provider: Mapped[str]
    declared_only: Mapped[bool] = mapped_column(server_default=false())
    options: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    """What its kind needs besides an address and a credential, for instance a region."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
