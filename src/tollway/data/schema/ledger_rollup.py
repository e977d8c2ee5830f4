"""Sums of the ledger by hour and by day (UTC), written in the transaction that writes the entries.

A request with several tags counts once under each of them, so tags have tables of their own and the others stay exact.
"""

from sqlalchemy import BigInteger, Column, DateTime, Numeric, PrimaryKeyConstraint, Table, Text, TextClause, Uuid, text

from tollway.data.schema.base import Base
from tollway.data.schema.ledger_entry import ADDED_KINDS, usage_column
from tollway.ledger.usage import KINDS

DIMENSIONS = ("organization_id", "bucket", "project_id", "key_id", "provider", "model")
"""What is told apart. ``model`` is ``provider/model`` as sent upstream: every request has one, also a failed one, and
it is the name a caller can ask for."""
TAG_DIMENSIONS = ("tag_name", "tag_value")
COUNTS = ("requests", "errors", "unpriced", "estimated", *(usage_column(kind) for kind in KINDS))
"""``errors`` counts outcomes other than ``ok`` and ``client_left``; ``estimated`` those not counted by the provider."""
AMOUNTS = ("charge_pico", "provider_cost_pico", "saved_pico")
MEASURES = (*COUNTS, *AMOUNTS)
_ADDED = frozenset({"saved_pico", *(usage_column(kind) for kind in ADDED_KINDS)})


def _table(name: str, *, tagged: bool) -> Table:
    tags = TAG_DIMENSIONS if tagged else ()
    return Table(
        name,
        Base.metadata,
        Column("organization_id", Uuid(as_uuid=False), nullable=False),
        Column("bucket", DateTime(timezone=True), nullable=False),
        *(Column(tag, Text, nullable=False) for tag in tags),
        Column("project_id", Uuid(as_uuid=False), nullable=False),
        Column("key_id", Uuid(as_uuid=False), nullable=False),
        Column("provider", Text, nullable=False),
        Column("model", Text, nullable=False),
        *(Column(count, BigInteger, nullable=False, server_default=_default(count)) for count in COUNTS),
        *(Column(amount, Numeric, nullable=False, server_default=_default(amount)) for amount in AMOUNTS),
        PrimaryKeyConstraint(*key(tagged=tagged)),
    )


def _default(measure: str) -> TextClause | None:
    """What came later than the tables has a default: old workers do not say it."""
    return text("0") if measure in _ADDED else None


def key(*, tagged: bool) -> tuple[str, ...]:
    """The columns that name a row, in the order of the primary key."""
    organization, bucket, *rest = DIMENSIONS
    return (organization, bucket, *(TAG_DIMENSIONS if tagged else ()), *rest)


USAGE_HOURLY = _table("usage_hourly", tagged=False)
USAGE_DAILY = _table("usage_daily", tagged=False)
USAGE_TAG_HOURLY = _table("usage_tag_hourly", tagged=True)
USAGE_TAG_DAILY = _table("usage_tag_daily", tagged=True)
