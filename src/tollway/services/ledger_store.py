"""Store a batch of ledger entries: each once, with the rollups, in one transaction."""

import asyncio
import struct
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from tollway.data.ledger_counts import LedgerCounts
from tollway.data.ledger_intake import (
    EntryKnownError,
    EntryRefusedError,
    count,
    make_partition,
    take_in,
    take_in_new,
)
from tollway.data.ledger_row import id_bytes
from tollway.data.session import Database
from tollway.journal.refused import keep_refused
from tollway.ledger.entry import LedgerEntry
from tollway.ledger.window import EPOCH
from tollway.services.intake import Intake

_log = structlog.get_logger(__name__)
_MONTHS_AHEAD = 2
_LONGEST_MONTH = timedelta(days=31)
_HOUR_US = 3_600_000_000
_ENTRIES_A_SLICE = 50
"""Half a millisecond of work."""


class LedgerStore:
    """The way of entries into the database. Idempotent: an entry that is there already changes nothing.

    Args:
        database: the application's.
        quarantine: where entries go that the database cannot hold, so that they neither stop the others nor get lost.
    """

    def __init__(self, database: Database, *, quarantine: Path) -> None:
        self._database = database
        self._quarantine = quarantine
        self._months: set[tuple[int, int]] = set()
        self._hours: set[int] = set()
        self._all_new = False

    async def prepare(self, intake: Intake, entries: Iterable[LedgerEntry], records: Iterable[bytes]) -> None:
        """Add entries to an intake, but for those that the database cannot hold; and make their partitions.

        Lets the event loop run on every now and then, so that the batch before can be stored meanwhile.

        Raises:
            DatabaseUnavailableError: a partition could not be made; try again.
            OSError: an entry that the database cannot hold could not be set aside either.
        """
        for number, (entry, record) in enumerate(zip(entries, records, strict=True), start=1):
            try:
                if entry.admitted_at_us // _HOUR_US not in self._hours:
                    await self._prepare_month(EPOCH + timedelta(microseconds=entry.admitted_at_us))
                    self._hours.add(entry.admitted_at_us // _HOUR_US)
                intake.add(entry, record)
            except (EntryRefusedError, ValueError, OverflowError, struct.error) as error:
                self._refuse(entry, str(error))
            if number % _ENTRIES_A_SLICE == 0:
                await asyncio.sleep(0)

    async def store(self, worker_id: str, intake: Intake) -> int:
        """Store the entries of one worker, and settle what they take from budgets; returns how many were new.

        Raises:
            DatabaseUnavailableError: nothing or everything was stored; store the same entries again.
            OSError: an entry that the database cannot hold could not be set aside either.
        """
        if not intake.rows:
            return 0
        try:
            return await self._take_in(worker_id, intake)
        except EntryRefusedError as error:
            if len(intake.rows) == 1:
                return await self._store_alone(worker_id, intake, reason=str(error))
            first, second = intake.halves()
            return await self.store(worker_id, first) + await self.store(worker_id, second)

    async def _take_in(self, worker_id: str, intake: Intake) -> int:
        """Look for known entries as long as some come: at a start, and when what a failover lost is sent again."""
        if self._all_new:
            with suppress(EntryKnownError):
                async with self._database.write() as session, session.begin():
                    await take_in_new(session, intake.rows)
                    await count(session, worker_id, intake.counts)
                return len(intake.rows)
        async with self._database.write() as session, session.begin():
            new_ids = await take_in(session, intake.rows)
            if len(new_ids) < len(intake.rows):
                await count(session, worker_id, _counts_of(intake, new_ids))
            else:
                await count(session, worker_id, intake.counts)
        self._all_new = len(new_ids) == len(intake.rows)
        return len(new_ids)

    async def make_partitions_ahead(self) -> None:
        """Make the partitions of this month and the next ones.

        Raises:
            DatabaseUnavailableError: try again.
        """
        now = datetime.now(UTC).replace(day=1)
        for months in range(_MONTHS_AHEAD + 1):
            await self._prepare_month(now + months * _LONGEST_MONTH)

    async def _prepare_month(self, moment: datetime) -> None:
        """A wrong clock may ask for any month: it gets its partition, the entry is not lost and its time not bent."""
        month = (moment.year, moment.month)
        if month in self._months:
            return
        async with self._database.write() as session, session.begin():
            if await make_partition(session, moment):
                _log.info("ledger_partition_made", month=f"{moment:%Y-%m}")
        self._months.add(month)

    async def _store_alone(self, worker_id: str, intake: Intake, *, reason: str) -> int:
        """Try the refused entry once more with its partition looked for again: somebody may have detached it."""
        (entry,) = intake.entries()
        self._months.clear()
        self._hours.clear()
        try:
            await self._prepare_month(EPOCH + timedelta(microseconds=entry.admitted_at_us))
            return await self._take_in(worker_id, intake)
        except EntryRefusedError:
            self._refuse(entry, reason)
            return 0

    def _refuse(self, entry: LedgerEntry, reason: str) -> None:
        path = keep_refused(self._quarantine, entry, reason=reason)
        _log.error("ledger_entry_refused", entry_id=entry.entry_id, reason=reason, kept_in=str(path))


def _counts_of(intake: Intake, ids: set[bytes]) -> LedgerCounts:
    """Of the entries with these ids, each once."""
    counts = LedgerCounts()
    for entry_id, entry in {id_bytes(entry.entry_id): entry for entry in intake.entries()}.items():
        if entry_id in ids:
            counts.add(entry)
    return counts
