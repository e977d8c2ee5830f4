"""What of a quota is used: a row a window, and a row for what each worker has leased of it.

``granted`` of a window is the sum of ``granted - spent`` over its leases, and ``granted + settled`` never exceeds the
amount of a hard quota. Rows are made on first use; the clock, not a job, decides which row counts. No foreign key to
``quota``: the journal may settle what was spent under a quota that was deleted meanwhile.
"""

from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from tollway.data.schema.base import Base

WINDOW_KEY = ("quota_id", "generation", "subject", "start_us")
"""The columns of `tollway.ledger.quota.WindowRef`, in its order."""

SHORT_WINDOW_US = 60_000_000
"""Windows up to a minute: there are many, and they are purged soon."""


def _key_columns() -> tuple[Column[str], Column[int], Column[str], Column[int]]:
    return (
        Column("quota_id", Uuid(as_uuid=False), nullable=False),
        Column("generation", Integer, nullable=False),
        Column("subject", Text, nullable=False),
        Column("start_us", BigInteger, nullable=False),
    )


def _amount(name: str) -> Column[Decimal]:
    return Column(name, Numeric(38, 0), nullable=False, server_default="0")


QUOTA_WINDOW = Table(
    "quota_window",
    Base.metadata,
    *_key_columns(),
    Column("end_us", BigInteger, nullable=False),
    _amount("granted"),
    _amount("settled"),
    Column("threshold", SmallInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint(*WINDOW_KEY),
    Index("ix_quota_window_end_us", "end_us"),
    Index("ix_quota_window_short", "end_us", postgresql_where=text(f"end_us - start_us <= {SHORT_WINDOW_US}")),
)
"""``threshold`` is the highest percentage that was announced."""

QUOTA_LEASE = Table(
    "quota_lease",
    Base.metadata,
    Column("worker_id", Uuid(as_uuid=False), nullable=False),
    *_key_columns(),
    _amount("granted"),
    _amount("spent"),
    _amount("held"),
    Column("sequence", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("worker_id", *WINDOW_KEY),
    Index("ix_quota_lease_window", *WINDOW_KEY),
)
"""``granted`` is all the worker was ever given for the window, less what it gave back; ``spent`` is what of it the
ledger has; ``held`` is what running requests hold, as the worker last told. ``sequence`` grows with every exchange of
the worker, so that one that arrives late changes nothing."""
