"""Bring the journals of all workers, live and dead, into the database."""

import asyncio
import logging
import os
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from tollway.errors import DatabaseUnavailableError
from tollway.journal.backlog import Backlog, Batch
from tollway.journal.lock import try_lock
from tollway.journal.reader import Damage
from tollway.journal.segment import QUARANTINE_DIRECTORY, journal_directory, worker_directories
from tollway.services.intake import Intake
from tollway.services.ledger_store import LedgerStore
from tollway.services.resend import Resend
from tollway.services.worker_release import WorkerRelease

_log = structlog.get_logger(__name__)

_LOADS_A_TURN = 8
"""Transactions of one worker before the next worker's turn, so that none waits for a long backlog of another."""
_PARTITION_INTERVAL_S = 3_600.0
_BACK_OFF_MAX_S = 5.0
_AWAY_BACK_OFF_MAX_S = 1.0
"""While the database does not even answer. All it is asked then is one small question, by one process a data directory;
and what waits begins to land so soon after its return."""


class DrainReport(msgspec.Struct):
    """What one pass over all workers did.

    Attributes:
        read: entries found.
        stored: entries that were new to the database.
        damages: stretches of journal that could not be read.
        adopted: dead workers whose journal was finished and removed.
        more: whether more is waiting already.
    """

    read: int = 0
    stored: int = 0
    damages: int = 0
    adopted: int = 0
    more: bool = False


