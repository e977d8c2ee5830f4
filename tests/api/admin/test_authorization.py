"""Who may do what: every operation, as nobody, with too small a scope, as another tenant, and as who may."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest

from support.control_plane import ControlPlane, documented_operations, operation_of
from tollway.identity.principal import Scope

UUID = "00000000-0000-7000-8000-000000000000"


class Operation(NamedTuple):
    """One operation of the document, and the answer to acme's key of the needed scope, in the order of the table."""

    method: str
    path: str
    scope: Scope
    body: dict[str, Any] | None = None
    succeeds: int = 200
    query: Mapping[str, str] = {}


OPERATIONS = (
    Operation("GET", "/organizations", Scope.READ),
    Operation("POST", "/organizations", Scope.PLATFORM, {"name": "third"}, 201),
    Operation("GET", "/organizations/acme", Scope.READ),
    Operation("PATCH", "/organizations/acme", Scope.ADMIN, {"time_zone": "UTC"}),
    Operation("DELETE", "/organizations/acme", Scope.PLATFORM, None, 409),
    Operation("GET", "/projects", Scope.READ),
    Operation("POST", "/projects", Scope.ADMIN, {"name": "other"}, 201),
    Operation("GET", "/projects/web", Scope.READ),
    Operation("PUT", "/projects/web", Scope.ADMIN, {}),
    Operation("PATCH", "/projects/web", Scope.ADMIN, {"allow_unpriced": True}),
    Operation("GET", "/keys", Scope.READ),
    Operation("POST", "/keys", Scope.ADMIN, {"name": "new", "project": "web"}, 201),
    Operation("GET", "/keys/acme-inference", Scope.READ),
    Operation("POST", "/keys/acme-inference/rotate", Scope.ADMIN, {}, 201),
    Operation("POST", "/keys/acme-inference/revoke", Scope.ADMIN),
    Operation("GET", "/providers", Scope.READ),
    Operation("POST", "/providers", Scope.ADMIN, {"name": "openai"}, 201),
    Operation("GET", "/providers/upstream", Scope.READ),
    Operation("PUT", "/providers/groq", Scope.ADMIN, {}, 201),
    Operation("PATCH", "/providers/upstream", Scope.ADMIN, {"declared_only": True}),
    Operation("DELETE", "/providers/upstream", Scope.ADMIN, None, 409),
    Operation("GET", "/providers/upstream/credentials", Scope.READ),
    Operation("POST", "/providers/upstream/credentials", Scope.ADMIN, {"name": "second", "credential": "sk"}, 201),
    Operation("PUT", "/providers/upstream/credentials/third", Scope.ADMIN, {"credential": "sk"}, 201),
    Operation("DELETE", "/providers/upstream/credentials/third", Scope.ADMIN, None, 204),
    Operation("GET", "/models", Scope.READ),
    Operation("PUT", "/models/upstream/two", Scope.ADMIN, None, 201),
    Operation("DELETE", "/models/upstream/one", Scope.ADMIN, None, 204),
    Operation("GET", "/aliases", Scope.READ),
    Operation("GET", "/aliases/web/fast", Scope.READ),
    Operation("PUT", "/aliases/web/fast", Scope.ADMIN, {"target": "upstream/two"}),
    Operation("DELETE", "/aliases/web/fast", Scope.ADMIN, None, 204),
    Operation("POST", "/route/explain", Scope.READ, {"model": "fast", "project": "web"}),
    Operation("GET", "/route/report", Scope.READ, query={"alias": "fast", "project": "web"}),
    Operation("GET", "/prices", Scope.READ),
    Operation("GET", "/prices/upstream/one", Scope.READ, None, 404),
    Operation("PUT", "/prices/upstream/one", Scope.ADMIN, {"rates": {"input": "1"}}),
    Operation("GET", "/price-overrides", Scope.READ),
    Operation("DELETE", f"/price-overrides/{UUID}", Scope.ADMIN, None, 404),
    Operation("PUT", "/budgets", Scope.ADMIN, {"project": "web", "window": "day", "limit_usd": "1"}, 201),
    Operation("GET", "/budgets", Scope.READ),
    Operation("GET", f"/budgets/{UUID}", Scope.READ, None, 404),
    Operation("PATCH", f"/budgets/{UUID}", Scope.ADMIN, {}, 404),
    Operation("POST", f"/budgets/{UUID}/reset", Scope.ADMIN, None, 404),
    Operation("GET", f"/budgets/{UUID}/windows", Scope.READ, None, 404),
    Operation("DELETE", f"/budgets/{UUID}", Scope.ADMIN, None, 404),
    Operation("PUT", "/limits", Scope.ADMIN, {"project": "web", "unit": "parallel", "limit": 8}, 201),
    Operation("GET", "/limits", Scope.READ),
    Operation("GET", f"/limits/{UUID}", Scope.READ, None, 404),
    Operation("PATCH", f"/limits/{UUID}", Scope.ADMIN, {}, 404),
    Operation("POST", f"/limits/{UUID}/reset", Scope.ADMIN, None, 404),
    Operation("GET", f"/limits/{UUID}/windows", Scope.READ, None, 404),
    Operation("DELETE", f"/limits/{UUID}", Scope.ADMIN, None, 404),
    Operation("GET", "/audit/events", Scope.READ),
    Operation("POST", "/webhooks", Scope.ADMIN, {"name": "other", "url": "https://1.1.1.1/hook"}, 201),
    Operation("GET", "/webhooks", Scope.READ),
    Operation("GET", "/webhooks/alerts", Scope.READ, None, 404),
    Operation("PATCH", "/webhooks/alerts", Scope.ADMIN, {}, 404),
    Operation("POST", "/webhooks/alerts/rotate", Scope.ADMIN, None, 404),
    Operation("POST", "/webhooks/alerts/test", Scope.ADMIN, None, 404),
    Operation("GET", "/webhooks/alerts/deliveries", Scope.READ, None, 404),
    Operation("DELETE", "/webhooks/alerts", Scope.ADMIN, None, 404),
    Operation("GET", "/workers", Scope.PLATFORM),
    Operation("DELETE", f"/workers/{UUID}", Scope.PLATFORM, None, 404),
    Operation("DELETE", "/projects/web", Scope.ADMIN),
)
OTHERS_OWN = {"/me", "/ledger", "/usage"}
"""Tested beside what they are about."""


