from http import HTTPStatus
from typing import Any

import pytest

from support.control_plane import ControlPlane

PATH = "/prices/upstream/one"


def test_a_price_that_is_set_is_what_the_model_costs(plane: ControlPlane) -> None:
    assert plane("GET", PATH).status_code == HTTPStatus.NOT_FOUND
    plane.must("PUT", PATH, json={"rates": {"input": "0.150", "output": "6"}, "source": "contract"})
    found = plane.must("GET", PATH)
    assert {kind: rate["usd_per_million"] for kind, rate in found["rates"].items()} == {"input": "0.15", "output": "6"}
    assert [row["name"] for row in plane.must("GET", "/prices", params={"provider": "upstream"})["data"]] == [
        "upstream/one"
    ]
    assert plane("GET", PATH, as_="rival-admin").status_code == HTTPStatus.NOT_FOUND


def test_the_same_price_again_changes_nothing_and_another_one_is_a_new_row(plane: ControlPlane) -> None:
    first = plane.must("PUT", PATH, json={"rates": {"input": "1"}})
    assert plane.must("PUT", PATH, json={"rates": {"input": "1.00"}}) == first
    second = plane.must("PUT", PATH, json={"rates": {"input": "2"}})
    assert second["id"] != first["id"]
    assert [row["id"] for row in plane.must("GET", "/price-overrides")["data"]] == [second["id"]]
    plane.must("DELETE", f"/price-overrides/{second['id']}")
    assert plane("GET", PATH).status_code == HTTPStatus.NOT_FOUND


def test_only_the_platform_sets_and_removes_prices_for_all(plane: ControlPlane) -> None:
    body = {"rates": {"input": "1"}, "all_organizations": True}
    assert plane("PUT", PATH, json=body).status_code == HTTPStatus.FORBIDDEN
    made = plane.must("PUT", PATH, as_="acme-platform", json=body)
    assert plane("GET", PATH, as_="rival-read").is_success
    assert plane("DELETE", f"/price-overrides/{made['id']}").status_code == HTTPStatus.FORBIDDEN
    plane.must("DELETE", f"/price-overrides/{made['id']}", as_="acme-platform")


@pytest.mark.parametrize(
    "body",
    [
        {"rates": {}},
        {"rates": {"input": 1}},
        {"rates": {"input": "-1"}},
        {"rates": {"input": "1e3"}},
        {"rates": {"input": "1000000"}},
        {"rates": {"smell": "1"}},
        {"rates": {"input": "1"}, "tiers": {"output": [{"above": 1, "usd_per_million": "1"}]}},
        {
            "rates": {"input": "1"},
            "tiers": {"input": [{"above": 2, "usd_per_million": "1"}, {"above": 1, "usd_per_million": "1"}]},
        },
        {"rates": {"input": "1"}, "valid_from": "2027-01-01T00:00:00Z", "valid_to": "2027-01-01T00:00:00Z"},
    ],
)
def test_a_price_that_cannot_be_used_is_refused_with_422(shared_plane: ControlPlane, body: dict[str, Any]) -> None:
    assert shared_plane("PUT", PATH, json=body).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_prices_come_in_pages_by_name(plane: ControlPlane) -> None:
    plane.must("POST", "/providers", json={"name": "openai"})
    first = plane.must("GET", "/prices", params={"limit": 3})
    second = plane.must("GET", "/prices", params={"limit": 3, "cursor": first["next_cursor"]})
    names = [row["name"] for row in (*first["data"], *second["data"])]
    assert len(names) == 6
    assert names == sorted(set(names))
