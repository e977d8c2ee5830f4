"""How providers do, in this worker's memory: what it sees itself, and what the other workers tell.

Workers tell each other by PostgreSQL's ``NOTIFY``, without a table: what is lost is learnt anew within seconds.
"""

import asyncio
import random
import time
from collections.abc import Callable

import msgspec
import structlog

from tollway.data.changes import Change, announce
from tollway.data.session import Database
from tollway.errors import DatabaseUnavailableError
from tollway.ledger.usage import Usage
from tollway.ledger.window import SECOND_US
from tollway.routing.breaker import TROUBLE, Breaker, Rests, rest_s, rests_for_all_models
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure, FailureKind
from tollway.routing.health import Health, Latency
from tollway.routing.route import RouteTarget

NOUN = "health"
_PATIENTS_MAX = 10_000
"""Deployments in memory, at about a kilobyte each; callers choose the models of some providers."""
_MODEL_MAX_CHARS = 512
"""Of longer names nothing is told: an announcement holds a few kilobytes."""
_GATHER_S = 0.05
"""News that come together are told together."""
_LATENCY_INTERVAL_S = 10.0
_TOLD_MAX = 50
_MINUTE_S = 60
_NOT_TOLD_BELOW_S = 1.0
"""Shorter rests are over when others hear of them."""
_UNDECIDED = frozenset({FailureKind.RATE_LIMITED, FailureKind.EXHAUSTED, FailureKind.CREDENTIAL})
"""Failures that say nothing about whether the deployment is well."""

_log = structlog.get_logger(__name__)


