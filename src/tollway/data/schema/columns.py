"""Column types that every table of the control plane shares."""

from datetime import datetime
from typing import Annotated

from sqlalchemy import DateTime, Uuid, func
from sqlalchemy.orm import mapped_column

from tollway.ids import uuid7

Id = Annotated[str, mapped_column(Uuid(as_uuid=False), primary_key=True, default=uuid7)]
"""A primary key: UUIDv7, as text in Python and `uuid` in PostgreSQL."""
Reference = Annotated[str, mapped_column(Uuid(as_uuid=False))]
"""The id of another row."""
Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
"""A point in time."""
CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
"""When the row was made."""
