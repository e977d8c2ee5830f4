"""Send again what was stored lately, when a standby was promoted: it may lack the last seconds."""

import time
from collections.abc import Collection
from contextlib import suppress

import structlog

from tollway.data.session import Database
from tollway.data.timeline import present_timeline
from tollway.journal.sent import SentSegments
from tollway.services.intake import Intake
from tollway.services.ledger_store import LedgerStore
from tollway.services.worker_release import WorkerRelease

_log = structlog.get_logger(__name__)
_LOOK_INTERVAL_S = 1.0


class Resend:
    """Notices that the database is on another timeline than the one everything was sent to, and sends it again.

    The ledger takes an entry in once, so only what is missing changes anything.

    Attributes:
        sent: what was sent within the recovery window.

    Args:
        database: whose timeline counts.
        store: where entries go.
        release: gives up workers that are gone: that may be forgotten too.
        batch_entries: entries in one transaction.
    """

    def __init__(
        self, database: Database, store: LedgerStore, release: WorkerRelease, sent: SentSegments, *, batch_entries: int
    ) -> None:
        self._database = database
        self._store = store
        self._release = release
        self.sent = sent
        self._batch_entries = batch_entries
        self._look_due_s = 0.0
        self._present = 0

    async def due(self) -> bool:
        """Whether the database has changed since everything was sent. Looks about once a second.

        Raises:
            DatabaseUnavailableError: nobody knows; try again.
        """
        if time.monotonic() < self._look_due_s:
            return False
        async with self._database.write() as session, session.begin():
            self._present = (await present_timeline(session)).number
        self._look_due_s = time.monotonic() + _LOOK_INTERVAL_S
        noted = self.sent.timeline
        if noted is None:
            with suppress(OSError):  # a full disk: draining makes room for it
                self.sent.note_timeline(self._present)
        return noted not in {None, self._present}

    async def send(self, *, present: Collection[str]) -> None:
        """Send everything that is kept, what was stored last first; then nothing is due.

        Args:
            present: workers that have a journal, which the drain reads: all others are gone, and are given up again.

        Raises:
            DatabaseUnavailableError: not everything was sent: it is still due.
            OSError: a segment cannot be read: as above.
        """
        began_s, missing = time.monotonic(), 0
        segments = self.sent.newest_first()
        _log.warning("database_was_promoted", timeline=self._present, segments_to_send_again=len(segments))
        for segment in segments:
            for chunk in segment.chunks(max_entries=self._batch_entries):
                intake = Intake()
                await self._store.prepare(intake, chunk.entries, chunk.records)
                missing += await self._store.store(segment.worker_id, intake)
        for worker_id in {segment.worker_id for segment in segments}.difference(present):
            await self._release.release(worker_id)
        self.sent.note_timeline(self._present)
        seconds = round(time.monotonic() - began_s, 2)
        _log.warning("sent_again", segments=len(segments), entries_that_were_missing=missing, seconds=seconds)
