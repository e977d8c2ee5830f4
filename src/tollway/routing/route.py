"""What stands behind a name: the deployments that may answer, and how they are chosen, retried and compared. Pure.

A `Route` is stored as JSON with its alias. `provider/model`, asked for directly, is a route with one target.
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from tollway.routing.failure import FailureKind

TARGETS_MAX = 32
RULES_MAX = 32
_ATTEMPTS_MAX = 10
_WEIGHT_MAX = 1_000_000
TIMEOUT_MAX_S = 86_400.0
_BACK_OFF_MAX_S = 300.0
_HOURS = 24
_WEEKDAYS = range(1, 8)
_PERCENT_MAX = 100


class Capability(StrEnum):
    """What a deployment can do, and a request may need."""

    TOOLS = "tools"
    PARALLEL_TOOLS = "parallel_tools"
    STRUCTURED = "structured"
    IMAGES = "images"
    AUDIO = "audio"
    FILES = "files"
    REASONING = "reasoning"
    STREAMING = "streaming"


class Strategy(StrEnum):
    """How the targets that can answer are put in order."""

    PRIORITY = "priority"
    """The lowest `RouteTarget.priority` first; equal ones by weight."""
    WEIGHTED = "weighted"
    """At random, by weight."""
    LEAST_LATENCY = "least_latency"
    """By the measured time to the first token and per token, with some exploration."""
    LEAST_COST = "least_cost"
    """By price, among those that meet `Route.latency_target_ms`."""
    LEAST_BUSY = "least_busy"
    """By the requests that run there now, in proportion to the weight."""


class Sticky(StrEnum):
    """What keeps to one target as long as that can answer, so that the provider's prompt cache is of use."""

    NONE = "none"
    CONVERSATION = "conversation"
    USER = "user"
    KEY = "key"


RETRIED = (
    FailureKind.CONNECTION,
    FailureKind.CONFLICT,
    FailureKind.RATE_LIMITED,
    FailureKind.OVERLOADED,
    FailureKind.SERVER,
)
"""Failures after which the same deployment may be asked again: it has not worked for us, and may the next time."""
FALLEN_BACK_ON = (
    *RETRIED,
    FailureKind.CUT,
    FailureKind.TIMEOUT,
    FailureKind.EXHAUSTED,
    FailureKind.CREDENTIAL,
    FailureKind.FILTERED,
    FailureKind.CONTEXT,
    FailureKind.NOT_FOUND,
)
"""Failures after which another deployment may be asked: all but those of the request itself."""


class RouteTarget(msgspec.Struct, frozen=True, omit_defaults=True):
    """One deployment of a route.

    Attributes:
        provider: name of a provider of the organization.
        model: the name of the model there.
        weight: its part of the traffic among equals; 0: only when all others failed.
        priority: lower ones come first.
        region: where it is, in the operator's words.
        capabilities: what it can do; ``None``: not known, so everything is tried.
        context_tokens: the model's window; 0: as the price book says, if it does.
        requests_per_minute, tokens_per_minute, parallel: what the provider allows; beyond, the next target is asked.
    """

    provider: str
    model: str
    weight: int = 1
    priority: int = 0
    region: str = ""
    capabilities: tuple[Capability, ...] | None = None
    context_tokens: int = 0
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None

    @property
    def name(self) -> str:
        """``provider/model``: what rules, canaries and shadows call it."""
        return f"{self.provider}/{self.model}"


