"""Which targets of a route a request is sent to, in which order, and why. Pure: the same draws, the same plan."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from tollway.routing.breaker import BreakerState
from tollway.routing.resolve import Candidate
from tollway.routing.route import Capability, Condition, Route, Rule, Strategy

EXPECTED_OUTPUT_TOKENS = 250
"""Of an answer, where expected times and costs are compared."""
_EXPLORED_PART = 0.05
"""Of the requests that go by latency: sent to another target, to see whether it has become faster."""
_ERROR_WEIGHT = 4.0
"""A target that fails as often as not looks three times as slow."""
_SPREAD = 0.1
"""Targets whose times differ by less than this part take turns."""
_PERCENT = 100
_UNKNOWN = math.inf


class Asked(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request, as far as routing looks at it.

    Attributes:
        model: as the caller named it.
        project_id, key_id: UUIDs.
        tags: sorted ``(name, value)`` pairs.
        needs: what it needs.
        prompt_tokens: about how many go in.
        sticky: what keeps to one target; empty if nothing does.
        at_s: epoch seconds.
    """

    model: str
    project_id: str
    key_id: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    needs: frozenset[Capability] = frozenset()
    prompt_tokens: int = 0
    sticky: str = ""
    at_s: float = 0.0


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a target stands just now.

    Attributes:
        breaker: its state.
        allowed: whether that lets a request pass.
        resting: whether all of its credentials rest.
        full: whether a limit of the target is reached.
        in_flight: requests of this worker that run there.
        first_token_s: average time to the first token, ``None`` if it was not measured.
        expected_s: time to an answer of usual length, ``None`` as above.
        error_rate: part of the recent requests that failed, 0 to 1.
        cost: pico-dollars for the prompt and an answer of usual length; ``None`` if no price is known.
        context_tokens: the model's window, 0 if it is not known.
    """

    breaker: BreakerState = BreakerState.CLOSED
    allowed: bool = True
    resting: bool = False
    full: bool = False
    in_flight: int = 0
    first_token_s: float | None = None
    expected_s: float | None = None
    error_rate: float = 0.0
    cost: int | None = None
    context_tokens: int = 0


class Step(msgspec.Struct, frozen=True, gc=False):
    """One attempt of a plan.

    Attributes:
        candidate: who is asked.
        reason: why it stands here, in words.
    """

    candidate: Candidate
    reason: str


class Plan(msgspec.Struct, frozen=True, gc=False):
    """What is done with a request.

    Attributes:
        steps: attempts in their order.
        left_out: ``(candidate, reason)`` of the others.
        rule: name of the rule that applied, empty if none did.
        shadow: who is asked besides, ``None`` if nobody.
    """

    steps: tuple[Step, ...]
    left_out: tuple[tuple[Candidate, str], ...] = ()
    rule: str = ""
    shadow: Candidate | None = None


Draw = Callable[[], float]
"""The next random number, from 0 (inclusive) to 1."""
_Score = tuple[float, ...]


def order(
    route: Route, candidates: Iterable[Candidate], asked: Asked, standings: Mapping[str, Standing], draw: Draw
) -> Plan:
    """Plan one request.

    Args:
        route: what stands behind the name.
        candidates: those of its targets that can be reached.
        asked: the request.
        standings: target's name → how it stands.
        draw: random numbers.
    """
    left_out: list[tuple[Candidate, str]] = []
    rule_name, rule = _rule(route, asked)
    canary = route.canary.target if route.canary is not None and _drawn(route.canary.percent, draw) else ""
    shadow: Candidate | None = None
    kept: list[Candidate] = []
    for candidate in candidates:
        target = candidate.target
        if route.shadow is not None and target.name == route.shadow.target:
            shadow = candidate if _drawn(route.shadow.percent, draw) else None
            left_out.append((candidate, f"only gets copies, of {route.shadow.percent:g} % of the requests"))
        elif route.canary is not None and target.name == route.canary.target and not canary:
            left_out.append((candidate, f"canary: only answers {route.canary.percent:g} % of the requests"))
        elif rule is not None and target.name not in rule.targets and target.name != canary:
            left_out.append((candidate, f"not a target of the rule {rule_name}"))
        elif missing := _missing(candidate, asked):
            left_out.append((candidate, f"cannot do what the request needs: {', '.join(missing)}"))
        else:
            kept.append(candidate)
    steps = _ordered(route, kept, asked, standings, draw, canary=canary)
    return Plan(steps, tuple(left_out), rule_name, shadow)


def _ordered(
    route: Route, kept: list[Candidate], asked: Asked, standings: Mapping[str, Standing], draw: Draw, *, canary: str
) -> tuple[Step, ...]:
    explored = _explored(route, kept, standings, draw)
    rated: list[tuple[_Score, Step]] = []
    for candidate in kept:
        name = candidate.target.name
        standing = standings[name]
        score: _Score
        against, tier = _against(candidate, standing, asked)
        if name == canary:
            score, reason = (-1.0,), "canary"
        elif name == explored:
            score, reason = (-1.0,), "explored, to see how fast it is now"
        else:
            score, reason = _score(route, candidate, standing, asked, draw)
        step = Step(candidate, f"{against}; {reason}" if against else reason)
        rated.append(((float(tier), float(not candidate.target.weight and name != canary), *score), step))
    rated.sort(key=lambda pair: pair[0])
    return tuple([step for _, step in rated])


def _against(candidate: Candidate, standing: Standing, asked: Asked) -> tuple[str, int]:
    """What speaks against a target, and how much: 0 for nothing."""
    if not standing.allowed:
        return f"its breaker is {standing.breaker.value.replace('_', ' ')}", 3
    if standing.resting:
        return "its credentials rest", 3
    window = candidate.target.context_tokens or standing.context_tokens
    if window and asked.prompt_tokens > window:
        return f"about {asked.prompt_tokens} tokens may be too many for its {window}", 2
    return ("a limit of it is reached", 1) if standing.full else ("", 0)


def _score(route: Route, candidate: Candidate, standing: Standing, asked: Asked, draw: Draw) -> tuple[_Score, str]:
    """A target's place among its likes: the lowest is first."""
    target = candidate.target
    strategy = route.strategy
    first: _Score = (float(target.priority),) if strategy is Strategy.PRIORITY else ()
    if asked.sticky:
        return (*first, _rendezvous(asked.sticky, target.name, target.weight)), f"sticky by {route.sticky.value}"
    if strategy is Strategy.LEAST_LATENCY:
        return _by_latency(standing, draw)
    if strategy is Strategy.LEAST_COST:
        return _by_cost(route, standing, draw)
    if strategy is Strategy.LEAST_BUSY:
        return (standing.in_flight / max(target.weight, 1), draw()), f"{standing.in_flight} requests run there"
    reason = f"weight {target.weight}"
    if first:
        reason = f"priority {target.priority}, {reason}"
    return (*first, _weighted(draw(), target.weight)), reason


