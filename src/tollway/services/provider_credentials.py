"""The further credentials of a provider, which take turns with its own. What is found never holds one."""

from collections.abc import Sequence

from tollway.data import provider_credentials, providers
from tollway.data.audit_events import Action, Event, raise_events
from tollway.data.changes import Change, announce
from tollway.data.page import Page
from tollway.data.provider_credentials import CredentialRecord, credential_record
from tollway.data.schema.provider import Provider
from tollway.data.schema.provider_credential import ProviderCredential
from tollway.data.session import Database, WriteSession
from tollway.errors import ConflictError, NotFoundError, UnprocessableError
from tollway.identity.vault import Vault
from tollway.ids import uuid7
from tollway.services.catalog_load import further_vault_identity
from tollway.services.provider_list import no_provider, require_provider
from tollway.services.provider_settings import clean_credential, credential_suffix
from tollway.services.provider_sign_in import require_further_credentials

CREDENTIALS_MAX = 32
"""Of one provider: workers hold all of them in memory, and try them in turn."""


def _no_credential() -> NotFoundError:
    return NotFoundError(
        "The provider has no further credential of this name.",
        next_step="List them at /api/v1/providers/{provider}/credentials.",
    )


class ProviderCredentials:
    """Reads, adds, rotates and removes them."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def page(self, organization_id: str, provider: str, page: Page) -> Sequence[CredentialRecord]:
        """A page of a provider's.

        Raises:
            NotFoundError: the organization has no such provider.
        """
        async with self._database.read() as session:
            owner = await require_provider(session, organization_id, provider)
            return await provider_credentials.page(session, owner.id, page)

    async def add(
        self, organization_id: str, provider: str, name: str, credential: str, *, actor_key_id: str
    ) -> CredentialRecord:
        """The new one.

        Raises:
            NotFoundError: the organization has no such provider.
            ConflictError: the name is taken, or the provider has as many as it may.
            UnprocessableError: the credential cannot be used, or the provider has none of its own yet.
        """
        cleaned = clean_credential(credential)
        async with self._database.write() as session, session.begin():
            owner = await _lock(session, organization_id, provider)
            require_further_credentials(owner, cleaned)
            return await self._add(session, owner, name, cleaned, actor_key_id)

    async def put(
        self, organization_id: str, provider: str, name: str, credential: str, *, actor_key_id: str
    ) -> tuple[CredentialRecord, bool]:
        """The one of this name with this value, and whether it is new. Raises: see `add`."""
        cleaned = clean_credential(credential)
        async with self._database.write() as session, session.begin():
            owner = await _lock(session, organization_id, provider)
            require_further_credentials(owner, cleaned)
            row = await provider_credentials.find(session, owner.id, name)
            if row is None:
                return await self._add(session, owner, name, cleaned, actor_key_id), True
            await self._save(session, row, cleaned)
            await _tell(session, Action.CREDENTIAL_ROTATED, owner, row, actor_key_id)
            return credential_record(row), False

    async def remove(self, organization_id: str, provider: str, name: str, *, actor_key_id: str) -> None:
        """Take it away.

        Raises:
            NotFoundError: there is no such provider or credential.
        """
        async with self._database.write() as session, session.begin():
            owner = await _lock(session, organization_id, provider)
            row = await provider_credentials.find(session, owner.id, name)
            if row is None:
                raise _no_credential()
            await provider_credentials.remove(session, row)
            await _tell(session, Action.CREDENTIAL_REMOVED, owner, row, actor_key_id)

    async def _add(
        self, session: WriteSession, owner: Provider, name: str, cleaned: str, actor_key_id: str
    ) -> CredentialRecord:
        if owner.credential is None:
            raise UnprocessableError(
                "The provider has no credential of its own yet, with which another one could take turns.",
                next_step=f"Give it one first: `tollway providers update {owner.name} --api-key-file FILE`.",
                param="credential",
            )
        if await provider_credentials.count(session, owner.id) >= CREDENTIALS_MAX:
            raise ConflictError(
                f"The provider has {CREDENTIALS_MAX} further credentials already.", next_step="Remove one first."
            )
        row = ProviderCredential(id=uuid7(), provider_id=owner.id, name=name)
        await self._save(session, row, cleaned)
        await _tell(session, Action.CREDENTIAL_ADDED, owner, row, actor_key_id)
        return credential_record(row)

    async def _save(self, session: WriteSession, row: ProviderCredential, cleaned: str) -> None:
        row.credential = self._vault.seal(cleaned, identity=further_vault_identity(row.id))
        row.credential_suffix = credential_suffix(cleaned)
        await provider_credentials.save(session, row)


async def _lock(session: WriteSession, organization_id: str, provider: str) -> Provider:
    owner = await providers.lock(session, organization_id, provider)
    if owner is None:
        raise no_provider()
    return owner


async def _tell(
    session: WriteSession, action: Action, owner: Provider, row: ProviderCredential, actor_key_id: str
) -> None:
    detail = {"provider": owner.name, "name": row.name, "credential_suffix": row.credential_suffix}
    event = Event(
        organization_id=owner.organization_id,
        action=action,
        subject=owner.id,
        detail=detail,
        actor_key_id=actor_key_id,
    )
    await raise_events(session, [event])
    await announce(session, Change("catalog", owner.organization_id))
