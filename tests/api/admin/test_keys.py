from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import takewhile
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from support.control_plane import CREDENTIAL, ControlPlane
from support.postgres import DatabaseUrls
from tollway.constants import NOTIFY_CHANNEL
from tollway.data.changes import Change


def _works(plane: ControlPlane, key: str) -> bool:
    return plane("GET", "/me", as_=key).status_code == HTTPStatus.OK


def test_a_key_is_shown_once_and_works(plane: ControlPlane) -> None:
    made = plane.must("POST", "/keys", json={"name": "laptop", "project": "web"})
    assert made["key"].startswith(made["prefix"])
    assert made["scopes"] == ["inference"]
    assert _works(plane, made["key"])
    assert "key" not in plane.must("GET", "/keys/laptop")
    assert made["key"] not in plane("GET", "/keys").text


def test_a_revoked_key_is_refused(plane: ControlPlane) -> None:
    made = plane.must("POST", "/keys", json={"name": "lost", "project": "web"})
    plane.must("POST", "/keys/lost/revoke")
    refused = plane("GET", "/me", as_=made["key"])
    assert (refused.status_code, refused.json()["code"]) == (HTTPStatus.UNAUTHORIZED, "revoked_api_key")
    first = plane.must("GET", f"/keys/{made['id']}")["revoked_at"]
    assert plane.must("POST", f"/keys/{made['id']}/revoke")["revoked_at"] == first


def test_after_a_rotation_both_keys_work_until_the_overlap_ends(plane: ControlPlane) -> None:
    old = plane.must("POST", "/keys", json={"name": "ci", "project": "web", "allowed_models": ["upstream/*"]})
    new = plane.must("POST", "/keys/ci/rotate", json={"overlap_s": 60})
    assert new["replaces"] == old["id"]
    assert (new["name"], new["allowed_models"]) == ("ci", ["upstream/*"])
    assert _works(plane, old["key"])
    assert _works(plane, new["key"])
    last = plane.must("POST", "/keys/ci/rotate", json={"overlap_s": 0})
    assert not _works(plane, new["key"])
    assert _works(plane, last["key"])
    again = plane("POST", f"/keys/{old['id']}/rotate", json={})
    assert again.status_code == HTTPStatus.CONFLICT


@pytest.mark.parametrize("scopes", [["platform"], ["admin", "platform"]])
def test_a_key_never_grants_a_scope_its_maker_lacks(plane: ControlPlane, scopes: list[str]) -> None:
    answer = plane("POST", "/keys", json={"name": "more", "scopes": scopes})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert plane.must("POST", "/keys", as_="acme-platform", json={"name": "more", "scopes": scopes})["key"]


@pytest.mark.parametrize("action", ["rotate", "revoke"])
def test_an_administrator_cannot_take_over_or_end_a_platform_key(plane: ControlPlane, action: str) -> None:
    answer = plane("POST", f"/keys/acme-platform/{action}", json={} if action == "rotate" else None)
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert _works(plane, plane.keys["acme-platform"])


def test_the_last_platform_key_cannot_be_revoked(plane: ControlPlane) -> None:
    plane.must("POST", "/keys/rival-platform/revoke", as_="acme-platform", params={"organization": "rival"})
    answer = plane("POST", "/keys/acme-platform/revoke", as_="acme-platform")
    assert answer.status_code == HTTPStatus.CONFLICT
    assert _works(plane, plane.keys["acme-platform"])