class News(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What one worker tells of a deployment; its provider is the id of the announcement.

    Attributes:
        worker_id: who tells.
        model: of the deployment.
        open_s: for how many seconds its breaker has opened; 0: it has closed; ``None``: neither.
        credential_id: a credential that rests, empty if none does.
        rest_s: for how many seconds.
        all_models: whether it rests for all models.
        latency: what was measured.
    """

    worker_id: str
    model: str
    open_s: float | None = None
    credential_id: str = ""
    rest_s: float = 0.0
    all_models: bool = False
    latency: Latency | None = None


_decode = msgspec.json.Decoder(News).decode


class Patient:
    """One model of one provider.

    Attributes:
        health: how fast and reliable it is.
        breaker: whether it is asked.
        minute, requests, tokens: what this worker sent there in that minute (of the monotonic clock).
        forgotten: whether another one may have taken its place.
    """

    __slots__ = ("breaker", "forgotten", "health", "minute", "model", "provider_id", "requests", "tokens")

    def __init__(self, provider_id: str, model: str) -> None:
        self.provider_id = provider_id
        self.model = model
        self.health = Health()
        self.breaker = Breaker()
        self.minute = self.requests = self.tokens = 0
        self.forgotten = False

    def began(self, now_s: float) -> None:
        """A request is sent there."""
        self.health.in_flight += 1
        self.breaker.began(now_s)
        minute = int(now_s) // _MINUTE_S
        if minute != self.minute:
            self.minute, self.requests, self.tokens = minute, 0, 0
        self.requests += 1

    def is_full(self, target: RouteTarget, workers: int, now_s: float) -> bool:
        """Whether this worker's share of the target's limits is used up."""
        if target.parallel is not None and self.health.in_flight >= max(target.parallel // workers, 1):
            return True
        if int(now_s) // _MINUTE_S != self.minute:
            return False
        requests, tokens = target.requests_per_minute, target.tokens_per_minute
        return (requests is not None and self.requests * workers >= requests) or (
            tokens is not None and self.tokens * workers >= tokens
        )


class LiveHealth:
    """All deployments, as one worker sees them."""

    def __init__(self, database: Database, worker_id: str, *, workers: Callable[[], int]) -> None:
        """Args: workers: how many live, this one among them."""
        self._database = database
        self._worker_id = worker_id
        self._patients: dict[tuple[str, str], Patient] = {}
        self._rests = Rests()
        self._secrets: dict[str, int] = {}
        self._turns: dict[str, int] = {}
        self._news: list[tuple[str, News]] = []
        self._stir = asyncio.Event()
        self.workers = workers

    def patient(self, deployment: Deployment, model: str) -> Patient:
        """One deployment; new ones are well."""
        key = (deployment.provider_id, model)
        found = self._patients.get(key)
        if found is None:
            if len(self._patients) >= _PATIENTS_MAX:
                self._patients.pop(next(iter(self._patients))).forgotten = True
            found = self._patients[key] = Patient(*key)
        return found

    # --- credentials ------------------------------------------------------------------------------------

    def awake(self, deployment: Deployment, model: str) -> list[str]:
        """Ids of the credentials that do not rest."""
        self._forget_old_rests(deployment)
        now_s = time.monotonic()
        return [id_ for id_ in credential_ids(deployment) if not self._rests.is_resting(id_, model, now_s)]

    def with_credential(self, deployment: Deployment, model: str) -> tuple[Deployment, str]:
        """The deployment with the credential whose turn it is, and that one's id; one that rests if all do."""
        if not deployment.credentials:
            return deployment, deployment.provider_id
        ids = self.awake(deployment, model) or credential_ids(deployment)
        turn = self._turns[deployment.provider_id] = self._turns.get(deployment.provider_id, -1) + 1
        chosen = ids[turn % len(ids)]
        for credential in deployment.credentials:
            if credential.id == chosen:
                return msgspec.structs.replace(deployment, credential=credential.secret), chosen
        return deployment, chosen

    def _forget_old_rests(self, deployment: Deployment) -> None:
        """A credential that was replaced rests no more."""
        secrets = hash((deployment.credential, *(each.secret for each in deployment.credentials)))
        if self._secrets.get(deployment.provider_id, secrets) != secrets:
            for id_ in credential_ids(deployment):
                self._rests.wake(id_)
        self._secrets[deployment.provider_id] = secrets

    # --- what happens to requests -----------------------------------------------------------------------

    def answered(
        self, patient: Patient, usage: Usage | None, waited_us: int, duration_us: int, *, stream: bool
    ) -> None:
        """A request was answered.

        Args:
            patient: by whom.
            usage: what was counted, ``None`` if nothing was.
            waited_us: microseconds until the first token of a stream, or until the whole reply.
            duration_us: until the end.
            stream: whether it was a stream.
        """
        output_tokens = 0
        if usage is not None:
            output_tokens = usage.output_total
            patient.tokens += usage.input_total + output_tokens
        patient.health.answered(waited_us / SECOND_US, duration_us / SECOND_US, output_tokens, stream=stream)
        if not patient.health.is_spotless:  # by far the most are
            self._recovered(patient)

    def _recovered(self, patient: Patient) -> None:
        now_s = time.monotonic()
        patient.health.ended(now_s, failed=False)
        if patient.breaker.succeeded(now_s):
            _log.info("breaker_closed", provider_id=patient.provider_id, model=patient.model)
            self._tell(patient.provider_id, News(self._worker_id, patient.model, open_s=0.0))

    def failed(self, patient: Patient, failure: Failure, credential_id: str) -> None:
        """A request was not answered."""
        now_s = time.monotonic()
        patient.health.ended(now_s, failed=failure.kind in TROUBLE)
        if failure.kind in TROUBLE:
            open_s = patient.breaker.failed(now_s, random.random())  # noqa: S311 -- spreads probes, hides nothing
            if open_s:
                _log.warning(
                    "breaker_opened", provider_id=patient.provider_id, model=patient.model, seconds=round(open_s, 1)
                )
                self._tell(patient.provider_id, News(self._worker_id, patient.model, open_s=open_s))
        elif failure.kind in _UNDECIDED:
            patient.breaker.released()
        elif patient.breaker.succeeded(now_s):  # it answered: the fault is the request's
            self._tell(patient.provider_id, News(self._worker_id, patient.model, open_s=0.0))
        seconds = rest_s(failure)
        if seconds:
            all_models = rests_for_all_models(failure)
            self._rests.sweep(now_s)
            self._rests.rest(credential_id, "" if all_models else patient.model, now_s + seconds)
            if seconds >= _NOT_TOLD_BELOW_S:
                told = News(self._worker_id, patient.model, None, credential_id, seconds, all_models)
                self._tell(patient.provider_id, told)

    # --- other workers ----------------------------------------------------------------------------------

    def hear(self, change: Change) -> None:
        """Take in what another worker tells; what cannot be understood (a newer version told it) is nothing."""
        try:
            news = _decode(change.detail or b"")
        except msgspec.DecodeError:
            return
        if news.worker_id == self._worker_id:
            return
        now_s = time.monotonic()
        if news.credential_id:
            model = "" if news.all_models else news.model
            self._rests.rest(news.credential_id, model, now_s + news.rest_s)
        if news.open_s is None and news.latency is None:
            return
        key = (change.id, news.model)
        patient = self._patients.get(key)
        if patient is None:
            if len(self._patients) >= _PATIENTS_MAX:
                return
            patient = self._patients[key] = Patient(*key)
        if news.open_s:
            patient.health.ended(now_s, failed=True)
            patient.breaker.open(now_s, news.open_s)
        elif news.open_s is not None:
            patient.breaker.close()
        if news.latency is not None:
            patient.health.learn(news.latency)

    async def run(self) -> None:
        """Tell other workers until cancelled."""
        latencies_due_s = time.monotonic() + _LATENCY_INTERVAL_S
        while True:
            left_s = latencies_due_s - time.monotonic()
            try:
                async with asyncio.timeout(max(left_s, 0)):
                    await self._stir.wait()
                await asyncio.sleep(_GATHER_S)
            except TimeoutError:
                latencies_due_s = time.monotonic() + _LATENCY_INTERVAL_S
                self._add_latencies()
            self._stir.clear()
            news, self._news = self._news, []
            if news and self.workers() > 1:
                await self._announce(news)

    async def _announce(self, news: list[tuple[str, News]]) -> None:
        try:
            async with self._database.write() as session, session.begin():
                for provider_id, each in news:
                    await announce(session, Change(NOUN, provider_id, msgspec.json.encode(each)))
        except DatabaseUnavailableError:
            pass  # the others find out by themselves

    def _add_latencies(self) -> None:
        for patient in self._patients.values():
            if patient.health.news and len(self._news) < _TOLD_MAX:
                patient.health.news = 0
                told = News(self._worker_id, patient.model, latency=patient.health.latency)
                self._tell(patient.provider_id, told)

    def _tell(self, provider_id: str, news: News) -> None:
        if provider_id and len(news.model) <= _MODEL_MAX_CHARS and len(self._news) < 2 * _TOLD_MAX:
            self._news.append((provider_id, news))
            self._stir.set()


def credential_ids(deployment: Deployment) -> list[str]:
    """Ids of all credentials of a provider; its own has the provider's."""
    own = [deployment.provider_id] if deployment.credential or not deployment.credentials else []
    return own + [each.id for each in deployment.credentials]
