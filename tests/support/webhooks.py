"""Webhooks for tests: rows of a database, events for them, and the check that a receiver makes."""

import base64
import hashlib
import hmac

import psycopg
from psycopg import sql

from support.standin import Received
from tollway.data.audit_events import Action, Event
from tollway.identity.vault import Vault
from tollway.identity.webhook_secret import webhook_vault_identity
from tollway.ids import uuid7


def a_webhook(url: str, organization_id: str, target: str, vault: Vault, secret: str, **columns: object) -> str:
    """A webhook for all events, which may be anywhere; returns its id."""
    webhook_id = uuid7()
    values = {
        "id": webhook_id,
        "organization_id": organization_id,
        "name": f"hook-{webhook_id[-12:]}",
        "url": target,
        "secret": vault.seal(secret, identity=webhook_vault_identity(webhook_id)),
        "events": ["*"],
        "public_only": False,
    } | columns
    statement = sql.SQL("INSERT INTO webhook ({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, values)), sql.SQL(", ").join([sql.Placeholder()] * len(values))
    )
    with psycopg.connect(url) as connection:
        connection.execute(statement, list(values.values()))
    return webhook_id


def budget_event(organization_id: str, **detail: object) -> Event:
    """A budget has crossed a threshold."""
    return Event(organization_id=organization_id, action=Action.BUDGET_THRESHOLD, subject=uuid7(), detail=detail)


def verify(received: Received, secret: str) -> None:
    """Check the signature as the specification tells a receiver to."""
    signed = f"{received.header('webhook-id')}.{received.header('webhook-timestamp')}.".encode() + received.body
    expected = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert received.header("webhook-signature") == "v1," + base64.b64encode(expected).decode()
