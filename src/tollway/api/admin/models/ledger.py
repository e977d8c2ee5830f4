"""Ledger entries on the wire."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from tollway.data.ledger import StoredEntry
from tollway.data.ledger_check import Difference as FoundDifference
from tollway.ledger.entry import Attempt as TriedAttempt
from tollway.ledger.entry import Outcome, UsageSource
from tollway.ledger.explain import ExplainedLine, Explanation, explain
from tollway.ledger.money import usd_text
from tollway.ledger.usage import Usage
from tollway.ledger.window import SECOND_US
from tollway.services.ledger_audit import Audit as FinishedAudit

Usd = Annotated[
    str, Field(description="Exact decimal text, USD.", examples=["0.000123"], pattern=r"^-?[0-9]+(\.[0-9]+)?$")
]
"""An amount of money."""


class Attempt(BaseModel):
    """One try at one provider."""

    provider: str
    model: str = Field(description="The model name sent upstream.")
    status: int = Field(description="HTTP status of the provider; 0 if none came.")
    error: str = Field(description="Our error code; empty on success.")
    duration_us: int
    input_tokens: int = Field(description="Of this attempt; 0 if it is not paid for, or the only one.")
    output_tokens: int
    charge_usd: Usd = Field(description="Its part of the entry's charge; 0 if it is not paid for, or the only one.")
    usage_source: UsageSource = Field(description="Who counted this attempt's tokens.")

    @classmethod
    def of(cls, attempt: TriedAttempt) -> Self:
        """As shown."""
        same = ("provider", "model", "status", "error", "duration_us", "input_tokens", "output_tokens", "usage_source")
        return cls(charge_usd=usd_text(attempt.charge), **{name: getattr(attempt, name) for name in same})


class ChargeLine(BaseModel):
    """The charge for one dimension."""

    kind: str = Field(examples=["input"])
    quantity: int
    price_usd_per_million: Usd
    amount_usd: Usd
    price_ref: str = Field(description="The price row used.", examples=["genai-prices@0.2.3:openai/gpt-4o-mini"])
    arithmetic: str = Field(examples=["1,000 x 0.15 USD / 1,000,000 = 0.00015 USD"])
    agrees: bool = Field(description="Whether quantity x price is the stored amount.")

    @classmethod
    def of(cls, line: ExplainedLine) -> Self:
        """As shown."""
        return cls(**{name: getattr(line, name) for name in cls.model_fields})


def counts(usage: Usage) -> dict[str, int]:
    """The kinds that were used."""
    return {kind: count for kind in usage.__struct_fields__ if (count := getattr(usage, kind))}


_SAME = (
    "entry_id",
    "request_id",
    "organization_id",
    "project_id",
    "key_id",
    "surface",
    "model_asked",
    "provider",
    "model_sent",
    "model_answered",
    "stream",
    "outcome",
    "status",
    "error",
    "usage_source",
    "priced",
    "duration_us",
    "first_byte_us",
    "request_bytes",
    "response_bytes",
)
"""Fields that are shown as they are in `tollway.ledger.entry.LedgerEntry`."""


class Entry(BaseModel):
    """One admitted request."""

    entry_id: str
    request_id: str
    admitted_at: datetime
    organization_id: str
    project_id: str
    project: str | None = Field(description="Present name of the project.")
    key_id: str
    key: str | None = Field(description="Present name of the key.")
    surface: str = Field(examples=["chat"])
    model_asked: str = Field(description="As the caller named it.")
    provider: str
    model_sent: str
    model_answered: str = Field(description="As the reply names it; empty if there was none.")
    user: str = Field(description="The request's `user` or `safety_identifier`.")
    tags: dict[str, str]
    stream: bool
    outcome: Outcome
    status: int = Field(description="What the caller got; 499: it left before; 0: the worker died.")
    error: str
    attempts: list[Attempt]
    input_tokens: int
    output_tokens: int
    usage: dict[str, int] = Field(description="Disjoint counts by kind; kinds not used are absent.")
    usage_source: UsageSource
    priced: bool
    charge_usd: Usd
    saved_usd: Usd = Field(description="What it would have cost, had its answer not been in the response cache.")
    provider_cost_usd: Usd | None = Field(description="What the provider itself reports.")
    duration_us: int
    first_byte_us: int | None
    request_bytes: int
    response_bytes: int

    @classmethod
    def of(cls, stored: StoredEntry) -> Self:
        """As shown."""
        entry = stored.entry
        return cls(
            **{name: getattr(entry, name) for name in _SAME},
            admitted_at=datetime.fromtimestamp(entry.admitted_at_us / SECOND_US, UTC),
            project=stored.project,
            key=stored.key,
            user=entry.user_tag,
            tags=dict(entry.tags),
            attempts=[Attempt.of(attempt) for attempt in entry.attempts],
            input_tokens=entry.usage.input_total,
            output_tokens=entry.usage.output_total,
            usage=counts(entry.usage),
            charge_usd=usd_text(entry.charge),
            saved_usd=usd_text(entry.saved),
            provider_cost_usd=None if entry.provider_cost is None else usd_text(entry.provider_cost),
        )


class DetailedEntry(Entry):
    """An entry with its charge line by line."""

    lines: list[ChargeLine]

    @classmethod
    def of(cls, stored: StoredEntry) -> Self:
        """As shown."""
        lines = [ChargeLine.of(line) for line in explain(stored.entry).lines]
        return cls(**Entry.of(stored).model_dump(), lines=lines)


class ExplainedEntry(DetailedEntry):
    """An entry, and its charge done again."""

    recomputed_usd: Usd
    agrees: bool = Field(description="Whether every line and their sum are right.")
    remarks: list[str] = Field(description="What else one must know to read the figures.")

    @classmethod
    def explained(cls, stored: StoredEntry, explanation: Explanation) -> Self:
        """As shown."""
        return cls(
            **DetailedEntry.of(stored).model_dump(),
            recomputed_usd=explanation.recomputed_usd,
            agrees=explanation.agrees,
            remarks=list(explanation.remarks),
        )


class RequestEntries(BaseModel):
    """All entries of one request id, newest first: usually one, as callers may choose their ids."""

    data: list[ExplainedEntry]


class Difference(BaseModel):
    """A row of a rollup that is not the sum of its entries. Money in pico-dollars (1e-12 USD)."""

    rollup: Literal["usage_hourly", "usage_daily", "usage_tag_hourly", "usage_tag_daily"]
    key: dict[str, str]
    expected: dict[str, int | None]
    stored: dict[str, int | None]

    @classmethod
    def of(cls, found: FoundDifference) -> Self:
        """As shown."""
        return cls.model_validate({name: getattr(found, name) for name in cls.model_fields})


class WrongCharge(BaseModel):
    """An entry whose charge does not follow from its lines."""

    entry_id: str
    request_id: str
    charge_usd: Usd
    recomputed_usd: Usd


class Audit(BaseModel):
    """What an audit found."""

    since: datetime
    until: datetime
    entries: int = Field(description="Entries checked.")
    agrees: bool
    differences: list[Difference]
    wrong_charges: list[WrongCharge]

    @classmethod
    def of(cls, audit: FinishedAudit) -> Self:
        """As shown."""
        return cls(
            since=audit.since,
            until=audit.until,
            entries=audit.entries,
            agrees=audit.agrees,
            differences=[Difference.of(difference) for difference in audit.differences],
            wrong_charges=[
                WrongCharge(
                    entry_id=wrong.entry_id,
                    request_id=wrong.request_id,
                    charge_usd=usd_text(wrong.charge_pico),
                    recomputed_usd=usd_text(wrong.recomputed_pico),
                )
                for wrong in audit.wrong_charges
            ],
        )
