"""What one attempt needs to know of its target: how it is asked, and at what price. No I/O: everything is in memory."""

import time

from tollway.errors import ModelNotAllowedError, ModelNotPricedError
from tollway.identity.principal import Principal
from tollway.ledger.price_book import PriceBook
from tollway.providers.adapter import Adapter
from tollway.providers.adapters import adapter_for
from tollway.providers.named_objects import named_addresses
from tollway.providers.registry import OPENAI_COMPATIBLE, REGISTRY
from tollway.providers.translation import Translation
from tollway.routing.call import Call
from tollway.routing.catalog import Deployment
from tollway.routing.resolve import Candidate
from tollway.services.inference.exchange import Inbound, Target
from tollway.services.live_health import LiveHealth
from tollway.services.object_owners import require_own


def target_of(
    candidate: Candidate, *, inbound: Inbound, principal: Principal, call: Call, prices: PriceBook, health: LiveHealth
) -> Target:
    """Get ready to ask one deployment.

    Raises:
        NotSupportedByProviderError, UnsupportedFieldError: see `tollway.providers.adapters`.
        ModelNotAllowedError, NotFoundError: see `require_allowed`.
        ModelNotPricedError: no price is known and the project does not allow that.
    """
    deployment, model = candidate.deployment, candidate.target.model
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
    require_allowed(call, principal, adapter, deployment)
    if isinstance(adapter, Translation):
        require_own(named_addresses(adapter.chat), deployment)
    sheet = prices.sheet(
        deployment.price_provider,
        model,
        organization_id=principal.organization_id,
        provider_name=deployment.name,
        at=time.time(),
    )
    if sheet is None and not principal.allow_unpriced:
        raise not_priced(deployment, model, "or let the project use unpriced models")
    patient = health.patient(deployment, model)
    deployment, credential_id = health.with_credential(deployment, model)
    window = candidate.target.context_tokens or (sheet.context_tokens if sheet is not None else 0)
    return Target(deployment, spec, model, sheet, adapter, candidate, patient, credential_id, window)


def require_allowed(call: Call, principal: Principal, adapter: Adapter, deployment: Deployment) -> None:
    """Refuse a request for what it holds beside the model: all of a target that must be looked at for each request.

    Raises:
        ModelNotAllowedError: another model could answer than the key may use.
        NotFoundError: it names what the project does not have at this provider.
    """
    if principal.allowed_models is not None and (field := adapter.other_models(call)) is not None:
        raise ModelNotAllowedError(
            f"With the field `{field[:64]}` another model could answer than this key may use.",
            next_step="Leave it out, and name the model in `model`.",
            param=field[:64],
        )
    if call.named:
        require_own(call.named, deployment)


def not_priced(deployment: Deployment, model: str, alternative: str) -> ModelNotPricedError:
    """What is said of a model without a price; `alternative`: what else an administrator can do about it."""
    name = f"{deployment.name}/{model[:200]}"
    error = ModelNotPricedError(
        f"No price is known for {name}, so it was refused: nothing is served for free by mistake.",
        next_step=f"An administrator can add one: `tollway prices set {name} --input USD --output USD` (per million "
        f"tokens), {alternative}.",
        param="model",
    )
    error.of_target = True
    return error
