"""A route says what makes sense, or is refused by the name of the field."""

import msgspec
import pytest

from tollway.routing.failure import FailureKind
from tollway.routing.route import (
    Capability,
    Condition,
    Hedge,
    Part,
    Retry,
    Route,
    RouteTarget,
    Rule,
    Sticky,
    Strategy,
    direct,
)

EAST, WEST = RouteTarget("east", "large"), RouteTarget("west", "org/small", weight=3, capabilities=(Capability.TOOLS,))
FULL = Route(
    (EAST, WEST),
    strategy=Strategy.LEAST_COST,
    latency_target_ms=800,
    sticky=Sticky.USER,
    rules=(
        Rule(Condition(tags={"tier": "*"}, hour_from=22, hour_until=6, time_zone="Europe/Berlin"), ("east/large",)),
    ),
    retry=Retry(attempts=2, retry_on=(FailureKind.SERVER,)),
    hedge=Hedge(after_ms=50),
    canary=Part("west/org/small", 2.5),
    continue_streams=True,
    timeout_s=30,
)


def test_a_route_is_the_same_after_a_stay_in_the_database() -> None:
    FULL.check()
    assert msgspec.json.decode(msgspec.json.encode(FULL), type=Route) == FULL
    assert msgspec.convert(msgspec.to_builtins(FULL), Route) == FULL


def test_a_plain_alias_says_nothing_but_where_to_go() -> None:
    assert direct("east", "large").is_plain
    assert not FULL.is_plain
    assert direct("west", "org/small").name == "west/org/small"


@pytest.mark.parametrize(
    ("route", "field"),
    [
        (Route(()), "targets"),
        (Route((EAST, EAST)), "targets"),
        (Route((RouteTarget("a/b", "m"),)), r"targets\[0\].provider"),
        (Route((RouteTarget("a", ""),)), r"targets\[0\].model"),
        (Route((EAST, RouteTarget("a", "m", weight=-1))), r"targets\[1\].weight"),
        (Route((EAST, RouteTarget("a", "m", parallel=0))), r"targets\[1\].parallel"),
        (Route((EAST,), rules=(Rule(Condition(), ()),)), r"rules\[0\].targets"),
        (Route((EAST,), rules=(Rule(Condition(), ("west/small",)),)), r"rules\[0\].targets"),
        (Route((EAST,), rules=(Rule(Condition(hour_from=3), ("east/large",)),)), r"rules\[0\].when"),
        (Route((EAST,), rules=(Rule(Condition(weekdays=(0,)), ("east/large",)),)), "weekdays"),
        (Route((EAST,), rules=(Rule(Condition(time_zone="Mars"), ("east/large",)),)), "time_zone"),
        (Route((EAST,), retry=Retry(attempts=0)), "retry.attempts"),
        (Route((EAST,), retry=Retry(fall_back_on=(FailureKind.INVALID,))), "retry"),
        (Route((EAST,), hedge=Hedge()), "hedge"),
        (Route((EAST, WEST), hedge=Hedge(percentile=10)), "hedge.percentile"),
        (Route((EAST, WEST), shadow=Part("south/x", 1)), "shadow.target"),
        (Route((EAST, WEST), shadow=Part("east/large", 101)), "shadow.percent"),
        (Route((EAST,), canary=Part("east/large", 1)), "targets"),
        (Route((EAST,), timeout_s=0), "timeout_s"),
    ],
)
def test_what_makes_no_sense_is_told_by_its_field(route: Route, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        route.check()
