"""Several credentials of a provider, and its options."""

from http import HTTPStatus

import pytest
from sqlalchemy import text

from support.control_plane import CREDENTIAL, ControlPlane
from tollway.data import audit_events
from tollway.identity.vault import Vault
from tollway.providers.registry import REGISTRY, OptionSpec, ProviderSpec
from tollway.providers.usage.conventions import convention_for
from tollway.routing.catalog import Deployment
from tollway.services.catalog_load import CatalogLoad
from tollway.services.provider_credentials import CREDENTIALS_MAX

PLACE = "/providers/upstream/credentials"
SECOND = "sk-the-second-credential-8f1c"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> ProviderSpec:
    spec = ProviderSpec(
        name="cloud",
        title="Cloud",
        base_url="https://models.{region}.cloud.example/v1",
        usage=convention_for("openai"),
        options=(OptionSpec("region", "where it runs", required=True), OptionSpec("api", "which", default="new")),
    )
    monkeypatch.setitem(REGISTRY, "cloud", spec)
    return spec


def deployment(plane: ControlPlane, name: str = "upstream", *, master: bytes | None = None) -> Deployment:
    context = plane.factory._context
    vault = context.vault if master is None else Vault(master)
    catalog = plane.run(CatalogLoad(context.database, vault).load)
    organization = plane.must("GET", "/organizations/acme")["id"]
    return catalog.deployments[organization, name]


def test_further_credentials_are_added_rotated_and_removed_and_never_shown(plane: ControlPlane) -> None:
    made = plane.must("POST", PLACE, json={"name": "second", "credential": SECOND})
    assert (made["name"], made["credential_suffix"]) == ("second", SECOND[-4:])
    assert [found.secret for found in deployment(plane).credentials] == [SECOND]
    assert plane("POST", PLACE, json={"name": "second", "credential": SECOND}).status_code == HTTPStatus.CONFLICT

    rotated = plane("PUT", f"{PLACE}/second", json={"credential": SECOND + "-new"})
    assert (rotated.status_code, rotated.json()["id"]) == (HTTPStatus.OK, made["id"])
    added = plane("PUT", f"{PLACE}/third", json={"credential": '{"type": "service_account",\n "key": "k"}'})
    assert added.status_code == HTTPStatus.CREATED
    assert [found.secret for found in deployment(plane).credentials] == [
        SECOND + "-new",
        '{"type":"service_account","key":"k"}',
    ]
    listed = plane("GET", PLACE)
    assert [row["name"] for row in listed.json()["data"]] == ["second", "third"]
    for shown in (listed.text, repr(deployment(plane)), repr(deployment(plane).credentials)):
        assert SECOND not in shown

    assert plane("DELETE", f"{PLACE}/second").status_code == HTTPStatus.NO_CONTENT
    assert plane("DELETE", f"{PLACE}/second").status_code == HTTPStatus.NOT_FOUND
    actions = [row["action"] for row in plane.must("GET", "/audit/events")["data"]]
    assert actions[:4] == ["credential.removed", "credential.added", "credential.rotated", "credential.added"]
    assert SECOND not in plane("GET", "/audit/events").text


def test_another_tenants_credentials_are_not_there(plane: ControlPlane) -> None:
    plane.must("POST", PLACE, json={"name": "second", "credential": SECOND})
    assert plane.must("GET", PLACE, as_="rival-admin")["data"] == []  # of its own provider of the same name
    provider_id = plane.must("GET", "/providers/upstream")["id"]
    place = f"/providers/{provider_id}/credentials"
    for method, path, body in (
        ("GET", place, None),
        ("POST", place, {"name": "x", "credential": "y"}),
        ("PUT", f"{place}/second", {"credential": "y"}),
        ("DELETE", f"{place}/second", None),
    ):
        assert plane(method, path, as_="rival-admin", json=body).status_code == HTTPStatus.NOT_FOUND, method


def test_a_provider_without_a_credential_of_its_own_takes_no_further_one(plane: ControlPlane) -> None:
    plane.must("POST", "/providers", json={"name": "groq"})
    answer = plane("POST", "/providers/groq/credentials", json={"name": "second", "credential": SECOND})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_credentials_of_a_provider_are_bounded(plane: ControlPlane) -> None:
    for number in range(CREDENTIALS_MAX):
        plane.must("POST", PLACE, json={"name": f"n{number}", "credential": SECOND})
    assert plane("POST", PLACE, json={"name": "more", "credential": SECOND}).status_code == HTTPStatus.CONFLICT


def test_further_credentials_are_not_sent_to_a_host_they_were_not_given_for(plane: ControlPlane) -> None:
    plane.must("POST", PLACE, json={"name": "second", "credential": SECOND})
    moved = {"base_url": "http://127.0.0.2:9/v1", "credential": "sk-of-the-new-host"}
    for method in ("PATCH", "PUT"):
        answer = plane(method, "/providers/upstream", as_="acme-platform", json=moved)
        assert (answer.status_code, "further" in answer.text) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)


def test_a_further_credential_that_opens_stands_in_for_one_that_does_not(plane: ControlPlane) -> None:
    plane.must("POST", PLACE, json={"name": "second", "credential": SECOND})

    async def damage() -> None:
        async with plane.factory._context.database.engine.begin() as connection:
            await connection.execute(text("UPDATE provider SET credential = '\\x00' WHERE name = 'upstream'"))

    plane.run(damage)
    found = deployment(plane)
    assert (found.credential, found.credentials, found.sealed) == (SECOND, (), False)
    none_opens = deployment(plane, master=b"x" * 32)
    assert (none_opens.credential, none_opens.credentials, none_opens.sealed) == ("", (), True)


@pytest.mark.usefixtures("cloud")
def test_options_are_checked_kept_and_become_the_address(plane: ControlPlane) -> None:
    without = plane("POST", "/providers", json={"name": "cloud", "credential": CREDENTIAL})
    assert (without.status_code, "region" in without.text) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)
    body = {"name": "cloud", "credential": CREDENTIAL, "options": {"region": "eu-1"}}
    made = plane.must("POST", "/providers", json=body)
    assert (made["options"], made["base_url"]) == ({"region": "eu-1"}, "https://models.eu-1.cloud.example/v1")
    assert deployment(plane, "cloud").options == {"region": "eu-1", "api": "new"}

    # Within the kind's own addresses a region may change without the credential.
    moved = plane.must("PATCH", "/providers/cloud", json={"options": {"region": "us-2", "api": "old"}})
    assert moved["options"] == {"region": "us-2", "api": "old"}
    assert moved["base_url"] == "https://models.us-2.cloud.example/v1"
    assert plane.must("PATCH", "/providers/cloud", json={"options": {"api": None}})["options"] == {"region": "us-2"}
    missing = plane("PATCH", "/providers/cloud", json={"options": {"region": None}})
    assert missing.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    elsewhere = plane("PATCH", "/providers/cloud", as_="acme-platform", json={"base_url": "https://1.1.1.1/v1"})
    assert elsewhere.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_an_unknown_option_is_refused_naming_what_there_is(plane: ControlPlane) -> None:
    answer = plane("PATCH", "/providers/upstream", json={"options": {"region": "eu-1"}})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.json()["next_step"].startswith("It takes `object_ids` (")


def test_what_is_told_of_credentials_are_actions_that_webhooks_can_want() -> None:
    assert {"credential.added", "credential.rotated", "credential.removed"} <= set(audit_events.Action)
