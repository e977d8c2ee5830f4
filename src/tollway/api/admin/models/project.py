"""Projects on the wire."""

from datetime import datetime

from pydantic import Field

from tollway.api.admin.models.base import Given, Name, Shown

_UNPRICED = "Let models without a known price through; their entries are flagged `unpriced`. Else they are refused."


class ProjectSettings(Given):
    """What `PUT` makes so."""

    allow_unpriced: bool = Field(False, description=_UNPRICED)


class ProjectCreate(ProjectSettings):
    """A new project."""

    name: Name = Field(examples=["chatbot"])


class ProjectChange(Given):
    """What to change; what is left out stays."""

    name: Name | None = Field(None, examples=["chatbot"])
    allow_unpriced: bool | None = Field(None, description=_UNPRICED)


class Project(Shown):
    """A project."""

    id: str
    organization_id: str
    name: str
    allow_unpriced: bool
    created_at: datetime
    archived_at: datetime | None = Field(description="Since when it is archived; its keys are revoked.")
