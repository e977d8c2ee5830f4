"""What the audit log tells of a price."""

from typing import Any

from tollway.data.audit_events import Action, raise_events
from tollway.data.schema.price import PriceOverride
from tollway.data.session import WriteSession
from tollway.identity.principal import Principal
from tollway.services.change_event import change_events

_TERMS = ("id", "rates", "tiers", "valid_from", "valid_to", "source", "note")


def _facts(row: PriceOverride | None) -> dict[str, Any] | None:
    return None if row is None else {name: getattr(row, name) for name in _TERMS}


async def tell_price(
    session: WriteSession,
    organization_id: str,
    before: PriceOverride | None,
    after: PriceOverride | None,
    *,
    caller: Principal,
) -> None:
    """Tell that a price was set or removed.

    Args:
        session: of the change.
        organization_id: in whose audit log; a price of all organizations is in its setter's.
        before: what it replaces, or what is gone.
        after: what holds now; ``None``: the base price does.
        caller: who did it.
    """
    row = after or before
    if row is None:
        return
    made = Action.PRICE_CREATED if before is None else Action.PRICE_CHANGED
    await raise_events(
        session,
        change_events(
            Action.PRICE_REMOVED if after is None else made,
            organization_id=organization_id,
            subject=row.id,
            actor_key_id=caller.key_id,
            about={"provider": row.provider, "model": row.model, "all_organizations": row.organization_id is None},
            before=_facts(before),
            after=_facts(after),
        ),
    )
