from typing import Any

import pytest

from tollway.cli.failure import CommandError
from tollway.cli.route_form import by_target, present_route, route_facts, written_route
from tollway.routing.route import Part, Route, RouteTarget, Strategy, direct


def test_short_forms_stand_for_whole_routes() -> None:
    assert written_route("openai/gpt-4o", origin="").wanted == direct("openai", "gpt-4o")
    written = {
        "targets": ["openai/gpt-4o", {"target": "together/meta/llama", "weight": 2}, {"provider": "p", "model": "m"}],
        "strategy": "weighted",
        "canary": {"target": "p/m", "percent": 5},
        "shadow": {"target": "groq/llama", "percent": 1},
    }
    assert written_route(written, origin="").wanted == Route(
        targets=(
            RouteTarget("openai", "gpt-4o"),
            RouteTarget("together", "meta/llama", weight=2),
            RouteTarget("p", "m"),
            RouteTarget("groq", "llama"),
        ),
        strategy=Strategy.WEIGHTED,
        canary=Part("p/m", 5),
        shadow=Part("groq/llama", 1),
    )


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("gpt-4o", "provider/model"),
        ({"targets": ["gpt-4o"]}, "provider/model"),
        ({"targets": [{"target": "a/b", "wieght": 2}]}, "targets.0.wieght"),
        ({"targets": []}, "targets"),
        ({}, "targets"),
        ([], "the route"),
        (None, "the route"),
        ({"targets": ["a/b"], "rules": [{"when": {"weekdays": [8]}, "targets": ["a/b"]}]}, "rules.0.when.weekdays.0"),
        ({"targets": ["a/b"], "hedge": {}}, "`hedge` needs a second target"),
    ],
)
def test_what_cannot_be_is_named_by_its_place(written: Any, told: str) -> None:
    with pytest.raises(CommandError) as failure:
        written_route(written, origin="The file")
    assert any(told in detail for detail in failure.value.details), failure.value.details


def test_what_is_sent_is_what_is_shown_and_read_back() -> None:
    written = written_route({"targets": ["a/b", "c/d"], "retry": {"attempts": 2}}, origin="")
    shown = {"target": "a/b", "route": written.body["route"]}
    assert present_route(shown) == written.wanted
    assert present_route({"target": "a/b/c", "route": None}) == direct("a", "b/c")
    assert route_facts(written.wanted) == {"targets": ["a/b", "c/d"], "retry": {"attempts": 2}}
    assert written_route("a/b", origin="").body == {"target": "a/b"}


@pytest.mark.parametrize("text", ["a/b", "a/b=", "a/b=x", "=3", "b=3"])
def test_an_option_for_a_target_has_one_form(text: str) -> None:
    with pytest.raises(CommandError, match="PROVIDER/MODEL=NUMBER"):
        by_target([text], "--weight")
