"""Idempotency keys that are in use, and the outcomes to be replayed."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Instant


class IdempotencyClaim(Base):
    """One idempotency key of one API key.

    Without a `status` the request still runs, in worker `worker_id`. With one it ended; without a `body` the outcome
    was too large to be kept.
    """

    __tablename__ = "idempotency_claim"
    __table_args__ = (
        CheckConstraint("octet_length(digest) = 32 AND octet_length(body_digest) = 32", name="digest_length"),
        ForeignKeyConstraint(["key_id"], ["api_key.id"]),
        Index("ix_idempotency_claim_expires_at", "expires_at"),
        Index("ix_idempotency_claim_worker_id", "worker_id", postgresql_where=text("status IS NULL")),
    )

    key_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    body_digest: Mapped[bytes]
    worker_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    entry_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    claimed_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant]
    status: Mapped[int | None]
    headers: Mapped[list[tuple[str, str]] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None]
