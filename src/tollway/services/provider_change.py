"""Change a provider."""

from collections.abc import Mapping

from tollway.data import providers
from tollway.data.providers import ProviderRecord
from tollway.data.schema.provider import Provider
from tollway.data.session import Database, WriteSession
from tollway.identity.principal import Principal
from tollway.identity.vault import Vault
from tollway.providers.registry import OPENAI_COMPATIBLE, REGISTRY
from tollway.services.base_url_check import clean_base_url, require_reachable_for
from tollway.services.provider_list import no_provider
from tollway.services.provider_options import changed_options, check_options, usual_base_url
from tollway.services.provider_register import (
    has_usual_base_url,
    require_credential_for_move,
    save_provider,
    seal_credential,
)
from tollway.services.provider_settings import ProviderSettings, clean_credential
from tollway.services.provider_sign_in import require_sign_in, require_whole_document


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
            before = await providers.found(session, row)
            options = _options(row, settings.options or {})
            require_whole_document(REGISTRY.get(row.spec, OPENAI_COMPATIBLE), credential)
            await require_sign_in(session, row, options, caller, given=credential is not None)
            await _place(session, row, options, base_url, given=credential is not None)
            if base_url is not None:
                row.public_only = public_only
            rotated = seal_credential(row, credential, self._vault)
            if settings.price_provider is not None:
                row.price_provider = settings.price_provider
            if settings.declared_only is not None:
                row.declared_only = settings.declared_only
            return await save_provider(session, row, settings.models, before, caller=caller, rotated=rotated)


def _options(row: Provider, changes: Mapping[str, str | None]) -> dict[str, str]:
    """The options as they shall be."""
    spec = REGISTRY.get(row.spec, OPENAI_COMPATIBLE)
    return check_options(spec, changed_options(row.options, changes)) if changes else row.options


async def _place(
    session: WriteSession, row: Provider, options: dict[str, str], base_url: str | None, *, given: bool
) -> None:
    """Change options and address. A provider at its kind's own address moves with the options that are part of it."""
    usual = usual_base_url(REGISTRY.get(row.spec, OPENAI_COMPATIBLE), options)
    if base_url is None and has_usual_base_url(row):
        base_url = usual
    if base_url is not None:
        await require_credential_for_move(session, row, base_url, usual, given=given)
        row.base_url = base_url
    row.options = options
