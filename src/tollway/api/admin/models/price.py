"""Prices on the wire: decimal text, USD per million units."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, WithJsonSchema, model_validator

from tollway.api.admin.models.base import FreeText, Given, Instant, Shown
from tollway.ledger.usage import KINDS


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        message = f"Not a kind of usage. There are: {', '.join(KINDS)}."
        raise ValueError(message)
    return kind


Kind = Annotated[str, AfterValidator(_known_kind), WithJsonSchema({"type": "string", "enum": [*KINDS]})]
"""A kind of usage."""
Usd = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,6}(\.[0-9]{1,12})?$", max_length=19),
    Field(description="USD per million units, as decimal text.", examples=["0.15"]),
]


class PriceTier(BaseModel):
    """A price that holds for the whole request when its input is long."""

    above: int = Field(ge=0, le=1_000_000_000, description="Input tokens that must be exceeded.", examples=[200_000])
    usd_per_million: Usd


class PriceSet(Given):
    """A price over the base book. `PUT` replaces the one of the same model and `valid_from`."""

    rates: dict[Kind, Usd] = Field(
        min_length=1,
        description="Kind of usage → price. A kind that is left out keeps its base price.",
        examples=[{"input": "0.15", "output": "0.6", "cache_read": "0.075"}],
    )
    tiers: dict[Kind, list[PriceTier]] = Field(
        default_factory=dict, description="Kind → prices for long inputs, in ascending order of `above`."
    )
    valid_from: Instant | None = Field(None, description="Null: always has been.")
    valid_to: Instant | None = Field(None, description="The price holds before this time; null: for ever.")
    source: FreeText = Field("", description="Where the price was read.", examples=["contract of 2026-10-01"])
    note: FreeText = ""
    all_organizations: bool = Field(False, description="For the whole installation: needs scope `platform`.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to <= self.valid_from:
            message = "valid_to must be later than valid_from."
            raise ValueError(message)
        for kind, tiers in self.tiers.items():
            bounds = [tier.above for tier in tiers]
            if kind not in self.rates or bounds != sorted(set(bounds)):
                message = "Tiers need a rate of the same kind, and ascending bounds."
                raise ValueError(message)
        return self


class PriceOverride(Shown):
    """A price that was set."""

    id: str
    organization_id: str | None = Field(description="Null: for the whole installation.")
    name: str = Field(description="`provider/model`; `*` stands for all.", examples=["openai/gpt-4o-mini"])
    provider: str
    model: str
    rates: dict[str, str] = Field(examples=[{"input": "0.15"}])
    tiers: dict[str, list[PriceTier]]
    valid_from: datetime | None
    valid_to: datetime | None
    source: str
    note: str
    created_at: datetime


class EffectiveRate(BaseModel):
    """What one kind of usage costs now."""

    usd_per_million: str = Field(examples=["0.15"])
    tiers: list[PriceTier]
    ref: str = Field(description="The price row it comes from.", examples=["genai-prices@0.2.3:openai/gpt-4o-mini"])


class Price(BaseModel):
    """What a model costs now: the base book with the overrides that apply."""

    name: str = Field(examples=["openai/gpt-4o-mini"])
    provider: str
    model: str
    rates: dict[str, EffectiveRate]
    valid_until: datetime | None = Field(description="When to look again; null: nothing is planned.")
