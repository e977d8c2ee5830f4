"""How much of budgets and limits is used now."""

import time
from collections.abc import Sequence

import msgspec

from tollway.data import quota_usage
from tollway.data.page import Page
from tollway.data.quota_usage import Span, Used
from tollway.data.quotas import QuotaRecord
from tollway.data.session import AnySession
from tollway.ledger.forecast import forecast
from tollway.ledger.quota import Period, Quota
from tollway.ledger.window import SECOND_US, counts_since, window_at


class QuotaState(msgspec.Struct, frozen=True, kw_only=True):
    """What is used in the present window; pico-dollars or counts.

    Attributes:
        start_us: epoch microseconds at which the window began; of a rolling one, where what counts begins. ``None`` if
            it has no begin.
        end_us: and at which it ends; ``None`` if it rolls or never ends.
        used: so far.
        forecast: what will have been used at its end; ``None`` if there is no end or no one window.
        left: what may still be used; below zero after a soft budget was passed or a limit lowered. ``None`` if there
            is no one window.
    """

    start_us: int | None
    end_us: int | None
    used: Used
    forecast: int | None
    left: int | None


class StatedQuota(msgspec.Struct, frozen=True, kw_only=True):
    """A quota with what is used of it; of one that has a window for `each`, of all of them together."""

    record: QuotaRecord
    state: QuotaState


class SubjectState(msgspec.Struct, frozen=True, kw_only=True):
    """What one of `Quota.each` has used.

    Attributes:
        subject: dimension → value; empty of a quota that has one window.
        key: the subject as text, by which pages go on.
        state: its window.
    """

    subject: dict[str, str]
    key: str
    state: QuotaState


async def stated(session: AnySession, records: Sequence[QuotaRecord]) -> list[StatedQuota]:
    """The quotas with what is used of each now."""
    now_us = time.time_ns() // 1_000
    used = await quota_usage.used(session, [_span(record.quota, now_us) for record in records])
    return [
        StatedQuota(record=record, state=_state(record.quota, used.get(record.quota.id, Used()), now_us=now_us))
        for record in records
    ]


async def stated_by_subject(session: AnySession, quota: Quota, page: Page) -> Sequence[SubjectState]:
    """What each of its subjects has used now, a page in the order of subjects: one more than shown, if there is one."""
    now_us = time.time_ns() // 1_000
    rows = await quota_usage.used_by_subject(session, _span(quota, now_us), page)
    return [
        SubjectState(
            subject=dict(zip(quota.each, msgspec.json.decode(key) if key else (), strict=True)),
            key=key,
            state=_state(quota, used, now_us=now_us, of_one=True),
        )
        for key, used in rows
    ]


def _span(quota: Quota, now_us: int) -> Span:
    start_us, _ = window_at(quota, now_us)
    return Span(quota.id, quota.generation, counts_since(quota, start_us), start_us)


def _state(quota: Quota, used: Used, *, now_us: int, of_one: bool = False) -> QuotaState:
    span = _span(quota, now_us)
    _, end_us = window_at(quota, now_us)
    one = of_one or not quota.each
    in_all = used.settled + used.held
    return QuotaState(
        start_us=None if quota.period is Period.TOTAL else span.first_us,
        end_us=None if quota.period in {Period.TOTAL, Period.ROLLING} else end_us,
        used=used,
        forecast=forecast(in_all, period=quota.period, start_us=span.first_us, end_us=end_us, now_us=now_us)
        if one
        else None,
        left=quota.amount_at(now_us / SECOND_US) - in_all if one else None,
    )
