"""Budgets on the wire. Money is exact decimal text in USD."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

import msgspec
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from tollway.api.admin.models.base import Given, Instant
from tollway.api.admin.models.ledger import Usd
from tollway.api.admin.models.quota import ScopeGiven, ScopeShown, moment, raise_of
from tollway.ledger.money import pico_from_usd, usd_text
from tollway.ledger.quota import THRESHOLDS, Mode, Unit
from tollway.ledger.window_text import WINDOW_PATTERN, period_of, window_text
from tollway.services.quota_change import QuotaChanges, Raise
from tollway.services.quota_put import QuotaTerms
from tollway.services.quota_state import QuotaState, StatedQuota, SubjectState


def _known_window(text: str) -> str:
    period_of(text)
    return text


def _ascending(thresholds: list[int]) -> list[int]:
    if thresholds != sorted(set(thresholds)):
        raise ValueError("Give thresholds in ascending order, each once.")
    return thresholds


LimitUsd = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?$", max_length=25),
    Field(description="USD in a window, as decimal text; kept exactly.", examples=["25.50"]),
]
Window = Annotated[
    str,
    StringConstraints(pattern=WINDOW_PATTERN, max_length=16),
    AfterValidator(_known_window),
    Field(
        description="`total`, `hour`, `day`, `week`, `month` (by the calendar, in the organization's time zone), or "
        "`rolling:` with a length in minutes, hours or days.",
        examples=["month", "rolling:24h"],
    ),
]
Thresholds = Annotated[
    list[Annotated[int, Field(ge=1, le=100)]],
    Field(max_length=10, description="Percent of the limit at which an event is raised, ascending."),
    AfterValidator(_ascending),
]
_STRICT = (
    "What a request costs that the provider did not count (its caller left, a worker died): its upper bound, so that "
    "the budget holds whatever the provider bills, or our estimate. Default: the upper bound for a hard budget."
)
_MODE = "`hard`: never exceeded, requests are refused. `soft`: it warns."


def _pico(usd: str) -> int:
    return pico_from_usd(Decimal(usd))


class BudgetSet(ScopeGiven):
    """A budget. `PUT` makes the one of this scope and window so."""

    window: Window
    limit_usd: LimitUsd
    mode: Mode = Field(Mode.HARD, description=_MODE)
    strict: bool | None = Field(None, description=_STRICT)
    thresholds: Thresholds = Field(default_factory=lambda: list(THRESHOLDS))
    paused: bool | None = Field(None, description="A paused budget counts and neither refuses nor warns; null: as is.")

    @property
    def terms(self) -> QuotaTerms:
        """As the services take it."""
        period, length_s = period_of(self.window)
        return QuotaTerms(
            unit=Unit.USD,
            period=period,
            length_s=length_s,
            amount=_pico(self.limit_usd),
            mode=self.mode,
            strict=self.strict,
            thresholds=tuple(self.thresholds),
            paused=self.paused,
        )


class BudgetRaise(BaseModel):
    """A higher limit for some time."""

    limit_usd: LimitUsd
    until: Instant


class BudgetChange(Given):
    """What to change; what is left out stays."""

    limit_usd: LimitUsd | None = None
    mode: Mode | None = Field(None, description=_MODE)
    strict: bool | None = Field(None, description=_STRICT)
    thresholds: Thresholds | None = None
    paused: bool | None = Field(None, description="A paused budget counts and neither refuses nor warns.")
    raised: BudgetRaise | None = Field(None, description="A temporary raise; null ends it.")

    @property
    def changes(self) -> QuotaChanges:
        """As the services take it."""
        raised: Raise | msgspec.UnsetType | None = msgspec.UNSET
        if "raised" in self.model_fields_set:
            raised = Raise(_pico(self.raised.limit_usd), self.raised.until) if self.raised else None
        return QuotaChanges(
            amount=None if self.limit_usd is None else _pico(self.limit_usd),
            mode=self.mode,
            strict=self.strict,
            thresholds=None if self.thresholds is None else tuple(self.thresholds),
            paused=self.paused,
            raised=raised,
        )


class BudgetRaised(BaseModel):
    """A raise that holds."""

    limit_usd: Usd
    until: datetime


class BudgetState(BaseModel):
    """What of a budget is used in the present window."""

    settled_usd: Usd = Field(description="What the ledger has.")
    held_usd: Usd = Field(description="What running requests hold, as their workers last told.")
    leased_usd: Usd = Field(description="What workers have at hand, held or not, and the ledger does not have yet.")
    left_usd: Usd | None = Field(
        description="The limit in force less what is settled and held. Null: there is a window for `each`."
    )
    forecast_usd: Usd | None = Field(
        description="What will have been used at the window's end, at its rate so far. Null: it has no end, or there "
        "is a window for `each`."
    )
    window_start: datetime | None = Field(description="Null: it has no begin.")
    window_end: datetime | None = Field(description="Null: it rolls, or has no end.")

    @staticmethod
    def state_of(state: QuotaState) -> dict[str, Any]:
        """The fields of this class."""
        return {
            "settled_usd": usd_text(state.used.settled),
            "held_usd": usd_text(state.used.held),
            "leased_usd": usd_text(state.used.leased),
            "left_usd": None if state.left is None else usd_text(state.left),
            "forecast_usd": None if state.forecast is None else usd_text(state.forecast),
            "window_start": moment(state.start_us),
            "window_end": moment(state.end_us),
        }


class BudgetWindow(BudgetState):
    """The present window of one of `each`."""

    subject: dict[str, str] = Field(description="Whose it is.", examples=[{"user": "ada"}])

    @classmethod
    def of(cls, row: SubjectState) -> Self:
        """As shown."""
        return cls(subject=row.subject, **cls.state_of(row.state))


class Budget(ScopeShown, BudgetState):
    """A budget, and what of it is used now; of one with `each`, by all of them together."""

    window: str = Field(examples=["day"])
    limit_usd: Usd
    mode: Mode
    strict: bool
    thresholds: list[int]
    paused: bool
    raised: BudgetRaised | None = Field(description="The temporary raise, while it holds.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: StatedQuota) -> Self:
        """As shown."""
        record, quota = row.record, row.record.quota
        raised = raise_of(quota)
        return cls(
            **cls.scope_of(record),
            **cls.state_of(row.state),
            window=window_text(quota.period, quota.length_s),
            limit_usd=usd_text(quota.amount),
            mode=quota.mode,
            strict=quota.strict,
            thresholds=list(quota.thresholds),
            paused=quota.paused,
            raised=BudgetRaised(limit_usd=usd_text(raised.amount), until=raised.until) if raised else None,
            created_at=record.created_at,
            updated_at=record.updated_at,
        )
