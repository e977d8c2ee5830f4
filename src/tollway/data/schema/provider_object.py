"""Files and batches that a provider keeps for a project under the operator's one credential: whose they are."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint, Index, Uuid, false
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Reference


class ProviderObject(Base):
    """One file or batch. The provider knows nothing of projects: without a row here nobody gets to see it."""

    __tablename__ = "provider_object"
    __table_args__ = (
        CheckConstraint("kind IN ('file', 'batch')", name="kind_known"),
        CheckConstraint("char_length(id) BETWEEN 1 AND 200", name="id_length"),
        ForeignKeyConstraint(["organization_id", "project_id"], ["project.organization_id", "project.id"]),
        ForeignKeyConstraint(
            ["organization_id", "provider_id"], ["provider.organization_id", "provider.id"], ondelete="CASCADE"
        ),
        Index("ix_provider_object_created_at", "project_id", "kind", "created_at", "id"),
        Index("ix_provider_object_provider_id", "provider_id"),
    )

    project_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    organization_id: Mapped[Reference]
    provider_id: Mapped[Reference]
    key_id: Mapped[Reference]
    """Who made it."""
    purpose: Mapped[str | None]
    """Of a file, as the provider told it."""
    batch_id: Mapped[str | None]
    """Of a file that holds the results of a batch."""
    looked_through: Mapped[bool] = mapped_column(server_default=false())
    """Of a file for batches: whether what its lines name was found to be the project's when it was uploaded."""
    told: Mapped[bytes | None]
    """What the provider said of it last, as JSON."""
    metered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    """When the results in it were entered in the ledger."""
    created_at: Mapped[CreatedAt]
