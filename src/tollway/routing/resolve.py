"""From the name a caller wrote to the provider that will be asked. Pure."""

from collections.abc import Sequence

from tollway.errors import ModelNotAllowedError, ModelNotFoundError, ProviderSealedError
from tollway.identity.principal import Principal
from tollway.routing.catalog import Catalog, Deployment


def is_allowed(patterns: Sequence[str] | None, *names: str) -> bool:
    """Whether one of the names is listed, by itself or by a ``provider/*`` pattern; ``None`` allows all."""
    if patterns is None:
        return True
    return any(
        name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))
        for pattern in patterns
        for name in names
    )


def resolve(model: str, principal: Principal, catalog: Catalog) -> tuple[Deployment, str]:
    """The deployment to ask, and the model name to send there.

    Args:
        model: ``provider/model``, or an alias of the caller's project.
        principal: the caller.
        catalog: what its organization can reach.

    Raises:
        ModelNotFoundError: no such alias, provider or declared model in the caller's organization.
        ModelNotAllowedError: it exists, the key may not use it.
        ProviderSealedError: its credential cannot be opened here.
    """
    target = catalog.aliases.get((principal.project_id, model), model)
    provider, slash, upstream_model = target.partition("/")
    deployment = catalog.deployments.get((principal.organization_id, provider)) if slash else None
    if (
        deployment is None
        or not upstream_model
        or (deployment.declared_only and upstream_model not in deployment.models)
    ):
        raise ModelNotFoundError(
            f"The model {model[:200]!r} does not exist here, or this key's organization cannot reach it.",
            next_step="Name it `provider/model`, or by an alias of the project; `GET /v1/models` lists what there is.",
            param="model",
        )
    if principal.allowed_models is not None and not is_allowed(principal.allowed_models, model, target):
        raise ModelNotAllowedError(
            f"This key may not use the model {model[:200]!r}.",
            next_step="Use a model from `GET /v1/models`, or ask an administrator to allow this one for the key.",
            param="model",
        )
    if deployment.sealed:
        raise ProviderSealedError(
            f"The stored credential of provider {provider!r} cannot be opened with this installation's master key.",
            next_step=f"An administrator sends it again (`tollway providers update {provider} --api-key-file FILE`), "
            "or the operator restores the TOLLWAY_MASTER_KEY that it was stored under.",
        )
    return deployment, upstream_model
