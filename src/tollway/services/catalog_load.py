"""Read the whole catalog, credentials opened, for the memory of a worker."""

import itertools

import structlog

from tollway.data import catalog as store
from tollway.data.schema.provider import Provider
from tollway.data.session import Database
from tollway.identity.vault import SealedSecretError, Vault
from tollway.routing.catalog import Catalog, Deployment

_log = structlog.get_logger(__name__)
_versions = itertools.count(1)


def vault_identity(provider_id: str) -> str:
    """What a provider's credential is bound to."""
    return f"provider:{provider_id}"


class CatalogLoad:
    """Reads the catalog of all organizations."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def load(self) -> Catalog:
        """A new picture. A provider whose credential does not open is logged, and marked: the others go on.

        Raises:
            DatabaseUnavailableError: keep the picture you have.
        """
        async with self._database.read() as session:
            providers = await store.all_providers(session)
            models = await store.all_models(session)
            aliases = await store.all_aliases(session)
        deployments = {
            (row.organization_id, row.name): self._deployment(row, models.get(row.id, ())) for row in providers
        }
        return Catalog(deployments=deployments, aliases=aliases, version=next(_versions))

    def _deployment(self, row: Provider, models: tuple[str, ...]) -> Deployment:
        credential, sealed = "", False
        try:
            if row.credential is not None:
                credential = self._vault.open(row.credential, identity=vault_identity(row.id))
        except SealedSecretError as error:
            _log.error("credential_does_not_open", provider_id=row.id, provider=row.name, reason=str(error))
            sealed = True
        return Deployment(
            name=row.name,
            spec=row.spec,
            base_url=row.base_url,
            credential=credential,
            price_provider=row.price_provider,
            provider_id=row.id,
            models=models,
            declared_only=row.declared_only,
            public_only=row.public_only,
            sealed=sealed,
            options=row.options,
        )
