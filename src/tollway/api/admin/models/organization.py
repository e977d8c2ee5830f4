"""Organizations on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from tollway.api.admin.models.base import Given, Name, Shown

TimeZone = Annotated[
    str,
    StringConstraints(pattern="^[A-Za-z][A-Za-z0-9_+/-]{0,63}$", min_length=1, max_length=64),
    Field(description="IANA name; days of reports begin at its midnight.", examples=["Europe/Berlin"]),
]


class OrganizationCreate(Given):
    """A new organization."""

    name: Name = Field(examples=["acme"])
    time_zone: TimeZone = "UTC"


class OrganizationChange(Given):
    """What to change; what is left out stays."""

    name: Name | None = Field(None, examples=["acme"])
    time_zone: TimeZone | None = None


class Organization(Shown):
    """An organization."""

    id: str
    name: str
    time_zone: str
    created_at: datetime
