"""How runs under idempotency keys ended, on their way into the database: several in one transaction, in order."""

import asyncio

import msgspec
import structlog

from tollway.constants import IDEMPOTENCY_TTL_S
from tollway.data import idempotency as store
from tollway.data.idempotency import Claim, Outcome
from tollway.data.session import Database, WriteSession
from tollway.services.write_queue import WriteQueue

_DELAY_MAX_S = 1.0
"""A caller waits no longer than this for its last byte; the outcome is stored all the same, a little later."""
_WAITING_MAX_BYTES = 64 * 1024 * 1024
"""Replies in memory that wait for the database; beyond this they are entered as too large to be kept."""
_WAITING_MAX = 10_000
"""Endings that wait for the database; claims whose ending is dropped are freed when they run out."""
_CLOSE_TIMEOUT_S = 1.0
_log = structlog.get_logger(__name__)


class _Ending(msgspec.Struct, frozen=True, gc=False):
    """One run's end: its outcome, or none if the key is to be free again.

    Attributes:
        undo_for: the worker whose claim may or may not have been made; empty if it surely was.
    """

    claim: Claim
    outcome: Outcome | None
    undo_for: str = ""


class IdempotencyEndings:
    """The endings of one worker. They outlive an absent database as long as the worker does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: WriteQueue[_Ending] = WriteQueue(
            "idempotency outcome",
            self._write,
            lambda _: None,
            max_count=_WAITING_MAX,
            max_bytes=_WAITING_MAX_BYTES,
            close_timeout_s=_CLOSE_TIMEOUT_S,
        )

    async def end(self, claim: Claim, outcome: Outcome | None) -> None:
        """Store the outcome, or free the key. Returns when that is done, or a moment later at the latest."""
        size = len(outcome.body) if outcome is not None and outcome.body is not None else 0
        if outcome is not None and not self._queue.has_room(size):
            outcome, size = Outcome(outcome.status, (), None), 0
        try:
            async with asyncio.timeout(_DELAY_MAX_S):
                await self._queue.add(_Ending(claim, outcome), size).wait()
        except TimeoutError:
            _log.warning("idempotency_outcome_waits", entry_id=claim.entry_id)

    def undo(self, claim: Claim, *, worker_id: str) -> None:
        """Free the key if the claim that was asked for without an answer was made after all."""
        self._queue.add(_Ending(claim, None, worker_id), 0)

    async def aclose(self) -> None:
        """Give what waits a last moment. What is lost is freed with this worker."""
        await self._queue.aclose()

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
