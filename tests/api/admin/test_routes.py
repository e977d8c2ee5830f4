"""Aliases that stand for several deployments."""

from http import HTTPStatus
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from support.control_plane import ControlPlane
from tollway.api.admin.models import route as wire
from tollway.routing import route as routing
from tollway.routing.route import Route, RouteTarget
from tollway.services.catalog_load import CatalogLoad

ONE = {"provider": "upstream", "model": "one"}
TWO = {"provider": "upstream", "model": "two/b", "weight": 3}
ROUTE: dict[str, Any] = {
    "targets": [ONE, TWO],
    "strategy": "weighted",
    "sticky": "user",
    "rules": [
        {"name": "big", "when": {"prompt_tokens_min": 1000, "tags": {"team": "*"}}, "targets": ["upstream/two/b"]}
    ],
    "retry": {"attempts": 5, "retry_on": ["connection"], "back_off_base_s": 0.5},
    "hedge": {"after_ms": 900},
    "canary": {"target": "upstream/two/b", "percent": 2.5},
    "timeout_s": 30,
}


def in_memory(plane: ControlPlane, alias: str = "fast") -> Route:
    """What a worker knows of an alias of acme's project."""
    context = plane.factory._context
    catalog = plane.run(CatalogLoad(context.database, context.vault).load)
    return catalog.aliases[plane.must("GET", "/projects/web")["id"], alias]


def events(plane: ControlPlane) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plane.must("GET", "/audit/events")["data"]
    return [row for row in found if row["action"].startswith("alias.")]


@pytest.mark.parametrize("name", ["Route", "RouteTarget", "Condition", "Rule", "Retry", "Hedge", "Part"])
def test_what_routing_knows_can_be_set_and_has_the_same_default(name: str) -> None:
    known, settable = getattr(routing, name), getattr(wire, name)
    assert set(settable.model_fields) == set(known.__struct_fields__)
    for field in msgspec.structs.fields(known):
        default = settable.model_fields[field.name].get_default(call_default_factory=True)
        if not settable.model_fields[field.name].is_required():
            wanted = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()  # type: ignore[operator]
            assert msgspec.convert(_builtins(default), field.type) == wanted, field.name


def _builtins(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def test_a_route_is_kept_shown_and_known_to_the_workers(plane: ControlPlane) -> None:
    made = plane.must("PUT", "/aliases/web/smart", json={"route": ROUTE})
    assert made["target"] == "upstream/one"
    shown = made["route"]
    assert (shown["strategy"], shown["targets"][1]["weight"], shown["retry"]["attempts"]) == ("weighted", 3, 5)
    assert shown["retry"]["max_extra_percent"] == 10
    wanted = msgspec.convert(ROUTE, Route)
    assert msgspec.convert(shown, Route) == wanted
    assert in_memory(plane, "smart") == wanted
    assert plane.must("GET", "/aliases/web/smart") == made
    assert [row["route"] for row in plane.must("GET", "/aliases")["data"]] == [None, shown]


def test_a_route_of_one_target_is_a_plain_alias_and_back(plane: ControlPlane) -> None:
    plane.must("PUT", "/aliases/web/fast", json={"route": ROUTE})
    plain = plane.must("PUT", "/aliases/web/fast", json={"route": {"targets": [ONE]}})
    assert (plain["target"], plain["route"]) == ("upstream/one", None)
    assert in_memory(plane) == Route((RouteTarget("upstream", "one"),))
    plane.must("PUT", "/aliases/web/fast", json={"route": ROUTE})
    assert plane.must("PUT", "/aliases/web/fast", json={"target": "upstream/two/b"})["route"] is None


def test_changes_of_aliases_are_in_the_audit_log_and_none_if_nothing_changed(plane: ControlPlane) -> None:
    before = len(events(plane))
    plane.must("PUT", "/aliases/web/fast", json={"target": "upstream/one"})
    assert len(events(plane)) == before
    plane.must("PUT", "/aliases/web/fast", json={"route": ROUTE})
    plane.must("DELETE", "/aliases/web/fast")
    removed, changed = events(plane)[:2]
    assert (changed["action"], changed["detail"]["before"]) == ("alias.changed", {"target": "upstream/one"})
    assert changed["detail"]["settings"]["route"]["strategy"] == "weighted"
    assert (removed["action"], removed["detail"]["name"]) == ("alias.removed", "fast")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"targets": []}, "body.route.targets"),
        ({"targets": [ONE, ONE]}, "route.targets"),
        ({"targets": [ONE, {"provider": "nobody", "model": "x"}]}, "route.targets[1].provider"),
        ({"targets": [ONE | {"weight": -1}]}, "body.route.targets.0.weight"),
        ({"strategy": "cheapest"}, "body.route.strategy"),
        ({"canary": {"target": "upstream/three", "percent": 1}}, "route.canary.target"),
        ({"shadow": {"target": "upstream/one", "percent": 101}}, "body.route.shadow.percent"),
        ({"rules": [{"when": {}, "targets": ["upstream/three"]}]}, "route.rules[0].targets"),
        ({"rules": [{"when": {"hour_from": 3}, "targets": ["upstream/one"]}]}, "route.rules[0].when"),
        (
            {"rules": [{"when": {"time_zone": "Mars/Base"}, "targets": ["upstream/one"]}]},
            "route.rules[0].when.time_zone",
        ),
        ({"retry": {"attempts": 0}}, "body.route.retry.attempts"),
        ({"retry": {"fall_back_on": ["invalid"]}}, "route.retry"),
        ({"timeout_s": 0}, "body.route.timeout_s"),
        ({"tragets": []}, "body.route.tragets"),
    ],
)
def test_a_route_that_makes_no_sense_is_refused_naming_the_place(
    shared_plane: ControlPlane, change: dict[str, Any], field: str
) -> None:
    answer = shared_plane("PUT", "/aliases/web/fast", json={"route": {"targets": [ONE]} | change})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("body", [{}, {"target": "upstream/one", "route": {"targets": [ONE]}}, {"target": "nobody/x"}])
def test_an_alias_has_a_target_or_a_route(shared_plane: ControlPlane, body: dict[str, Any]) -> None:
    assert shared_plane("PUT", "/aliases/web/fast", json=body).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_a_provider_that_a_route_names_is_not_removed(plane: ControlPlane) -> None:
    plane.must("POST", "/providers", json={"name": "groq", "credential": "gsk-1"})
    route = {"targets": [ONE, {"provider": "groq", "model": "llama"}]}
    plane.must("PUT", "/aliases/web/smart", json={"route": route})
    answer = plane("DELETE", "/providers/groq")
    assert (answer.status_code, "web/smart" in answer.text) == (HTTPStatus.CONFLICT, True)
    plane.must("PUT", "/aliases/web/smart", json={"target": "upstream/one"})
    plane.must("DELETE", "/providers/groq")


def test_another_tenants_providers_cannot_be_in_a_route(plane: ControlPlane) -> None:
    plane.must("POST", "/providers", as_="rival-admin", json={"name": "theirs", "spec": "groq", "credential": "k"})
    route = {"targets": [ONE, {"provider": "theirs", "model": "x"}]}
    answer = plane("PUT", "/aliases/web/smart", json={"route": route})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert plane("GET", "/aliases/web/smart", as_="rival-admin").status_code == HTTPStatus.NOT_FOUND