def _send(plane: ControlPlane, operation: Operation, *, as_: str | None, **params: str) -> Any:
    query = dict(operation.query) | params
    return plane(operation.method, operation.path, as_=as_, json=operation.body, params=query)


DOCUMENTED = documented_operations()


def test_the_table_names_every_operation_of_the_document() -> None:
    tested = {operation_of(DOCUMENTED, operation.method, operation.path) for operation in OPERATIONS}
    missing = {
        (method, path)
        for method, path in DOCUMENTED
        if (method, path) not in tested and f"/{path.split('/')[3]}" not in OTHERS_OWN
    }
    assert not missing


@pytest.mark.parametrize("key", [None, "tw-unknown", "x" * 300], ids=["no key", "unknown key", "too long"])
def test_nobody_gets_in_anywhere_without_a_key(key: str | None, shared_plane: ControlPlane) -> None:
    for method, path in DOCUMENTED:
        filled = re.sub(r"\{[^}]+\}", UUID, path.removeprefix("/api/v1"))
        answer = shared_plane(method, filled, as_=key)
        assert answer.status_code == HTTPStatus.UNAUTHORIZED, (method, path)
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_whose_scopes_do_not_include_the_needed_one_is_refused(shared_plane: ControlPlane) -> None:
    order = [Scope.INFERENCE, Scope.READ, Scope.ADMIN, Scope.PLATFORM]
    for operation in OPERATIONS:
        for scope in order[: order.index(operation.scope)]:
            answer = _send(shared_plane, operation, as_=f"acme-{scope}")
            assert answer.status_code == HTTPStatus.FORBIDDEN, (operation, scope)
            assert answer.json()["code"] == "permission_denied"


def test_another_tenant_s_things_are_not_found(shared_plane: ControlPlane) -> None:
    for operation in OPERATIONS:
        names_a_tenant = operation.path.startswith("/organizations")
        if operation.path == "/organizations" or operation.scope is Scope.PLATFORM:
            continue  # of no tenant, or the platform's
        params = {} if names_a_tenant else {"organization": "acme"}
        answer = _send(shared_plane, operation, as_="rival-admin", **params)
        assert answer.status_code == HTTPStatus.NOT_FOUND, operation


def test_a_key_with_just_the_needed_scope_may(plane: ControlPlane) -> None:
    for operation in OPERATIONS:
        answer = _send(plane, operation, as_=f"acme-{operation.scope}")
        assert answer.status_code == operation.succeeds, (operation, answer.text)


def test_the_platform_may_act_on_any_organization(plane: ControlPlane) -> None:
    for operation in OPERATIONS:
        params = {} if operation.path.startswith(("/organizations", "/workers")) else {"organization": "acme"}
        answer = _send(plane, operation, as_="rival-platform", **params)
        assert answer.status_code == operation.succeeds, (operation, answer.text)


def test_the_id_of_another_tenant_s_row_is_not_found(shared_plane: ControlPlane) -> None:
    project = shared_plane.must("GET", "/projects/web")["id"]
    key = shared_plane.must("GET", "/keys/acme-inference")["id"]
    provider = shared_plane.must("GET", "/providers/upstream")["id"]
    for path in (f"/projects/{project}", f"/keys/{key}", f"/providers/{provider}", f"/aliases/{project}/fast"):
        assert shared_plane("GET", path).is_success
        assert shared_plane("GET", path, as_="rival-admin").status_code == HTTPStatus.NOT_FOUND


def test_lists_hold_only_the_own_organization(shared_plane: ControlPlane) -> None:
    own = shared_plane.must("GET", "/me")["organization_id"]
    for noun in ("projects", "keys", "providers"):
        rows = shared_plane.must("GET", f"/{noun}")["data"]
        assert rows
        assert {row["organization_id"] for row in rows} == {own}
    assert [row["name"] for row in shared_plane.must("GET", "/organizations")["data"]] == ["acme"]
