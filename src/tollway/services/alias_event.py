"""What the audit log tells of an alias."""

from typing import Any

from tollway.data.aliases import AliasRecord
from tollway.data.audit_events import Action, Event


def _facts(alias: AliasRecord) -> dict[str, Any]:
    return {"target": alias.target} if alias.route is None else {"route": alias.route}


def alias_event(
    organization_id: str,
    action: Action,
    before: AliasRecord | None,
    after: AliasRecord | None,
    *,
    actor_key_id: str,
) -> list[Event]:
    """The event of a change; none if nothing is another than before."""
    alias = after or before
    if alias is None or (before is not None and after is not None and _facts(before) == _facts(after)):
        return []
    detail: dict[str, Any] = {"project": alias.project, "name": alias.name}
    if after is not None:
        detail["settings"] = _facts(after)
    if before is not None:
        detail["before"] = _facts(before)
    return [
        Event(
            organization_id=organization_id,
            action=action,
            subject=alias.id,
            detail=detail,
            actor_key_id=actor_key_id,
        )
    ]
