"""Set a budget or limit: make the one of this scope, unit and window so."""

from decimal import Decimal

import msgspec

from tollway.data import quotas
from tollway.data.audit_events import raise_events
from tollway.data.changes import Change, announce
from tollway.data.schema.quota import QuotaRow
from tollway.data.session import Database
from tollway.ids import uuid7
from tollway.ledger.quota import Mode, Period, Unit
from tollway.services.quota_change import save_changed
from tollway.services.quota_event import family_of, quota_event, setting_facts
from tollway.services.quota_list import require_quota
from tollway.services.quota_scope import QuotaScope, scope_row
from tollway.services.quota_state import StatedQuota


class QuotaTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a quota says.

    Attributes:
        unit: what is counted.
        period: the window.
        length_s: of a rolling window.
        amount: pico-dollars, or a count.
        mode: hard or soft.
        strict: what a request costs that the provider did not count: its upper bound, or our estimate. ``None``: the
            upper bound for a hard budget.
        thresholds: percent at which an event is raised.
        queue_s: seconds that a request may wait.
        paused: ``None`` leaves it as it is.
    """

    unit: Unit
    period: Period
    amount: int
    length_s: int = 0
    mode: Mode = Mode.HARD
    strict: bool | None = None
    thresholds: tuple[int, ...] = ()
    queue_s: float = 0.0
    paused: bool | None = None


def _apply(terms: QuotaTerms, row: QuotaRow) -> None:
    row.amount = Decimal(terms.amount)
    row.mode = terms.mode
    row.strict = terms.mode is Mode.HARD if terms.strict is None else terms.strict
    row.thresholds = list(terms.thresholds)
    row.queue_s = terms.queue_s
    if terms.paused is not None:
        row.paused = terms.paused


class QuotaPut:
    """Sets budgets and limits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self, organization_id: str, scope: QuotaScope, terms: QuotaTerms, *, actor_key_id: str
    ) -> tuple[StatedQuota, bool]:
        """The quota of this scope, unit and window, and whether it is new. Whether it is raised stays as it is.

        Raises:
            NotFoundError, UnprocessableError: the scope names what is not there, or contradicts itself.
            ConflictError: the same was set at the same moment, or several projects have a key of this name.
        """
        async with self._database.write() as session, session.begin():
            wanted = QuotaRow(id=uuid7(), unit=terms.unit, period=terms.period, length_s=terms.length_s)
            await scope_row(session, organization_id, scope, wanted)
            present = await quotas.lock_same(session, wanted)
            row = present or wanted
            if present is None:
                _apply(terms, row)
                await quotas.save(session, row)
                await raise_events(session, [quota_event("created", row, actor_key_id=actor_key_id)])
                await announce(session, Change("quota", row.id))
            else:
                before = setting_facts(row)
                _apply(terms, row)
                await save_changed(session, row, before, actor_key_id=actor_key_id)
            return await require_quota(session, organization_id, family_of(row), row.id), present is None
