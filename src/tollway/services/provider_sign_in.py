"""Who may let a provider sign in as this machine, and with what: see `tollway.providers.sign_in.identity`."""

from collections.abc import Mapping

from tollway.data import provider_credentials
from tollway.data.schema.provider import Provider
from tollway.data.session import WriteSession
from tollway.errors import UnprocessableError
from tollway.identity.principal import Principal
from tollway.providers.registry import OPENAI_COMPATIBLE, REGISTRY
from tollway.providers.sign_in.identity import CREDENTIAL, FEDERATED, lacking, mode_of, require_sign_in_allowed
from tollway.providers.spec import SIGN_IN, ProviderSpec


async def require_sign_in(
    session: WriteSession, row: Provider, options: Mapping[str, str], caller: Principal | None, *, given: bool
) -> None:
    """Refuse a change that would lend this machine's identity to somebody it is not for.

    Args:
        session: reads whether there are further credentials.
        row: as it was.
        options: as they shall be.
        caller: who changes it; ``None`` for the installation itself.
        given: whether a credential comes with the change.

    Raises:
        PermissionDeniedError: it signs in as this machine, before or after, and the caller is not the platform.
        UnprocessableError: what was stored by others before would be trusted as the platform is.
    """
    before = row.options or {}
    require_sign_in_allowed(caller, before, options)
    mode = mode_of(options)
    if mode == CREDENTIAL:
        return
    if await provider_credentials.count(session, row.id):
        raise UnprocessableError(
            "A provider that signs in as this machine takes no further credentials.",
            next_step="Remove them first.",
            param=f"options.{SIGN_IN}",
        )
    if mode == FEDERATED and mode_of(before) != FEDERATED and not given:
        raise UnprocessableError(
            "The stored credential was not given to be trusted with files and addresses of this machine.",
            next_step="Send the credential again.",
            param="credential",
        )


def require_whole_document(spec: ProviderSpec, credential: str | None) -> None:
    """Refuse a document that no cloud could be signed in to with. It is not shown.

    Raises:
        UnprocessableError: something is not in it.
    """
    names = lacking(spec.sign_in, credential or "")
    if names:
        raise UnprocessableError(
            f"The document is no credential of {spec.title}.", next_step=f"It needs {names}.", param="credential"
        )


def require_further_credentials(row: Provider, credential: str) -> None:
    """Refuse a further credential for a provider that signs in as this machine: it would be trusted as its own is.

    Raises:
        UnprocessableError: it does; or see `require_whole_document`.
    """
    if mode_of(row.options) != CREDENTIAL:
        raise UnprocessableError(
            "A provider that signs in as this machine takes no further credentials.", param="credential"
        )
    require_whole_document(REGISTRY.get(row.spec, OPENAI_COMPATIBLE), credential)
