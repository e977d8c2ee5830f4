"""Plan and price a request before it is admitted. No I/O: everything is in memory."""

import time

from tollway.errors import InvalidRequestError, ModelNotPricedError
from tollway.identity.principal import Principal
from tollway.ledger.price import PriceSheet
from tollway.providers.registry import OPENAI_COMPATIBLE, REGISTRY
from tollway.routing.call import Call
from tollway.routing.catalog import Deployment
from tollway.routing.resolve import resolve
from tollway.services.inference.exchange import Exchange, Inbound
from tollway.services.live_catalog import LiveCatalog


def plan(inbound: Inbound, principal: Principal, call: Call, live: LiveCatalog) -> Exchange:
    """Decide which provider answers, and at what price.

    Raises:
        InvalidRequestError: the surface cannot do what is asked.
        ModelNotFoundError, ModelNotAllowedError: see `tollway.routing.resolve`.
        ModelNotPricedError: no price is known and the project does not allow that.
    """
    if call.stream and not inbound.surface.streams:
        raise InvalidRequestError(f"`{inbound.surface.path}` cannot stream.", param="stream")
    deployment, model = resolve(call.model, principal, live.catalog)
    sheet = price_sheet(live, deployment, model, principal)
    if sheet is None and not principal.allow_unpriced:
        raise ModelNotPricedError(
            f"No price is known for {deployment.name}/{model[:200]}, so the request was refused: nothing is served for free "
            "by mistake.",
            next_step=f"An administrator can add one: `tollway prices set {deployment.name}/{model[:200]} --input USD "
            "--output USD` (per million tokens), or let the project use unpriced models.",
            param="model",
        )
    spec = REGISTRY.get(deployment.spec, OPENAI_COMPATIBLE)
    return Exchange(inbound, principal, call, deployment, spec, model, sheet)


def price_sheet(live: LiveCatalog, deployment: Deployment, model: str, principal: Principal) -> PriceSheet | None:
    """The prices of a model now, ``None`` if unknown."""
    return live.price_book.sheet(
        deployment.price_provider,
        model,
        organization_id=principal.organization_id,
        provider_name=deployment.name,
        at=time.time(),
    )
