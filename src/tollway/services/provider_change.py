"""Change a provider."""

from tollway.data import providers
from tollway.data.providers import ProviderRecord
from tollway.data.session import Database
from tollway.identity.principal import Principal
from tollway.identity.vault import Vault
from tollway.services.base_url_check import clean_base_url, require_reachable_for
from tollway.services.provider_list import no_provider
from tollway.services.provider_register import require_credential_for_move, save_provider, seal_credential
from tollway.services.provider_settings import ProviderSettings, clean_credential


class ProviderChange:
    """Changes providers."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def change(
        self, organization_id: str, reference: str, settings: ProviderSettings, *, caller: Principal | None
    ) -> ProviderRecord:
        """The changed provider; what is ``None`` stays as it is. `spec` and `dialect` cannot change.

        Raises:
            NotFoundError: there is none.
            UnprocessableError, PermissionDeniedError: a setting cannot be used, or not by this caller.
        """
        base_url = None if settings.base_url is None else clean_base_url(settings.base_url)
        public_only = base_url is not None and await require_reachable_for(caller, base_url)
        credential = None if settings.credential is None else clean_credential(settings.credential)
        async with self._database.write() as session, session.begin():
            row = await providers.lock(session, organization_id, reference)
            if row is None:
                raise no_provider()
            if base_url is not None:
                require_credential_for_move(row, base_url, given=credential is not None)
                row.base_url, row.public_only = base_url, public_only
            if credential is not None:
                seal_credential(row, credential, self._vault)
            if settings.price_provider is not None:
                row.price_provider = settings.price_provider
            if settings.declared_only is not None:
                row.declared_only = settings.declared_only
            return await save_provider(session, row, settings.models)
