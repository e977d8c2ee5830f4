"""What can be set of projects and organizations."""

from http import HTTPStatus

import pytest

from support.control_plane import ControlPlane


def test_a_new_project_clamps_and_takes_the_installations_default(plane: ControlPlane) -> None:
    made = plane.must("POST", "/projects", json={"name": "other"})
    assert (made["allow_unpriced"], made["clamp_output"], made["default_output_tokens"]) == (False, True, None)


def test_a_projects_settings_are_changed_one_by_one(plane: ControlPlane) -> None:
    plane.must("PATCH", "/projects/web", json={"clamp_output": False, "default_output_tokens": 500})
    changed = plane.must("PATCH", "/projects/web", json={"allow_unpriced": True})
    assert (changed["allow_unpriced"], changed["clamp_output"], changed["default_output_tokens"]) == (True, False, 500)
    assert plane.must("PATCH", "/projects/web", json={"default_output_tokens": None})["default_output_tokens"] is None
    assert plane.must("PUT", "/projects/web", json={})["clamp_output"] is True


STORED = (
    "drop_unsupported",
    "store_content",
    "retention_days",
    "cache_ttl_s",
    "cache_max_bytes",
    "cache_single_flight",
)


def test_a_project_chooses_what_is_stored_dropped_and_cached(plane: ControlPlane) -> None:
    made = plane.must("POST", "/projects", json={"name": "other"})
    assert [made[name] for name in STORED] == [False, "metadata", 30, 0, 16_777_216, False]
    plane.must("PATCH", "/projects/other", json={"store_content": "none", "cache_ttl_s": 60, "cache_max_bytes": 9})
    changed = plane.must("PATCH", "/projects/other", json={"drop_unsupported": True, "cache_single_flight": True})
    assert [changed[name] for name in STORED] == [True, "none", 30, 60, 9, True]
    replaced = plane.must("PUT", "/projects/other", json={"retention_days": 7})
    assert [replaced[name] for name in STORED] == [False, "metadata", 7, 0, 16_777_216, False]


@pytest.mark.parametrize(
    "wrong", [{"store_content": "some"}, {"retention_days": 0}, {"retention_days": 3_651}, {"cache_ttl_s": -1}]
)
def test_a_setting_of_a_project_out_of_its_range_is_refused(
    shared_plane: ControlPlane, wrong: dict[str, object]
) -> None:
    for method in ("PUT", "PATCH"):
        assert shared_plane(method, "/projects/web", json=wrong).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_an_organization_refuses_without_the_database_unless_it_says_otherwise(plane: ControlPlane) -> None:
    assert plane.must("GET", "/organizations/acme")["serve_without_database"] is False
    path, body = "/organizations/acme", {"serve_without_database": True}
    assert plane.must("PATCH", path, json=body)["serve_without_database"] is True
    assert plane.must("PATCH", path, json={"time_zone": "Asia/Kathmandu"})["serve_without_database"] is True
    third = plane.must("POST", "/organizations", as_="acme-platform", json={"name": "third"} | body)
    assert third["serve_without_database"] is True


@pytest.mark.parametrize("zone", ["Mars/Base", "Europe", "utc/", "posixrules"])
def test_a_time_zone_that_windows_cannot_be_computed_in_is_refused(shared_plane: ControlPlane, zone: str) -> None:
    answer = shared_plane("PATCH", "/organizations/acme", json={"time_zone": zone})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_an_organization_with_a_budget_is_not_deleted(plane: ControlPlane) -> None:
    plane.must("POST", "/organizations", as_="acme-platform", json={"name": "third"})
    third = {"organization": "third"}
    budget = plane.must("PUT", "/budgets", as_="acme-platform", params=third, json={"window": "day", "limit_usd": "1"})
    plane.must("DELETE", f"/budgets/{budget['id']}", as_="acme-platform", params=third)
    # Its audit log stays, and so does it.
    assert plane("DELETE", "/organizations/third", as_="acme-platform").status_code == HTTPStatus.CONFLICT