def test_an_expired_key_is_refused(plane: ControlPlane, database_urls: DatabaseUrls) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = plane.must("POST", "/keys", json={"name": "guest", "project": "web", "expires_at": later})
    assert _works(plane, made["key"])
    with psycopg.connect(database_urls.owner) as connection:
        connection.execute("UPDATE api_key SET expires_at = now() - interval '1 s' WHERE id = %s", [made["id"]])
    refused = plane("GET", "/me", as_=made["key"])
    assert (refused.status_code, refused.json()["code"]) == (HTTPStatus.UNAUTHORIZED, "expired_api_key")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "scopes": ["inference"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "project": "web", "expires_at": "2001-01-01T00:00:00Z"},
        {"name": "x", "project": "web", "expires_at": "2030-01-01T00:00:00"},
        {"name": "x", "project": "web", "expires_at": 4102444800},
        {"name": "x", "project": "web", "extra": 1},
        {"name": "", "project": "web"},
        {"name": "00000000-0000-7000-8000-000000000000", "project": "web"},
        {"name": "a\x00b", "project": "web"},
    ],
)
def test_an_unusable_key_is_refused_with_422(shared_plane: ControlPlane, body: dict[str, object]) -> None:
    assert shared_plane("POST", "/keys", json=body).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_a_name_is_unique_among_live_keys_of_a_project_and_ambiguous_across_projects(plane: ControlPlane) -> None:
    plane.must("POST", "/projects", json={"name": "app"})
    plane.must("POST", "/keys", json={"name": "ci", "project": "web"})
    assert plane("POST", "/keys", json={"name": "ci", "project": "web"}).status_code == HTTPStatus.CONFLICT
    plane.must("POST", "/keys", json={"name": "ci", "project": "app"})
    assert plane("GET", "/keys/ci").status_code == HTTPStatus.CONFLICT
    assert plane.must("GET", "/keys/ci", params={"project": "app"})["project"] == "app"


def test_archiving_a_project_tells_the_workers_of_its_keys_and_of_no_others(
    plane: ControlPlane, database_urls: DatabaseUrls
) -> None:
    plane.must("POST", "/projects", json={"name": "app"})
    dead, one, two = (plane.must("POST", "/keys", json={"name": name, "project": "app"}) for name in ("x", "1", "2"))
    plane.must("POST", f"/keys/{dead['id']}/revoke")
    with psycopg.connect(database_urls.owner, autocommit=True) as listener:
        listener.execute(sql.SQL("LISTEN {}").format(sql.Identifier(NOTIFY_CHANNEL)))
        plane.must("DELETE", "/projects/app")
        listener.execute("SELECT pg_notify(%s, 'the end')", [NOTIFY_CHANNEL])
        heard = {each.payload for each in takewhile(lambda each: each.payload != "the end", listener.notifies())}
    assert heard == {Change.key_ends(key["id"], 0.0).payload for key in (one, two)}


def test_archiving_a_project_revokes_its_keys_and_frees_its_name(plane: ControlPlane) -> None:
    key = plane.keys["acme-inference"]
    assert _works(plane, key)
    archived = plane.must("DELETE", "/projects/web")
    assert archived["archived_at"]
    assert not _works(plane, key)
    assert plane.must("POST", "/projects", json={"name": "web"})["id"] != archived["id"]
    assert plane("POST", "/keys", json={"name": "k", "project": archived["id"]}).status_code == 422
    assert plane("PATCH", f"/projects/{archived['id']}", json={"name": "w"}).status_code == HTTPStatus.CONFLICT


def test_neither_keys_nor_credentials_are_stored_in_clear_or_logged(
    plane: ControlPlane, database_urls: DatabaseUrls, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = plane.must("POST", "/keys", json={"name": "laptop", "project": "web"})
    rotated = plane.must("POST", "/keys/laptop/rotate", json={})
    refused = plane("PATCH", "/providers/upstream", json={"credential": CREDENTIAL + "\n\x01"})
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    invalid = plane("PATCH", "/providers/upstream", json={"credential": CREDENTIAL, "base_url": CREDENTIAL})
    answers = refused.text + invalid.text + plane("GET", "/providers").text + plane("GET", "/keys").text
    dump = tmp_path / "dump"
    with psycopg.connect(database_urls.owner) as connection, dump.open("wb") as file:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            statement = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(sql.Identifier(name))
            with connection.cursor().copy(statement) as copy:
                for block in copy:
                    file.write(block)
    stored = dump.read_bytes()
    logged = "".join(capfd.readouterr())
    for secret in (*plane.keys.values(), made["key"], rotated["key"], CREDENTIAL):
        for form in (secret.encode(), secret.encode().hex().encode()):
            assert form not in stored
        assert secret not in logged
        assert secret not in answers
    assert made["prefix"].encode() in stored
