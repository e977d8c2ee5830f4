"""Plan a request: who is asked, in which order, at what price. No I/O: everything is in memory."""

import random
import time
from collections.abc import Iterable

import msgspec

from tollway.errors import InvalidRequestError, TollwayError, UnsupportedFieldError
from tollway.identity.principal import Principal
from tollway.ledger.money import charge
from tollway.ledger.price import PriceSheet
from tollway.ledger.price_book import PriceBook
from tollway.providers.adapters import PASSING
from tollway.routing.call import Call
from tollway.routing.catalog import Catalog
from tollway.routing.needs import needs_of, prompt_tokens, sticky_key
from tollway.routing.plan import EXPECTED_OUTPUT_TOKENS, Asked, Plan, Standing, order
from tollway.routing.resolve import Candidate, resolve
from tollway.routing.route import Route
from tollway.services.inference.exchange import Exchange, Inbound, Target
from tollway.services.inference.plan import require_allowed, target_of
from tollway.services.live_catalog import LiveCatalog
from tollway.services.live_health import LiveHealth

_PLAIN_MAX = 10_000
"""Plain routes in memory, at less than a kilobyte each; callers choose the models of some providers."""


class _Plain(msgspec.Struct, frozen=True, gc=False):
    """A route with one target that is the same for all requests of a key for a model at a surface.

    Attributes:
        principal: of the key.
        route: what stands behind the model's name.
        target: the only one.
        prices: of the target.
    """

    principal: Principal
    route: Route
    target: Target
    prices: PriceSheet


class Planner:
    """Plans the requests of one worker."""

    def __init__(self, live: LiveCatalog, health: LiveHealth) -> None:
        self._live = live
        self._health = health
        self._plain: dict[tuple[str, str, str], _Plain] = {}
        self._plain_of: tuple[Catalog | None, PriceBook | None] = (None, None)

    def plan(self, inbound: Inbound, principal: Principal, call: Call) -> Exchange:
        """Decide which provider answers, at what price, and which ones are asked if it does not.

        Raises:
            InvalidRequestError: the surface cannot do what is asked.
            ModelNotFoundError, ModelNotAllowedError, ProviderSealedError: see `tollway.routing.resolve`.
            NotReadyError: this worker has not read its configuration yet.
            NotSupportedByProviderError, UnsupportedFieldError, ModelNotPricedError: of no target behind the name can
                this be asked.
        """
        if call.stream and not inbound.surface.streams:
            raise InvalidRequestError(f"`{inbound.surface.path}` cannot stream.", param="stream")
        plain = self._plain.get((principal.key_id, call.model, inbound.surface.name))
        if plain is not None and self._holds(plain, principal):
            require_allowed(call, principal, plain.target.adapter, plain.target.deployment)
            return Exchange(inbound=inbound, principal=principal, call=call, target=plain.target, route=plain.route)
        prices = self._live.price_book  # first, so that a worker that has read nothing yet does not say "not found"
        route, candidates = resolve(call.model, principal, self._live.catalog)
        if len(route.targets) == 1:
            target = target_of(
                candidates[0], inbound=inbound, principal=principal, call=call, prices=prices, health=self._health
            )
            self._remember(inbound, principal, call, route, target)
            return Exchange(inbound=inbound, principal=principal, call=call, target=target, route=route)
        asked = asked_by(call, principal, route)
        found = order(
            route, candidates, asked, self.standings(candidates, principal.organization_id, asked), random.random
        )
        return self._exchange(inbound, principal, call, route, found)

    def _holds(self, plain: _Plain, principal: Principal) -> bool:
        """Whether a plain route is still what it was when it was remembered."""
        if self._is_old():
            return False
        known = plain.principal is principal and not plain.target.patient.forgotten
        return known and plain.prices.valid_from <= time.time() < plain.prices.valid_until

    def _is_old(self) -> bool:
        """Whether the plain routes are those of another catalog or price book."""
        catalog, prices = self._plain_of
        return catalog is not self._live.catalog or prices is not self._live.price_book

    def _remember(self, inbound: Inbound, principal: Principal, call: Call, route: Route, target: Target) -> None:
        """Keep a route's only target for the next request, unless its adapter or credential is chosen for each."""
        if self._is_old() or len(self._plain) >= _PLAIN_MAX:
            self._plain.clear()
            self._plain_of = self._live.catalog, self._live.price_book
        surface, sheet = inbound.surface.name, target.sheet
        takes_turns = bool(target.candidate.deployment.credentials)
        if sheet is not None and not takes_turns and target.adapter is PASSING.get(surface):
            self._plain[principal.key_id, call.model, surface] = _Plain(principal, route, target, sheet)

    def target(self, exchange: Exchange, candidate: Candidate) -> Target:
        """Get ready to ask another deployment. Raises as `target_of`."""
        return target_of(
            candidate,
            inbound=exchange.inbound,
            principal=exchange.principal,
            call=exchange.call,
            prices=self._live.price_book,
            health=self._health,
        )

    def standings(
        self,
        candidates: Iterable[Candidate],
        organization_id: str,
        asked: Asked,
        *,
        output_tokens: int = EXPECTED_OUTPUT_TOKENS,
    ) -> dict[str, Standing]:
        """How targets stand just now, by their names."""
        prices = self._live.price_book
        return {
            candidate.target.name: self._standing(
                candidate, sheet_of(candidate, organization_id, prices), asked.prompt_tokens, output_tokens
            )
            for candidate in candidates
        }

    def _standing(
        self, candidate: Candidate, sheet: PriceSheet | None, input_tokens: int, output_tokens: int
    ) -> Standing:
        deployment, target, now_s = candidate.deployment, candidate.target, time.monotonic()
        patient = self._health.patient(deployment, target.model)
        return Standing(
            breaker=patient.breaker.state(now_s),
            allowed=patient.breaker.allows(now_s),
            resting=not self._health.awake(deployment, target.model),
            full=patient.is_full(target, self._health.workers(), now_s),
            in_flight=patient.health.in_flight,
            first_token_s=patient.health.first_token_s,
            expected_s=patient.health.expected_s(output_tokens),
            error_rate=patient.health.error_rate(now_s),
            cost=cost_of(sheet, input_tokens, output_tokens),
            context_tokens=target.context_tokens or (sheet.context_tokens if sheet is not None else 0),
        )

    def _exchange(self, inbound: Inbound, principal: Principal, call: Call, route: Route, found: Plan) -> Exchange:
        fault: TollwayError | None = None
        for place, step in enumerate(found.steps, 1):
            try:
                target = target_of(
                    step.candidate,
                    inbound=inbound,
                    principal=principal,
                    call=call,
                    prices=self._live.price_book,
                    health=self._health,
                )
            except TollwayError as error:
                fault = fault or error
                continue
            return Exchange(
                inbound=inbound,
                principal=principal,
                call=call,
                target=target,
                route=route,
                steps=found.steps[place:],
                shadow=found.shadow,
            )
        raise fault or nobody_can(call.model, found)


