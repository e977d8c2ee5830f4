"""What one organization can reach: providers, aliases, models. A read-only picture held in memory by each worker."""

import msgspec

from tollway.routing.route import Route


class Credential(msgspec.Struct, frozen=True):
    """One of several credentials of a provider. Attributes: id: of its row; secret: never logged, `repr` hides it."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"Credential(id={self.id!r})"


class Deployment(msgspec.Struct, frozen=True):
    """One provider as one organization configured it, ready to be called.

    Attributes:
        name: the provider's name within the organization: the part of ``provider/model`` before the slash.
        spec: name of the row in `tollway.providers.registry`.
        base_url: without a trailing slash, for instance ``https://api.openai.com/v1``.
        credential: the secret, ``""`` if the provider needs none. Never logged; `repr` hides it.
        price_provider: name under which the price book knows this provider.
        provider_id: UUID of the row.
        models: the declared model names (for ``GET /v1/models``).
        declared_only: whether only declared models may be asked for.
        public_only: whether its name must lead to the public internet at each connection: a tenant chose it.
        options: what its kind needs besides, for instance ``region`` or ``api_version``.
        credentials: further ones, that take turns with `credential`.
        sealed: whether its credential is there but cannot be opened, so that it cannot be asked.
    """

    name: str
    spec: str
    base_url: str
    credential: str
    price_provider: str
    provider_id: str = ""
    models: tuple[str, ...] = ()
    declared_only: bool = False
    public_only: bool = False
    sealed: bool = False
    options: dict[str, str] = {}
    credentials: tuple[Credential, ...] = ()

    def __repr__(self) -> str:
        return f"Deployment(name={self.name!r}, spec={self.spec!r}, base_url={self.base_url!r})"


class Catalog(msgspec.Struct, frozen=True):
    """Everything routing needs, by tenant.

    Attributes:
        deployments: ``(organization_id, provider name)`` → deployment.
        aliases: ``(project_id, alias)`` → what stands behind it.
        version: increases with every load.
    """

    deployments: dict[tuple[str, str], Deployment] = {}
    aliases: dict[tuple[str, str], Route] = {}
    version: int = 0
