"""Process singletons in one frozen dataclass, and the factory that builds each service from them.

The web app, the command line, the jobs and the tests all build services here, so that a service is wired the same way
wherever it runs.
"""

from dataclasses import dataclass

from tollway.config import Settings
from tollway.data.session import Database, create_engine
from tollway.identity.vault import SecretKeys, Vault
from tollway.journal.segment import QUARANTINE_DIRECTORY
from tollway.providers.transport import Transport
from tollway.services.authenticate import Authenticator
from tollway.services.catalog_load import CatalogLoad
from tollway.services.change_feed import ChangeFeed
from tollway.services.database_check import DatabaseCheck
from tollway.services.drain import Drain
from tollway.services.inference.hold import Places
from tollway.services.inference.pipeline import Pipeline
from tollway.services.inference.record import Journal, Observer, Recorder
from tollway.services.key_lookup import KeyLookup
from tollway.services.ledger_store import LedgerStore
from tollway.services.live_catalog import LiveCatalog
from tollway.services.price_book_load import PriceBookLoad
from tollway.services.secret_keys import load_secret_keys


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
            ValueError: no database URL is set (the supervisor sets it for its children).
        """
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
    live: LiveCatalog
    pipeline: Pipeline
    places: Places
    recorder: Recorder
    transport: Transport


class Factory:
    """Builds services. One method a service, named as the service's file."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def database_check(self) -> DatabaseCheck:
        """Asks whether the database answers."""
        return DatabaseCheck(self._context.database)

    def drain(self) -> Drain:
        """Brings the journals of the data directory into the ledger."""
        storage = self._context.settings.storage
        store = LedgerStore(self._context.database, quarantine=storage.data_dir / QUARANTINE_DIRECTORY)
        return Drain(store, storage.data_dir, batch_entries=storage.drain_batch_entries)

    def inference(self, journal: Journal, observer: Observer) -> Inference:
        """What serves the data plane of one worker.

        Args:
            journal: takes the records.
            observer: told of every request.
        """
        context, limits = self._context, self._context.settings.limits
        url = context.settings.storage.database_url
        authenticator = Authenticator(context.secret_keys.pepper, KeyLookup(context.database).find)
        live = LiveCatalog(
            load_catalog=CatalogLoad(context.database, context.vault).load,
            load_price_book=PriceBookLoad(context.database, context.settings.storage.data_dir).load,
            listen=ChangeFeed(url.get_secret_value() if url else "").listen,
            authenticator=authenticator,
        )
        recorder = Recorder(journal, live, observer)
        transport = Transport(limits)
        places = Places(limits.max_concurrent_requests)
        pipeline = Pipeline(
            authenticator=authenticator,
            live=live,
            transport=transport,
            recorder=recorder,
            places=places,
            max_reply_bytes=limits.max_reply_bytes,
            durable=journal.durable if context.settings.storage.durability == "fsync" else None,
        )
        return Inference(authenticator, live, pipeline, places, recorder, transport)
