"""Prices that an organization, or the platform, sets over the base book."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Id


class PriceOverride(Base):
    """The price of one model of one provider from `valid_from` (``None``: always) until before `valid_to`.

    `rates` maps a kind of usage to decimal text, USD per million units; `tiers` a kind to ``[above, price]`` pairs.
    Without an organization it holds for all of them.
    """

    __tablename__ = "price_override"
    __table_args__ = (
        CheckConstraint("char_length(provider) BETWEEN 1 AND 63", name="provider_length"),
        CheckConstraint("char_length(model) BETWEEN 1 AND 256", name="model_length"),
        CheckConstraint("jsonb_typeof(rates) = 'object' AND rates <> '{}'", name="rates_given"),
        CheckConstraint("jsonb_typeof(tiers) = 'object'", name="tiers_form"),
        CheckConstraint("valid_to > valid_from", name="validity_order"),
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        UniqueConstraint("organization_id", "provider", "model", "valid_from", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[Id]
    organization_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    provider: Mapped[str]
    model: Mapped[str]
    rates: Mapped[dict[str, str]] = mapped_column(JSONB)
    tiers: Mapped[dict[str, list[tuple[int, str]]]] = mapped_column(JSONB, server_default="{}")
    valid_from: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    valid_to: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    source: Mapped[str] = mapped_column(server_default="")
    note: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[CreatedAt]
