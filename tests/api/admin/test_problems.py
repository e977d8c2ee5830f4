from http import HTTPStatus
from pathlib import Path

import pytest

from support.control_plane import ControlPlane, build_app, control_plane
from support.postgres import PostgresServer
from tollway.ids import is_uuid7, uuid7


def test_every_answer_carries_a_request_id_and_takes_over_a_valid_one(shared_plane: ControlPlane) -> None:
    mine = uuid7()
    for path, status in (("/me", 200), ("/nothing", 404), ("/projects/nobody", 404), ("/projects?limit=0", 422)):
        answer = shared_plane("GET", path)
        assert answer.status_code == status
        assert is_uuid7(answer.headers["x-request-id"])
    headers = {"authorization": f"Bearer {shared_plane.keys['acme-read']}", "x-request-id": mine}
    taken = shared_plane.client.get("/api/v1/projects/nobody", headers=headers)
    assert (taken.headers["x-request-id"], taken.json()["request_id"]) == (mine, mine)
    other = shared_plane.client.get("/api/v1/me", headers=headers | {"x-request-id": "<script>"})
    assert is_uuid7(other.headers["x-request-id"])


def test_a_fault_is_a_problem_with_code_cause_and_next_step(shared_plane: ControlPlane) -> None:
    answer = shared_plane("GET", "/projects/nobody")
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"], problem["title"]) == (404, "not_found", "Not Found")
    assert problem["detail"]
    assert problem["next_step"]


def test_values_at_fault_are_named_and_not_repeated(shared_plane: ControlPlane) -> None:
    answer = shared_plane(
        "POST", "/projects", json={"name": "UPPER", "allow_unpriced": "sk-not-to-be-repeated", "x": 1}
    )
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert {each["field"] for each in answer.json()["errors"]} == {"body.name", "body.allow_unpriced", "body.x"}
    assert "sk-not-to-be-repeated" not in answer.text


def test_a_misspelt_query_parameter_is_refused(shared_plane: ControlPlane) -> None:
    answer = shared_plane("GET", "/keys", params={"projcet": "web"})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "project" in answer.json()["next_step"]


def test_a_method_the_path_does_not_have_is_405_and_names_those_it_has(shared_plane: ControlPlane) -> None:
    answer = shared_plane("DELETE", "/projects")
    assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("path", ["/me", "/projects", "/keys", "/providers"])
def test_a_database_that_is_down_is_503_and_never_401(
    path: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    urls = postgres_server.create()
    with control_plane(urls.app, tmp_path) as plane:
        postgres_server.drop(urls)
        answer = plane("GET", path)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert answer.headers["retry-after"]


def test_an_unexpected_fault_is_a_500_without_details(
    shared_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        message = "secret detail"
        raise RuntimeError(message)

    monkeypatch.setattr(shared_plane.factory, "project_list", broken, raising=False)
    answer = shared_plane("GET", "/projects")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret detail" not in answer.text
    logged = capfd.readouterr().out
    assert "secret detail" not in logged
    assert answer.json()["request_id"] in logged
    assert shared_plane.keys["acme-admin"] not in logged


def test_pages_follow_one_another_without_loss(plane: ControlPlane) -> None:
    for number in range(5):
        plane.must("POST", "/projects", json={"name": f"p{number}"})
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = plane.must("GET", "/projects", params=params)
        assert len(page["data"]) <= 2
        seen += [row["name"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["web", *(f"p{number}" for number in range(5))]


def test_the_document_describes_every_operation() -> None:
    for path, methods in build_app().openapi()["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (method, path)
            assert {"401", "403", "404", "422", "500", "503"} <= set(operation["responses"]), (method, path)
            assert "application/problem+json" in operation["responses"]["404"]["content"]
