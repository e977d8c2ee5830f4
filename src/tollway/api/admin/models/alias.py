"""Aliases on the wire."""

from datetime import datetime

from pydantic import Field

from tollway.api.admin.models.base import Given, Shown, Target


class AliasSettings(Given):
    """What `PUT` makes so."""

    target: Target = Field(description="`provider/model`.", examples=["openai/gpt-4o-mini"])


class Alias(Shown):
    """A project's own name for a model."""

    id: str
    project_id: str
    project: str = Field(description="Name of the project.")
    name: str = Field(examples=["fast"])
    target: str = Field(examples=["openai/gpt-4o-mini"])
    created_at: datetime
