"""Organizations: the tenants."""

from sqlalchemy import CheckConstraint, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from tollway.data.schema.base import Base
from tollway.data.schema.columns import CreatedAt, Id
from tollway.ids import NAME_PATTERN


class Organization(Base):
    """A tenant. Everything else belongs to exactly one."""

    __tablename__ = "organization"
    __table_args__ = (CheckConstraint(f"name ~ '{NAME_PATTERN}'", name="name_form"), UniqueConstraint("name"))

    id: Mapped[Id]
    name: Mapped[str]
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    serve_without_database: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[CreatedAt]
