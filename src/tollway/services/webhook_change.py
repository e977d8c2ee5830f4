"""Create, change, test and remove webhooks."""

from typing import Any

import msgspec

from tollway.data import webhooks
from tollway.data.audit_events import Action, Event, append, deliver, raise_events
from tollway.data.schema.webhook import Webhook
from tollway.data.session import Database, WriteSession
from tollway.errors import ConflictError
from tollway.identity.principal import Principal
from tollway.identity.vault import Vault
from tollway.identity.webhook_secret import new_webhook_secret, webhook_vault_identity
from tollway.ids import uuid7
from tollway.services.base_url_check import clean_base_url, require_reachable_for
from tollway.services.change_event import difference
from tollway.services.webhook_list import no_webhook


class WebhookWithSecret(msgspec.Struct, frozen=True):
    """A webhook with its secret, which only the one who asked for it sees, once. `repr` hides it."""

    webhook: Webhook
    secret: str

    def __repr__(self) -> str:
        return f"WebhookWithSecret(id={self.webhook.id!r})"


class WebhookChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change; ``None`` leaves a value as it is."""

    name: str | None = None
    url: str | None = None
    events: list[str] | None = None
    enabled: bool | None = None


def _facts(row: Webhook) -> dict[str, Any]:
    return {"name": row.name, "url": row.url, "events": list(row.events), "enabled": row.enabled}


def _event(action: Action, row: Webhook, caller: Principal, detail: dict[str, Any]) -> Event:
    return Event(
        organization_id=row.organization_id,
        action=action,
        subject=row.id,
        detail=detail,
        actor_key_id=caller.key_id,
    )


async def _checked(url: str, caller: Principal) -> bool:
    """Whether the host must be checked at each connection. A webhook's address may have a query, others not."""
    clean_base_url(url.partition("?")[0], param="url")
    return await require_reachable_for(caller, url, param="url")


class WebhookChange:
    """Changes webhooks."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def create(
        self, organization_id: str, *, name: str, url: str, events: list[str], enabled: bool, caller: Principal
    ) -> WebhookWithSecret:
        """The new webhook with its secret.

        Raises:
            ConflictError: the name is taken.
            UnprocessableError, PermissionDeniedError: the address cannot be used, or not by this caller.
        """
        public_only = await _checked(url, caller)
        row = Webhook(
            id=uuid7(),
            organization_id=organization_id,
            name=name,
            url=url,
            public_only=public_only,
            events=events,
            enabled=enabled,
        )
        secret = self._new_secret(row)
        async with self._database.write() as session, session.begin():
            await webhooks.save(session, row)
            await raise_events(session, [_event(Action.WEBHOOK_CREATED, row, caller, {"settings": _facts(row)})])
        return WebhookWithSecret(row, secret)

    async def change(
        self, organization_id: str, reference: str, changes: WebhookChanges, *, caller: Principal
    ) -> Webhook:
        """The changed webhook.

        Raises:
            NotFoundError, ConflictError: there is none; the name is taken.
            UnprocessableError, PermissionDeniedError: the address cannot be used, or not by this caller.
        """
        public_only = None if changes.url is None else await _checked(changes.url, caller)
        async with self._database.write() as session, session.begin():
            row = await _locked(session, organization_id, reference)
            before = _facts(row)
            for name, value in msgspec.structs.asdict(changes).items():
                if value is not None:
                    setattr(row, name, value)
            if public_only is not None and row.url != before["url"]:
                row.public_only = public_only
            await webhooks.save(session, row)
            detail = difference(before, _facts(row))
            if detail:
                await raise_events(session, [_event(Action.WEBHOOK_CHANGED, row, caller, detail)])
            return row

    async def rotate_secret(self, organization_id: str, reference: str, *, caller: Principal) -> WebhookWithSecret:
        """The webhook with a new secret; from now on everything is signed with it.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.write() as session, session.begin():
            row = await _locked(session, organization_id, reference)
            secret = self._new_secret(row)
            await webhooks.save(session, row)
            await raise_events(session, [_event(Action.WEBHOOK_CHANGED, row, caller, {"secret": "rotated"})])
            return WebhookWithSecret(row, secret)

    async def test(self, organization_id: str, reference: str, *, caller: Principal) -> str:
        """Send an event of its own to one webhook, whatever it is subscribed to; returns the event's id.

        Raises:
            NotFoundError, ConflictError: there is none; it is disabled.
        """
        async with self._database.write() as session, session.begin():
            row = await _locked(session, organization_id, reference)
            if not row.enabled:
                raise ConflictError("The webhook is disabled.", next_step="Enable it first.")
            event = _event(Action.WEBHOOK_TEST, row, caller, {"name": row.name})
            await append(session, [event])
            await deliver(session, [(row.id, event.id)])
            return event.id

    async def remove(self, organization_id: str, reference: str, *, caller: Principal) -> None:
        """Remove it; what was still to be sent to it is not sent.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.write() as session, session.begin():
            row = await _locked(session, organization_id, reference)
            event = _event(Action.WEBHOOK_REMOVED, row, caller, {"settings": _facts(row)})
            await webhooks.remove(session, row)
            await raise_events(session, [event])

    def _new_secret(self, row: Webhook) -> str:
        secret = new_webhook_secret()
        row.secret = self._vault.seal(secret, identity=webhook_vault_identity(row.id))
        return secret


async def _locked(session: WriteSession, organization_id: str, reference: str) -> Webhook:
    row = await webhooks.lock(session, organization_id, reference)
    if row is None:
        raise no_webhook()
    return row
