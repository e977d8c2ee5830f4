"""The order in which targets are asked, and why."""

import random
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.routing.breaker import BreakerState
from tollway.routing.catalog import Deployment
from tollway.routing.plan import Asked, Plan, Standing, applies, order
from tollway.routing.resolve import Candidate
from tollway.routing.route import Capability, Condition, Part, Route, RouteTarget, Rule, Sticky, Strategy

ASKED = Asked(model="fast", project_id="web")
ILL = Standing(breaker=BreakerState.OPEN, allowed=False)


def target(name: str, **fields: object) -> RouteTarget:
    return RouteTarget(name, "m", **fields)  # type: ignore[arg-type]


def planned(route: Route, *, asked: Asked = ASKED, standings: dict[str, Standing] | None = None, seed: int = 0) -> Plan:
    candidates = [Candidate(each, Deployment(each.provider, "x", "http://x", "", "x")) for each in route.targets]
    known = {each.name: Standing() for each in route.targets} | {
        f"{name}/m": standing for name, standing in (standings or {}).items()
    }
    return order(route, candidates, asked, known, random.Random(seed).random)


def names(plan: Plan) -> list[str]:
    return [step.candidate.target.provider for step in plan.steps]


def firsts(route: Route, standings: dict[str, Standing] | None = None, *, draws: int = 2_000) -> dict[str, float]:
    """How often each is first."""
    counted = Counter(names(planned(route, standings=standings, seed=seed))[0] for seed in range(draws))
    return {name: count / draws for name, count in counted.items()}


def test_the_lowest_priority_is_first_and_equal_ones_go_by_weight() -> None:
    route = Route((target("c", priority=2), target("a", weight=9), target("b", weight=1)))
    found = firsts(route)
    assert found["a"] == pytest.approx(0.9, abs=0.03)
    assert found["b"] == pytest.approx(0.1, abs=0.03)
    assert {names(planned(route, seed=seed))[2] for seed in range(100)} == {"c"}


def test_weights_are_shares_and_none_is_only_for_when_all_others_failed() -> None:
    route = Route((target("a", weight=3), target("b", weight=1), target("c", weight=0)), strategy=Strategy.WEIGHTED)
    assert firsts(route)["a"] == pytest.approx(0.75, abs=0.03)
    assert names(planned(route))[-1] == "c"


def test_the_fastest_is_first_and_the_others_are_tried_now_and_then() -> None:
    route = Route((target("slow"), target("fast")), strategy=Strategy.LEAST_LATENCY)
    standings = {"slow": Standing(expected_s=2.0), "fast": Standing(expected_s=1.0)}
    assert 0.9 < firsts(route, standings)["fast"] < 1
    failing = {"slow": Standing(expected_s=2.0), "fast": Standing(expected_s=1.0, error_rate=0.9)}
    assert firsts(route, failing)["slow"] > 0.9


def test_one_that_was_never_measured_is_measured_by_one_request_at_a_time() -> None:
    route = Route((target("known"), target("new")), strategy=Strategy.LEAST_LATENCY)
    known = Standing(expected_s=1.0)
    assert firsts(route, {"known": known, "new": Standing()})["new"] > 0.9
    assert firsts(route, {"known": known, "new": Standing(in_flight=1)})["known"] > 0.9


def test_the_cheapest_of_those_that_are_fast_enough_is_first() -> None:
    route = Route(
        (target("dear"), target("cheap"), target("slow"), target("odd")),
        strategy=Strategy.LEAST_COST,
        latency_target_ms=500,
    )
    standings = {
        "dear": Standing(cost=30, first_token_s=0.1),
        "cheap": Standing(cost=20),
        "slow": Standing(cost=10, first_token_s=0.9),
        "odd": Standing(cost=None),
    }
    assert names(planned(route, standings=standings)) == ["cheap", "dear", "odd", "slow"]


def test_the_least_busy_for_its_weight_is_first() -> None:
    route = Route((target("a", weight=1), target("b", weight=10)), strategy=Strategy.LEAST_BUSY)
    assert names(planned(route, standings={"a": Standing(in_flight=2), "b": Standing(in_flight=9)})) == ["b", "a"]


@given(st.text(min_size=1), st.integers(0, 5))
def test_a_conversation_keeps_to_its_target_whatever_the_draw_and_whoever_else_leaves(sticky: str, gone: int) -> None:
    targets = [target(f"t{number}") for number in range(6)]
    asked = Asked(model="fast", project_id="web", sticky=sticky)
    route = Route(tuple(targets), strategy=Strategy.WEIGHTED, sticky=Sticky.CONVERSATION)
    before = names(planned(route, asked=asked, seed=1))
    assert before == names(planned(route, asked=asked, seed=2))
    fewer = Route(tuple(each for each in targets if each.provider != f"t{gone}"), sticky=Sticky.CONVERSATION)
    assert names(planned(fewer, asked=asked)) == [name for name in before if name != f"t{gone}"]


