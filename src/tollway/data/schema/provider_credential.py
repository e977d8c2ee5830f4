"""Further credentials of a provider, that take turns with its own."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Id, Reference


class ProviderCredential(Base):
    """One credential, sealed by `tollway.identity.vault`."""

    __tablename__ = "provider_credential"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 64", name="name_length"),
        ForeignKeyConstraint(["provider_id"], ["provider.id"], ondelete="CASCADE"),
        UniqueConstraint("provider_id", "name"),
    )

    id: Mapped[Id]
    provider_id: Mapped[Reference]
    name: Mapped[str]
    credential: Mapped[bytes]
    credential_suffix: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[CreatedAt]
