from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest

from support.control_plane import ControlPlane

DAILY = {"window": "day", "limit_usd": "0.01"}
UUID = "00000000-0000-7000-8000-000000000000"


def put(plane: ControlPlane, status: int = HTTPStatus.CREATED, **body: Any) -> dict[str, Any]:
    answer = plane("PUT", "/budgets", json=DAILY | body)
    assert answer.status_code == status, answer.text
    budget: dict[str, Any] = answer.json()
    return budget


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def test_a_budget_is_shown_as_it_was_set(plane: ControlPlane) -> None:
    made = put(plane, project="web", user="ada", tag={"name": "team", "value": "red"}, limit_usd="25.50")
    assert made["limit_usd"] == "25.5"
    assert (made["project"], made["user"], made["tag"]) == ("web", "ada", {"name": "team", "value": "red"})
    assert (made["window"], made["mode"], made["strict"], made["paused"]) == ("day", "hard", True, False)
    assert made["thresholds"] == [50, 80, 100]
    assert plane.must("GET", f"/budgets/{made['id']}")["limit_usd"] == "25.5"


def test_setting_the_same_scope_and_window_again_changes_the_same_budget(plane: ControlPlane) -> None:
    first = put(plane, project="web", each=["user", "key"])
    again = put(plane, HTTPStatus.OK, project="web", each=["key", "user"], limit_usd="7", mode="soft")
    assert again["id"] == first["id"]
    assert (again["limit_usd"], again["mode"], again["strict"]) == ("7", "soft", False)
    assert put(plane, project="web", window="month")["id"] != first["id"]
    assert put(plane)["id"] != first["id"]
    assert len(plane.must("GET", "/budgets")["data"]) == 3


def test_an_amount_is_kept_to_the_last_pico_dollar(plane: ControlPlane) -> None:
    for amount in ("0.000000000001", "999999999999.999999999999", "0"):
        put_ = plane.must("PUT", "/budgets", json=DAILY | {"limit_usd": amount})
        assert plane.must("GET", f"/budgets/{put_['id']}")["limit_usd"] == amount


def test_the_length_of_a_rolling_window_is_one_however_it_is_written(plane: ControlPlane) -> None:
    one = put(plane, window="rolling:24h")
    assert one["window"] == "rolling:1d"
    assert put(plane, HTTPStatus.OK, window="rolling:1440m")["id"] == one["id"]
    assert put(plane, window="rolling:90m")["window"] == "rolling:90m"


def test_a_budget_of_a_key_is_one_of_its_project_too(plane: ControlPlane) -> None:
    made = put(plane, key="acme-inference")
    assert (made["key"], made["project"]) == ("acme-inference", "web")
    assert put(plane, HTTPStatus.OK, key="acme-inference", project="web")["id"] == made["id"]
    for query in ({"project": "web"}, {"key": "acme-inference"}):
        assert [row["id"] for row in plane.must("GET", "/budgets", params=query)["data"]] == [made["id"]]


def test_what_is_left_out_of_a_change_stays(plane: ControlPlane) -> None:
    made = put(plane, project="web")
    changed = plane.must("PATCH", f"/budgets/{made['id']}", json={"paused": True})
    assert changed | {"paused": False, "updated_at": made["updated_at"]} == made
    changed = plane.must("PATCH", f"/budgets/{made['id']}", json={"limit_usd": "3", "thresholds": [90]})
    assert (changed["limit_usd"], changed["thresholds"], changed["paused"]) == ("3", [90], True)
    assert put(plane, HTTPStatus.OK, project="web")["paused"] is True


def test_a_raise_holds_until_it_ends_or_the_limit_is_as_high(plane: ControlPlane) -> None:
    path = f"/budgets/{put(plane)['id']}"
    raised = {"limit_usd": "2", "until": in_an_hour()}
    shown = plane.must("PATCH", path, json={"raised": raised})
    assert (shown["limit_usd"], shown["raised"]["limit_usd"]) == ("0.01", "2")
    assert put(plane, HTTPStatus.OK)["raised"]["limit_usd"] == "2"
    assert plane.must("PATCH", path, json={"raised": None})["raised"] is None
    plane.must("PATCH", path, json={"raised": raised})
    assert plane.must("PATCH", path, json={"limit_usd": "2"})["raised"] is None


def test_a_raise_that_raises_nothing_or_has_ended_is_refused(plane: ControlPlane) -> None:
    path = f"/budgets/{put(plane)['id']}"
    for raised in (
        {"limit_usd": "0.01", "until": in_an_hour()},
        {"limit_usd": "1", "until": "2020-01-01T00:00:00Z"},
        {"limit_usd": "1"},
    ):
        assert plane("PATCH", path, json={"raised": raised}).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_a_removed_budget_is_gone(plane: ControlPlane) -> None:
    path = f"/budgets/{put(plane)['id']}"
    plane.must("DELETE", path)
    for method in ("GET", "DELETE"):
        assert plane(method, path).status_code == HTTPStatus.NOT_FOUND


