"""``GET /v1/models``: what the caller's key can ask for, in OpenAI's form or in Anthropic's."""

import msgspec

from tollway.api.dialects.anthropic_models import model_list, one_model
from tollway.errors import ModelNotAllowedError, ModelNotFoundError, ProviderSealedError
from tollway.identity.principal import Principal, Scope
from tollway.routing.resolve import is_allowed, resolve
from tollway.services.authenticate import Authenticator, require_scope
from tollway.services.live_catalog import LiveCatalog

_encode = msgspec.json.Encoder().encode


class _Model(msgspec.Struct):
    id: str
    owned_by: str
    object: str = "model"
    created: int = 0


class _List(msgspec.Struct):
    data: list[_Model]
    object: str = "list"


class ModelList:
    """Answers from memory, and looks again before a model is said not to exist."""

    def __init__(self, authenticator: Authenticator, live: LiveCatalog) -> None:
        self._authenticator = authenticator
        self._live = live

    async def list_all(self, key: bytes, *, for_messages: bool = False) -> bytes:
        """All models and aliases the key may use: declared models, else those the price book knows of the provider.

        Args:
            key: as it was sent.
            for_messages: whether the caller speaks Anthropic's dialect.

        Raises:
            AuthenticationError, PermissionDeniedError, DatabaseUnavailableError: as for any request.
        """
        principal = await self._principal(key)
        models = self._models(principal)
        return model_list([model.id for model in models]) if for_messages else _encode(_List(models))

    async def get(self, key: bytes, model: str, *, for_messages: bool = False) -> bytes:
        """One model, if the key can ask for it; arguments as of `list_all`.

        Raises:
            ModelNotFoundError, ModelNotAllowedError, DatabaseUnavailableError: it cannot.
        """
        principal = await self._principal(key)
        try:
            _, candidates = resolve(model, principal, self._live.catalog)
        except ModelNotFoundError:  # it may have been made a moment ago
            await self._live.catch_up()
            _, candidates = resolve(model, principal, self._live.catalog)
        return one_model(model) if for_messages else _encode(_Model(model, candidates[0].deployment.name))

    async def _principal(self, key: bytes) -> Principal:
        principal = await self._authenticator.authenticate(key)
        require_scope(principal, Scope.INFERENCE)
        return principal

    def _models(self, principal: Principal) -> list[_Model]:
        catalog = self._live.catalog
        found = [
            _Model(alias, "alias")
            for project_id, alias in catalog.aliases
            if project_id == principal.project_id and self._is_reachable(principal, alias)
        ]
        for (organization_id, name), deployment in catalog.deployments.items():
            if organization_id != principal.organization_id:
                continue
            known = deployment.models or self._live.price_book.models(deployment.price_provider)
            found += [
                _Model(f"{name}/{model}", name)
                for model in known
                if is_allowed(principal.allowed_models, f"{name}/{model}")
            ]
        return sorted(found, key=lambda model: model.id)

    def _is_reachable(self, principal: Principal, alias: str) -> bool:
        try:
            resolve(alias, principal, self._live.catalog)
        except (ModelNotFoundError, ModelNotAllowedError):
            return False
        except ProviderSealedError:
            pass  # its own models are listed too
        return True