def asked_by(call: Call, principal: Principal, route: Route) -> Asked:
    """The request as routing looks at it; only what this route asks for is found out."""
    choosy = bool(route.rules) or any(target.capabilities is not None for target in route.targets)
    return Asked(
        model=call.model,
        project_id=principal.project_id,
        key_id=principal.origin_id or principal.key_id,
        tags=call.tags,
        needs=needs_of(call) if choosy else frozenset(),
        prompt_tokens=prompt_tokens(call),
        sticky=sticky_key(call, route.sticky, project_id=principal.project_id, key_id=principal.key_id),
        at_s=time.time(),
    )


def sheet_of(candidate: Candidate, organization_id: str, prices: PriceBook) -> PriceSheet | None:
    """The prices of a target."""
    return prices.sheet(
        candidate.deployment.price_provider,
        candidate.target.model,
        organization_id=organization_id,
        provider_name=candidate.deployment.name,
        at=time.time(),
    )


def cost_of(sheet: PriceSheet | None, input_tokens: int, output_tokens: int) -> int | None:
    """What so many tokens cost, in pico-dollars; ``None`` if that is not known."""
    if sheet is None or "input" not in sheet.rates:
        return None
    output = sheet.rates.get("output")
    return charge(input_tokens, sheet.rates["input"].price) + (
        charge(output_tokens, output.price) if output is not None else 0
    )


def nobody_can(model: str, found: Plan) -> UnsupportedFieldError:
    """No target of the route is left."""
    reasons = "; ".join(f"{candidate.target.name}: {reason}" for candidate, reason in found.left_out)
    return UnsupportedFieldError(
        f"No deployment behind {model[:200]!r} takes this request. {reasons}",
        next_step="Ask for less, or have an administrator change the route; `tollway route explain` tells how it is "
        "planned.",
        param="model",
    )
