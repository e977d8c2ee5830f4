"""Builds what brings journals into the ledger, and prepares the database."""

from functools import cached_property

from tollway.factory.context import ProcessContext
from tollway.journal.segment import QUARANTINE_DIRECTORY, journal_directory
from tollway.journal.sent import SentSegments
from tollway.providers.transport import Transport
from tollway.services.drain import Drain
from tollway.services.first_start import FirstStart
from tollway.services.ledger_store import LedgerStore
from tollway.services.machine_providers import MachineProviders
from tollway.services.price_book_load import PriceBookLoad
from tollway.services.purge import Purge
from tollway.services.resend import Resend
from tollway.services.webhook_send import WEBHOOK_TIMEOUTS, WebhookSend
from tollway.services.worker_release import WorkerRelease


class JobFactory:
    """Builds the services of the processes beside the workers. One method a service, named as the service's file."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

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

    def webhook_send(self) -> WebhookSend:
        """Delivers events to webhooks."""
        limits = self._context.settings.limits.model_copy(update=WEBHOOK_TIMEOUTS)
        return WebhookSend(self._context.database, self._context.vault, Transport(limits))

    @cached_property
    def price_book_load(self) -> PriceBookLoad:
        """Builds price books; one for the process, since it holds the base book."""
        return PriceBookLoad(self._context.database, self._context.settings.storage.data_dir)

    def first_start(self) -> FirstStart:
        """Fills an empty database."""
        context = self._context
        return FirstStart(
            context.database, pepper=context.secret_keys.pepper, data_dir=context.settings.storage.data_dir
        )

    def machine_providers(self) -> MachineProviders:
        """Registers the providers that this machine brings."""
        return MachineProviders(self._context.database, self._context.vault)
