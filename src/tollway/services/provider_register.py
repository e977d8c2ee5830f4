"""Add a provider, or make it so."""

from collections.abc import Mapping

import msgspec

from tollway.data import provider_credentials, providers
from tollway.data.audit_events import raise_events
from tollway.data.changes import Change, announce
from tollway.data.providers import ProviderRecord
from tollway.data.schema.provider import Provider
from tollway.data.session import Database, WriteSession
from tollway.errors import UnprocessableError
from tollway.identity.principal import Principal
from tollway.identity.vault import SealedSecretError, Vault
from tollway.ids import uuid7
from tollway.providers.registry import LOCAL, OPENAI_COMPATIBLE, REGISTRY, ProviderSpec
from tollway.services.base_url_check import clean_base_url, require_reachable_for
from tollway.services.catalog_load import vault_identity
from tollway.services.provider_event import provider_events
from tollway.services.provider_options import changed_options, check_options, usual_base_url
from tollway.services.provider_settings import (
    ProviderSettings,
    clean_credential,
    credential_suffix,
    dialect_of,
    same_host,
    spec_of,
)
from tollway.services.provider_sign_in import require_sign_in, require_whole_document


class _Resolved(msgspec.Struct, frozen=True):
    """Settings with every default filled in and checked."""

    spec: str
    dialect: str
    base_url: str
    public_only: bool
    price_provider: str
    declared_only: bool
    credential: str | None
    models: list[str] | None
    options: dict[str, str]

    def __repr__(self) -> str:
        return f"_Resolved(spec={self.spec!r}, base_url={self.base_url!r})"


async def _base_url(
    spec: ProviderSpec, options: Mapping[str, str], given: str | None, caller: Principal | None
) -> tuple[str, bool]:
    """The address, and whether it must lead to the public internet at each connection."""
    usual = usual_base_url(spec, options)
    url = clean_base_url(given or usual) if given or usual else ""
    if not url:
        raise UnprocessableError(
            f"A provider of the kind {spec.name!r} needs a base URL.", next_step="Give base_url.", param="base_url"
        )
    if url == usual and url.startswith("https:"):  # the registry's own public addresses need no look-up
        return url, False
    return url, await require_reachable_for(caller, url)


def _require_not_local(name: str, spec: ProviderSpec, caller: Principal | None) -> None:
    """The name `local` is priced at zero for the whole installation, which must not befall another provider."""
    if caller is not None and LOCAL.name in {name, spec.name}:
        raise UnprocessableError(
            f"`{LOCAL.name}` is the demo model, which comes with the server.",
            next_step="Use another name.",
            param="name",
        )


async def _resolve(name: str, settings: ProviderSettings, caller: Principal | None) -> _Resolved:
    spec = spec_of(name, settings)
    _require_not_local(name, spec, caller)
    options = check_options(spec, changed_options({}, settings.options or {}))
    credential = None if settings.credential is None else clean_credential(settings.credential)
    require_whole_document(spec, credential)
    base_url, public_only = await _base_url(spec, options, settings.base_url, caller)
    return _Resolved(
        spec=spec.name,
        dialect=dialect_of(spec, settings),
        base_url=base_url,
        public_only=public_only,
        price_provider=settings.price_provider or spec.price_provider or name,
        declared_only=bool(settings.declared_only),
        credential=credential,
        models=settings.models,
        options=options,
    )


def seal_credential(row: Provider, credential: str | None, vault: Vault) -> bool:
    """Put a credential (``None`` keeps the present one) into a row that has its id; whether it replaces another one."""
    if credential is None:
        return False
    identity, present = vault_identity(row.id), row.credential
    if present is not None and _opens_to(vault, present, identity, credential):
        return False
    row.credential = vault.seal(credential, identity=identity)
    row.credential_suffix = credential_suffix(credential)
    return present is not None


def _opens_to(vault: Vault, sealed: bytes, identity: str, credential: str) -> bool:
    try:
        return vault.open(sealed, identity=identity) == credential
    except SealedSecretError:  # sealed under another master key, which this one replaces
        return False


def has_usual_base_url(row: Provider) -> bool:
    """Whether it stands at its kind's own address."""
    return row.base_url == usual_base_url(REGISTRY.get(row.spec, OPENAI_COMPATIBLE), row.options)


