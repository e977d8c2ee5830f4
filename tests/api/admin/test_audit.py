from http import HTTPStatus

from support.control_plane import ControlPlane


def events(plane: ControlPlane, **query: str) -> list[dict[str, object]]:
    """The events, but for those of what is there from the beginning."""
    rows: list[dict[str, object]] = plane.must("GET", "/audit/events", params=query)["data"]
    own = plane.must("GET", "/me")["key_id"]
    return [row for row in rows if row["actor_key_id"] == own and row["action"] != "alias.created"]


def test_every_change_of_a_budget_is_told_with_what_it_was_and_who_did_it(plane: ControlPlane) -> None:
    budget = plane.must("PUT", "/budgets", json={"project": "web", "window": "day", "limit_usd": "1"})
    path = f"/budgets/{budget['id']}"
    plane.must("PATCH", path, json={"limit_usd": "2.50", "paused": True})
    plane.must("POST", f"{path}/reset")
    plane.must("DELETE", path)
    told = events(plane, subject=budget["id"])
    assert [row["action"] for row in told] == ["budget.removed", "budget.reset", "budget.changed", "budget.created"]
    assert {row["actor_key_id"] for row in told} == {plane.must("GET", "/me")["key_id"]}
    assert told[2]["detail"] == {
        "scope": {"unit": "usd", "window": "day", "project_id": budget["project_id"]},
        "settings": {"limit": "2.5", "paused": True},
        "before": {"limit": "1", "paused": False},
    }


def test_a_change_that_changes_nothing_is_no_event(plane: ControlPlane) -> None:
    body = {"window": "day", "limit_usd": "1"}
    budget = plane.must("PUT", "/budgets", json=body)
    assert plane.must("PUT", "/budgets", json=body)["updated_at"] == budget["updated_at"]
    plane.must("PATCH", f"/budgets/{budget['id']}", json={"limit_usd": "1.000"})
    plane.must("PATCH", "/projects/web", json={"clamp_output": True})
    plane.must("PATCH", "/organizations/acme", json={"time_zone": "UTC"})
    assert [row["action"] for row in events(plane)] == ["budget.created"]


def test_settings_of_projects_and_organizations_are_told(plane: ControlPlane) -> None:
    plane.must("PATCH", "/projects/web", json={"default_output_tokens": 9})
    plane.must("PUT", "/projects/web", json={"clamp_output": False})
    plane.must("PATCH", "/organizations/acme", json={"time_zone": "Europe/Berlin"})
    told = [(row["action"], row["detail"]) for row in events(plane)]
    assert told == [
        ("organization.changed", {"settings": {"time_zone": "Europe/Berlin"}, "before": {"time_zone": "UTC"}}),
        (
            "project.changed",
            {
                "settings": {"clamp_output": False, "default_output_tokens": None},
                "before": {"clamp_output": True, "default_output_tokens": 9},
            },
        ),
        ("project.changed", {"settings": {"default_output_tokens": 9}, "before": {"default_output_tokens": None}}),
    ]


def test_events_are_found_by_action_and_come_in_pages_newest_first(plane: ControlPlane) -> None:
    for user in "abc":
        plane.must("PUT", "/budgets", json={"user": user, "window": "day", "limit_usd": "1"})
    plane.must("PUT", "/limits", json={"unit": "parallel", "limit": 1})
    assert [row["action"] for row in events(plane, action="limit.created")] == ["limit.created"]
    first = plane.must("GET", "/audit/events", params={"limit": 3})
    second = plane.must("GET", "/audit/events", params={"limit": 3, "cursor": first["next_cursor"]})
    ids = [row["id"] for row in (*first["data"], *second["data"])]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 3 + 3


def test_another_tenant_sees_none_of_it(plane: ControlPlane) -> None:
    plane.must("PUT", "/budgets", json={"window": "day", "limit_usd": "1"})
    acme, rival = (plane.must("GET", "/audit/events", as_=f"{name}-admin")["data"] for name in ("acme", "rival"))
    assert {row["organization_id"] for row in acme}.isdisjoint({row["organization_id"] for row in rival})
    assert "budget.created" in {row["action"] for row in acme} - {row["action"] for row in rival}
    assert plane("GET", "/audit/events", params={"action": "no.such"}).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
