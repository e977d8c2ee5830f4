"""Store a batch of ledger entries: each once, with the rollups, in one transaction."""

import asyncio
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from tollway.data.ledger_intake import EntryRefusedError, make_partition, take_in
from tollway.data.ledger_row import row
from tollway.data.session import Database
from tollway.journal.refused import keep_refused
from tollway.ledger.entry import LedgerEntry

_log = structlog.get_logger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS_AHEAD = 2
_LONGEST_MONTH = timedelta(days=31)
_HOUR_US = 3_600_000_000
_ROWS_A_SLICE = 50
"""About a millisecond of work."""

Row = tuple[LedgerEntry, bytes]
"""An entry, and its row from `tollway.data.ledger_row`."""


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

    async def prepare(self, entries: Sequence[LedgerEntry]) -> Sequence[Row]:
        """The rows of the entries, without those that the database cannot hold; and their partitions.

        Lets the event loop run on every now and then, so that the batch before can be stored meanwhile.

        Raises:
            DatabaseUnavailableError: a partition could not be made; try again.
            OSError: an entry that the database cannot hold could not be set aside either.
        """
        rows: list[Row] = []
        for number, entry in enumerate(entries, start=1):
            try:
                if entry.admitted_at_us // _HOUR_US not in self._hours:
                    await self._prepare_month(_EPOCH + timedelta(microseconds=entry.admitted_at_us))
                    self._hours.add(entry.admitted_at_us // _HOUR_US)
                rows.append((entry, row(entry)))
            except (EntryRefusedError, ValueError, OverflowError, struct.error) as error:
                self._refuse(entry, str(error))
            if number % _ROWS_A_SLICE == 0:
                await asyncio.sleep(0)
        return rows

    async def store(self, worker_id: str, rows: Sequence[Row]) -> int:
        """Store the entries of one worker, and settle what they take from budgets; returns how many were new.

        Raises:
            DatabaseUnavailableError: nothing or everything was stored; store the same entries again.
            OSError: an entry that the database cannot hold could not be set aside either.
        """
        if not rows:
            return 0
        try:
            async with self._database.write() as session, session.begin():
                return await take_in(session, worker_id, rows)
        except EntryRefusedError as error:
            if len(rows) == 1:
                return await self._store_alone(worker_id, *rows[0], reason=str(error))
            middle = len(rows) // 2
            first = await self.store(worker_id, rows[:middle])
            return first + await self.store(worker_id, rows[middle:])

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

    async def _store_alone(self, worker_id: str, entry: LedgerEntry, data: bytes, *, reason: str) -> int:
        """Try the refused entry once more with its partition looked for again: somebody may have detached it."""
        self._months.clear()
        self._hours.clear()
        try:
            await self._prepare_month(_EPOCH + timedelta(microseconds=entry.admitted_at_us))
            async with self._database.write() as session, session.begin():
                return await take_in(session, worker_id, [(entry, data)])
        except EntryRefusedError:
            self._refuse(entry, reason)
            return 0

    def _refuse(self, entry: LedgerEntry, reason: str) -> None:
        path = keep_refused(self._quarantine, entry, reason=reason)
        _log.error("ledger_entry_refused", entry_id=entry.entry_id, reason=reason, kept_in=str(path))
