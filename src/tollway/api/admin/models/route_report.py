"""Reports of routes on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, Field

from tollway.api.admin.models.ledger import Usd
from tollway.data.route_report import TargetSums
from tollway.ledger.money import usd_text
from tollway.services.route_report import ENTRIES_MAX, RouteReport

_US_PER_MS = 1_000


class Role(StrEnum):
    """What a target is of its alias."""

    TARGET = "target"
    CANARY = "canary"
    SHADOW = "shadow"


class Spread(BaseModel):
    """Milliseconds; null without a request that ended well."""

    p50: float | None
    p95: float | None

    @classmethod
    def of(cls, p50_us: int | None, p95_us: int | None) -> Self:
        """As shown."""
        return cls(p50=_milliseconds(p50_us), p95=_milliseconds(p95_us))


class ReportedTarget(BaseModel):
    """What one target did."""

    target: str = Field(description="`provider/model`, as sent upstream.", examples=["openai/gpt-4o-mini"])
    role: Role = Field(description="A canary as the alias is now; a shadow was asked with copies.")
    requests: int = Field(description="Requests that it was the last to be asked with.")
    errors: int = Field(description="Of them, those that ended badly.")
    error_rate: float = Field(description="0 to 1.")
    estimated: int = Field(description="Of them, those whose counts are estimates.")
    attempts: int = Field(description="Attempts at it, those that another target made good among them.")
    failed_attempts: int
    input_tokens: int
    output_tokens: int
    charge_usd: Usd
    charge_usd_per_request: Usd
    first_byte_ms: Spread = Field(description="From admission to the first byte, of those that ended well.")
    duration_ms: Spread = Field(description="From admission to the end, likewise.")

    @classmethod
    def of(cls, sums: TargetSums, *, canary: str) -> Self:
        """As shown."""
        target = f"{sums.provider}/{sums.model}"
        same = ("requests", "errors", "estimated", "attempts", "failed_attempts", "input_tokens", "output_tokens")
        role = Role.CANARY if target == canary else Role.TARGET
        return cls(
            **{name: getattr(sums, name) for name in same},
            target=target,
            role=Role.SHADOW if sums.shadow else role,
            error_rate=round(sums.errors / sums.requests, 4) if sums.requests else 0.0,
            charge_usd=usd_text(sums.charge),
            charge_usd_per_request=usd_text(sums.charge // max(sums.requests, 1)),
            first_byte_ms=Spread.of(sums.first_byte_p50, sums.first_byte_p95),
            duration_ms=Spread.of(sums.duration_p50, sums.duration_p95),
        )


class RouteCompared(BaseModel):
    """The targets that were asked under one name."""

    project: str
    alias: str
    since: datetime
    until: datetime
    entries: int = Field(description="Entries of the ledger that were read.")
    oldest: datetime | None = Field(description="When the oldest of them was admitted.")
    whole: bool = Field(
        description=f"False: there are more than {ENTRIES_MAX} of them, or than 500000 of the project, in that time, "
        "and these are the newest."
    )
    data: list[ReportedTarget]

    @classmethod
    def of(cls, report: RouteReport, alias: str) -> Self:
        """As shown."""
        return cls(
            project=report.project,
            alias=alias,
            since=report.since,
            until=report.until,
            entries=report.compared.entries,
            oldest=report.compared.oldest,
            whole=report.compared.whole,
            data=[ReportedTarget.of(sums, canary=report.canary) for sums in report.compared.targets],
        )


def _milliseconds(us: int | None) -> float | None:
    return None if us is None else us / _US_PER_MS
