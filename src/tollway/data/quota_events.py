"""The events of budgets: so many percent of a window are used. Each is raised once for a window and a percentage."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from tollway.data.audit_events import Action, Event, raise_events
from tollway.data.quota_windows import Window
from tollway.data.schema.quota import NAMED
from tollway.data.session import WriteSession
from tollway.ledger.money import usd_text
from tollway.ledger.quota import Period, Quota, Unit, WindowRef
from tollway.ledger.window import SECOND_US, counts_since, window_at
from tollway.ledger.window_text import window_text

_ALL_PERCENT = 100


async def raise_thresholds(
    session: WriteSession,
    windows: Mapping[WindowRef, Window],
    quotas: Mapping[str, Quota],
    *,
    now_us: int,
    refused: Collection[WindowRef] = (),
) -> dict[WindowRef, Window]:
    """Raise an event for each threshold that a budget's window has newly reached.

    Args:
        session: within the transaction that changed the windows.
        windows: as they are to be stored, locked; of a rolling budget all slots that count.
        quotas: theirs, by id. Those of rate limits and paused ones raise nothing.
        now_us: epoch microseconds.
        refused: windows for want of which a request was refused: a hard budget's 100 % are then reached, whatever part
            of it was too small for that request.

    Returns:
        The windows to store with their new thresholds: only those for which something was raised.
    """
    events: list[Event] = []
    announced: dict[WindowRef, Window] = {}
    for group in _groups(windows, quotas, now_us):
        newest = group[-1]
        quota = quotas[newest.ref.quota_id]
        amount = quota.amount_at(now_us / SECOND_US)
        settled = sum(window.state.settled for window in group)
        refusing = any(window.ref in refused for window in group)
        before = max(window.threshold for window in group)
        reached = [
            percent
            for percent in quota.thresholds
            if percent > before and (0 < percent * amount <= settled * 100 or (refusing and percent == _ALL_PERCENT))
        ]
        if reached:
            announced[newest.ref] = msgspec.structs.replace(newest, threshold=max(reached))
            events += [_event(quota, newest, percent, settled, amount, refusing=refusing) for percent in reached]
    await raise_events(session, events)
    return announced


def _groups(
    windows: Mapping[WindowRef, Window], quotas: Mapping[str, Quota], now_us: int
) -> Sequence[Sequence[Window]]:
    """What counts together: one window, or in the order of time all slots of a rolling one that count now."""
    groups: dict[WindowRef, list[Window]] = {}
    for ref in sorted(windows, key=lambda ref: ref.start_us):
        quota = quotas.get(ref.quota_id)
        if quota is None or quota.unit is not Unit.USD or quota.paused:
            continue
        if quota.period is not Period.ROLLING:
            groups[ref] = [windows[ref]]
        elif ref.start_us >= counts_since(quota, window_at(quota, now_us)[0]):
            groups.setdefault(msgspec.structs.replace(ref, start_us=-1), []).append(windows[ref])
    return list(groups.values())


def _event(quota: Quota, window: Window, percent: int, settled: int, amount: int, *, refusing: bool) -> Event:
    subject = msgspec.json.decode(window.ref.subject) if window.ref.subject else ()
    detail: dict[str, Any] = {
        "percent": percent,
        "settled_usd": usd_text(settled),
        "limit_usd": usd_text(amount),
        "refusing": refusing,
        "mode": quota.mode.value,
        "window": window_text(quota.period, quota.length_s),
        "window_start": _moment(window.ref.start_us),
        "window_end": None if quota.period is Period.TOTAL else _moment(window.end_us),
        "scope": {name: getattr(quota, name) for name in NAMED if getattr(quota, name) is not None},
        "each": dict(zip(quota.each, subject, strict=False)),
    }
    return Event(organization_id=quota.organization_id, action=Action.BUDGET_THRESHOLD, subject=quota.id, detail=detail)


def _moment(epoch_us: int) -> str:
    return datetime.fromtimestamp(epoch_us / SECOND_US, UTC).isoformat()
