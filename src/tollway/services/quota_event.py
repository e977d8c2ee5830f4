"""What the audit log tells of a budget or limit: its scope, and what was changed."""

from decimal import Decimal
from typing import Any

from tollway.data.audit_events import Action, Event
from tollway.data.quotas import Family
from tollway.data.schema.quota import SCOPE, QuotaRow
from tollway.ledger.money import usd_text
from tollway.ledger.quota import Period, Unit
from tollway.ledger.window_text import window_text
from tollway.services.change_event import difference

_ACTIONS = {
    Family.BUDGET: {
        "created": Action.BUDGET_CREATED,
        "changed": Action.BUDGET_CHANGED,
        "reset": Action.BUDGET_RESET,
        "removed": Action.BUDGET_REMOVED,
    },
    Family.LIMIT: {
        "created": Action.LIMIT_CREATED,
        "changed": Action.LIMIT_CHANGED,
        "reset": Action.LIMIT_RESET,
        "removed": Action.LIMIT_REMOVED,
    },
}


def family_of(row: QuotaRow) -> Family:
    """Whether it is a budget or a limit."""
    return Family.BUDGET if row.unit == Unit.USD else Family.LIMIT


def scope_facts(row: QuotaRow) -> dict[str, Any]:
    """What it is for; what does not matter is left out."""
    parts = {name: getattr(row, name) for name in SCOPE if name not in {"period", "length_s"}}
    return {"window": window_text(Period(row.period), row.length_s)} | {
        name: value for name, value in parts.items() if value
    }


def setting_facts(row: QuotaRow) -> dict[str, Any]:
    """What can be changed of it."""

    def shown(amount: Decimal | None) -> str | int | None:
        if amount is None:
            return None
        return usd_text(int(amount)) if family_of(row) is Family.BUDGET else int(amount)

    return {
        "limit": shown(row.amount),
        "mode": row.mode,
        "strict": row.strict,
        "thresholds": list(row.thresholds),
        "queue_s": row.queue_s,
        "paused": row.paused,
        "raised": shown(row.raised_amount),
        "raised_until": row.raised_until.isoformat() if row.raised_until else None,
    }


def quota_event(verb: str, row: QuotaRow, *, actor_key_id: str, before: dict[str, Any] | None = None) -> Event:
    """The event of a change.

    Args:
        verb: ``created``, ``changed``, ``reset`` or ``removed``.
        row: as it is now.
        actor_key_id: who did it.
        before: `setting_facts` of the row as it was, for ``changed``: only what differs is told.
    """
    return Event(
        organization_id=row.organization_id,
        action=_ACTIONS[family_of(row)][verb],
        subject=row.id,
        detail={"scope": scope_facts(row), **difference(before, setting_facts(row))},
        actor_key_id=actor_key_id,
    )
