"""The providers that this machine brings: those whose usual variables are set, and the demo model beside Tollway."""

from collections.abc import Iterator, Mapping

import structlog

from tollway.data import organizations, providers
from tollway.data.page import Page
from tollway.data.session import Database
from tollway.errors import ConflictError, PermissionDeniedError, UnprocessableError
from tollway.identity.vault import Vault
from tollway.providers.registry import LOCAL, REGISTRY, ProviderSpec
from tollway.services.provider_change import ProviderChange
from tollway.services.provider_register import ProviderRegister
from tollway.services.provider_settings import ProviderSettings

_log = structlog.get_logger(__name__)


def provider_settings(environment: Mapping[str, str]) -> Iterator[tuple[ProviderSpec, ProviderSettings]]:
    """Each provider of the registry whose variable is set and not empty."""
    for spec in REGISTRY.values():
        credential = environment.get(spec.key_variable, "") if spec.key_variable else ""
        address = environment.get(spec.url_variable, "") if spec.url_variable else ""
        if credential or address:
            options = {option.name: environment.get(option.variable, "") for option in spec.options if option.variable}
            yield (
                spec,
                ProviderSettings(
                    spec=spec.name,
                    credential=credential or None,
                    base_url=base_url_of(address) if address else None,
                    options={name: value for name, value in options.items() if value},
                ),
            )


def base_url_of(address: str) -> str:
    """The OpenAI base URL of a server's address in the forms that people write: ``host``, ``host:port``, a URL.

    An address to listen on (``0.0.0.0``) is reached on loopback, and the port is Ollama's where none is given:
    https://github.com/ollama/ollama/blob/main/envconfig/config.go
    """
    scheme, separator, rest = address.strip().rstrip("/").rpartition("://")
    host, slash, path = rest.partition("/")
    if host.startswith("0.0.0.0"):  # noqa: S104 -- read, not bound
        host = "127.0.0.1" + host.removeprefix("0.0.0.0")  # noqa: S104 -- as above
    if ":" not in host and not separator:
        host += ":11434"
    return f"{scheme or 'http'}://{host}{slash}{path}".removesuffix("/v1") + "/v1"


class MachineProviders:
    """Keeps them as they are on this machine, in the first organization. Run at each start."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def register(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """Add or refresh the providers whose variables are set; the variable wins over what was stored.

        Returns:
            Their names. One whose value cannot be used is left out and logged.
        """
        organization_id = await self._first_organization()
        names = []
        for spec, settings in provider_settings(environment):
            try:
                await self._put(organization_id, spec.name, settings)
            except (UnprocessableError, ConflictError, PermissionDeniedError) as error:
                _log.warning("provider_not_registered", provider=spec.name, reason=error.text)
            else:
                names.append(spec.name)
        return tuple(names)

    async def register_local(self, *, base_url: str, api_key: str, model: str) -> None:
        """Offer the demo model. The price book has it at zero: explicitly, since no price is ever guessed."""
        settings = ProviderSettings(spec=LOCAL.name, base_url=base_url, credential=api_key, models=[model])
        await self._put(await self._first_organization(), LOCAL.name, settings)

    async def _put(self, organization_id: str, name: str, settings: ProviderSettings) -> None:
        async with self._database.read() as session:
            present = await providers.find(session, organization_id, name)
        if present is None:
            await ProviderRegister(self._database, self._vault).create(organization_id, name, settings, caller=None)
        else:
            await ProviderChange(self._database, self._vault).change(organization_id, name, settings, caller=None)

    async def _first_organization(self) -> str:
        async with self._database.read() as session:
            return (await organizations.page(session, Page(limit=1)))[0].id
