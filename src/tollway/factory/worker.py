"""Builds the data plane of a worker."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tollway.cache.store import open_store
from tollway.constants import (
    COUNTS_OWN_MAX,
    COUNTS_WAITING_MAX,
    LEASE_CONNECTIONS,
    LEASE_TIMEOUT_S,
    RUN_SPARE_S,
)
from tollway.data.session import Database, create_engine
from tollway.factory.control import Factory
from tollway.providers.sign_in.sign_in import SignIn
from tollway.providers.transport import Transport
from tollway.routing.catalog import Catalog
from tollway.services.authenticate import Authenticator
from tollway.services.batch_meter import BatchMeter
from tollway.services.catalog_load import CatalogLoad
from tollway.services.change_feed import ChangeFeed
from tollway.services.content_seal import ContentSeal
from tollway.services.conversation_change import ConversationChange
from tollway.services.conversation_find import ConversationFind
from tollway.services.conversation_lock import ConversationLocks
from tollway.services.database_clock import DatabaseClock
from tollway.services.dialogue_load import DialogueLoad
from tollway.services.idempotency_claims import IdempotencyClaims
from tollway.services.idempotency_endings import IdempotencyEndings
from tollway.services.inference.ask import Asker
from tollway.services.inference.attempts import Attempts
from tollway.services.inference.background import Backgrounds
from tollway.services.inference.cached import ResponseCache
from tollway.services.inference.context_tokens import ContextTokens
from tollway.services.inference.dialogues import Dialogues
from tollway.services.inference.explainer import Explainer
from tollway.services.inference.fair_thread import FairThread
from tollway.services.inference.hedge import Hedger
from tollway.services.inference.holder import Holder
from tollway.services.inference.idempotent import Idempotent
from tollway.services.inference.pipeline import Pipeline
from tollway.services.inference.places import Places
from tollway.services.inference.planner import Planner
from tollway.services.inference.record import Journal, Observer, Recorder
from tollway.services.inference.shadow import Shadows
from tollway.services.inference.visits import Visits
from tollway.services.key_lookup import KeyLookup
from tollway.services.leases.exchange import LeaseExchange
from tollway.services.leases.keeper import LeaseKeeper
from tollway.services.live_catalog import LiveCatalog
from tollway.services.live_health import LiveHealth
from tollway.services.object_exchange import ObjectExchange, spec_of
from tollway.services.object_owners import ObjectOwners
from tollway.services.provider_objects import ProviderObjects
from tollway.services.quota_load import QuotaLoad
from tollway.services.response_events import ResponseEvents
from tollway.services.response_find import ResponseFind
from tollway.services.response_remove import ResponseRemove
from tollway.services.response_store import ResponseStore

_COUNTED = "their tokens to be counted here"


@dataclass(frozen=True)
class Inference:
    """The parts of the data plane of one worker."""

    authenticator: Authenticator
    cache: ResponseCache
    dialogues: Dialogues
    health: LiveHealth
    idempotency_endings: IdempotencyEndings
    idempotent: Idempotent
    leases: LeaseKeeper
    live: LiveCatalog
    owners: ObjectOwners
    pipeline: Pipeline
    places: Places
    recorder: Recorder
    shadows: Shadows
    sign_in: SignIn
    transport: Transport
    visits: Visits


def _forget(transport: Transport, sign_in: SignIn, catalog: Catalog) -> None:
    """Forget credentials that are not in use any more."""
    transport.forget()
    sign_in.retain((each, spec_of(each)) for each in catalog.deployments.values())


class WorkerFactory(Factory):
    """Builds what serves requests as well: all that a worker needs."""

    def lease_keeper(self, worker_id: str) -> LeaseKeeper:
        """Keeps a worker's leases."""
        return LeaseKeeper(self.lease_exchange(worker_id), QuotaLoad(self._context.database).load)

    def lease_exchange(self, worker_id: str) -> LeaseExchange:
        """Exchanges a worker's leases, over connections of its own: nothing else can hold an exchange up."""
        url = self._context.settings.storage.database_url
        engine = create_engine(
            url.get_secret_value() if url else "", pool_size=LEASE_CONNECTIONS, timeout_s=LEASE_TIMEOUT_S / 2
        )
        return LeaseExchange(Database(engine), worker_id, DatabaseClock())

    def inference(self, journal: Journal, observer: Observer, worker_id: str) -> Inference:
        """What serves the data plane of one worker.

        Args:
            journal: takes the records.
            observer: told of every request.
            worker_id: name of the journal's directory.
        """
        context, limits = self._context, self._context.settings.limits
        authenticator = Authenticator(context.secret_keys.pepper, KeyLookup(context.database).find)
        leases = self.lease_keeper(worker_id)
        health = LiveHealth(context.database, worker_id, workers=lambda: leases.workers)
        transport = Transport(limits)
        sign_in = SignIn()
        live = self._live_catalog(authenticator, leases, health, partial(_forget, transport, sign_in))
        planner = Planner(live, health)
        self.explainer = Explainer(live, health, planner)
        recorder = Recorder(journal, live, observer)
        places = Places(limits.max_concurrent_requests)
        owners = ObjectOwners(context.database, FairThread("bodies"))
        counting = FairThread("count", what=_COUNTED, waiting_max=COUNTS_WAITING_MAX, own_waiting_max=COUNTS_OWN_MAX)
        holder = Holder(leases, live, counting, limits)
        cache = self._response_cache(recorder, holder)
        asker = Asker(transport, sign_in, counting, max_reply_bytes=limits.max_reply_bytes)
        shadows = Shadows(planner)
        attempts = Attempts(
            asker=asker,
            hedger=Hedger(asker, planner, health, holder, recorder),
            planner=planner,
            health=health,
            holder=holder,
            recorder=recorder,
            durable=journal.durable if context.settings.storage.durability == "fsync" else None,
        )
        pipeline = Pipeline(
            authenticator=authenticator,
            live=live,
            planner=planner,
            attempts=attempts,
            cache=cache,
            shadows=shadows,
            recorder=recorder,
            places=places,
            owners=owners,
        )
        endings = IdempotencyEndings(context.database)
        dialogues = self._dialogues(
            worker_id, pipeline=pipeline, authenticator=authenticator, places=places, live=live, counting=counting
        )
        idempotent = self._idempotent(
            endings, worker_id, pipeline=dialogues, authenticator=authenticator, places=places
        )
        return Inference(
            authenticator,
            cache,
            dialogues,
            health,
            endings,
            idempotent,
            leases,
            live,
            owners,
            pipeline,
            places,
            recorder,
            shadows,
            sign_in,
            transport,
            Visits(authenticator, places, holder),
        )

    def _live_catalog(
        self,
        authenticator: Authenticator,
        leases: LeaseKeeper,
        health: LiveHealth,
        forget: Callable[[Catalog], None],
    ) -> LiveCatalog:
        context = self._context
        url = context.settings.storage.database_url
        return LiveCatalog(
            load_catalog=CatalogLoad(context.database, context.vault).load,
            load_price_book=self.price_book_load.load,
            follow_quotas=leases.follow,
            listen=ChangeFeed(url.get_secret_value() if url else "").listen,
            authenticator=authenticator,
            hear_health=health.hear,
            forget=forget,
        )

    def _dialogues(
        self,
        worker_id: str,
        *,
        pipeline: Pipeline,
        authenticator: Authenticator,
        places: Places,
        live: LiveCatalog,
        counting: FairThread,
    ) -> Dialogues:
        database = self._context.database
        store = ResponseStore(database, self.content_seal())
        run_max_s = self._context.settings.limits.total_timeout_s + RUN_SPARE_S
        events = ResponseEvents(database, self.content_seal(), self.response_find(store))
        backgrounds = Backgrounds(
            pipeline=pipeline,
            store=store,
            events=events,
            remove=self.response_remove(store),
            database=database,
            worker_id=worker_id,
        )
        live.hear_response = backgrounds.follow
        return Dialogues(
            pipeline=pipeline,
            authenticator=authenticator,
            places=places,
            load=DialogueLoad(database, self.content_seal(), store),
            locks=ConversationLocks(database, worker_id, run_max_s=run_max_s),
            store=store,
            events=events,
            backgrounds=backgrounds,
            counting=counting,
            context_tokens=ContextTokens(live).of,
        )

    def _response_cache(self, recorder: Recorder, holder: Holder) -> ResponseCache:
        settings = self._context.settings.cache
        url = settings.redis_url
        store = open_store(url.get_secret_value() if url else None, max_bytes=settings.cache_max_bytes)
        return ResponseCache(store, recorder=recorder, holder=holder, entry_max_bytes=settings.cache_entry_max_bytes)

    def _idempotent(
        self,
        endings: IdempotencyEndings,
        worker_id: str,
        *,
        pipeline: Dialogues,
        authenticator: Authenticator,
        places: Places,
    ) -> Idempotent:
        limits = self._context.settings.limits
        claims = IdempotencyClaims(
            self._context.database,
            self.content_seal(),
            endings,
            worker_id,
            run_max_s=limits.total_timeout_s + RUN_SPARE_S,
            connections=max(1, self._context.settings.storage.database_pool_size // 2),
        )
        return Idempotent(
            pipeline=pipeline,
            authenticator=authenticator,
            places=places,
            claims=claims,
            max_bytes=limits.idempotency_max_bytes,
        )

    def content_seal(self) -> ContentSeal:
        """Seals what is kept of dialogues."""
        return ContentSeal(self._context.vault)

    def conversation_change(self) -> ConversationChange:
        """Creates, changes and deletes conversations."""
        return ConversationChange(self._context.database, self.content_seal())

    def conversation_find(self) -> ConversationFind:
        """Finds conversations."""
        return ConversationFind(self._context.database, self.content_seal())

    def response_find(self, store: ResponseStore) -> ResponseFind:
        """Finds responses."""
        return ResponseFind(self._context.database, self.content_seal(), store)

    def response_remove(self, store: ResponseStore) -> ResponseRemove:
        """Deletes and cancels responses."""
        return ResponseRemove(self._context.database, store)

    def provider_objects(self, inference: Inference) -> ProviderObjects:
        """Serves files and batches that providers keep."""
        max_reply_bytes = self._context.settings.limits.max_reply_bytes
        exchange = ObjectExchange(
            inference.live, inference.transport, inference.sign_in, max_reply_bytes=max_reply_bytes
        )
        files = FairThread("files")  # not that of requests: a file of a batch may take seconds
        meter = BatchMeter(inference.live, inference.leases, inference.recorder, files)
        return ProviderObjects(
            database=self._context.database,
            exchange=exchange,
            meter=meter,
            keeper=inference.leases,
            owners=inference.owners,
            files=files,
        )
