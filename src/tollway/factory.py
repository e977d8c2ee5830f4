"""Process singletons in one frozen dataclass, and the factory that builds each service from them.

The web app, the command line, the jobs and the tests all build services here, so that a service is wired the same way
wherever it runs.
"""

from dataclasses import dataclass
from functools import cached_property

from tollway.cache.store import open_store
from tollway.config import Settings
from tollway.constants import IDEMPOTENCY_SPARE_S, LEASE_TIMEOUT_S
from tollway.data.session import Database, create_engine
from tollway.identity.vault import SecretKeys, Vault
from tollway.journal.segment import QUARANTINE_DIRECTORY, journal_directory
from tollway.journal.sent import SentSegments
from tollway.providers.plugins import install_plugins
from tollway.providers.sign_in.sign_in import SignIn
from tollway.providers.transport import Transport
from tollway.services.alias_list import AliasList
from tollway.services.alias_put import AliasPut
from tollway.services.alias_remove import AliasRemove
from tollway.services.audit_list import AuditList
from tollway.services.authenticate import Authenticator
from tollway.services.batch_meter import BatchMeter
from tollway.services.catalog_load import CatalogLoad
from tollway.services.change_feed import ChangeFeed
from tollway.services.content_seal import ContentSeal
from tollway.services.conversation_change import ConversationChange
from tollway.services.conversation_find import ConversationFind
from tollway.services.conversation_lock import ConversationLocks
from tollway.services.database_check import DatabaseCheck
from tollway.services.database_clock import DatabaseClock
from tollway.services.dialogue_load import DialogueLoad
from tollway.services.drain import Drain
from tollway.services.first_start import FirstStart
from tollway.services.idempotency_claims import IdempotencyClaims
from tollway.services.idempotency_endings import IdempotencyEndings
from tollway.services.inference.ask import Asker
from tollway.services.inference.attempts import Attempts
from tollway.services.inference.background import Backgrounds
from tollway.services.inference.cached import ResponseCache
from tollway.services.inference.context_tokens import ContextTokens
from tollway.services.inference.counting import Counting
from tollway.services.inference.dialogues import Dialogues
from tollway.services.inference.explainer import Explainer
from tollway.services.inference.hedge import Hedger
from tollway.services.inference.holder import Holder
from tollway.services.inference.idempotent import Idempotent
from tollway.services.inference.pipeline import Pipeline
from tollway.services.inference.places import Places
from tollway.services.inference.planner import Planner
from tollway.services.inference.record import Journal, Observer, Recorder
from tollway.services.inference.shadow import Shadows
from tollway.services.inference.visits import Visits
from tollway.services.key_issue import KeyIssue
from tollway.services.key_list import KeyList
from tollway.services.key_lookup import KeyLookup
from tollway.services.key_revoke import KeyRevoke
from tollway.services.key_rotate import KeyRotate
from tollway.services.lease_exchange import LeaseExchange
from tollway.services.lease_keeper import LeaseKeeper
from tollway.services.ledger_audit import LedgerAudit
from tollway.services.ledger_explain import LedgerExplain
from tollway.services.ledger_query import LedgerQuery
from tollway.services.ledger_store import LedgerStore
from tollway.services.live_catalog import LiveCatalog
from tollway.services.live_health import LiveHealth
from tollway.services.machine_providers import MachineProviders
from tollway.services.model_declare import ModelDeclare
from tollway.services.model_list import ModelList
from tollway.services.model_remove import ModelRemove
from tollway.services.object_exchange import ObjectExchange
from tollway.services.object_owners import ObjectOwners
from tollway.services.organization_change import OrganizationChange
from tollway.services.organization_create import OrganizationCreate
from tollway.services.organization_delete import OrganizationDelete
from tollway.services.organization_list import OrganizationList
from tollway.services.price_book_load import PriceBookLoad
from tollway.services.price_list import PriceList
from tollway.services.price_override_list import PriceOverrideList
from tollway.services.price_override_put import PriceOverridePut
from tollway.services.price_override_remove import PriceOverrideRemove
from tollway.services.project_archive import ProjectArchive
from tollway.services.project_change import ProjectChange
from tollway.services.project_create import ProjectCreate
from tollway.services.project_list import ProjectList
from tollway.services.provider_change import ProviderChange
from tollway.services.provider_credentials import ProviderCredentials
from tollway.services.provider_list import ProviderList
from tollway.services.provider_objects import ProviderObjects
from tollway.services.provider_register import ProviderRegister
from tollway.services.provider_remove import ProviderRemove
from tollway.services.purge import Purge
from tollway.services.quota_change import QuotaChange
from tollway.services.quota_list import QuotaList
from tollway.services.quota_load import QuotaLoad
from tollway.services.quota_put import QuotaPut
from tollway.services.resend import Resend
from tollway.services.response_events import ResponseEvents
from tollway.services.response_find import ResponseFind
from tollway.services.response_remove import ResponseRemove
from tollway.services.response_store import ResponseStore
from tollway.services.route_explain import RouteExplain
from tollway.services.route_report import RouteReports
from tollway.services.secret_keys import load_secret_keys
from tollway.services.usage_query import UsageQuery
from tollway.services.webhook_change import WebhookChange
from tollway.services.webhook_list import WebhookList
from tollway.services.webhook_send import WEBHOOK_TIMEOUTS, WebhookSend
from tollway.services.worker_give_up import WorkerGiveUp
from tollway.services.worker_list import WorkerList
from tollway.services.worker_release import WorkerRelease

