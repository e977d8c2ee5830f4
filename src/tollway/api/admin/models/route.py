"""Routes on the wire: what an alias with several targets does."""

from typing import Annotated

import msgspec
from pydantic import Field, StringConstraints

from tollway.api.admin.models.base import FreeText, Given, ModelName, Name, Target
from tollway.routing import route as routing
from tollway.routing.failure import FailureKind
from tollway.routing.route import Capability, Sticky, Strategy

_DEFAULT = routing.Retry()
Tokens = Annotated[int, Field(ge=0, le=10**9)]
Amount = Annotated[int, Field(ge=1, le=10**12)]
Milliseconds = Annotated[int, Field(ge=1, le=600_000)]
Percent = Annotated[int, Field(ge=0, le=100)]
Seconds = Annotated[float, Field(ge=0, le=300, allow_inf_nan=False)]
Hour = Annotated[int, Field(ge=0, le=24)]
ModelPattern = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9@*][A-Za-z0-9._:@/+~*-]{0,319}$", max_length=320)]
TagName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,64}$", max_length=64)]
Id = Annotated[str, StringConstraints(pattern="^[0-9a-f-]{36}$", max_length=36)]


class RouteTarget(Given):
    """One deployment that may answer."""

    provider: Name = Field(examples=["openai"])
    model: ModelName = Field(examples=["gpt-4o-mini"])
    weight: int = Field(1, ge=0, le=1_000_000, description="Its part among equals; 0: only when all others failed.")
    priority: int = Field(0, ge=0, le=1_000, description="Lower ones come first.")
    region: FreeText = Field("", description="Where it is, in your words.")
    capabilities: list[Capability] | None = Field(
        None, max_length=len(Capability), description="What it can do; null: not known, so everything is tried."
    )
    context_tokens: Tokens = Field(0, description="The model's window; 0: as the price book says, if it does.")
    requests_per_minute: Amount | None = Field(None, description="What it takes; beyond, the next target is asked.")
    tokens_per_minute: Amount | None = Field(None, description="As above.")
    parallel: Amount | None = Field(None, description="As above, of requests at the same time.")


class Condition(Given):
    """When a rule applies: all that is given must hold."""

    models: list[ModelPattern] = Field([], max_length=32, description="What the caller asked for; `gpt-*` for many.")
    tags: dict[TagName, FreeText] = Field({}, max_length=32, description="Tags of the request; `*` for any value.")
    prompt_tokens_min: Tokens | None = Field(None, description="The estimated size of the prompt, inclusive.")
    prompt_tokens_max: Tokens | None = Field(None, description="As above.")
    hour_from: Hour | None = Field(None, description="From this hour of the day; from 22 until 6 goes over midnight.")
    hour_until: Hour | None = Field(None, description="Until this hour, which no longer counts.")
    weekdays: list[Annotated[int, Field(ge=1, le=7)]] = Field([], max_length=7, description="1 is Monday.")
    time_zone: Annotated[str, StringConstraints(pattern="^[A-Za-z][A-Za-z0-9_+/-]{0,63}$")] = Field(
        "UTC", description="IANA name, for hours and weekdays."
    )
    needs: list[Capability] = Field([], max_length=len(Capability), description="What the request needs.")
    keys: list[Id] = Field([], max_length=256, description="Ids of API keys.")
    projects: list[Id] = Field([], max_length=256, description="Ids of projects.")


class Rule(Given):
    """Where requests of one kind go. The first rule that applies decides."""

    name: FreeText = ""
    when: Condition
    targets: list[Target] = Field(min_length=1, max_length=routing.TARGETS_MAX, description="The only ones then.")


class Retry(Given):
    """What happens after a failure."""

    attempts: int = Field(_DEFAULT.attempts, ge=1, le=10, description="At the most, of all targets together.")
    attempt_timeout_s: float | None = Field(
        None,
        ge=0.001,
        le=86_400,
        allow_inf_nan=False,
        description="How long one attempt may take to begin its answer while another target could give it.",
    )
    retry_on: list[FailureKind] = Field(
        list(_DEFAULT.retry_on), max_length=len(FailureKind), description="Then the same target may be asked again."
    )
    fall_back_on: list[FailureKind] = Field(
        list(_DEFAULT.fall_back_on), max_length=len(FailureKind), description="Then the next target is asked."
    )
    back_off_base_s: Seconds = Field(_DEFAULT.back_off_base_s, description="The longest first pause; it doubles.")
    back_off_max_s: Seconds = Field(_DEFAULT.back_off_max_s, description="The longest pause of all.")
    max_extra_percent: Percent = Field(
        _DEFAULT.max_extra_percent, description="Additional attempts in percent of the requests, in each worker."
    )


class Hedge(Given):
    """A second target is asked when the first token is late; the first to answer wins, and both are paid for."""

    percentile: int = Field(95, ge=50, le=99, description="Late is what takes longer than so many percent lately.")
    after_ms: Milliseconds | None = Field(None, description="Or what takes longer than this.")
    max_percent: int = Field(5, ge=1, le=100, description="Of the requests, in each worker.")


class Part(Given):
    """A part of the traffic for one of the targets."""

    target: Target = Field(description="One of `targets`.", examples=["openai/gpt-4o-mini"])
    percent: float = Field(ge=0, le=100, allow_inf_nan=False)


class Route(Given):
    """Several targets, and how they are chosen, retried and compared."""

    targets: list[RouteTarget] = Field(min_length=1, max_length=routing.TARGETS_MAX)
    strategy: Strategy = Field(
        Strategy.PRIORITY,
        description="`priority`: by `priority`, equal ones by weight; `weighted`; `least_latency`; `least_cost`, among "
        "those that meet `latency_target_ms`; `least_busy`.",
    )
    latency_target_ms: Milliseconds | None = Field(None, description="The time to the first token to be met.")
    sticky: Sticky = Field(Sticky.NONE, description="What keeps to one target, for the sake of its prompt cache.")
    rules: list[Rule] = Field([], max_length=routing.RULES_MAX)
    retry: Retry = Retry()
    hedge: Hedge | None = None
    canary: Part | None = Field(None, description="A target that answers a part of the requests, and no others.")
    shadow: Part | None = Field(None, description="A target that is asked a part of them besides, unnoticed.")
    continue_streams: bool = Field(False, description="The next target goes on where a stream broke.")
    timeout_s: float | None = Field(None, ge=0.001, le=86_400, allow_inf_nan=False, description="Of the whole request.")

    @property
    def wanted(self) -> routing.Route:
        """As the services take it."""
        return msgspec.convert(self.model_dump(mode="json"), routing.Route)