class Condition(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a rule applies: all that is given must hold.

    Attributes:
        models: names the caller may have asked for; ``gpt-*`` matches what begins so.
        tags: tags of the request with their values; ``*`` for any value.
        prompt_tokens_min, prompt_tokens_max: the estimated size of the prompt, both inclusive.
        hour_from, hour_until: hours of the day, the second exclusive; from 22 until 6 goes over midnight.
        weekdays: 1 (Monday) to 7.
        time_zone: IANA name, for hours and weekdays.
        needs: what the request needs.
        keys: ids of API keys.
        projects: ids of projects.
    """

    models: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    prompt_tokens_min: int | None = None
    prompt_tokens_max: int | None = None
    hour_from: int | None = None
    hour_until: int | None = None
    weekdays: tuple[int, ...] = ()
    time_zone: str = "UTC"
    needs: tuple[Capability, ...] = ()
    keys: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where requests of one kind go. The first rule that applies decides.

    Attributes:
        when: the condition.
        targets: names of the only targets that are asked then.
        name: for people.
    """

    when: Condition
    targets: tuple[str, ...]
    name: str = ""


class Retry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What happens after a failure.

    Attributes:
        attempts: at the most, of all targets together.
        attempt_timeout_s: how long one attempt may take to begin its answer, when another target could give it.
        retry_on: failures after which the same target may be asked again, when no other one can be.
        fall_back_on: failures after which the next target is asked.
        back_off_base_s: the longest pause before the second attempt at the same target; it doubles with each.
        back_off_max_s: the longest pause of all; a provider that wants a longer one is not asked again.
        max_extra_percent: attempts at targets that were asked already, in percent of the requests of the route, in
            each worker. Another target is asked whatever this says.
    """

    attempts: int = 3
    attempt_timeout_s: float | None = None
    retry_on: tuple[FailureKind, ...] = RETRIED
    fall_back_on: tuple[FailureKind, ...] = FALLEN_BACK_ON
    back_off_base_s: float = 0.25
    back_off_max_s: float = 4.0
    max_extra_percent: int = 10


class Hedge(msgspec.Struct, frozen=True, omit_defaults=True):
    """A second target is asked when the first token is late; the first to answer wins, and both are paid for.

    Attributes:
        percentile: late is what takes longer than so many percent of the target's recent requests.
        after_ms: or what takes longer than this.
        max_percent: of the requests of the route, in each worker.
    """

    percentile: int = 95
    after_ms: int | None = None
    max_percent: int = 5


class Part(msgspec.Struct, frozen=True):
    """A part of the traffic. Attributes: target: its name; percent: of the requests, 0 to 100."""

    target: str
    percent: float


class Route(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one name is answered.

    Attributes:
        targets: the deployments.
        strategy: how they are put in order.
        latency_target_ms: for `Strategy.LEAST_COST`: the time to the first token to be met.
        sticky: what keeps to one target.
        rules: exceptions by the kind of request.
        retry: what happens after failures.
        hedge: whether a second target is asked when the first is late.
        canary: a target that answers a part of the requests, and no others.
        shadow: a target that is asked a part of the requests besides, without the caller noticing; it answers none.
        continue_streams: whether a stream that breaks is continued by the next target from where it broke.
        timeout_s: for the whole request, retries included; the caller may ask for less.
    """

    targets: tuple[RouteTarget, ...]
    strategy: Strategy = Strategy.PRIORITY
    latency_target_ms: int | None = None
    sticky: Sticky = Sticky.NONE
    rules: tuple[Rule, ...] = ()
    retry: Retry = Retry()
    hedge: Hedge | None = None
    canary: Part | None = None
    shadow: Part | None = None
    continue_streams: bool = False
    timeout_s: float | None = None

    @property
    def name(self) -> str:
        """The first target's name: all of a plain alias."""
        return self.targets[0].name

    @property
    def is_plain(self) -> bool:
        """Whether it says nothing but where to go: one target, all else by default."""
        return self == Route((RouteTarget(self.targets[0].provider, self.targets[0].model),))

    def check(self) -> None:
        """Raises ValueError if it makes no sense; the text names the field, and says what it may be."""
        names = [target.name for target in self.targets]
        _require(1 <= len(names) <= TARGETS_MAX, f"`targets` must hold 1 to {TARGETS_MAX} targets")
        _require(len(set(names)) == len(names), "`targets` must not hold the same `provider/model` twice")
        for index, target in enumerate(self.targets):
            _check_target(target, f"targets[{index}]")
        _require(len(self.rules) <= RULES_MAX, f"`rules` must hold at most {RULES_MAX} rules")
        for index, rule in enumerate(self.rules):
            _require(bool(rule.targets), f"`rules[{index}].targets` must name a target")
            _check_known(rule.targets, names, f"rules[{index}].targets")
            _check_condition(rule.when, f"rules[{index}].when")
        _check_retry(self.retry)
        if self.hedge is not None:
            _require(len(names) > 1, "`hedge` needs a second target")
            _check_range(self.hedge.percentile, "hedge.percentile", 50, 99)
            _check_range(self.hedge.after_ms, "hedge.after_ms", 1, 600_000)
            _check_range(self.hedge.max_percent, "hedge.max_percent", 1, _PERCENT_MAX)
        for field, part in (("canary", self.canary), ("shadow", self.shadow)):
            if part is not None:
                _check_known((part.target,), names, f"{field}.target")
                _check_range(part.percent, f"{field}.percent", 0, _PERCENT_MAX)
        parts = {part.target for part in (self.canary, self.shadow) if part is not None}
        _require(bool(set(names) - parts), "`targets` needs one that is neither canary nor shadow")
        _check_range(self.latency_target_ms, "latency_target_ms", 1, 600_000)
        _check_range(self.timeout_s, "timeout_s", 0.001, TIMEOUT_MAX_S)


@lru_cache(maxsize=4_096)  # the same few names come with every request
def direct(provider: str, model: str) -> Route:
    """The route of a model that is asked for by ``provider/model``."""
    return Route((RouteTarget(provider, model),))


def _require(holds: bool, text: str) -> None:  # noqa: FBT001 -- it is the one thing that is required
    if not holds:
        raise ValueError(f"{text}.")


def _check_range(value: float | None, field: str, least: float, most: float) -> None:
    _require(value is None or least <= value <= most, f"`{field}` must be {least} to {most}")


def _check_known(given: Iterable[str], names: list[str], field: str) -> None:
    for name in given:
        _require(name in names, f"`{field}` names {name[:200]!r}, which is not among `targets` ({', '.join(names)})")


def _check_target(target: RouteTarget, field: str) -> None:
    _require(bool(target.provider) and "/" not in target.provider, f"`{field}.provider` must be a provider's name")
    _require(bool(target.model), f"`{field}.model` must be a model's name")
    _check_range(target.weight, f"{field}.weight", 0, _WEIGHT_MAX)
    _check_range(target.priority, f"{field}.priority", 0, 1_000)
    _require(target.context_tokens >= 0, f"`{field}.context_tokens` must not be negative")
    for name in ("requests_per_minute", "tokens_per_minute", "parallel"):
        _check_range(getattr(target, name), f"{field}.{name}", 1, 10**12)


def _check_condition(when: Condition, field: str) -> None:
    for name in ("prompt_tokens_min", "prompt_tokens_max"):
        _check_range(getattr(when, name), f"{field}.{name}", 0, 10**9)
    _require((when.hour_from is None) == (when.hour_until is None), f"`{field}` needs both hours, or none")
    _check_range(when.hour_from, f"{field}.hour_from", 0, _HOURS - 1)
    _check_range(when.hour_until, f"{field}.hour_until", 0, _HOURS)
    _require(all(day in _WEEKDAYS for day in when.weekdays), f"`{field}.weekdays` must be 1 (Monday) to 7")
    try:
        ZoneInfo(when.time_zone)
    except (ValueError, OSError, LookupError):  # ZoneInfoNotFoundError is a LookupError
        raise ValueError(f"`{field}.time_zone` must be an IANA name, for instance Europe/Berlin.") from None


def _check_retry(retry: Retry) -> None:
    _check_range(retry.attempts, "retry.attempts", 1, _ATTEMPTS_MAX)
    _check_range(retry.attempt_timeout_s, "retry.attempt_timeout_s", 0.001, TIMEOUT_MAX_S)
    _check_range(retry.back_off_base_s, "retry.back_off_base_s", 0, _BACK_OFF_MAX_S)
    _check_range(retry.back_off_max_s, "retry.back_off_max_s", 0, _BACK_OFF_MAX_S)
    _check_range(retry.max_extra_percent, "retry.max_extra_percent", 0, _PERCENT_MAX)
    _require(
        FailureKind.INVALID not in (*retry.retry_on, *retry.fall_back_on),
        "`retry` must not hold `invalid`: a request that is wrong is wrong everywhere",
    )
