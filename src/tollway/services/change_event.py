"""What the audit log tells of an administrator's act, in one form for everything that can be changed.

Facts are what may be shown of a thing: never a secret, sealed or not.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tollway.data.audit_events import Action, Event

Facts = Mapping[str, Any]


def difference(before: Facts | None, after: Facts | None) -> dict[str, Any]:
    """``settings`` of what is there now, and ``before`` of what was: of what was changed only that which differs.

    Args:
        before: ``None`` if it was not there.
        after: ``None`` if it is gone.
    """
    if before is not None and after is not None:
        before, after = _without(before, after), _without(after, before)
    return {name: msgspec.to_builtins(facts) for name, facts in (("settings", after), ("before", before)) if facts}


def _without(facts: Facts, others: Facts) -> Facts:
    return {name: fact for name, fact in facts.items() if name not in others or others[name] != fact}


def change_events(
    action: Action,
    *,
    organization_id: str,
    subject: str,
    actor_key_id: str | None,
    about: Facts | None = None,
    before: Facts | None = None,
    after: Facts | None = None,
) -> list[Event]:
    """The event of a change, to be raised in its transaction; none of one that changes nothing.

    Args:
        action: what was done.
        organization_id: in whose audit log.
        subject: id of what it was done to.
        actor_key_id: who did it; ``None`` for Tollway itself.
        about: what is always said, for instance a name.
        before: see `difference`.
        after: as `before`; neither for an act that has no settings.
    """
    differing = difference(before, after)
    if before is not None and after is not None and not differing:
        return []
    event = Event(
        organization_id=organization_id,
        action=action,
        subject=subject,
        detail={**msgspec.to_builtins(about or {}), **differing},
        actor_key_id=actor_key_id,
    )
    return [event]
