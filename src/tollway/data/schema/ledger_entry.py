"""The ledger: one row for each admitted request, partitioned by month.

The application's role may read and append; nothing can change or remove a row but the owner of the schema.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from tollway.data.schema.base import Base
from tollway.ledger.usage import KINDS

ADDED_KINDS = frozenset({"audio_seconds", "characters"})
"""Kinds of usage that the first ledger did not have."""


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _big(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def added_count(name: str) -> Column[int]:
    """A count that came later than its table: old workers, and rows, do not say it."""
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _usage(kind: str) -> Column[int]:
    name = usage_column(kind)
    return added_count(name) if kind in ADDED_KINDS else _big(name)


def _id(name: str) -> Column[str]:
    return Column(name, Uuid(as_uuid=False), nullable=False)


def usage_column(kind: str) -> str:
    """The column that counts a kind of usage, in the ledger and in the rollups."""
    return f"usage_{kind}"


LEDGER_ENTRY = Table(
    "ledger_entry",
    Base.metadata,
    Column("admitted_at", DateTime(timezone=True), nullable=False),
    _id("entry_id"),
    _text("request_id"),
    _id("organization_id"),
    _id("project_id"),
    _id("key_id"),
    _text("surface"),
    _text("model_asked"),
    _text("provider"),
    _text("model_sent"),
    _text("model_answered"),
    _text("user_tag"),
    Column("tags", JSONB, nullable=False),
    Column("stream", Boolean, nullable=False),
    _text("outcome"),
    Column("status", Integer, nullable=False),
    _text("error"),
    Column("attempts", JSONB, nullable=False),
    *(_usage(kind) for kind in KINDS),
    _text("usage_source"),
    Column("priced", Boolean, nullable=False),
    _big("charge_pico"),
    added_count("saved_pico"),
    Column("lines", JSONB, nullable=False),
    _big("provider_cost_pico", nullable=True),
    _big("duration_us"),
    _big("first_byte_us", nullable=True),
    _big("request_bytes"),
    _big("response_bytes"),
    PrimaryKeyConstraint("admitted_at", "entry_id"),
    Index("ix_ledger_entry_request_id", "request_id"),
    Index("ix_ledger_entry_organization", "organization_id", "admitted_at", "entry_id"),
    Index("ix_ledger_entry_project", "project_id", "admitted_at"),
    Index("ix_ledger_entry_key", "key_id", "admitted_at"),
    postgresql_partition_by="RANGE (admitted_at)",
)
"""``tags`` is an object of name → value; ``attempts`` and ``lines`` are arrays of objects with the fields of
`tollway.ledger.entry.Attempt` and `ChargeLine`. Money is in pico-dollars."""