_LEASE_CONNECTIONS = 2
"""One that exchanges; the other where the first was given up."""


@dataclass(frozen=True)
class ProcessContext:
    """What lives as long as the process."""

    settings: Settings
    database: Database
    secret_keys: SecretKeys
    vault: Vault

    @classmethod
    def create(cls, settings: Settings) -> "ProcessContext":
        """Open what the settings describe. Connects to nothing yet.

        Raises:
            ValueError: no database URL is set (the supervisor sets it for its children), or two provider plugins clash.
        """
        install_plugins()
        url = settings.storage.database_url
        if url is None:
            message = "No database: set TOLLWAY_DATABASE_URL, or start Tollway with `tollway serve`."
            raise ValueError(message)
        engine = create_engine(
            url.get_secret_value(),
            pool_size=settings.storage.database_pool_size,
            timeout_s=settings.storage.database_timeout_s,
        )
        secret_keys = load_secret_keys(settings.secrets, settings.storage.data_dir)
        return cls(
            settings=settings, database=Database(engine), secret_keys=secret_keys, vault=Vault(secret_keys.master)
        )

    async def aclose(self) -> None:
        """Close what was opened."""
        await self.database.close()


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


class Factory:
    """Builds services. One method a service, named as the service's file.

    Attributes:
        explainer: of the routes of this process; ``None`` if it is no worker.
    """

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self.explainer: Explainer | None = None

    def database_check(self) -> DatabaseCheck:
        """Asks whether the database answers."""
        return DatabaseCheck(self._context.database)

    def drain(self) -> Drain:
        """Brings the journals of the data directory into the ledger."""
        storage = self._context.settings.storage
        store = LedgerStore(self._context.database, quarantine=storage.data_dir / QUARANTINE_DIRECTORY)
        sent = SentSegments(journal_directory(storage.data_dir), window_s=storage.recovery_window_s)
        release, batch_entries = self.worker_release(), storage.drain_batch_entries
        resend = Resend(self._context.database, store, release, sent, batch_entries=batch_entries)
        return Drain(store, release, resend, storage.data_dir, batch_entries=batch_entries)

    def purge(self) -> Purge:
        """Removes what counts no more."""
        return Purge(self._context.database)

    def worker_release(self) -> WorkerRelease:
        """Gives up workers that are gone."""
        return WorkerRelease(self._context.database)

    def lease_keeper(self, worker_id: str) -> LeaseKeeper:
        """Keeps a worker's leases."""
        return LeaseKeeper(self.lease_exchange(worker_id), QuotaLoad(self._context.database).load)

    def lease_exchange(self, worker_id: str) -> LeaseExchange:
        """Exchanges a worker's leases, over connections of its own: nothing else can hold an exchange up."""
        url = self._context.settings.storage.database_url
        engine = create_engine(
            url.get_secret_value() if url else "", pool_size=_LEASE_CONNECTIONS, timeout_s=LEASE_TIMEOUT_S / 2
        )
        return LeaseExchange(Database(engine), worker_id, DatabaseClock())

    def webhook_send(self) -> WebhookSend:
        """Delivers events to webhooks."""
        limits = self._context.settings.limits.model_copy(update=WEBHOOK_TIMEOUTS)
        return WebhookSend(self._context.database, self._context.vault, Transport(limits))

    def ledger_query(self) -> LedgerQuery:
        """Finds entries."""
        return LedgerQuery(self._context.database)

    def ledger_explain(self) -> LedgerExplain:
        """Shows the arithmetic of a charge."""
        return LedgerExplain(self.ledger_query())

    def ledger_audit(self) -> LedgerAudit:
        """Compares rollups and charges with the entries."""
        return LedgerAudit(self._context.database)

    def usage_query(self) -> UsageQuery:
        """Sums usage."""
        return UsageQuery(self._context.database)

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
        live = self._live_catalog(authenticator, leases, health, transport)
        planner = Planner(live, health)
        self.explainer = Explainer(live, health, planner)
        recorder = Recorder(journal, live, observer)
        sign_in = SignIn()
        places = Places(limits.max_concurrent_requests)
        owners = ObjectOwners(context.database)
        counting = Counting()
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
        self, authenticator: Authenticator, leases: LeaseKeeper, health: LiveHealth, transport: Transport
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
            forget=transport.forget,
        )

    def _dialogues(
        self,
        worker_id: str,
        *,
        pipeline: Pipeline,
        authenticator: Authenticator,
        places: Places,
        live: LiveCatalog,
        counting: Counting,
    ) -> Dialogues:
        database = self._context.database
        store = ResponseStore(database, self.content_seal())
        run_max_s = self._context.settings.limits.total_timeout_s + IDEMPOTENCY_SPARE_S
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
            endings,
            worker_id,
            run_max_s=limits.total_timeout_s + IDEMPOTENCY_SPARE_S,
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
        meter = BatchMeter(inference.live, inference.leases, inference.recorder)
        return ProviderObjects(self._context.database, exchange, meter, inference.leases, inference.owners)

    # --- the control plane ------------------------------------------------------------------------------

    @cached_property
    def price_book_load(self) -> PriceBookLoad:
        """Builds price books; one for the process, since it holds the base book."""
        return PriceBookLoad(self._context.database, self._context.settings.storage.data_dir)

    def authenticator_uncached(self) -> Authenticator:
        """Checks keys against the database itself: a new one, so that nothing is remembered."""
        return Authenticator(self._context.secret_keys.pepper, KeyLookup(self._context.database).find)

    def alias_list(self) -> AliasList:
        """Finds aliases."""
        return AliasList(self._context.database)

    def alias_put(self) -> AliasPut:
        """Sets aliases."""
        return AliasPut(self._context.database)

    def alias_remove(self) -> AliasRemove:
        """Removes aliases."""
        return AliasRemove(self._context.database)

    def key_issue(self) -> KeyIssue:
        """Makes keys."""
        return KeyIssue(self._context.database, self._context.secret_keys.pepper)

    def key_list(self) -> KeyList:
        """Finds keys."""
        return KeyList(self._context.database)

    def key_revoke(self) -> KeyRevoke:
        """Revokes keys."""
        return KeyRevoke(self._context.database)

    def key_rotate(self) -> KeyRotate:
        """Rotates keys."""
        return KeyRotate(self._context.database, self._context.secret_keys.pepper)

    def model_declare(self) -> ModelDeclare:
        """Declares models."""
        return ModelDeclare(self._context.database)

    def model_list(self) -> ModelList:
        """Finds declared models."""
        return ModelList(self._context.database)

    def model_remove(self) -> ModelRemove:
        """Takes declarations back."""
        return ModelRemove(self._context.database)

    def organization_change(self) -> OrganizationChange:
        """Changes organizations."""
        return OrganizationChange(self._context.database)

    def organization_create(self) -> OrganizationCreate:
        """Creates organizations."""
        return OrganizationCreate(self._context.database)

    def organization_delete(self) -> OrganizationDelete:
        """Deletes organizations that were never used."""
        return OrganizationDelete(self._context.database)

    def organization_list(self) -> OrganizationList:
        """Finds organizations."""
        return OrganizationList(self._context.database)

    def price_list(self) -> PriceList:
        """Finds effective prices."""
        return PriceList(self._context.database, self.price_book_load)

    def price_override_list(self) -> PriceOverrideList:
        """Finds price overrides."""
        return PriceOverrideList(self._context.database)

    def price_override_put(self) -> PriceOverridePut:
        """Sets prices."""
        return PriceOverridePut(self._context.database)

    def price_override_remove(self) -> PriceOverrideRemove:
        """Removes price overrides."""
        return PriceOverrideRemove(self._context.database)

    def project_archive(self) -> ProjectArchive:
        """Archives projects."""
        return ProjectArchive(self._context.database)

    def project_change(self) -> ProjectChange:
        """Changes projects."""
        return ProjectChange(self._context.database)

    def project_create(self) -> ProjectCreate:
        """Creates projects."""
        return ProjectCreate(self._context.database)

    def project_list(self) -> ProjectList:
        """Finds projects."""
        return ProjectList(self._context.database)

    def first_start(self) -> FirstStart:
        """Fills an empty database."""
        context = self._context
        return FirstStart(
            context.database, pepper=context.secret_keys.pepper, data_dir=context.settings.storage.data_dir
        )

    def machine_providers(self) -> MachineProviders:
        """Registers the providers that this machine brings."""
        return MachineProviders(self._context.database, self._context.vault)

    def provider_change(self) -> ProviderChange:
        """Changes providers."""
        return ProviderChange(self._context.database, self._context.vault)

    def provider_credentials(self) -> ProviderCredentials:
        """Adds, rotates and removes further credentials of providers."""
        return ProviderCredentials(self._context.database, self._context.vault)

    def provider_list(self) -> ProviderList:
        """Finds providers."""
        return ProviderList(self._context.database)

    def provider_register(self) -> ProviderRegister:
        """Adds providers."""
        return ProviderRegister(self._context.database, self._context.vault)

    def route_explain(self) -> RouteExplain:
        """Says which attempts a request would lead to."""
        return RouteExplain(self._context.database, self.explainer)

    def route_reports(self) -> RouteReports:
        """Compares the targets of aliases."""
        return RouteReports(self._context.database)

    def provider_remove(self) -> ProviderRemove:
        """Removes providers."""
        return ProviderRemove(self._context.database)

    def quota_change(self) -> QuotaChange:
        """Changes, resets and removes budgets and limits."""
        return QuotaChange(self._context.database)

    def quota_list(self) -> QuotaList:
        """Finds budgets and limits."""
        return QuotaList(self._context.database)

    def quota_put(self) -> QuotaPut:
        """Sets budgets and limits."""
        return QuotaPut(self._context.database)

    def worker_give_up(self) -> WorkerGiveUp:
        """Gives up lost workers."""
        return WorkerGiveUp(self._context.database)

    def worker_list(self) -> WorkerList:
        """Finds workers."""
        return WorkerList(self._context.database)

    def audit_list(self) -> AuditList:
        """Finds events of the audit log."""
        return AuditList(self._context.database)

    def webhook_change(self) -> WebhookChange:
        """Creates, changes, tests and removes webhooks."""
        return WebhookChange(self._context.database, self._context.vault)

    def webhook_list(self) -> WebhookList:
        """Finds webhooks."""
        return WebhookList(self._context.database)
