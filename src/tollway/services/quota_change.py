"""Change, reset and remove budgets and limits. Every worker heeds it within a second."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from tollway.data import quotas
from tollway.data.audit_events import raise_events
from tollway.data.changes import Change, announce
from tollway.data.quotas import Family
from tollway.data.schema.quota import QuotaRow
from tollway.data.session import Database, WriteSession
from tollway.errors import UnprocessableError
from tollway.ledger.quota import Mode
from tollway.services.quota_event import quota_event, setting_facts
from tollway.services.quota_list import no_quota, require_quota
from tollway.services.quota_state import StatedQuota


class Raise(msgspec.Struct, frozen=True):
    """A temporary raise.

    Attributes:
        amount: pico-dollars, or a count.
        until: when the amount of before holds again.
    """

    amount: int
    until: datetime


class QuotaChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change; ``None`` leaves a value as it is. `raised` may also be set to ``None``: the raise ends."""

    amount: int | None = None
    mode: Mode | None = None
    strict: bool | None = None
    thresholds: tuple[int, ...] | None = None
    queue_s: float | None = None
    paused: bool | None = None
    raised: Raise | msgspec.UnsetType | None = msgspec.UNSET


def _apply(changes: QuotaChanges, row: QuotaRow) -> None:
    if changes.amount is not None:
        row.amount = Decimal(changes.amount)
    for name in ("mode", "strict", "thresholds", "queue_s", "paused"):
        value = getattr(changes, name)
        if value is not None:
            setattr(row, name, list(value) if isinstance(value, tuple) else value)
    match changes.raised:
        case None:
            row.raised_amount = row.raised_until = None
        case Raise(amount, until):
            _require_raise(row, amount, until)
            row.raised_amount, row.raised_until = Decimal(amount), until
    if row.raised_amount is not None and row.raised_amount <= row.amount:
        row.raised_amount = row.raised_until = None  # the new amount is as high: nothing is raised any more


def _require_raise(row: QuotaRow, amount: int, until: datetime) -> None:
    if until <= datetime.now(UTC):
        raise UnprocessableError("The raise ends in the past.", next_step="Give a later time.", param="raised.until")
    if amount <= row.amount:
        raise UnprocessableError(
            "That is no more than what holds already.", next_step="Change the limit itself.", param="raised"
        )


async def save_changed(session: WriteSession, row: QuotaRow, before: dict[str, Any], *, actor_key_id: str) -> None:
    """Save a changed row, tell of it and announce it; nothing of that if it is as `before`."""
    if setting_facts(row) == before:
        return
    row.updated_at = datetime.now(UTC)
    await quotas.save(session, row)
    await raise_events(session, [quota_event("changed", row, actor_key_id=actor_key_id, before=before)])
    await announce(session, Change("quota", row.id))


async def remove_quotas(session: WriteSession, rows: Sequence[QuotaRow], *, actor_key_id: str) -> None:
    """Delete rows that are locked, tell of it and announce it."""
    await raise_events(session, [quota_event("removed", row, actor_key_id=actor_key_id) for row in rows])
    for row in rows:
        await quotas.remove(session, row.id)
        await announce(session, Change("quota", row.id))


class QuotaChange:
    """Changes budgets and limits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(
        self, organization_id: str, family: Family, quota_id: str, changes: QuotaChanges, *, actor_key_id: str
    ) -> StatedQuota:
        """The changed quota.

        Raises:
            NotFoundError: there is none.
            UnprocessableError: a raise that has ended, or raises nothing.
        """

        async def work(session: WriteSession, row: QuotaRow) -> None:
            before = setting_facts(row)
            _apply(changes, row)
            await save_changed(session, row, before, actor_key_id=actor_key_id)

        return await self._with(organization_id, family, quota_id, work)

    async def reset(self, organization_id: str, family: Family, quota_id: str, *, actor_key_id: str) -> StatedQuota:
        """The quota with all its windows at zero: they begin anew under the next generation.

        Raises:
            NotFoundError: there is none.
        """

        async def work(session: WriteSession, row: QuotaRow) -> None:
            row.generation += 1
            await quotas.save(session, row)
            await raise_events(session, [quota_event("reset", row, actor_key_id=actor_key_id)])
            await announce(session, Change("quota", row.id))

        return await self._with(organization_id, family, quota_id, work)

    async def remove(self, organization_id: str, family: Family, quota_id: str, *, actor_key_id: str) -> None:
        """Remove it. Requests that run are settled all the same.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.write() as session, session.begin():
            row = await _locked(session, organization_id, family, quota_id)
            await remove_quotas(session, [row], actor_key_id=actor_key_id)

    async def _with(
        self,
        organization_id: str,
        family: Family,
        quota_id: str,
        work: Callable[[WriteSession, QuotaRow], Awaitable[None]],
    ) -> StatedQuota:
        async with self._database.write() as session, session.begin():
            await work(session, await _locked(session, organization_id, family, quota_id))
            return await require_quota(session, organization_id, family, quota_id)


async def _locked(session: WriteSession, organization_id: str, family: Family, quota_id: str) -> QuotaRow:
    row = await quotas.lock(session, organization_id, family, quota_id)
    if row is None:
        raise no_quota(family)
    return row
