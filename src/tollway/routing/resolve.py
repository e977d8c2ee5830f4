"""From the name a caller wrote to the providers that may be asked. Pure."""

from collections.abc import Sequence

import msgspec

from tollway.errors import ModelNotAllowedError, ModelNotFoundError, ProviderSealedError, TollwayError
from tollway.identity.principal import Principal
from tollway.routing.catalog import Catalog, Deployment
from tollway.routing.route import Route, RouteTarget, direct


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A target of a route that can be reached. Attributes: target: of the route; deployment: its provider."""

    target: RouteTarget
    deployment: Deployment


def is_allowed(patterns: Sequence[str] | None, *names: str) -> bool:
    """Whether one of the names is listed, by itself or by a ``provider/*`` pattern; ``None`` allows all."""
    if patterns is None:
        return True
    return any(
        name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))
        for pattern in patterns
        for name in names
    )


def route_of(model: str, principal: Principal, catalog: Catalog) -> Route | None:
    """What stands behind a name; ``None`` if it can be no model's."""
    route = catalog.aliases.get((principal.project_id, model))
    if route is not None:
        return route
    provider, slash, upstream_model = model.partition("/")
    return direct(provider, upstream_model) if slash and upstream_model else None


def resolve(model: str, principal: Principal, catalog: Catalog) -> tuple[Route, tuple[Candidate, ...]]:
    """What stands behind a name, and those of its targets that the caller can reach: one at the least.

    A key that may use an alias may use all of its targets.

    Args:
        model: ``provider/model``, or an alias of the caller's project.
        principal: the caller.
        catalog: what its organization can reach.

    Raises:
        ModelNotFoundError: no such alias, provider or declared model in the caller's organization.
        ModelNotAllowedError: it exists, the key may not use it.
        ProviderSealedError: its credential cannot be opened here.
    """
    route = route_of(model, principal, catalog)
    if route is None:
        raise _not_found(model)
    patterns = principal.allowed_models
    candidates: list[Candidate] = []
    fault: TollwayError | None = None
    for target in route.targets:
        deployment = catalog.deployments.get((principal.organization_id, target.provider))
        if deployment is None or (deployment.declared_only and target.model not in deployment.models):
            continue
        if patterns is not None and not is_allowed(patterns, model, target.name):
            fault = fault or _not_allowed(model)
        elif deployment.sealed:
            fault = _sealed(deployment.name)
        else:
            candidates.append(Candidate(target, deployment))
    if not candidates:
        raise fault or _not_found(model)
    return route, tuple(candidates)


def _not_found(model: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"The model {model[:200]!r} does not exist here, or this key's organization cannot reach it.",
        next_step="Name it `provider/model`, or by an alias of the project; `GET /v1/models` lists what there is.",
        param="model",
    )


def _not_allowed(model: str) -> ModelNotAllowedError:
    return ModelNotAllowedError(
        f"This key may not use the model {model[:200]!r}.",
        next_step="Use a model from `GET /v1/models`, or ask an administrator to allow this one for the key.",
        param="model",
    )


def _sealed(provider: str) -> ProviderSealedError:
    return ProviderSealedError(
        f"The stored credential of provider {provider!r} cannot be opened with this installation's master key.",
        next_step=f"An administrator sends it again (`tollway providers update {provider} --api-key-file FILE`), "
        "or the operator restores the TOLLWAY_MASTER_KEY that it was stored under.",
    )
