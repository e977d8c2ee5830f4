"""Keys on the wire."""

from datetime import datetime

from pydantic import Field

from tollway.api.admin.models.base import Given, Instant, KeyName, ModelPattern, Shown
from tollway.identity.principal import Scope

OVERLAP_MAX_S = 30 * 24 * 3600


class KeyCreate(Given):
    """A new key."""

    name: KeyName = Field(examples=["laptop of Ada"])
    project: str | None = Field(
        None,
        pattern="^[a-z0-9][a-z0-9._-]{0,63}$",
        max_length=64,
        description="Id or name of the project; without it the key is one of the organization (control plane only).",
        examples=["chatbot"],
    )
    scopes: list[Scope] | None = Field(
        None,
        min_length=1,
        max_length=4,
        description="Default: `inference` for a key of a project, `read` for one of the organization.",
        examples=[["inference"]],
    )
    allowed_models: list[ModelPattern] | None = Field(
        None,
        max_length=200,
        description="Names (`provider/model`, aliases) or `provider/*`; null: every model.",
        examples=[["openai/gpt-4o-mini", "local/*"]],
    )
    expires_at: Instant | None = None


class KeyRotate(Given):
    """How to rotate."""

    overlap_s: int = Field(
        3600,
        ge=0,
        le=OVERLAP_MAX_S,
        description="Seconds for which the old key goes on working beside the new one; 0 ends it at once.",
    )


class Key(Shown):
    """A key, without its secret."""

    id: str
    organization_id: str
    project_id: str | None
    project: str | None = Field(description="Name of the project.")
    name: str
    prefix: str = Field(description="How the key begins, to recognise it by.", examples=["tw-a1B2c3D4"])
    scopes: list[Scope]
    allowed_models: list[str] | None
    expires_at: datetime | None
    revoked_at: datetime | None = Field(description="From when it is refused; may lie ahead after a rotation.")
    created_at: datetime
    created_by: str | None = Field(description="Id of the key that made it.")


class KeyCreated(Key):
    """A new key with its secret, which is shown this once."""

    key: str = Field(description="The secret. It is stored nowhere and cannot be shown again.", examples=["tw-…"])


class KeyRotated(KeyCreated):
    """The new key of a rotation."""

    replaces: str = Field(description="Id of the old key.")
    old_key_ends_at: datetime