def _by_latency(standing: Standing, draw: Draw) -> tuple[_Score, str]:
    if standing.expected_s is None:
        # Asked first, but by few at once, so that not everything waits for one that may be slow.
        return (_UNKNOWN if standing.in_flight else 0.0, draw()), "not measured yet"
    slowed_s = standing.expected_s * (1 + _ERROR_WEIGHT * standing.error_rate)
    words = f"{standing.expected_s * 1_000:.0f} ms expected, {standing.error_rate:.0%} failed lately"
    return (slowed_s * (1 + _SPREAD * draw()), 0.0), words


def _by_cost(route: Route, standing: Standing, draw: Draw) -> tuple[_Score, str]:
    target_ms = route.latency_target_ms
    first_s = standing.first_token_s
    slow = target_ms is not None and first_s is not None and first_s * 1_000 > target_ms
    cost = _UNKNOWN if standing.cost is None else float(standing.cost)
    words = "price not known" if standing.cost is None else "by its price"
    if slow:
        words += f", but its first token takes more than {target_ms} ms"
    return (float(slow), cost, draw()), words


def _explored(route: Route, kept: list[Candidate], standings: Mapping[str, Standing], draw: Draw) -> str:
    """Name of the target that is tried out, empty if none is."""
    if route.strategy is not Strategy.LEAST_LATENCY or len(kept) == 1 or draw() >= _EXPLORED_PART:
        return ""
    sound = [each.target for each in kept if each.target.weight and standings[each.target.name].allowed]
    return sound[int(draw() * len(sound))].name if sound else ""


def _weighted(drawn: float, weight: int) -> float:
    """Lower for a higher weight: sorting by it draws without putting back (Efraimidis and Spirakis, 2006)."""
    return -math.log(1 - drawn) / weight if weight else drawn


def _rendezvous(sticky: str, name: str, weight: int) -> float:
    """The same for the same conversation, and independent of what other targets there are."""
    digest = hashlib.blake2b(f"{name}\0{sticky}".encode(), digest_size=8).digest()
    return _weighted(int.from_bytes(digest) / 2**64, weight)


def _drawn(percent: float, draw: Draw) -> bool:
    return draw() * _PERCENT < percent


def _missing(candidate: Candidate, asked: Asked) -> list[str]:
    capabilities = candidate.target.capabilities
    if capabilities is None or asked.needs.issubset(capabilities):
        return []
    return sorted(need.value for need in asked.needs.difference(capabilities))


def _rule(route: Route, asked: Asked) -> tuple[str, Rule | None]:
    for number, rule in enumerate(route.rules, 1):
        if applies(rule.when, asked):
            return rule.name or str(number), rule
    return "", None


def applies(when: Condition, asked: Asked) -> bool:
    """Whether a condition holds for a request."""
    return (
        (not when.models or any(_matches(pattern, asked.model) for pattern in when.models))
        and (not when.tags or _has_tags(when.tags, asked.tags))
        and (when.prompt_tokens_min is None or asked.prompt_tokens >= when.prompt_tokens_min)
        and (when.prompt_tokens_max is None or asked.prompt_tokens <= when.prompt_tokens_max)
        and asked.needs.issuperset(when.needs)
        and (not when.keys or asked.key_id in when.keys)
        and (not when.projects or asked.project_id in when.projects)
        and _is_time(when, asked.at_s)
    )


def _matches(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _has_tags(wanted: Mapping[str, str], tags: tuple[tuple[str, str], ...]) -> bool:
    given = dict(tags)
    return all(name in given and value in {"*", given[name]} for name, value in wanted.items())


def _is_time(when: Condition, at_s: float) -> bool:
    if not when.weekdays and when.hour_from is None:
        return True
    at = datetime.fromtimestamp(at_s, ZoneInfo(when.time_zone))
    if when.weekdays and at.isoweekday() not in when.weekdays:
        return False
    first, until = when.hour_from, when.hour_until
    if first is None or until is None:
        return True
    return first <= at.hour < until if first < until else at.hour >= first or at.hour < until