def test_conversations_are_spread_by_weight() -> None:
    route = Route((target("a", weight=3), target("b")), strategy=Strategy.WEIGHTED, sticky=Sticky.CONVERSATION)
    asked = [Asked(model="fast", project_id="web", sticky=str(number)) for number in range(2_000)]
    first = Counter(names(planned(route, asked=each))[0] for each in asked)
    assert first["a"] / 2_000 == pytest.approx(0.75, abs=0.03)


def test_what_is_ill_or_full_or_rests_or_is_too_small_comes_last() -> None:
    route = Route(
        tuple(target(name, priority=place) for place, name in enumerate(("ill", "rests", "small", "full", "ok")))
    )
    standings = {
        "ill": ILL,
        "rests": Standing(resting=True),
        "small": Standing(context_tokens=10),
        "full": Standing(full=True),
    }
    asked = Asked(model="fast", project_id="web", prompt_tokens=1_000)
    assert names(planned(route, asked=asked, standings=standings)) == ["ok", "full", "small", "ill", "rests"]


def test_what_cannot_do_what_the_request_needs_is_left_out() -> None:
    route = Route((target("blind", capabilities=(Capability.TOOLS,)), target("unknown")))
    asked = Asked(model="fast", project_id="web", needs=frozenset({Capability.TOOLS, Capability.IMAGES}))
    plan = planned(route, asked=asked)
    assert names(plan) == ["unknown"]
    assert plan.left_out[0][1].endswith("images")


def test_the_first_rule_that_applies_names_the_only_targets() -> None:
    rules = (
        Rule(Condition(tags={"tier": "gold"}), ("b/m",), name="gold"),
        Rule(Condition(tags={"tier": "*"}), ("a/m",)),
    )
    route = Route((target("a"), target("b"), target("c")), rules=rules)
    for tags, first, rule in (((("tier", "gold"),), ["b"], "gold"), ((("tier", "iron"),), ["a"], "2")):
        plan = planned(route, asked=Asked(model="fast", project_id="web", tags=tags))
        assert (names(plan), plan.rule) == (first, rule)
    assert len(names(planned(route))) == 3


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition(), True),
        (Condition(models=("fa*",)), True),
        (Condition(models=("slow",)), False),
        (Condition(prompt_tokens_min=10), False),
        (Condition(prompt_tokens_max=5), True),
        (Condition(needs=(Capability.TOOLS,)), True),
        (Condition(needs=(Capability.AUDIO,)), False),
        (Condition(keys=("k",)), True),
        (Condition(projects=("other",)), False),
        (Condition(hour_from=22, hour_until=6), True),
        (Condition(hour_from=6, hour_until=22), False),
        (Condition(hour_from=22, hour_until=6, time_zone="Asia/Tokyo"), False),
        (Condition(weekdays=(7,)), True),
        (Condition(weekdays=(7,), time_zone="Asia/Tokyo"), False),
    ],
)
def test_a_condition_holds_if_all_of_it_does(condition: Condition, holds: bool) -> None:  # noqa: FBT001 -- a parameter
    asked = Asked(
        model="fast",
        project_id="web",
        key_id="k",
        needs=frozenset({Capability.TOOLS}),
        prompt_tokens=5,
        at_s=datetime(2026, 11, 22, 23, 30, tzinfo=UTC).timestamp(),  # a Sunday; Monday morning in Tokyo
    )
    assert applies(condition, asked) is holds


def test_a_canary_has_its_part_and_a_shadow_only_copies() -> None:
    route = Route((target("a"), target("new"), target("copy")), canary=Part("new/m", 20), shadow=Part("copy/m", 50))
    plans = [planned(route, seed=seed) for seed in range(2_000)]
    assert sum(names(plan)[0] == "new" for plan in plans) / 2_000 == pytest.approx(0.2, abs=0.03)
    assert sum(plan.shadow is not None for plan in plans) / 2_000 == pytest.approx(0.5, abs=0.04)
    assert all("copy" not in names(plan) for plan in plans)
    assert {tuple(names(plan)) for plan in plans} == {("a",), ("new", "a")}


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.sampled_from(list(Strategy)), st.integers(0, 2**32))
def test_every_target_is_in_the_plan_once_and_the_well_ones_are_before_the_ill(
    well: list[bool], strategy: Strategy, seed: int
) -> None:
    route = Route(tuple(target(f"t{number}") for number in range(len(well))), strategy=strategy)
    standings = {f"t{number}": Standing() if is_well else ILL for number, is_well in enumerate(well)}
    found = names(planned(route, standings=standings, seed=seed))
    assert sorted(found) == sorted(standings)
    assert [standings[name] is ILL for name in found] == sorted(standings[name] is ILL for name in found)
    assert found == names(planned(route, standings=standings, seed=seed))
