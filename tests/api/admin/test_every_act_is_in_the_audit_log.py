"""What of the database changes by an operation is in the audit log, and what changes nothing is not."""

from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from support.control_plane import CREDENTIAL, ControlPlane, documented_operations, operation_of
from tollway.data.schema.tables import load_tables

TELLS = {"audit_event", "webhook_delivery"}
"""The audit log itself, and what tells of it."""
CHANGE_NOTHING = {("POST", "/api/v1/route/explain")}
NEW_CREDENTIAL = "sk-another-credential-that-must-stay-secret-77aa"
WORKER = "00000000-0000-7000-8000-00000000000a"
DOCUMENTED = documented_operations()


class Act(NamedTuple):
    """An operation as it succeeds, what it is told as, and the noun its id is remembered by for those behind it."""

    method: str
    path: str
    actions: tuple[str, ...] = ()
    body: dict[str, Any] | None = None
    makes: str = ""


PRICE = {"rates": {"input": "1"}}
ACTS = (
    Act("POST", "/organizations", ("organization.created",), {"name": "third"}),
    Act("PATCH", "/organizations/third", ("organization.changed",), {"name": "fourth"}),
    Act("PATCH", "/organizations/acme", ("organization.changed",), {"time_zone": "Europe/Berlin"}),
    Act("PATCH", "/organizations/acme", (), {"time_zone": "Europe/Berlin"}),
    Act("POST", "/organizations", ("organization.created",), {"name": "unused"}),
    Act("DELETE", "/organizations/unused", ("organization.deleted",)),
    Act("POST", "/projects", ("project.created",), {"name": "other"}),
    Act("PUT", "/projects/made", ("project.created",), {}),
    Act("PUT", "/projects/made", ("project.changed",), {"allow_unpriced": True}),
    Act("PUT", "/projects/made", (), {"allow_unpriced": True}),
    Act("PATCH", "/projects/made", ("project.changed",), {"clamp_output": False}),
    Act("PATCH", "/projects/made", (), {"clamp_output": False}),
    Act("POST", "/keys", ("key.created",), {"name": "new", "project": "other"}),
    Act("POST", "/keys/new/rotate", ("key.created", "key.rotated"), {"overlap_s": 60}, "key"),
    Act("POST", "/keys/{key}/revoke", ("key.revoked",)),
    Act("POST", "/keys/{key}/revoke"),
    Act("POST", "/providers", ("provider.created",), {"name": "openai", "credential": CREDENTIAL}),
    Act("PUT", "/providers/groq", ("provider.created",), {"models": ["a"]}),
    Act("PUT", "/providers/groq", ("provider.changed",), {"models": ["b"]}),
    Act("PUT", "/providers/groq", (), {"models": ["b"]}),
    Act("PATCH", "/providers/openai", ("provider.changed",), {"credential": NEW_CREDENTIAL}),
    Act("PATCH", "/providers/openai", (), {"credential": NEW_CREDENTIAL}),
    Act("POST", "/providers/openai/credentials", ("credential.added",), {"name": "two", "credential": CREDENTIAL}),
    Act("PUT", "/providers/openai/credentials/two", ("credential.rotated",), {"credential": NEW_CREDENTIAL}),
    Act("DELETE", "/providers/openai/credentials/two", ("credential.removed",)),
    Act("DELETE", "/providers/groq", ("provider.removed",)),
    Act("PUT", "/models/upstream/two", ("model.declared",)),
    Act("PUT", "/models/upstream/two"),
    Act("DELETE", "/models/upstream/two", ("model.removed",)),
    Act("PUT", "/aliases/web/swift", ("alias.created",), {"target": "upstream/one"}),
    Act("PUT", "/aliases/web/swift", ("alias.changed",), {"target": "upstream/two"}),
    Act("PUT", "/aliases/web/swift", (), {"target": "upstream/two"}),
    Act("DELETE", "/aliases/web/swift", ("alias.removed",)),
    Act("PUT", "/prices/upstream/one", ("price.created",), PRICE | {"all_organizations": True}),
    Act("PUT", "/prices/upstream/one", ("price.created",), PRICE),
    Act("PUT", "/prices/upstream/one", (), PRICE),
    Act("PUT", "/prices/upstream/one", ("price.changed",), {"rates": {"input": "2"}}, "price"),
    Act("DELETE", "/price-overrides/{price}", ("price.removed",)),
    Act("PUT", "/budgets", ("budget.created",), {"project": "other", "window": "day", "limit_usd": "1"}, "budget"),
    Act("PATCH", "/budgets/{budget}", ("budget.changed",), {"limit_usd": "2"}),
    Act("PATCH", "/budgets/{budget}", (), {"limit_usd": "2"}),
    Act("POST", "/budgets/{budget}/reset", ("budget.reset",)),
    Act("DELETE", "/budgets/{budget}", ("budget.removed",)),
    Act("PUT", "/limits", ("limit.created",), {"project": "other", "unit": "parallel", "limit": 8}, "limit"),
    Act("PATCH", "/limits/{limit}", ("limit.changed",), {"limit": 9}),
    Act("POST", "/limits/{limit}/reset", ("limit.reset",)),
    Act("DELETE", "/limits/{limit}", ("limit.removed",)),
    Act("POST", "/webhooks", ("webhook.created",), {"name": "hook", "url": "https://1.1.1.1/", "events": ["*"]}),
    Act("PATCH", "/webhooks/hook", ("webhook.changed",), {"events": ["key.revoked"]}),
    Act("PATCH", "/webhooks/hook", (), {"events": ["key.revoked"]}),
    Act("POST", "/webhooks/hook/rotate", ("webhook.changed",)),
    Act("POST", "/webhooks/hook/test", ("webhook.test",)),
    Act("DELETE", "/webhooks/hook", ("webhook.removed",)),
    Act("DELETE", f"/workers/{WORKER}", ("worker.released",)),
    Act("POST", "/keys", ("key.created",), {"name": "last", "project": "other"}),
    Act("PUT", "/limits", ("limit.created",), {"project": "other", "unit": "parallel", "limit": 8}, "limit"),
    Act("DELETE", "/projects/other", ("key.revoked", "key.revoked", "limit.removed", "project.archived")),
)