def test_a_limit_is_no_budget(plane: ControlPlane) -> None:
    limit = plane.must("PUT", "/limits", json={"unit": "requests", "window": "minute", "limit": 60})
    assert plane("GET", f"/budgets/{limit['id']}").status_code == HTTPStatus.NOT_FOUND
    assert plane.must("GET", "/budgets")["data"] == []
    assert plane("DELETE", f"/budgets/{limit['id']}").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    "body",
    [
        {"limit_usd": 1},
        {"limit_usd": "-1"},
        {"limit_usd": "1e3"},
        {"limit_usd": "0.0000000000001"},
        {"limit_usd": "1000000000000"},
        {"window": "second"},
        {"window": "rolling"},
        {"window": "rolling:0h"},
        {"window": "rolling:367d"},
        {"mode": "medium"},
        {"thresholds": [80, 50]},
        {"thresholds": [0]},
        {"each": ["user", "user"]},
        {"each": ["planet"]},
        {"each": ["user"], "user": "ada"},
        {"each": ["project"], "project": "web"},
        {"each": ["tag"]},
        {"each": ["tag"], "tag": {"name": "team", "value": "red"}},
        {"each": ["model"], "model": "upstream/one"},
        {"model": "upstream/"},
        {"provider": "upstream", "user": "line\nbreak"},
        {"colour": "red"},
    ],
)
def test_a_budget_that_cannot_be_is_refused_with_422(shared_plane: ControlPlane, body: dict[str, Any]) -> None:
    answer = shared_plane("PUT", "/budgets", json=DAILY | body)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, answer.text


@pytest.mark.parametrize(
    "scope",
    [
        {"project": "inexistent"},
        {"key": "inexistent"},
        {"provider": "inexistent"},
        {"model": "inexistent/one"},
        {"model": "inexistent/*"},
        {"model": "inexistent"},
        {"project": UUID},
        {"key": UUID},
    ],
)
def test_a_scope_that_could_never_bind_is_not_found(shared_plane: ControlPlane, scope: dict[str, Any]) -> None:
    assert shared_plane("PUT", "/budgets", json=DAILY | scope).status_code == HTTPStatus.NOT_FOUND


def test_another_tenants_project_and_key_are_not_found(plane: ControlPlane) -> None:
    theirs = put(plane, key="acme-inference")
    for scope in ({"project": theirs["project_id"]}, {"key": theirs["key_id"]}):
        answer = plane("PUT", "/budgets", as_="rival-admin", json=DAILY | scope)
        assert answer.status_code == HTTPStatus.NOT_FOUND
    path = f"/budgets/{theirs['id']}"
    for method, url, body in (
        ("GET", path, None),
        ("PATCH", path, {}),
        ("DELETE", path, None),
        ("POST", f"{path}/reset", None),
    ):
        assert plane(method, url, as_="rival-admin", json=body).status_code == HTTPStatus.NOT_FOUND


def test_a_budget_of_a_key_goes_on_when_the_key_is_rotated(plane: ControlPlane) -> None:
    made = put(plane, key="acme-inference")
    old = plane.must("GET", "/keys/acme-inference")
    for _ in range(2):
        new = plane.must("POST", "/keys/acme-inference/rotate", json={"overlap_s": 0})
        principal = plane.run(lambda key=new["key"]: plane.factory.authenticator_uncached().authenticate(key.encode()))  # type: ignore[misc]
        assert principal.key_id != old["id"]
        assert principal.origin_id == old["id"] == made["key_id"]
        assert put(plane, HTTPStatus.OK, key="acme-inference")["id"] == made["id"]
        assert [row["id"] for row in plane.must("GET", "/budgets", params={"key": new["id"]})["data"]] == [made["id"]]


def test_an_archived_project_leaves_no_budget_behind(plane: ControlPlane) -> None:
    others = put(plane)
    for scope in ({"project": "web"}, {"key": "acme-inference"}):
        put(plane, **scope)
    plane.must("PUT", "/limits", json={"project": "web", "unit": "parallel", "limit": 8})
    plane.must("DELETE", "/projects/web")
    assert [row["id"] for row in plane.must("GET", "/budgets")["data"]] == [others["id"]]
    assert plane.must("GET", "/limits")["data"] == []


def test_names_of_what_the_organization_has_are_taken(plane: ControlPlane) -> None:
    for scope in (
        {"provider": "upstream"},
        {"model": "upstream/one"},
        {"model": "upstream/*", "each": ["model"]},
        {"model": "fast", "project": "web"},
        {"tag": {"name": "team"}, "each": ["tag"]},
    ):
        assert put(plane, **scope)["window"] == "day"


def test_budgets_come_in_pages(plane: ControlPlane) -> None:
    ids = [put(plane, user=name)["id"] for name in ("ada", "bob", "eve")]
    first = plane.must("GET", "/budgets", params={"limit": 2})
    second = plane.must("GET", "/budgets", params={"limit": 2, "cursor": first["next_cursor"]})
    assert [row["id"] for row in (*first["data"], *second["data"])] == ids
    assert second["next_cursor"] is None
