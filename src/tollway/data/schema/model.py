"""Models that an organization declared for a provider."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Id, Reference


class ProviderModel(Base):
    """One declared model: listed by ``GET /v1/models``, and required if the provider is `declared_only`."""

    __tablename__ = "provider_model"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 256", name="name_length"),
        ForeignKeyConstraint(["provider_id"], ["provider.id"], ondelete="CASCADE"),
        UniqueConstraint("provider_id", "name"),
    )

    id: Mapped[Id]
    provider_id: Mapped[Reference]
    name: Mapped[str]
    created_at: Mapped[CreatedAt]
