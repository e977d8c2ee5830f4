"""Remove what counts no more: old windows, expired idempotency keys and dialogues, workers that were forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import structlog

from tollway.data import conversations, responses
from tollway.data import purge as store
from tollway.data.session import Database, WriteSession
from tollway.errors import DatabaseUnavailableError

_log = structlog.get_logger(__name__)

_DAY_S = 86_400
_WINDOW_KEPT_S = 35 * _DAY_S
"""A month can still be compared with the one before, and a lost worker's journal may come late."""
_SHORT_WINDOW_KEPT_S = 2 * 3_600
"""Rate limits by the second leave thousands of windows an hour, which nobody looks at."""
_WORKER_KEPT_S = 7 * _DAY_S
_BATCH = 1_000
_BATCHES_MAX = 100
"""Of each kind in one run; the next one goes on."""


class Purge:
    """Deletes in small transactions. Several at once do no harm."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def purge(self) -> dict[str, int]:
        """Delete what is due; returns kind → how many rows.

        Raises:
            DatabaseUnavailableError: the rest is still there; try again later.
        """
        return {
            "short_windows": await self._all(partial(store.purge_short_windows, kept_s=_SHORT_WINDOW_KEPT_S)),
            "windows": await self._all(partial(store.purge_windows, kept_s=_WINDOW_KEPT_S)),
            "idempotency_claims": await self._all(store.purge_claims),
            "responses": await self._all(responses.purge),
            "conversations": await self._all(conversations.purge),
            "workers": await self._all(partial(store.purge_workers, kept_s=_WORKER_KEPT_S)),
            "endless_windows": await self._all(store.purge_endless_windows),
        }

    async def run(self, stop: asyncio.Event, *, interval_s: float) -> None:
        """Purge now and then until `stop` is set. Outlives an absent database."""
        while not stop.is_set():
            try:
                purged = await self.purge()
                if any(purged.values()):
                    _log.info("purged", **purged)
            except DatabaseUnavailableError as error:
                _log.info("purge_waits", reason=str(error))
            except Exception:  # noqa: BLE001 -- old rows cost space, the drain beside it keeps the ledger: go on
                _log.exception("purge_failed")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), interval_s)

    async def _all(self, delete: Callable[..., Awaitable[int]]) -> int:
        total = 0
        for _ in range(_BATCHES_MAX):
            deleted = await self._batch(delete)
            total += deleted
            if deleted < _BATCH:
                break
        return total

    async def _batch(self, delete: Callable[..., Awaitable[int]]) -> int:
        async with self._database.write() as session, session.begin():
            return await delete(WriteSession(session), limit=_BATCH)
