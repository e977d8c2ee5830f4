"""P5: a tenant sees its own: rows, models, errors and logs of another one are a 404."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from support.gateway import Gateway, chat_body, new_mark
from support.standin import StandIn


@dataclass(frozen=True)
class Tenant:
    """Another organization with a project, its keys, and things that the first one must not see."""

    admin_key: str
    key: str
    names: dict[str, str]


@pytest.fixture(scope="module")
def other(gateway: Gateway, standin: StandIn) -> Tenant:
    """The organization `rival`, set up through the API by the platform's administrator."""
    platform = gateway.admin_key
    organization = gateway.admin("POST", "/organizations", {"name": "rival"})
    as_rival = {"organization": organization["id"]}

    def create(path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
        answer = gateway.client.request(
            method, f"/api/v1{path}", json=body, params=as_rival, headers=gateway.headers(platform)
        )
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made

    project = create("/projects", {"name": "hidden"})
    admin = create("/keys", {"name": "rival admin", "scopes": ["admin", "read"]})
    key = create("/keys", {"name": "rival app", "project": "hidden"})
    provider = create("/providers", {"name": "secretive", "spec": "openai_compatible", "base_url": standin.base_url})
    create("/aliases/hidden/fast", {"target": "secretive/plain"}, "PUT")
    create("/prices/secretive/plain", {"rates": {"input": "1", "output": "1"}}, "PUT")
    names = {"project": project["id"], "key": key["id"], "provider": provider["id"], "organization": organization["id"]}
    return Tenant(admin["key"], key["key"], names)


def as_first_tenant(gateway: Gateway) -> dict[str, str]:
    """Headers of an administrator of the first organization, who is none of the platform."""
    return gateway.headers(gateway.new_key(None, scopes=["admin", "read"]))


def test_another_tenants_things_are_a_404_by_id_and_by_name(gateway: Gateway, other: Tenant) -> None:
    headers = as_first_tenant(gateway)
    paths = [
        f"/projects/{other.names['project']}",
        "/projects/hidden",
        f"/keys/{other.names['key']}",
        f"/providers/{other.names['provider']}",
        "/providers/secretive",
        "/providers/secretive/credentials",
        f"/providers/{other.names['provider']}/credentials",
        "/aliases/hidden/fast",
        "/route/report?alias=fast&project=hidden",
        f"/organizations/{other.names['organization']}",
        "/organizations/rival",
    ]
    statuses = {path: gateway.client.get(f"/api/v1{path}", headers=headers).status_code for path in paths}
    assert statuses == dict.fromkeys(paths, httpx.codes.NOT_FOUND)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_another_tenants_things_cannot_be_changed(gateway: Gateway, other: Tenant, method: str) -> None:
    headers = as_first_tenant(gateway)
    for noun in ("project", "provider", "key"):
        path = f"/api/v1/{noun}s/{other.names[noun]}"
        body = {} if method == "PATCH" else None
        status = gateway.client.request(method, path, json=body, headers=headers).status_code
        assert status in {404, 405}, (method, noun, status)
    assert gateway.post("/v1/chat/completions", chat_body() | {"model": "fast"}, key=other.key).is_success


def test_naming_another_organization_is_a_404(gateway: Gateway, other: Tenant) -> None:
    headers = as_first_tenant(gateway)
    for noun in ("projects", "keys", "providers", "ledger/entries", "usage"):
        answer = gateway.client.get(
            f"/api/v1/{noun}", params={"organization": other.names["organization"]}, headers=headers
        )
        assert answer.status_code in {403, 404}, (noun, answer.text)


@pytest.mark.usefixtures("other")
def test_a_tenant_cannot_call_another_ones_provider_nor_tell_that_it_exists(gateway: Gateway) -> None:
    theirs = gateway.post("/v1/chat/completions", chat_body() | {"model": "secretive/plain"})
    nobodys = gateway.post("/v1/chat/completions", chat_body() | {"model": "inexistent/plain"})
    assert theirs.status_code == nobodys.status_code == 404
    told = theirs.json()["error"]["message"].replace("secretive", "inexistent")
    assert told == nobodys.json()["error"]["message"]


def test_an_alias_holds_in_its_project_only(gateway: Gateway, other: Tenant) -> None:
    assert gateway.post("/v1/chat/completions", chat_body() | {"model": "fast"}, key=other.key).is_success
    assert gateway.post("/v1/chat/completions", chat_body() | {"model": "fast"}).status_code == 404


def test_models_are_listed_for_the_own_organization_only(gateway: Gateway, other: Tenant) -> None:
    def listed(key: str) -> set[str]:
        rows = gateway.client.get("/v1/models", headers=gateway.headers(key)).json()["data"]
        return {row["id"].partition("/")[0] for row in rows}

    assert "stub" not in listed(other.key)
    assert not listed(gateway.project_key) & {"secretive", "fast"}


def test_the_ledger_and_the_reports_show_the_own_organization_only(gateway: Gateway, other: Tenant) -> None:
    mine, theirs = new_mark(), new_mark()
    gateway.chat(user=mine)
    gateway.post("/v1/chat/completions", chat_body(user=theirs) | {"model": "secretive/plain"}, key=other.key)
    gateway.entry(mine)
    foreign = gateway.entry(theirs)
    headers = as_first_tenant(gateway)
    listed = gateway.client.get("/api/v1/ledger/entries", params={"limit": 200}, headers=headers).text
    assert mine in listed
    assert theirs not in listed
    for name in (foreign["request_id"], foreign["entry_id"]):
        assert gateway.client.get(f"/api/v1/ledger/entries/{name}", headers=headers).status_code == 404
    usage = gateway.client.get("/api/v1/usage", params={"group_by": "provider"}, headers=headers).text
    assert "secretive" not in usage
    rival = gateway.client.get(
        "/api/v1/usage", params={"group_by": "provider"}, headers=gateway.headers(other.admin_key)
    ).text
    assert "secretive" in rival
    assert "stub" not in rival