class Drain:
    """The drain of one data directory. Only one process at a time drains it: others wait for its end.

    Args:
        store: where entries go.
        release: gives up the workers whose journals are finished.
        resend: keeps what was drained, and sends it again when a promoted standby lacks it.
        data_dir: its journals are drained.
        batch_entries: entries in one transaction; bounds the memory.
    """

    def __init__(
        self, store: LedgerStore, release: WorkerRelease, resend: Resend, data_dir: Path, *, batch_entries: int
    ) -> None:
        self._store = store
        self._release = release
        self._resend = resend
        self._data_dir = data_dir
        self._batch_entries = batch_entries
        self._backlogs: dict[Path, Backlog] = {}
        self._lock: int | None = None
        self._partitions_due_s = 0.0
        self._stored_loads = 0
        self._answered = True

    async def pass_over(self) -> DrainReport:
        """Give every worker's journal a turn. Does nothing while another process drains this data directory.

        Raises:
            DatabaseUnavailableError: nothing is lost; try again.
            OSError: a journal cannot be read or trimmed; try again.
        """
        report = DrainReport()
        if not self._sole():
            return report
        fault: OSError | None = None
        try:
            self._resend.sent.trim()
        except OSError as error:
            fault = error  # what can be drained is drained all the same
        is_promoted = await self._ask()
        directories = worker_directories(self._data_dir)
        for gone in self._backlogs.keys() - set(directories):
            self._backlogs.pop(gone).release()
        if is_promoted:
            await self._send_again(directories)
        for directory in directories:
            try:
                await self._turn(directory, report)
            except OSError as error:
                fault = error  # as above
        if fault is not None:
            raise fault
        return report

    async def run(self, stop: asyncio.Event, *, interval_s: float) -> None:
        """Drain until `stop` is set, then what is left, and return. Outlives an absent database and a full disk."""
        failures, told = 0, ""
        while True:
            last, more, pause_s = stop.is_set(), False, interval_s
            before = self._stored_loads
            try:
                report = await self.pass_over()
                if failures:
                    _log.info("drain_goes_on", failures=failures)
                failures, told, more = 0, "", report.more
                if report.read:
                    _log.debug("drained", **msgspec.structs.asdict(report))
            except (DatabaseUnavailableError, OSError) as error:
                failures = failures + 1 if self._stored_loads == before else 1
                pause_s = self._back_off_s(failures)
                level, told = logging.DEBUG if told == str(error) else logging.WARNING, str(error)
                _log.log(level, "drain_waits", reason=told, failures=failures, retry_s=pause_s)
            except Exception:  # noqa: BLE001 -- entries wait on disk: whatever the fault, trying again beats dying
                failures += 1
                pause_s = self._back_off_s(failures)
                _log.exception("drain_failed", failures=failures)
            if last and not more:
                return
            if not more:
                await _sleep(stop, pause_s)

    def close(self) -> None:
        """Give up all locks."""
        for backlog in self._backlogs.values():
            backlog.release()
        self._backlogs.clear()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _ask(self) -> bool:
        """What is asked before anything is stored; whether a standby was promoted since then."""
        self._answered = False
        if time.monotonic() >= self._partitions_due_s:
            await self._store.make_partitions_ahead()
            self._partitions_due_s = time.monotonic() + _PARTITION_INTERVAL_S
        is_promoted = await self._resend.due()
        self._answered = True
        return is_promoted

    def _back_off_s(self, failures: int) -> float:
        longest_s = _BACK_OFF_MAX_S if self._answered else _AWAY_BACK_OFF_MAX_S
        wait_s: float = min(longest_s, 0.2 * 2 ** min(failures, 10))
        return wait_s * random.uniform(0.5, 1.0)  # noqa: S311 -- spreads retries, keeps no secret

    def _sole(self) -> bool:
        if self._lock is None:
            root = journal_directory(self._data_dir)
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = try_lock(root)
        return self._lock is not None

    async def _send_again(self, directories: Sequence[Path]) -> None:
        """What of the journals was drained from segments that still stand there is given again by their backlogs."""
        for directory in directories:
            with suppress(FileNotFoundError):
                self._backlog(directory).rewind()
        await self._resend.send(present={directory.name for directory in directories})

    def _backlog(self, directory: Path) -> Backlog:
        backlog = self._backlogs.get(directory)
        if backlog is None:
            backlog = Backlog(directory, quarantine=self._data_dir / QUARANTINE_DIRECTORY, sent=self._resend.sent)
            self._backlogs[directory] = backlog
        return backlog

    async def _turn(self, directory: Path, report: DrainReport) -> None:
        try:
            backlog = self._backlog(directory)
            backlog.adopt()
            if await self._drain(backlog, report):
                report.more = True
                return
            if backlog.adopted:
                await self._release.release(directory.name)
                backlog.remove()
                del self._backlogs[directory]
                report.adopted += 1
                _log.info("dead_worker_journal_finished", worker=directory.name)
        except FileNotFoundError:
            if directory in worker_directories(self._data_dir):
                raise

    async def _drain(self, backlog: Backlog, report: DrainReport) -> bool:
        """Store some loads, each while the one after it is read; whether more is left."""
        load = await self._read(backlog, after=None)
        stored: _Load | None = None
        for turn in range(1, _LOADS_A_TURN + 1):
            storing = asyncio.create_task(self._store.store(backlog.directory.name, load.intake))
            try:
                await asyncio.sleep(0)
                if stored:
                    self._settle(backlog, stored, report)
                stored = load
                if load.last.more and turn < _LOADS_A_TURN:
                    load = await self._read(backlog, after=load.last)
            finally:  # also if reading on failed: what is being stored ends in its own way
                report.stored += await storing
            if load is stored:
                break
        self._settle(backlog, load, report)
        return load.last.more

    async def _read(self, backlog: Backlog, *, after: Batch | None) -> "_Load":
        """Batches are small, so that the load before can be stored meanwhile; a transaction takes some of them."""
        load, batch = _Load(), after
        while True:
            batch = backlog.take(max_entries=self._batch_entries - load.read, after=batch)
            load.last = batch
            load.read += len(batch.entries)
            load.damages += batch.damages
            await self._store.prepare(load.intake, batch.entries, batch.records)
            if not batch.more or load.read >= self._batch_entries:
                return load

    def _settle(self, backlog: Backlog, load: "_Load", report: DrainReport) -> None:
        for damage in load.damages:
            log = _log.warning if damage.torn else _log.error
            log(
                "journal_torn_tail" if damage.torn else "journal_damaged",
                worker=backlog.directory.name,
                segment=damage.segment,
                start=damage.start,
                end=damage.end,
            )
        report.damages += len(load.damages)
        report.read += load.read
        backlog.settle(load.last)
        self._stored_loads += 1


class _Load:
    """What one transaction stores: some batches of a backlog.

    Attributes:
        read: entries of the journal, also those that the database cannot hold.
        damages: what could not be read between them.
        last: the batch with which it ends.
    """

    last: Batch

    def __init__(self) -> None:
        self.intake = Intake()
        self.read = 0
        self.damages: list[Damage] = []


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
