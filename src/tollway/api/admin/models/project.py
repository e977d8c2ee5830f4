"""Projects on the wire."""

from datetime import datetime
from typing import Annotated, Literal

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
_DROP = (
    "Fields of a request that a provider of another dialect cannot be asked for: `true` leaves them out and lists them "
    "in `x-tollway-dropped`; `false` refuses the request, naming the field."
)
_STORE = (
    "What is kept of responses and conversations: `none`; `metadata` (ids, times, usage, no content); or `full`, so "
    "that `previous_response_id` and conversations work."
)
_RETENTION = "Days for which they are kept."
_CACHE_TTL = "Seconds for which an answer may be given again for the same request; 0: never."
_CACHE_BYTES = "Bytes of answers that each worker keeps for the project; the ones not asked for longest go first."
_SINGLE_FLIGHT = "Ask a provider once for the same requests at the same time."
OutputTokens = Annotated[int, Field(ge=1, le=100_000_000)]
StoreContent = Literal["none", "metadata", "full"]
RetentionDays = Annotated[int, Field(ge=1, le=3_650)]
CacheBytes = Annotated[int, Field(ge=0, le=2**40)]
CacheTtl = Annotated[int, Field(ge=0, le=2_592_000)]


class ProjectSettings(Given):
    """What `PUT` makes so."""

    allow_unpriced: bool = Field(False, description=_UNPRICED)
    clamp_output: bool = Field(True, description=_CLAMP)
    default_output_tokens: OutputTokens | None = Field(None, description=_DEFAULT_OUTPUT)
    drop_unsupported: bool = Field(False, description=_DROP)
    store_content: StoreContent = Field("metadata", description=_STORE)
    retention_days: RetentionDays = Field(30, description=_RETENTION)
    cache_ttl_s: CacheTtl = Field(0, description=_CACHE_TTL)
    cache_max_bytes: CacheBytes = Field(16_777_216, description=_CACHE_BYTES)
    cache_single_flight: bool = Field(False, description=_SINGLE_FLIGHT)

    @property
    def settings(self) -> Settings:
        """As the services take it."""
        return Settings(**self.model_dump(include=set(Settings.__struct_fields__)))


class ProjectCreate(ProjectSettings):
    """A new project."""

    name: Name = Field(examples=["chatbot"])


class ProjectChange(Given):
    """What to change; what is left out stays."""

    name: Name | None = Field(None, examples=["chatbot"])
    allow_unpriced: bool | None = Field(None, description=_UNPRICED)
    clamp_output: bool | None = Field(None, description=_CLAMP)
    default_output_tokens: OutputTokens | None = Field(None, description=_DEFAULT_OUTPUT)
    drop_unsupported: bool | None = Field(None, description=_DROP)
    store_content: StoreContent | None = Field(None, description=_STORE)
    retention_days: RetentionDays | None = Field(None, description=_RETENTION)
    cache_ttl_s: CacheTtl | None = Field(None, description=_CACHE_TTL)
    cache_max_bytes: CacheBytes | None = Field(None, description=_CACHE_BYTES)
    cache_single_flight: bool | None = Field(None, description=_SINGLE_FLIGHT)

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
    drop_unsupported: bool
    store_content: str
    retention_days: int
    cache_ttl_s: int
    cache_max_bytes: int
    cache_single_flight: bool
    created_at: datetime
    archived_at: datetime | None = Field(description="Since when it is archived; its keys are revoked.")
