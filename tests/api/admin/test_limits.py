from http import HTTPStatus
from typing import Any

import pytest

from support.control_plane import ControlPlane

PER_MINUTE = {"unit": "requests", "window": "minute", "limit": 60}


def test_a_limit_is_shown_as_it_was_set(plane: ControlPlane) -> None:
    made = plane.must("PUT", "/limits", json=PER_MINUTE | {"key": "acme-inference", "queue_s": 2.5})
    assert (made["unit"], made["window"], made["limit"], made["queue_s"]) == ("requests", "minute", 60, 2.5)
    assert (made["key"], made["project"], made["paused"]) == ("acme-inference", "web", False)
    listed = plane.must("GET", "/limits", params={"key": "acme-inference"})["data"]
    assert [row["id"] for row in listed] == [made["id"]]


def test_a_key_has_one_limit_of_a_unit_and_window(plane: ControlPlane) -> None:
    made = plane.must("PUT", "/limits", json=PER_MINUTE)
    again = plane.must("PUT", "/limits", json=PER_MINUTE | {"limit": 5})
    assert (again["id"], again["limit"], again["left"]) == (made["id"], 5, 5)
    for other in ({"unit": "tokens"}, {"window": "day"}, {"unit": "parallel", "window": None}):
        assert plane.must("PUT", "/limits", json=PER_MINUTE | other)["id"] != made["id"]


def test_a_changed_limit_keeps_what_is_left_out(plane: ControlPlane) -> None:
    made = plane.must("PUT", "/limits", json=PER_MINUTE | {"queue_s": 3})
    changed = plane.must("PATCH", f"/limits/{made['id']}", json={"limit": 10})
    assert (changed["limit"], changed["queue_s"]) == (10, 3)
    assert plane.must("POST", f"/limits/{made['id']}/reset")["limit"] == 10
    plane.must("DELETE", f"/limits/{made['id']}")
    assert plane("GET", f"/limits/{made['id']}").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    "body",
    [
        {"limit": -1},
        {"limit": "60"},
        {"limit": 1.5},
        {"limit": 10**16},
        {"unit": "usd"},
        {"window": None},
        {"window": "week"},
        {"unit": "parallel"},
        {"queue_s": 61},
        {"queue_s": -1},
    ],
)
def test_a_limit_that_cannot_be_is_refused_with_422(shared_plane: ControlPlane, body: dict[str, Any]) -> None:
    answer = shared_plane("PUT", "/limits", json=PER_MINUTE | body)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, answer.text
