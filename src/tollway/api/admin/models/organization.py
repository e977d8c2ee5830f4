"""Organizations on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from tollway.api.admin.models.base import Given, Name, Shown

TimeZone = Annotated[
    str,
    StringConstraints(pattern="^[A-Za-z][A-Za-z0-9_+/-]{0,63}$", min_length=1, max_length=64),
    Field(description="IANA name; days of reports and budgets begin at its midnight.", examples=["Europe/Berlin"]),
]

_SERVE = (
    "While the database is away and what a worker has leased of a hard budget is used up: `true` serves on, and the "
    "budget may be overspent; `false` answers 503."
)


class OrganizationCreate(Given):
    """A new organization."""

    name: Name = Field(examples=["acme"])
    time_zone: TimeZone = "UTC"
    serve_without_database: bool = Field(False, description=_SERVE)


class OrganizationChange(Given):
    """What to change; what is left out stays."""

    name: Name | None = Field(None, examples=["acme"])
    time_zone: TimeZone | None = None
    serve_without_database: bool | None = Field(None, description=_SERVE)


class Organization(Shown):
    """An organization."""

    id: str
    name: str
    time_zone: str
    serve_without_database: bool = Field(description=_SERVE)
    created_at: datetime
