"""Explanations of routes on the wire."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, StringConstraints

from tollway.api.admin.models.base import FreeText, Given, Instant, KeyReference, Reference
from tollway.api.admin.models.route import TagName
from tollway.constants import BYTES_PER_TOKEN
from tollway.ledger.money import usd_text
from tollway.routing.explain import ExplainedAttempt, Explanation
from tollway.routing.route import Capability, Sticky, Strategy
from tollway.services.route_explain import RouteQuestion

_USUAL_TOKENS = 1_000
_TOKENS_MAX = 100_000_000
AskedModel = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20\x7f]{1,320}$", max_length=320)]
Usd = Annotated[str | None, Field(description="Exact decimal text; null: no price is known.", examples=["0.15"])]


class RouteAsked(Given):
    """A request that may be made, described. What is left out is as for a chat of usual length."""

    model: AskedModel = Field(
        description="As a caller names it: an alias, or `provider/model`.", examples=["fast", "openai/gpt-4o-mini"]
    )
    project: Reference | None = Field(None, description="Whose aliases count; default: the key's, else none.")
    key: KeyReference | None = Field(
        None, description="Id or name of the API key, which may not be allowed all models."
    )
    surface: Annotated[str, StringConstraints(pattern="^[a-z_]{1,32}$")] = Field("chat", description="What is called.")
    stream: bool = False
    needs: list[Capability] = Field([], max_length=len(Capability), description="What the request needs besides.")
    input_tokens: int | None = Field(None, ge=0, le=_TOKENS_MAX, description="Of the prompt, about; default: 1,000.")
    input_bytes: int | None = Field(
        None, ge=0, le=4 * _TOKENS_MAX, description="Of the body, where tokens are not known: four make one."
    )
    output_tokens: int = Field(250, ge=0, le=_TOKENS_MAX, description="Of the answer, for prices and times.")
    user: FreeText = Field("", description="The end user, as requests name it.")
    tags: dict[TagName, FreeText] = Field({}, max_length=32, description="Tags of the request.")
    conversation: FreeText = Field("", description="What tells its conversation from others (`prompt_cache_key`).")
    at: Instant | None = Field(None, description="When; default: now.")
    seed: int = Field(0, ge=0, lt=2**31, description="Another one draws other random numbers.")

    @property
    def question(self) -> RouteQuestion:
        """As the services take it."""
        tokens = self.input_tokens
        if tokens is None and self.input_bytes is not None:
            tokens = self.input_bytes // BYTES_PER_TOKEN
        return RouteQuestion(
            model=self.model,
            project=self.project,
            key=self.key,
            surface=self.surface,
            stream=self.stream,
            needs=tuple(self.needs),
            prompt_tokens=_USUAL_TOKENS if tokens is None else tokens,
            output_tokens=self.output_tokens,
            user_tag=self.user,
            tags=tuple(sorted(self.tags.items())),
            conversation=self.conversation,
            at_s=self.at.timestamp() if self.at else None,
            seed=self.seed,
        )


class AttemptShown(BaseModel):
    """One attempt that would be made if those before it failed."""

    target: str = Field(description="`provider/model`.", examples=["openai/gpt-4o-mini"])
    region: str
    reason: str = Field(description="Why it stands here.")
    breaker: str = Field(description="`closed`, `half_open` or `open`.")
    first_token_ms: float | None = Field(description="As this worker measured lately; null: not measured.")
    token_ms: float | None = Field(description="Between two tokens, likewise.")
    expected_ms: float | None = Field(description="To the whole answer; null: not known.")
    in_flight: int = Field(description="Requests of this worker that run there now.")
    error_rate: float = Field(description="Part of the recent requests that failed, 0 to 1.")
    input_usd_per_million: Usd
    output_usd_per_million: Usd
    expected_usd: Usd
    credentials: int
    credentials_resting: int = Field(description="Those that are exhausted or were refused lately.")

    @classmethod
    def of(cls, attempt: ExplainedAttempt) -> Self:
        """As shown."""
        same = {name: getattr(attempt, name) for name in cls.model_fields if hasattr(attempt, name)}
        return cls(
            **same,
            target=f"{attempt.provider}/{attempt.model}",
            input_usd_per_million=_usd(attempt.input_price),
            output_usd_per_million=_usd(attempt.output_price),
            expected_usd=_usd(attempt.expected_cost),
        )


class LeftOutShown(BaseModel):
    """A target that would not be asked."""

    target: str
    reason: str


class RouteExplained(BaseModel):
    """What would happen, as the worker that answered sees it now."""

    model: str
    is_alias: bool
    strategy: Strategy
    sticky: Sticky
    rule: str = Field(description="The rule that applies; empty: none does.")
    attempts: list[AttemptShown] = Field(description="In their order.")
    left_out: list[LeftOutShown]
    attempts_max: int = Field(description="How many of them are made at the most.")
    timeout_s: float | None = Field(description="Of the whole request; null: the installation's.")
    hedged: str = Field(description="Who is asked besides when the first is late; empty: nobody.")
    shadow: str = Field(description="Who gets copies of a part of the requests; empty: nobody.")

    @classmethod
    def of(cls, found: Explanation) -> Self:
        """As shown."""
        same = {name: getattr(found, name) for name in cls.model_fields}
        return cls(
            **same
            | {
                "attempts": [AttemptShown.of(attempt) for attempt in found.attempts],
                "left_out": [LeftOutShown(target=item.target, reason=item.reason) for item in found.left_out],
            }
        )


def _usd(pico: int | None) -> str | None:
    return None if pico is None else usd_text(pico)
