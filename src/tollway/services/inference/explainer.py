"""Say how a request would be planned. Everything is in memory."""

import random
import time

from tollway.identity.principal import Principal, Scope
from tollway.ledger.price import PriceSheet
from tollway.routing.breaker import BreakerState
from tollway.routing.explain import ExplainedAttempt, Explanation, LeftOut, Question
from tollway.routing.needs import sticky_name
from tollway.routing.plan import Asked, Standing, Step, order
from tollway.routing.resolve import Candidate, resolve
from tollway.routing.route import Capability, Hedge, Route
from tollway.services.inference.planner import Planner, cost_of, sheet_of
from tollway.services.live_catalog import LiveCatalog
from tollway.services.live_health import LiveHealth, credential_ids

_MS_PER_S = 1_000


class Explainer:
    """Explains the routes of one worker."""

    def __init__(self, live: LiveCatalog, health: LiveHealth, planner: Planner) -> None:
        self._live = live
        self._health = health
        self._planner = planner

    async def catch_up(self) -> None:
        """Read again what may have changed a moment ago: see `LiveCatalog.catch_up`."""
        await self._live.catch_up()

    def explain(self, question: Question) -> Explanation:
        """Which attempts a request would lead to, and why.

        Raises:
            ModelNotFoundError, ModelNotAllowedError, ProviderSealedError: see `tollway.routing.resolve`.
            NotReadyError: this worker has not read its configuration yet.
        """
        prices = self._live.price_book
        route, candidates = resolve(question.model, _principal(question), self._live.catalog)
        asked = _asked(question, route)
        standings = self._planner.standings(
            candidates, question.organization_id, asked, output_tokens=question.output_tokens
        )
        plan = order(route, candidates, asked, standings, random.Random(question.seed).random)  # noqa: S311 -- repeats
        attempts = tuple(
            self._attempt(
                step,
                standings[step.candidate.target.name],
                sheet_of(step.candidate, question.organization_id, prices),
                question,
            )
            for step in plan.steps
        )
        return Explanation(
            model=question.model,
            is_alias=(question.project_id, question.model) in self._live.catalog.aliases,
            strategy=route.strategy,
            sticky=route.sticky,
            rule=plan.rule,
            attempts=attempts,
            left_out=(
                *[LeftOut(candidate.target.name, reason) for candidate, reason in plan.left_out],
                *_unreachable(route, candidates),
            ),
            attempts_max=route.retry.attempts,
            timeout_s=route.timeout_s,
            hedged=self._hedged(route.hedge, plan.steps, stream=question.stream),
            shadow=f"{route.shadow.target}, {route.shadow.percent:g} %" if route.shadow is not None else "",
        )

    def _attempt(
        self, step: Step, standing: Standing, sheet: PriceSheet | None, question: Question
    ) -> ExplainedAttempt:
        target, deployment = step.candidate.target, step.candidate.deployment
        patient = self._health.patient(deployment, target.model)
        health, rates = patient.health, sheet.rates if sheet is not None else {}
        every = len(credential_ids(deployment))
        return ExplainedAttempt(
            provider=target.provider,
            model=target.model,
            region=target.region,
            reason=step.reason,
            breaker=standing.breaker.value,
            first_token_ms=_ms(health.first_token_s),
            token_ms=_ms(health.token_s),
            expected_ms=_ms(standing.expected_s) if standing.breaker is not BreakerState.OPEN else None,
            in_flight=standing.in_flight,
            error_rate=health.error_rate(time.monotonic()),
            input_price=rates["input"].price if "input" in rates else None,
            output_price=rates["output"].price if "output" in rates else None,
            expected_cost=cost_of(sheet, question.prompt_tokens, question.output_tokens),
            credentials=every,
            credentials_resting=every - len(self._health.awake(deployment, target.model)),
        )

    def _hedged(self, hedge: Hedge | None, steps: tuple[Step, ...], *, stream: bool) -> str:
        if hedge is None or len(steps) < 2:  # noqa: PLR2004 -- it takes two
            return ""
        first, second = steps[0].candidate, steps[1].candidate
        late_s = self._health.patient(first.deployment, first.target.model).health.late_s(
            hedge.percentile, stream=stream
        )
        after_ms = hedge.after_ms if hedge.after_ms is not None else _ms(late_s)
        when = f"after {after_ms:.0f} ms" if after_ms is not None else "not yet: too few requests were measured"
        return f"{second.target.name}, {when}"


def _principal(question: Question) -> Principal:
    return Principal(
        question.key_id,
        question.organization_id,
        question.project_id,
        "explain",
        frozenset({Scope.INFERENCE}),
        allowed_models=question.allowed_models,
    )


def _asked(question: Question, route: Route) -> Asked:
    needs = frozenset(question.needs) | ({Capability.STREAMING} if question.stream else set())
    return Asked(
        model=question.model,
        project_id=question.project_id,
        key_id=question.key_id,
        tags=question.tags,
        needs=needs,
        prompt_tokens=question.prompt_tokens,
        sticky=sticky_name(
            route.sticky,
            project_id=question.project_id,
            key_id=question.key_id or question.project_id,
            user_tag=question.user_tag,
            conversation=question.conversation or question.model,
        ),
        at_s=time.time() if question.at_s is None else question.at_s,
    )


def _unreachable(route: Route, candidates: tuple[Candidate, ...]) -> list[LeftOut]:
    reached = {candidate.target.name for candidate in candidates}
    reason = "its provider or model is not there, or the key may not use it, or its credential cannot be opened"
    return [LeftOut(target.name, reason) for target in route.targets if target.name not in reached]


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * _MS_PER_S
