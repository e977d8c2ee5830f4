from http import HTTPStatus

import pytest

from support.control_plane import CREDENTIAL, ControlPlane


def test_of_a_known_provider_the_name_is_enough(plane: ControlPlane) -> None:
    made = plane.must("POST", "/providers", json={"name": "openai", "credential": CREDENTIAL})
    assert (made["spec"], made["base_url"]) == ("openai", "https://api.openai.com/v1")
    assert (made["has_credential"], made["credential_suffix"]) == (True, CREDENTIAL[-4:])
    assert CREDENTIAL not in plane("GET", "/providers/openai").text


def test_put_twice_is_the_same_as_once_and_keeps_what_it_does_not_name(plane: ControlPlane) -> None:
    path, body = "/providers/mine", {"base_url": "http://127.0.0.1:9/v1/", "models": ["b", "a"]}
    first = plane("PUT", path, as_="acme-platform", json=body | {"credential": CREDENTIAL})
    assert first.status_code == HTTPStatus.CREATED
    again = plane("PUT", path, as_="acme-platform", json=body)
    assert again.status_code == HTTPStatus.OK
    assert again.json() == first.json()
    without_models = plane.must("PUT", path, as_="acme-platform", json={"base_url": "http://127.0.0.1:9/v1"})
    assert without_models["models"] == ["a", "b"]


def test_a_credential_is_never_sent_to_a_host_it_was_not_given_for(plane: ControlPlane) -> None:
    for method, body in (("PATCH", {}), ("PUT", {})):
        moved = body | {"base_url": "http://127.0.0.2:9/v1"}
        answer = plane(method, "/providers/upstream", as_="acme-platform", json=moved)
        assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, method
        same_host = {"base_url": "http://127.0.0.1:9/v2"}
        assert plane(method, "/providers/upstream", as_="acme-platform", json=same_host).is_success
    given = {"base_url": "http://127.0.0.2:9/v1", "credential": "sk-another"}
    assert plane.must("PATCH", "/providers/upstream", as_="acme-platform", json=given)["credential_suffix"] == ""


@pytest.mark.parametrize(
    "base_url",
    [
        "http://8.8.8.8/v1",
        "https://127.0.0.1/v1",
        "https://localhost/v1",
        "https://10.1.2.3/v1",
        "https://169.254.169.254/latest",
        "https://[::1]/v1",
        "https://[::ffff:127.0.0.1]/v1",
        "https://[fe80::1]/v1",
        "https://0x7f.1/v1",
        "https://2130706433/v1",
        "https://0/v1",
    ],
)
def test_only_the_platform_may_point_a_provider_at_an_inner_or_plain_address(
    shared_plane: ControlPlane, base_url: str
) -> None:
    for method, path, body in (
        ("POST", "/providers", {"name": "inner"}),
        ("PUT", "/providers/inner", {}),
        ("PATCH", "/providers/upstream", {"credential": "sk-new"}),
    ):
        answer = shared_plane(method, path, json=body | {"base_url": base_url})
        assert answer.status_code == HTTPStatus.FORBIDDEN, (method, answer.text)


@pytest.mark.parametrize(
    "base_url",
    [
        "ftp://example.com",
        "https://user:secret@example.com",
        "https://example.com?key=1",
        "https://example.com#x",
        "https://",
        "https://example.com:99999",
        "https://example.com:0",
        "https://[::1",
        "example.com",
        "https://exa mple.com",
    ],
)
def test_a_malformed_base_url_is_refused_with_422(shared_plane: ControlPlane, base_url: str) -> None:
    answer = shared_plane("POST", "/providers", as_="acme-platform", json={"name": "bad", "base_url": base_url})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"name": "openai", "spec": "nobody"},
        {"name": "openai", "dialect": "latin"},
        {"name": "a/b"},
        {"name": "openai", "credential": "  "},
        {"name": "openai", "credential": "sk\r\nhost: evil"},
    ],
)
def test_settings_that_cannot_be_used_are_refused_with_422(shared_plane: ControlPlane, body: dict[str, object]) -> None:
    assert shared_plane("POST", "/providers", json=body).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_a_provider_with_aliases_stays_and_goes_with_its_models_when_they_are_gone(plane: ControlPlane) -> None:
    assert plane("DELETE", "/providers/upstream").status_code == HTTPStatus.CONFLICT
    plane.must("DELETE", "/aliases/web/fast")
    plane.must("DELETE", "/providers/upstream")
    assert plane.must("GET", "/models")["data"] == []


def test_declared_models_have_the_provider_s_own_names(plane: ControlPlane) -> None:
    assert plane("PUT", "/models/upstream/meta/Llama-3:8b").status_code == HTTPStatus.CREATED
    assert plane("PUT", "/models/upstream/meta/Llama-3:8b").status_code == HTTPStatus.OK
    names = [row["name"] for row in plane.must("GET", "/models", params={"provider": "upstream"})["data"]]
    assert names == ["upstream/one", "upstream/meta/Llama-3:8b"]
    assert plane.must("GET", "/providers/upstream")["models"] == ["meta/Llama-3:8b", "one"]
    plane.must("DELETE", "/models/upstream/meta/Llama-3:8b")
    assert plane("DELETE", "/models/upstream/meta/Llama-3:8b").status_code == HTTPStatus.NOT_FOUND
    assert plane("PUT", "/models/nobody/x").status_code == HTTPStatus.NOT_FOUND


def test_an_alias_points_to_a_provider_of_its_own_organization(plane: ControlPlane) -> None:
    assert plane("PUT", "/aliases/web/slow", json={"target": "upstream/two"}).status_code == HTTPStatus.CREATED
    assert plane("PUT", "/aliases/web/slow", json={"target": "upstream/one"}).status_code == HTTPStatus.OK
    assert plane.must("GET", "/aliases/web/slow")["target"] == "upstream/one"
    assert plane("PUT", "/aliases/web/slow", json={"target": "nobody/one"}).status_code == 422
    foreign = plane.must("GET", "/providers/upstream", as_="rival-admin")["id"]
    assert plane("PUT", "/aliases/web/slow", json={"target": f"{foreign}/one"}).status_code == 422
    assert [row["name"] for row in plane.must("GET", "/aliases", params={"project": "web"})["data"]] == ["fast", "slow"]
    plane.must("DELETE", "/aliases/web/slow")
    assert plane("GET", "/aliases/web/slow").status_code == HTTPStatus.NOT_FOUND
