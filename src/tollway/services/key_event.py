"""What the audit log tells of a key: never the key, nor its digest."""

from typing import Any

from tollway.data.audit_events import Action, Event
from tollway.data.schema.key import ApiKey
from tollway.services.change_event import Facts, change_events


def key_facts(row: ApiKey) -> dict[str, Any]:
    """What it may do, and until when."""
    return {"scopes": row.scopes, "allowed_models": row.allowed_models, "expires_at": row.expires_at}


def key_events(
    action: Action,
    row: ApiKey,
    project: str | None,
    *,
    actor_key_id: str | None,
    about: Facts | None = None,
    after: Facts | None = None,
) -> list[Event]:
    """That a key was made, or ends. Args: project: its name; about, after: see `change_events`."""
    return change_events(
        action,
        organization_id=row.organization_id,
        subject=row.id,
        actor_key_id=actor_key_id,
        about={"project": project, "name": row.name, **(about or {})},
        after=after,
    )
