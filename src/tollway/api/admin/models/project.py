"""Projects on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from tollway.api.admin.models.base import Given, Name, Shown
from tollway.services.project_change import ProjectChanges
from tollway.services.project_settings import ProjectSettings as Settings

_UNPRICED = "Let models without a known price through; their entries are flagged `unpriced`. Else they are refused."

_CLAMP = (
    "Where a hard budget covers less than the output may cost: `true` asks the provider for a shorter output and says "
    "so in `x-tollway-clamped`; `false` refuses the request."
)
_DEFAULT_OUTPUT = (
    "The most output tokens of a request that sets no limit, to a model whose limit is not known; sent to the provider "
    "where a hard budget applies. Null: the installation's, `TOLLWAY_DEFAULT_OUTPUT_TOKENS`."
)
OutputTokens = Annotated[int, Field(ge=1, le=100_000_000)]


class ProjectSettings(Given):
    """What `PUT` makes so."""

    allow_unpriced: bool = Field(False, description=_UNPRICED)
    clamp_output: bool = Field(True, description=_CLAMP)
    default_output_tokens: OutputTokens | None = Field(None, description=_DEFAULT_OUTPUT)

    @property
    def settings(self) -> Settings:
        """As the services take it."""
        return Settings(
            allow_unpriced=self.allow_unpriced,
            clamp_output=self.clamp_output,
            default_output_tokens=self.default_output_tokens,
        )


class ProjectCreate(ProjectSettings):
    """A new project."""

    name: Name = Field(examples=["chatbot"])


class ProjectChange(Given):
    """What to change; what is left out stays."""

    name: Name | None = Field(None, examples=["chatbot"])
    allow_unpriced: bool | None = Field(None, description=_UNPRICED)
    clamp_output: bool | None = Field(None, description=_CLAMP)
    default_output_tokens: OutputTokens | None = Field(None, description=_DEFAULT_OUTPUT)

    @property
    def changes(self) -> ProjectChanges:
        """As the services take it."""
        return ProjectChanges(**self.model_dump(exclude_unset=True))


class Project(Shown):
    """A project."""

    id: str
    organization_id: str
    name: str
    allow_unpriced: bool
    clamp_output: bool
    default_output_tokens: int | None
    created_at: datetime
    archived_at: datetime | None = Field(description="Since when it is archived; its keys are revoked.")
