"""Told of every request: the metrics and the access log."""

from tollway.ledger.entry import LedgerEntry
from tollway.telemetry import metrics
from tollway.telemetry.access import AccessLog


class Observer:
    """Passes each end on to both."""

    def __init__(self, access_log: AccessLog) -> None:
        self._access_log = access_log

    def ended(self, entry: LedgerEntry) -> None:
        """An admitted request ended."""
        metrics.count(entry)
        self._access_log.ended(entry)

    def refused(self, surface: str, request_id: str, status: int, code: str) -> None:
        """A request was refused before it was admitted."""
        metrics.refused(surface, code)
        self._access_log.refused(surface, request_id, status, code)

    def flush(self) -> None:
        """Write what is collected."""
        self._access_log.flush()
