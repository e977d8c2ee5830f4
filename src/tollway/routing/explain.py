"""What a plan would do and why, as it is told to people. Pure."""

import msgspec

from tollway.routing.route import Capability, Sticky, Strategy


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """A request that may be made.

    Attributes:
        model: as a caller would name it.
        surface: name of the surface.
        stream: whether a stream is asked for.
        needs: what the request needs besides.
        prompt_tokens: the estimated size of the prompt.
        output_tokens: the expected length of the answer, for prices and times.
        user_tag: the end user.
        tags: of the request.
        conversation: what tells its conversation from others (`prompt_cache_key`), for sticky routes.
        at_s: epoch seconds; ``None``: now.
        seed: of the random choices, so that the same question has the same answer.
    """

    model: str
    surface: str = "chat"
    stream: bool = False
    needs: tuple[Capability, ...] = ()
    prompt_tokens: int = 1_000
    output_tokens: int = 250
    user_tag: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    conversation: str = ""
    at_s: float | None = None
    seed: int = 0


class Question(Description, frozen=True, kw_only=True):
    """The same, with whose it is.

    Attributes:
        organization_id, project_id: whose request it is.
        key_id: of the API key, empty for any.
        allowed_models: of the key; ``None``: all.
    """

    organization_id: str
    project_id: str
    key_id: str = ""
    allowed_models: tuple[str, ...] | None = None


class ExplainedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that would be made, if those before it failed.

    Attributes:
        provider, model, region: the target.
        reason: why it stands here, in words.
        breaker: ``closed``, ``half_open`` or ``open``.
        first_token_ms, token_ms: measured lately by this worker; ``None``: not measured.
        expected_ms: the time to the whole answer; ``None``: not known.
        in_flight: requests of this worker that run there now.
        error_rate: part of the recent requests that failed, 0 to 1.
        input_price, output_price: pico-dollars per million tokens; ``None``: no price is known.
        expected_cost: pico-dollars for the request as it was described; ``None``: not known.
        credentials, credentials_resting: how many there are, and how many of them rest.
    """

    provider: str
    model: str
    region: str
    reason: str
    breaker: str
    first_token_ms: float | None
    token_ms: float | None
    expected_ms: float | None
    in_flight: int
    error_rate: float
    input_price: int | None
    output_price: int | None
    expected_cost: int | None
    credentials: int
    credentials_resting: int


class LeftOut(msgspec.Struct, frozen=True):
    """A target that would not be asked. Attributes: target: ``provider/model``; reason: in words."""

    target: str
    reason: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen to a request.

    Attributes:
        model: as it was asked for.
        is_alias: whether that is an alias of the project.
        strategy, sticky: of its route.
        rule: name or number of the rule that applies, empty if none does.
        attempts: in their order; at most `attempts_max` of them are made.
        left_out: the other targets.
        attempts_max: of one request.
        timeout_s: of the whole request, ``None``: the installation's.
        hedged: the target that is asked besides when the first is late, and after how many milliseconds; empty if none.
        shadow: the target that a part of the requests is copied to, and how many percent; empty if none.
    """

    model: str
    is_alias: bool
    strategy: Strategy
    sticky: Sticky
    rule: str
    attempts: tuple[ExplainedAttempt, ...]
    left_out: tuple[LeftOut, ...]
    attempts_max: int
    timeout_s: float | None
    hedged: str = ""
    shadow: str = ""
