"""Read the whole catalog, credentials opened, for the memory of a worker."""

import itertools
from collections.abc import Sequence

import msgspec
import structlog

from tollway.data import catalog as store
from tollway.data.catalog import AliasRow
from tollway.data.schema.provider import Provider
from tollway.data.schema.provider_credential import ProviderCredential
from tollway.data.session import Database
from tollway.identity.vault import SealedSecretError, Vault
from tollway.providers.registry import OPENAI_COMPATIBLE, REGISTRY
from tollway.routing.catalog import Catalog, Credential, Deployment
from tollway.routing.route import Route, direct
from tollway.services.provider_options import with_defaults

_log = structlog.get_logger(__name__)
_versions = itertools.count(1)


def vault_identity(provider_id: str) -> str:
    """What a provider's credential is bound to."""
    return f"provider:{provider_id}"


def further_vault_identity(credential_id: str) -> str:
    """What a further credential is bound to."""
    return f"provider_credential:{credential_id}"


def _route(row: AliasRow) -> Route:
    """What stands behind an alias. A route that this version does not understand is its first target, and logged."""
    if row.route is None:
        return direct(row.provider, row.model)
    try:
        return msgspec.convert(row.route, Route)
    except msgspec.ValidationError as error:
        _log.error("route_not_understood", project_id=row.project_id, alias=row.name, reason=str(error))
        return direct(row.provider, row.model)


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
            further = await store.all_credentials(session)
        deployments = {
            (row.organization_id, row.name): self._deployment(row, models.get(row.id, ()), further.get(row.id, ()))
            for row in providers
        }
        routes = {(row.project_id, row.name): _route(row) for row in aliases}
        return Catalog(deployments=deployments, aliases=routes, version=next(_versions))

    def _deployment(self, row: Provider, models: tuple[str, ...], further: Sequence[ProviderCredential]) -> Deployment:
        own = None if row.credential is None else self._open(row, row.credential, vault_identity(row.id))
        opened = [
            Credential(item.id, secret)
            for item in further
            if (secret := self._open(row, item.credential, further_vault_identity(item.id)))
        ]
        if own is None and row.credential is not None and opened:
            own = opened.pop(0).secret  # another one takes the place of the one that does not open
        return Deployment(
            name=row.name,
            spec=row.spec,
            base_url=row.base_url,
            credential=own or "",
            price_provider=row.price_provider,
            provider_id=row.id,
            models=models,
            declared_only=row.declared_only,
            public_only=row.public_only,
            sealed=own is None and row.credential is not None,
            options=with_defaults(REGISTRY.get(row.spec, OPENAI_COMPATIBLE), row.options),
            credentials=tuple(opened),
        )

    def _open(self, row: Provider, sealed: bytes, identity: str) -> str | None:
        """A credential; ``None`` if it does not open."""
        try:
            return self._vault.open(sealed, identity=identity)
        except SealedSecretError as error:
            _log.error("credential_does_not_open", provider_id=row.id, provider=row.name, reason=str(error))
            return None
