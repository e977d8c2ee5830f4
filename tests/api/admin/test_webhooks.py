from http import HTTPStatus
from typing import Any

import psycopg
import pytest

from support.control_plane import ControlPlane
from tollway.identity.vault import Vault
from tollway.identity.webhook_secret import webhook_vault_identity

PUBLIC = "https://1.1.1.1/hook?token=a"
ALERTS = {"name": "alerts", "url": PUBLIC}


def deliveries(plane: ControlPlane) -> list[str]:
    return [row["action"] for row in plane.must("GET", "/webhooks/alerts/deliveries")["data"]]


def test_a_webhooks_secret_is_shown_once_and_stored_sealed(plane: ControlPlane, database_url: str) -> None:
    made = plane.must("POST", "/webhooks", json=ALERTS)
    assert made["secret"].startswith("whsec_")
    assert made["events"] == ["budget.threshold"]
    shown = plane.must("GET", "/webhooks/alerts")
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    with psycopg.connect(database_url) as connection:
        sealed, public_only = connection.execute("SELECT secret, public_only FROM webhook").fetchone() or (b"", None)
    vault: Vault = plane.factory._context.vault
    assert vault.open(sealed, identity=webhook_vault_identity(made["id"])) == made["secret"]
    assert public_only is True


def test_a_rotated_secret_is_another_one(plane: ControlPlane) -> None:
    first = plane.must("POST", "/webhooks", json=ALERTS)
    second = plane.must("POST", "/webhooks/alerts/rotate")
    assert second["id"] == first["id"]
    assert second["secret"] != first["secret"]


def test_a_webhook_is_told_what_it_asked_for_in_the_transaction_of_the_event(plane: ControlPlane) -> None:
    plane.must("POST", "/webhooks", json=ALERTS | {"events": ["budget.created", "budget.removed"]})
    budget = plane.must("PUT", "/budgets", json={"window": "day", "limit_usd": "1"})
    plane.must("PATCH", f"/budgets/{budget['id']}", json={"limit_usd": "2"})
    plane.must("DELETE", f"/budgets/{budget['id']}")
    assert deliveries(plane) == ["budget.removed", "budget.created"]
    plane.must("PATCH", "/webhooks/alerts", json={"events": ["*"]})
    plane.must("PUT", "/limits", json={"unit": "parallel", "limit": 8})
    assert deliveries(plane)[:2] == ["limit.created", "webhook.changed"]


def test_a_disabled_webhook_is_told_nothing(plane: ControlPlane) -> None:
    plane.must("POST", "/webhooks", json=ALERTS | {"events": ["*"], "enabled": False})
    plane.must("PUT", "/budgets", json={"window": "day", "limit_usd": "1"})
    assert deliveries(plane) == []
    assert plane("POST", "/webhooks/alerts/test").status_code == HTTPStatus.CONFLICT


def test_another_tenants_webhook_is_told_nothing_and_not_found(plane: ControlPlane) -> None:
    plane.must("POST", "/webhooks", json=ALERTS | {"events": ["*"]})
    plane.must("PUT", "/budgets", as_="rival-admin", json={"window": "day", "limit_usd": "1"})
    assert deliveries(plane) == ["webhook.created"]
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")):
        answer = plane(method, f"/webhooks/alerts{path}", as_="rival-admin", json={} if method == "PATCH" else None)
        assert answer.status_code == HTTPStatus.NOT_FOUND


def test_a_test_goes_to_its_webhook_alone(plane: ControlPlane) -> None:
    plane.must("POST", "/webhooks", json=ALERTS)
    plane.must("POST", "/webhooks", json=ALERTS | {"name": "other", "events": ["*"]})
    event_id = plane.must("POST", "/webhooks/alerts/test")["event_id"]
    [row] = plane.must("GET", "/webhooks/alerts/deliveries")["data"]
    assert (row["event_id"], row["attempts"], row["delivered_at"]) == (event_id, 0, None)
    assert [row["action"] for row in plane.must("GET", "/webhooks/other/deliveries")["data"]] == ["webhook.created"]


def test_a_removed_webhook_takes_its_deliveries_with_it_and_leaves_the_events(plane: ControlPlane) -> None:
    plane.must("POST", "/webhooks", json=ALERTS | {"events": ["*"]})
    plane.must("DELETE", "/webhooks/alerts")
    assert plane("GET", "/webhooks/alerts").status_code == HTTPStatus.NOT_FOUND
    actions = [row["action"] for row in plane.must("GET", "/audit/events")["data"]]
    assert actions[:2] == ["webhook.removed", "webhook.created"]


def test_two_webhooks_of_one_name_are_a_conflict(plane: ControlPlane) -> None:
    plane.must("POST", "/webhooks", json=ALERTS)
    assert plane("POST", "/webhooks", json=ALERTS).status_code == HTTPStatus.CONFLICT
    assert plane.must("POST", "/webhooks", as_="rival-admin", json=ALERTS)["name"] == "alerts"


@pytest.mark.parametrize("url", ["http://1.1.1.1/hook", "https://127.0.0.1/hook", "https://169.254.169.254/latest"])
def test_only_the_platform_may_have_the_inside_called(plane: ControlPlane, url: str) -> None:
    refused = plane("POST", "/webhooks", json=ALERTS | {"url": url})
    assert refused.status_code == HTTPStatus.FORBIDDEN
    assert plane.must("POST", "/webhooks", as_="acme-platform", json=ALERTS | {"url": url})["url"] == url
    assert plane("PATCH", "/webhooks/alerts", json={"url": url + "/2"}).status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    "body",
    [
        {"name": "No"},
        {"url": "ftp://example.com"},
        {"url": "https://user:secret@example.com"},
        {"url": "https://example.com/#part"},
        {"url": "https://example.com:99999/"},
        {"url": "https:///nothing"},
        {"events": []},
        {"events": ["budget.smelled"]},
        {"events": ["*", "*"]},
        {"secret": "whsec_mine"},
    ],
)
def test_a_webhook_that_cannot_be_is_refused_with_422(shared_plane: ControlPlane, body: dict[str, Any]) -> None:
    assert shared_plane("POST", "/webhooks", json=ALERTS | body).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
