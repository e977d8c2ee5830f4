"""Told of every request: the metrics and the access log."""

import asyncio

from tollway.ledger.entry import LedgerEntry
from tollway.telemetry.access import AccessLog
from tollway.telemetry.metrics import Metrics

_FLUSH_INTERVAL_S = 0.1
_FLUSHES_PER_SAVE = 10


class Observer:
    """Passes each end on to both."""

    def __init__(self, access_log: AccessLog, metrics: Metrics) -> None:
        self._access_log = access_log
        self._metrics = metrics

    def ended(self, entry: LedgerEntry) -> None:
        """An admitted request ended."""
        self._metrics.ended(entry)
        self._access_log.ended(entry)

    def refused(self, surface: str, request_id: str, status: int, code: str) -> None:
        """A request was refused before it was admitted."""
        self._metrics.refused(surface, code)
        self._access_log.refused(surface, request_id, status, code)

    def replayed(self, surface: str, request_id: str, status: int) -> None:
        """A request with an idempotency key got the answer of an earlier one."""
        self._metrics.replayed(surface)
        self._access_log.replayed(surface, request_id, status)

    def visited(self, surface: str, request_id: str, status: int) -> None:
        """A request that asks no model was answered."""
        self._access_log.visited(surface, request_id, status)

    async def run(self) -> None:
        """Write what is collected, again and again, until cancelled."""
        while True:
            for _ in range(_FLUSHES_PER_SAVE):
                await asyncio.sleep(_FLUSH_INTERVAL_S)
                self._access_log.flush()
            self._metrics.save()

    def flush(self) -> None:
        """Write what is collected: log lines, and the sums for the other workers."""
        self._access_log.flush()
        self._metrics.save()
