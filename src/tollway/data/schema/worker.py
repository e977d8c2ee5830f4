"""The workers that live, and the timelines of the database they have met."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Id


class WorkerRow(Base):
    """A worker process; `id` is the name of its journal directory."""

    __tablename__ = "worker"

    id: Mapped[Id]
    host: Mapped[str]
    started_at: Mapped[CreatedAt]
    seen_at: Mapped[CreatedAt]


class DatabaseTimeline(Base):
    """PostgreSQL begins a timeline when a standby is promoted: then the last seconds may be lost."""

    __tablename__ = "database_timeline"

    timeline: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    since: Mapped[CreatedAt]
