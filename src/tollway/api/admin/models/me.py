"""Who asks, on the wire."""

from datetime import datetime

from pydantic import BaseModel

from tollway.identity.principal import Scope


class Me(BaseModel):
    """The key that was sent, and what it belongs to."""

    key_id: str
    key_name: str
    organization_id: str
    organization: str
    project_id: str | None
    scopes: list[Scope]
    expires_at: datetime | None
