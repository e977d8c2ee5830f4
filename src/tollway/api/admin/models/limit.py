"""Rate limits on the wire. Amounts are counts."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

import msgspec
from pydantic import BaseModel, Field, model_validator

from tollway.api.admin.models.base import Given, Instant
from tollway.api.admin.models.quota import ScopeGiven, ScopeShown, moment, raise_of
from tollway.ledger.quota import Period, Unit
from tollway.services.quota_change import QuotaChanges, Raise
from tollway.services.quota_put import QuotaTerms
from tollway.services.quota_state import QuotaState, StatedQuota, SubjectState

Count = Annotated[int, Field(ge=0, le=10**15, strict=True)]
QueueS = Annotated[
    float,
    Field(
        ge=0,
        le=60,
        allow_inf_nan=False,
        description="Seconds a request may wait for its turn instead of being refused; 0: not at all.",
    ),
]


class LimitUnit(StrEnum):
    """What is limited."""

    REQUESTS = "requests"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    TOKENS = "tokens"
    PARALLEL = "parallel"


class LimitWindow(StrEnum):
    """In which time."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


class LimitSet(ScopeGiven):
    """A rate limit. `PUT` makes the one of this scope, unit and window so."""

    unit: LimitUnit = Field(description="`parallel`: requests that run at the same time.")
    window: LimitWindow | None = Field(None, description="Needed, but for `parallel`, which has none.")
    limit: Count = Field(examples=[60])
    queue_s: QueueS = 0.0
    paused: bool | None = Field(None, description="A paused limit refuses nothing; null: as is.")

    @model_validator(mode="after")
    def _windowed(self) -> Self:
        if (self.unit is LimitUnit.PARALLEL) != (self.window is None):
            raise ValueError("Every limit needs a window, but for `parallel`, which has none.")
        return self

    @property
    def terms(self) -> QuotaTerms:
        """As the services take it."""
        return QuotaTerms(
            unit=Unit(self.unit),
            period=Period.TOTAL if self.window is None else Period(self.window),
            amount=self.limit,
            strict=False,
            queue_s=self.queue_s,
            paused=self.paused,
        )


class LimitRaise(BaseModel):
    """A higher limit for some time."""

    limit: Count
    until: Instant


class LimitChange(Given):
    """What to change; what is left out stays."""

    limit: Count | None = None
    queue_s: QueueS | None = None
    paused: bool | None = Field(None, description="A paused limit refuses nothing.")
    raised: LimitRaise | None = Field(None, description="A temporary raise; null ends it.")

    @property
    def changes(self) -> QuotaChanges:
        """As the services take it."""
        raised: Raise | msgspec.UnsetType | None = msgspec.UNSET
        if "raised" in self.model_fields_set:
            raised = Raise(self.raised.limit, self.raised.until) if self.raised else None
        return QuotaChanges(amount=self.limit, queue_s=self.queue_s, paused=self.paused, raised=raised)


class LimitRaised(BaseModel):
    """A raise that holds."""

    limit: int
    until: datetime


class LimitState(BaseModel):
    """What of a limit is used in the present window."""

    used: int = Field(description="As workers last told; they tell every few seconds. Of `parallel`: 0.")
    held: int = Field(description="What running requests hold, as their workers last told.")
    leased: int = Field(description="What workers have at hand, held or not.")
    left: int | None = Field(
        description="The limit in force less what is used and held. Null: there is a window for `each`."
    )
    window_start: datetime | None = Field(description="Null for `parallel`.")
    window_end: datetime | None = Field(description="Null for `parallel`.")

    @staticmethod
    def state_of(state: QuotaState) -> dict[str, Any]:
        """The fields of this class."""
        return {
            "used": state.used.settled,
            "held": state.used.held,
            "leased": state.used.leased,
            "left": state.left,
            "window_start": moment(state.start_us),
            "window_end": moment(state.end_us),
        }


class LimitWindowShown(LimitState):
    """The present window of one of `each`."""

    subject: dict[str, str] = Field(description="Whose it is.", examples=[{"user": "ada"}])

    @classmethod
    def of(cls, row: SubjectState) -> Self:
        """As shown."""
        return cls(subject=row.subject, **cls.state_of(row.state))


class Limit(ScopeShown, LimitState):
    """A rate limit, and what of it is used now; of one with `each`, by all of them together."""

    unit: LimitUnit
    window: LimitWindow | None = Field(description="Null for `parallel`.")
    limit: int
    queue_s: float
    paused: bool
    raised: LimitRaised | None = Field(description="The temporary raise, while it holds.")
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
            unit=LimitUnit(quota.unit),
            window=None if quota.period is Period.TOTAL else LimitWindow(quota.period),
            limit=quota.amount,
            queue_s=quota.queue_s,
            paused=quota.paused,
            raised=LimitRaised(limit=raised.amount, until=raised.until) if raised else None,
            created_at=record.created_at,
            updated_at=record.updated_at,
        )
