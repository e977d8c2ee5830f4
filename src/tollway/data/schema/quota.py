"""Budgets and rate limits: the rows of `tollway.ledger.quota.Quota`."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKeyConstraint,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Id, Reference

AMOUNT = Numeric(38, 0)
"""Pico-dollars or counts: whole numbers beyond a ``bigint``."""

NAMED = ("project_id", "key_id", "user_tag", "tag_name", "tag_value", "provider", "model")
"""What a quota can name one of."""
SCOPE = ("unit", "period", "length_s", *NAMED, "each")
"""What tells the quotas of an organization apart: there is one of a kind."""


class QuotaRow(Base):
    """One budget (unit ``usd``) or rate limit. There is one at the most for a unit, a period and a scope."""

    __tablename__ = "quota"
    __table_args__ = (
        CheckConstraint(
            "unit IN ('usd', 'requests', 'input_tokens', 'output_tokens', 'tokens', 'parallel')", name="unit_known"
        ),
        CheckConstraint(
            "period IN ('total', 'second', 'minute', 'hour', 'day', 'week', 'month', 'rolling')", name="period_known"
        ),
        CheckConstraint("(period = 'rolling') = (length_s > 0)", name="length_given"),
        CheckConstraint("mode IN ('hard', 'soft')", name="mode_known"),
        CheckConstraint("amount >= 0 AND raised_amount >= 0", name="amount_positive"),
        CheckConstraint("(raised_amount IS NULL) = (raised_until IS NULL)", name="raise_whole"),
        CheckConstraint("queue_s BETWEEN 0 AND 60", name="queue_bounded"),
        CheckConstraint("each <@ ARRAY['project', 'key', 'user', 'tag', 'provider', 'model']", name="each_known"),
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        ForeignKeyConstraint(["organization_id", "project_id"], ["project.organization_id", "project.id"]),
        ForeignKeyConstraint(["key_id"], ["api_key.id"]),
        UniqueConstraint("organization_id", *SCOPE, name="uq_quota_scope", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[Id]
    organization_id: Mapped[Reference]
    unit: Mapped[str]
    period: Mapped[str]
    length_s: Mapped[int] = mapped_column(server_default=text("0"))
    mode: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(AMOUNT)
    project_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    key_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    user_tag: Mapped[str | None]
    tag_name: Mapped[str | None]
    tag_value: Mapped[str | None]
    provider: Mapped[str | None]
    model: Mapped[str | None]
    each: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    raised_amount: Mapped[Decimal | None] = mapped_column(AMOUNT)
    raised_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    paused: Mapped[bool] = mapped_column(server_default=false())
    generation: Mapped[int] = mapped_column(server_default=text("0"))
    queue_s: Mapped[float] = mapped_column(Numeric(6, 3, asdecimal=False), server_default=text("0"))
    strict: Mapped[bool] = mapped_column(server_default=true())
    thresholds: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger), server_default="{50,80,100}")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
