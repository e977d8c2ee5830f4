"""Plan and price a request before it is admitted. No I/O: everything is in memory."""

import time

from tollway.errors import InvalidRequestError, ModelNotAllowedError, ModelNotPricedError
from tollway.identity.principal import Principal
from tollway.providers.adapters import adapter_for
from tollway.providers.registry import OPENAI_COMPATIBLE, REGISTRY
from tollway.routing.call import Call
from tollway.routing.catalog import Deployment
from tollway.routing.resolve import resolve
from tollway.services.inference.exchange import Exchange, Inbound, Target
from tollway.services.live_catalog import LiveCatalog


def plan(inbound: Inbound, principal: Principal, call: Call, live: LiveCatalog) -> Exchange:
    """Decide which provider answers, and at what price.

    Raises:
        InvalidRequestError: the surface cannot do what is asked.
        ModelNotFoundError, ModelNotAllowedError: see `tollway.routing.resolve`.
        NotReadyError: this worker has not read its configuration yet.
        NotSupportedByProviderError, UnsupportedFieldError: see `tollway.providers.adapters`.
        ModelNotPricedError: no price is known and the project does not allow that.
    """
    if call.stream and not inbound.surface.streams:
        raise InvalidRequestError(f"`{inbound.surface.path}` cannot stream.", param="stream")
    prices = live.price_book  # first, so that a worker that has read nothing yet does not say "not found"
    _, candidates = resolve(call.model, principal, live.catalog)
    deployment, model = candidates[0].deployment, candidates[0].target.model
    spec = REGISTRY.get(deployment.spec, OPENAI_COMPATIBLE)
    adapter = adapter_for(
        inbound.surface,
        inbound.dialect,
        spec,
        call,
        model=model,
        provider=deployment.name,
        drop=principal.drop_unsupported,
    )
    if principal.allowed_models is not None and (field := adapter.other_models(call)) is not None:
        raise ModelNotAllowedError(
            f"With the field `{field[:64]}` another model could answer than this key may use.",
            next_step="Leave it out, and name the model in `model`.",
            param=field[:64],
        )
    sheet = prices.sheet(
        deployment.price_provider,
        model,
        organization_id=principal.organization_id,
        provider_name=deployment.name,
        at=time.time(),
    )
    if sheet is None and not principal.allow_unpriced:
        raise not_priced(deployment, model, "or let the project use unpriced models")
    return Exchange(
        inbound=inbound,
        principal=principal,
        call=call,
        target=Target(deployment, spec, model, sheet, adapter),
    )


def not_priced(deployment: Deployment, model: str, alternative: str) -> ModelNotPricedError:
    """What is said of a model without a price; `alternative`: what else an administrator can do about it."""
    name = f"{deployment.name}/{model[:200]}"
    return ModelNotPricedError(
        f"No price is known for {name}, so it was refused: nothing is served for free by mistake.",
        next_step=f"An administrator can add one: `tollway prices set {name} --input USD --output USD` (per million "
        f"tokens), {alternative}.",
        param="model",
    )
