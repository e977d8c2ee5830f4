"""Append records to a worker's journal: one ``write()`` each, before the caller has the last byte.

Not thread-safe: `open` and `close` belong to the worker's event loop. A record is on disk whole or not at all: what a
failing disk took of it is cut off again, so that the next record is sound.
"""

import asyncio
import os
import time
from pathlib import Path

import structlog

from tollway.errors import JournalUnavailableError
from tollway.journal.group_sync import GroupSync
from tollway.journal.lock import create_locked
from tollway.journal.record import encode
from tollway.journal.reserve import Reserve
from tollway.journal.segment import segment_numbers, segment_path, undrained_bytes
from tollway.ledger.entry import EntryOpen, LedgerEntry

_MEASURE_INTERVAL_S = 1.0
"""The bound may be passed by what all workers write in this time."""
_MEASURE_AGAIN_S = 0.25
"""With the journal at its bound, the disk is looked at this often for what the drain has removed."""
_SEGMENTS_MIN = 4
"""A worker's equal part of the bound has room for so many: the drain lets go of whole ones, and not of the last."""
_RETRY_AFTER = (("retry-after", "5"),)
_log = structlog.get_logger(__name__)


class JournalWriter:
    """The journal of one worker, in ``directory / worker_id``. Holds the lock on it until closed.

    Args:
        directory: the journal of the data directory (`tollway.journal.segment.journal_directory`).
        worker_id: a UUID made new for each start of a worker.
        segment_bytes: size at which a segment is closed and the next begun; less if the bound is small.
        max_bytes: bytes in the journals of all workers, live and dead, at which `open` refuses. `close` never does.
        writers: workers that share the bound. Each may write an equal part of what it last saw to be left of it.
        fsync_interval_s: least time between two fsyncs.

    Raises:
        JournalUnavailableError: the directory cannot be made, or belongs to another process.
    """

    def __init__(
        self,
        directory: Path,
        *,
        worker_id: str,
        segment_bytes: int,
        max_bytes: int,
        fsync_interval_s: float,
        writers: int = 1,
    ) -> None:
        self._journal = directory
        self._directory = directory / worker_id
        self._segment_bytes = min(segment_bytes, max_bytes // writers // _SEGMENTS_MIN)
        self._max_bytes = max_bytes
        self._writers = writers
        self._lock = create_locked(self._directory)
        self._number = max(segment_numbers(self._directory), default=0)
        self._descriptor = -1
        self._used_bytes = 0
        self._measured_at_s = 0.0
        self._total_bytes = self._full_at = 0
        self._reserve = Reserve(self._directory)
        self._sync = GroupSync(self._lock, interval_s=fsync_interval_s)
        try:
            self._measure()
            self._rotate()
        except OSError as error:
            self._sync.stop()
            os.close(self._lock)
            raise _unavailable(error) from error

    def open(self, record: EntryOpen) -> None:
        """Record that a request is admitted, before anything goes upstream.

        Raises:
            JournalUnavailableError: it could not be written, or the bound is reached: do not serve the request.
        """
        if not self._reserve.held or self._sync.appended >= self._full_at:
            self.require_room()
        try:
            self._append(encode(record))
        except JournalUnavailableError:
            self._reserve.doubt()
            raise

    async def watch(self) -> None:
        """Look now and then what the other workers left of the bound, until cancelled."""
        while True:
            await asyncio.sleep(_MEASURE_INTERVAL_S)
            try:
                await asyncio.to_thread(self._measure)
            except OSError as error:  # what it saw last holds on
                _log.warning("journal_not_measured", reason=str(error))

    def fault(self) -> str:
        """Why `open` would refuse now, empty if it would not. Looks at the disk again if it did."""
        try:
            self.require_room()
        except JournalUnavailableError as error:
            return error.text
        return ""

    def close(self, record: LedgerEntry) -> None:
        """Record how an admitted request ended. Uses the reserved space if the disk is full.

        Raises:
            JournalUnavailableError: it could not be written even so; may be tried again.
        """
        data = encode(record)
        try:
            self._append(data)
        except JournalUnavailableError:
            self._reserve.release()
            self._append(data)

    async def durable(self) -> None:
        """Return once everything written so far would survive a power cut.

        Raises:
            JournalUnavailableError: the disk refused it.
        """
        await self._sync.durable()

    async def aclose(self) -> None:
        """Make everything durable and give up the lock; the drain takes the directory over."""
        if self._lock < 0:
            return
        await asyncio.to_thread(self._sync.stop)
        self._reserve.release()
        os.close(self._lock)
        self._lock = self._descriptor = -1

    def _append(self, data: bytes) -> None:
        size = len(data)
        try:
            if self._used_bytes + size > self._segment_bytes or self._descriptor < 0 or self._sync.failed:
                self._rotate_if_possible()
            written = os.write(self._descriptor, data)
            while written < size:  # a nearly full disk takes a part; the next write tells why
                written += os.write(self._descriptor, data[written:])
        except OSError as error:
            self._cut()
            raise _unavailable(error) from error
        self._used_bytes += size
        self._sync.appended += size
        self._sync.wake()

    def _rotate_if_possible(self) -> None:
        """Begin the next segment. If the disk has no room for one, the present segment grows beyond its size."""
        try:
            self._rotate()
        except OSError:
            if self._descriptor < 0:
                raise

    def _rotate(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        number = self._number + 1
        descriptor = os.open(segment_path(self._directory, number), flags, 0o600)
        self._number = number
        self._descriptor = descriptor
        self._used_bytes = 0
        self._sync.switch(descriptor)
        self._sync.failed = False

    def _cut(self) -> None:
        """Remove what a failed write left. If even that fails, write no more to this segment."""
        if self._descriptor < 0:
            return
        try:
            os.ftruncate(self._descriptor, self._used_bytes)
        except OSError:
            self._sync.switch(None)
            self._descriptor = -1

    def require_room(self) -> None:
        """Look whether more may be served.

        Raises:
            JournalUnavailableError: the disk is full, or the bound is reached.
        """
        if not self._reserve.held and not self._reserve.take():
            raise JournalUnavailableError(
                "The disk that holds the journal is full or read-only.",
                next_step="Free space on the disk of the data directory.",
                headers=_RETRY_AFTER,
            )
        if self._sync.appended < self._full_at:
            return
        if time.monotonic() - self._measured_at_s >= _MEASURE_AGAIN_S:
            try:
                self._measure()
            except OSError as error:
                raise _unavailable(error) from error
        if self._sync.appended >= self._full_at:
            raise JournalUnavailableError(
                f"The journals of this data directory hold {self._total_bytes} bytes that are not in the database yet, "
                f"their bound is {self._max_bytes}.",
                next_step="Bring the database back, or raise TOLLWAY_JOURNAL_MAX_BYTES.",
                headers=_RETRY_AFTER,
            )

    def _measure(self) -> None:
        """May run in another thread: what is appended meanwhile counts twice rather than not at all."""
        self._measured_at_s = time.monotonic()
        appended = self._sync.appended
        self._total_bytes = undrained_bytes(self._journal)
        self._full_at = appended + max(0, self._max_bytes - self._total_bytes) // self._writers


def _unavailable(error: OSError) -> JournalUnavailableError:
    return JournalUnavailableError(
        f"The journal cannot be written: {error.strerror}.",
        next_step="Check the free space and the permissions of the data directory.",
        headers=_RETRY_AFTER,
    )