async def require_credential_for_move(
    session: WriteSession, row: Provider, base_url: str, usual: str, *, given: bool
) -> None:
    """Refuse to send a stored credential to a host it was not given for: it would be a way to read it.

    Args:
        session: reads whether there are further ones.
        row: as it was.
        base_url: where it moves.
        usual: the address of the same kind with its new options; another kind's is not usual.
        given: whether its own credential comes with the move.

    Raises:
        UnprocessableError: the host changes and no credential comes with it, or there are further ones.
    """
    if same_host(row.base_url, base_url) or (base_url == usual and has_usual_base_url(row)):
        return
    if await provider_credentials.count(session, row.id):
        raise UnprocessableError(
            "The base URL moves to another host, and the provider's further credentials were not given for that one.",
            next_step="Remove them first, and add them again afterwards.",
            param="base_url",
        )
    if row.credential is not None and not given:
        raise UnprocessableError(
            "The base URL moves to another host, and the stored credential was not given for that one.",
            next_step="Send the credential again.",
            param="credential",
        )


class ProviderRegister:
    """Adds providers."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def create(
        self, organization_id: str, name: str, settings: ProviderSettings, *, caller: Principal | None
    ) -> ProviderRecord:
        """The new provider. `caller` is ``None`` for the installation itself (first start).

        Raises:
            ConflictError: the name is taken.
            UnprocessableError, PermissionDeniedError: a setting cannot be used, or not by this caller.
        """
        resolved = await _resolve(name, settings, caller)
        async with self._database.write() as session, session.begin():
            row = Provider(id=uuid7(), organization_id=organization_id, name=name)
            await require_sign_in(session, row, resolved.options, caller, given=resolved.credential is not None)
            return await self._save(session, row, resolved, None, caller)

    async def put(
        self, organization_id: str, name: str, settings: ProviderSettings, *, caller: Principal | None
    ) -> tuple[ProviderRecord, bool]:
        """The provider of this name with these settings, and whether it is new.

        A credential or models that are not given are kept; everything else that is not given gets its default.

        Raises:
            ConflictError: it was created at the same moment.
            UnprocessableError, PermissionDeniedError: a setting cannot be used, or not by this caller.
        """
        resolved = await _resolve(name, settings, caller)
        async with self._database.write() as session, session.begin():
            found = await providers.lock(session, organization_id, name)
            row = found or Provider(id=uuid7(), organization_id=organization_id, name=name)
            given = resolved.credential is not None
            await require_sign_in(session, row, resolved.options, caller, given=given)
            if found is None:
                return await self._save(session, row, resolved, None, caller), True
            usual = usual_base_url(REGISTRY[resolved.spec], resolved.options) if resolved.spec == row.spec else ""
            await require_credential_for_move(session, row, resolved.base_url, usual, given=given)
            before = await providers.found(session, row)
            return await self._save(session, row, resolved, before, caller), False

    async def _save(
        self,
        session: WriteSession,
        row: Provider,
        resolved: _Resolved,
        before: ProviderRecord | None,
        caller: Principal | None,
    ) -> ProviderRecord:
        row.spec, row.dialect, row.base_url = resolved.spec, resolved.dialect, resolved.base_url
        row.public_only = resolved.public_only
        row.price_provider, row.declared_only = resolved.price_provider, resolved.declared_only
        row.options = resolved.options
        rotated = seal_credential(row, resolved.credential, self._vault)
        return await save_provider(session, row, resolved.models, before, caller=caller, rotated=rotated)


async def save_provider(
    session: WriteSession,
    row: Provider,
    models: list[str] | None,
    before: ProviderRecord | None,
    *,
    caller: Principal | None,
    rotated: bool,
) -> ProviderRecord:
    """Save a provider with its declared models (``None`` keeps them), tell what is another than before and announce it.

    Raises:
        ConflictError: the name is taken.
    """
    await providers.save(session, row)
    if models is not None:
        await providers.set_models(session, row.id, models)
    after = await providers.found(session, row)
    await raise_events(session, provider_events(before, after, caller=caller, rotated=rotated))
    await announce(session, Change("catalog", row.organization_id))
    return after
