"""What the audit log tells of a provider: that its credential is another one, never the credential."""

from typing import Any

import msgspec

from tollway.data.audit_events import Action, Event
from tollway.data.providers import ProviderRecord
from tollway.identity.principal import Principal
from tollway.services.change_event import change_events

_NOT_TOLD = frozenset({"id", "organization_id", "created_at", "updated_at"})


def _facts(record: ProviderRecord | None, **more: str) -> dict[str, Any] | None:
    if record is None:
        return None
    return {name: fact for name, fact in msgspec.structs.asdict(record).items() if name not in _NOT_TOLD} | more


def provider_events(
    before: ProviderRecord | None, after: ProviderRecord | None, *, caller: Principal | None, rotated: bool = False
) -> list[Event]:
    """That a provider was added, changed or removed; nothing if nothing is another than before.

    Args:
        before: as it was, ``None`` if it is new.
        after: as it is, ``None`` if it is gone.
        caller: who did it; ``None`` for the installation itself.
        rotated: whether another credential took the place of one, which its last characters need not show.
    """
    record = after or before
    if record is None:
        return []
    changed = Action.PROVIDER_CREATED if before is None else Action.PROVIDER_CHANGED
    return change_events(
        Action.PROVIDER_REMOVED if after is None else changed,
        organization_id=record.organization_id,
        subject=record.id,
        actor_key_id=caller.key_id if caller else None,
        about={"name": record.name},
        before=_facts(before),
        after=_facts(after, credential="rotated") if rotated else _facts(after),
    )