def rows(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """All that the tables hold, but when it was changed."""
    connection.rollback()
    found = {}
    for name in sorted(load_tables().tables.keys() - TELLS):
        query = sql.SQL("SELECT jsonb_agg(to_jsonb(t) - 'updated_at' ORDER BY t::text) FROM {} t")
        found[name] = connection.execute(query.format(sql.Identifier(name))).fetchone()
    return found


def told(connection: psycopg.Connection[Any], after: int) -> list[tuple[str, str, str]]:
    """Action, actor and detail of the events behind so many."""
    connection.rollback()
    query = "SELECT action, actor_key_id::text, detail::text FROM audit_event ORDER BY id OFFSET %s"
    return connection.execute(query, [after]).fetchall()


def test_every_operation_that_may_change_something_is_among_the_acts() -> None:
    acted = {operation_of(DOCUMENTED, act.method, act.path) for act in ACTS}
    assert {each for each in DOCUMENTED if each[0] != "GET"} - acted == CHANGE_NOTHING


def test_every_act_that_changes_something_is_told_once_with_its_actor_and_without_a_secret(
    plane: ControlPlane, database_url: str
) -> None:
    actor = plane.must("GET", "/me", as_="acme-platform")["key_id"]
    ids: dict[str, str] = {}
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO worker VALUES (%s, 'one', now(), now() - interval '1 hour')", [WORKER])
        connection.commit()
        for act in ACTS:
            before, events = rows(connection), len(told(connection, 0))
            answer = plane.must(act.method, act.path.format(**ids), as_="acme-platform", json=act.body)
            ids |= {act.makes: answer["id"]} if act.makes else {}
            new = told(connection, events)
            assert sorted(action for action, _, _ in new) == sorted(act.actions), act
            assert {who for _, who, _ in new} <= {actor}, act
            changed = rows(connection) != before or act.actions == ("webhook.test",)
            assert changed == bool(act.actions), act
            secrets = [CREDENTIAL, NEW_CREDENTIAL, *(str(answer[name]) for name in ("key", "secret") if name in answer)]
            assert not any(secret in detail for secret in secrets for _, _, detail in new), act


def test_what_a_change_was_and_is_can_be_read_from_the_log(plane: ControlPlane) -> None:
    made = plane.must("PUT", "/prices/upstream/one", json=PRICE)
    changed = plane.must("PUT", "/prices/upstream/one", json={"rates": {"input": "2"}})
    event = plane.must("GET", "/audit/events", params={"subject": changed["id"]})["data"][0]
    assert event["detail"] == {
        "provider": "upstream",
        "model": "one",
        "all_organizations": False,
        "settings": {"id": changed["id"], "rates": {"input": "2"}},
        "before": {"id": made["id"], "rates": {"input": "1"}},
    }
    key = plane.must("POST", "/keys", json={"name": "ends", "project": "web", "expires_at": "2100-01-01T00:00:00Z"})
    event = plane.must("GET", "/audit/events", params={"subject": key["id"]})["data"][0]
    assert event["detail"] == {
        "project": "web",
        "name": "ends",
        "settings": {"scopes": ["inference"], "allowed_models": None, "expires_at": "2100-01-01T00:00:00Z"},
    }
    plane.must("PATCH", "/providers/upstream", json={"credential": NEW_CREDENTIAL})
    event = plane.must("GET", "/audit/events", params={"action": "provider.changed"})["data"][0]
    assert event["detail"]["settings"] == {"credential_suffix": NEW_CREDENTIAL[-4:], "credential": "rotated"}
