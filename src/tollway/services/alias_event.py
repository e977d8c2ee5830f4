"""What the audit log tells of an alias."""

from typing import Any

from tollway.data.aliases import AliasRecord
from tollway.data.audit_events import Action, raise_events
from tollway.data.session import WriteSession
from tollway.services.change_event import change_events


def _facts(alias: AliasRecord | None) -> dict[str, Any] | None:
    if alias is None:
        return None
    return {"target": alias.target} if alias.route is None else {"route": alias.route}


async def tell_alias(
    session: WriteSession,
    organization_id: str,
    action: Action,
    before: AliasRecord | None,
    after: AliasRecord | None,
    *,
    actor_key_id: str,
) -> None:
    """Tell of a change; of none if nothing is another than before."""
    alias = after or before
    if alias is None:
        return
    await raise_events(
        session,
        change_events(
            action,
            organization_id=organization_id,
            subject=alias.id,
            actor_key_id=actor_key_id,
            about={"project": alias.project, "name": alias.name},
            before=_facts(before),
            after=_facts(after),
        ),
    )
