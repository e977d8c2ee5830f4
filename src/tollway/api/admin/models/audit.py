"""The audit log on the wire."""

from datetime import datetime
from typing import Any

from pydantic import Field

from tollway.api.admin.models.base import Shown
from tollway.data.audit_events import Action


class AuditEvent(Shown):
    """Something that happened. Events are never changed."""

    id: str = Field(description="Also the `webhook-id` under which webhooks are told.")
    organization_id: str
    at: datetime
    actor_key_id: str | None = Field(description="The key that did it; null: Tollway itself.")
    action: Action
    subject: str = Field(description="Id of what it happened to.")
    detail: dict[str, Any] = Field(
        examples=[{"settings": {"limit": "10"}, "before": {"limit": "5"}}], description="What else there is to know."
    )
