"""How runs under idempotency keys ended, on their way into the database: several in one transaction, in order."""

import asyncio
from collections import deque
from collections.abc import Iterator

import structlog

from tollway.constants import IDEMPOTENCY_TTL_S
from tollway.data import idempotency as store
from tollway.data.idempotency import Claim, Outcome
from tollway.data.session import Database, WriteSession
from tollway.errors import DatabaseUnavailableError

_DELAY_MAX_S = 1.0
"""A caller waits no longer than this for its last byte; the outcome is stored all the same, a little later."""
_RETRY_MIN_S, _RETRY_MAX_S = 0.1, 2.0
_BATCH_ENDINGS, _BATCH_BYTES = 32, 4 * 1024 * 1024
_BATCH_TIMEOUT_S = 10.0
_WAITING_MAX_BYTES = 64 * 1024 * 1024
"""Replies in memory that wait for the database; beyond this they are entered as too large to be kept."""
_WAITING_MAX = 10_000
"""Endings that wait for the database; claims whose ending is dropped are freed when they run out."""
_CLOSE_TIMEOUT_S = 1.0
_log = structlog.get_logger(__name__)


class _Ending:
    """One run's end: its outcome, or none if the key is to be free again.

    Attributes:
        undo_for: the worker whose claim may or may not have been made; empty if it surely was.
    """

    __slots__ = ("claim", "outcome", "stored", "undo_for")

    def __init__(self, claim: Claim, outcome: Outcome | None, *, undo_for: str = "") -> None:
        self.claim = claim
        self.outcome = outcome
        self.undo_for = undo_for
        self.stored = asyncio.Event()

    @property
    def size(self) -> int:
        """Bytes of the reply."""
        return len(self.outcome.body) if self.outcome is not None and self.outcome.body is not None else 0


class IdempotencyEndings:
    """The endings of one worker. They outlive an absent database as long as the worker does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Ending] = deque()
        self._waiting_bytes = 0
        self._batch_endings = _BATCH_ENDINGS
        self._writing: asyncio.Task[None] | None = None

    async def end(self, claim: Claim, outcome: Outcome | None) -> None:
        """Store the outcome, or free the key. Returns when that is done, or a moment later at the latest."""
        ending = _Ending(claim, outcome)
        if self._waiting_bytes + ending.size > _WAITING_MAX_BYTES and outcome is not None:
            ending.outcome = Outcome(outcome.status, (), None)
        self._add(ending)
        try:
            async with asyncio.timeout(_DELAY_MAX_S):
                await ending.stored.wait()
        except TimeoutError:
            _log.warning("idempotency_outcome_waits", entry_id=claim.entry_id)

    def undo(self, claim: Claim, *, worker_id: str) -> None:
        """Free the key if the claim that was asked for without an answer was made after all."""
        self._add(_Ending(claim, None, undo_for=worker_id))

    async def aclose(self) -> None:
        """Give what waits a last moment. What is lost is freed with this worker."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=_CLOSE_TIMEOUT_S)
            self._writing.cancel()

    def _add(self, ending: _Ending) -> None:
        if len(self._waiting) >= _WAITING_MAX:
            _log.error("idempotency_outcome_not_stored", entry_id=ending.claim.entry_id, reason="too many wait")
            ending.stored.set()
            return
        self._waiting.append(ending)
        self._waiting_bytes += ending.size
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        delay_s = _RETRY_MIN_S
        while self._waiting:
            batch = list(self._batch())
            try:
                async with asyncio.timeout(_BATCH_TIMEOUT_S):
                    await self._write(batch)
            except (DatabaseUnavailableError, TimeoutError):
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, _RETRY_MAX_S)
                continue
            except Exception as error:  # noqa: BLE001 -- one outcome that cannot be stored must not stop those after it
                if len(batch) > 1:
                    self._batch_endings = 1
                    continue
                _log.error("idempotency_outcome_not_stored", entry_id=batch[0].claim.entry_id, reason=repr(error))
            delay_s = _RETRY_MIN_S
            self._batch_endings = min(2 * self._batch_endings, _BATCH_ENDINGS)
            for ending in batch:
                self._waiting.popleft()
                self._waiting_bytes -= ending.size
                ending.stored.set()

    def _batch(self) -> Iterator[_Ending]:
        """The first endings, so many that the database is not kept for long."""
        size = 0
        for number, ending in enumerate(self._waiting):
            size += ending.size
            if number and (number >= self._batch_endings or size > _BATCH_BYTES):
                return
            yield ending

    async def _write(self, batch: list[_Ending]) -> None:
        async with self._database.write() as session, session.begin():
            for ending in batch:
                await _write_one(session, ending)


async def _write_one(session: WriteSession, ending: _Ending) -> None:
    claim, outcome = ending.claim, ending.outcome
    if outcome is not None:
        if not await store.keep(session, claim, outcome, lifetime_s=IDEMPOTENCY_TTL_S):
            _log.warning("idempotency_claim_was_lost", entry_id=claim.entry_id)
        return
    if ending.undo_for:  # waits for a claim that is being made at this moment, which a plain delete would not see
        await store.take(session, claim, worker_id=ending.undo_for, lifetime_s=0)
    await store.release(session, claim)
