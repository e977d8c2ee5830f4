"""Usage on the wire."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from tollway.api.admin.models.ledger import Usd, counts
from tollway.data.rollups import UsageSum
from tollway.ledger.money import usd_text
from tollway.services.usage_query import UsageReport


class UsageTotal(BaseModel):
    """Sums of requests."""

    requests: int
    errors: int = Field(description="Requests that ended otherwise than well or by the caller leaving.")
    unpriced: int = Field(description="Requests whose use has no price, or only in part.")
    estimated: int = Field(description="Requests whose counts are estimates.")
    input_tokens: int
    output_tokens: int
    usage: dict[str, int] = Field(description="Disjoint counts by kind; kinds not used are absent.")
    charge_usd: Usd
    provider_cost_usd: Usd = Field(description="Sum of what providers themselves reported, where they did.")
    saved_usd: Usd = Field(description="What answers from the response cache would have cost.")

    @classmethod
    def of(cls, sums: UsageSum) -> Self:
        """As shown."""
        return cls(
            requests=sums.requests,
            errors=sums.errors,
            unpriced=sums.unpriced,
            estimated=sums.estimated,
            input_tokens=sums.usage.input_total,
            output_tokens=sums.usage.output_total,
            usage=counts(sums.usage),
            charge_usd=usd_text(sums.charge_pico),
            provider_cost_usd=usd_text(sums.provider_cost_pico),
            saved_usd=usd_text(sums.saved_pico),
        )


class UsageRow(UsageTotal):
    """Sums of one group; what was not grouped by is null."""

    day: str | None = Field(None, description="UTC.", examples=["2026-11-22"])
    hour: datetime | None = Field(None, description="Begin of the hour, UTC.")
    project_id: str | None = None
    project: str | None = Field(None, description="Present name of the project.")
    key_id: str | None = None
    key: str | None = Field(None, description="Present name of the key.")
    model: str | None = Field(None, description="`provider/model`, as sent upstream.")
    provider: str | None = None
    tag: str | None = Field(None, description="`name=value`.")

    @classmethod
    def of_group(cls, sums: UsageSum, *, by_hour: bool) -> Self:
        """As shown."""
        same = ("project_id", "project", "key_id", "key", "model", "provider")
        return cls(
            **UsageTotal.of(sums).model_dump(),
            **{name: getattr(sums, name) for name in same},
            day=None if sums.bucket is None else f"{sums.bucket:%Y-%m-%d}",
            hour=sums.bucket if by_hour else None,
            tag=None if sums.tag_name is None else f"{sums.tag_name}={sums.tag_value}",
        )


class Usage(BaseModel):
    """The answer to a question about usage."""

    since: datetime | None = Field(description="The range that was summed: whole hours.")
    until: datetime | None
    data: list[UsageRow] = Field(description="By tag, a request counts once under each of its tags.")
    total: UsageTotal = Field(description="Every request that matches, once.")

    @classmethod
    def of(cls, report: UsageReport, *, by_hour: bool) -> Self:
        """As shown."""
        return cls(
            since=report.since,
            until=report.until,
            data=[UsageRow.of_group(row, by_hour=by_hour) for row in report.rows],
            total=UsageTotal.of(report.total),
        )
