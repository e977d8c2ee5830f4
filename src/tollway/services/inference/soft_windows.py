"""The present windows of budgets that only count: nothing is leased of them, but their entries name them."""

from zoneinfo import ZoneInfo

from tollway.ledger.quota import Quota, WindowRef
from tollway.ledger.window import window_at

_WINDOWS_MAX = 20_000
"""Remembered windows, of which each took some microseconds to find: about 8 MB."""


class SoftWindows:
    """Finds the window that holds an instant, mostly in memory."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, str], tuple[int, WindowRef]] = {}

    def at(self, quota: Quota, subject: str, now_us: int) -> WindowRef:
        """The window that holds `now_us`, epoch microseconds."""
        key = (quota.id, quota.generation, subject)
        found = self._found.get(key)
        if found is not None and found[1].start_us <= now_us < found[0]:
            return found[1]
        start_us, end_us = window_at(quota.period, quota.length_s, ZoneInfo(quota.time_zone), now_us)
        window = WindowRef(quota.id, quota.generation, subject, start_us)
        if len(self._found) >= _WINDOWS_MAX:
            self._found.clear()
        self._found[key] = (end_us, window)
        return window
