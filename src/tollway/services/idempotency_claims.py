"""Claims on idempotency keys: the only step of a request that needs PostgreSQL.

No request waits for the database longer than a moment, and only a part of the worker's connections are used here: what
goes wrong with requests that carry an idempotency key must not reach those without.
"""

import asyncio
from collections import Counter

from msgspec.structs import replace

from tollway.data import idempotency as store
from tollway.data.idempotency import Claim, Held, Outcome
from tollway.data.session import Database
from tollway.errors import (
    DatabaseUnavailableError,
    IdempotencyError,
    IdempotencyLostError,
    IdempotencyRunningError,
    OverloadedError,
)
from tollway.services.content_seal import ContentSeal
from tollway.services.idempotency_endings import IdempotencyEndings

_TIMEOUT_S = 2.0
"""A caller is told that the database is away after this time."""
_WAITING_MAX = 512
"""Requests that wait for a claim at the same time; below what the server accepts, which others need too."""
_WAITING_MAX_PER_ORGANIZATION = 256
"""Nor may one organization take all of it: a claim is made before any of its limits is looked at."""
_ATTEMPTS = 3


class IdempotencyClaims:
    """The claims of one worker.

    Args:
        database: the application's.
        seal: of the replies.
        endings: stores how runs end.
        worker_id: of this worker; what runs under it is freed when it is found dead.
        run_max_s: longer than any request may run. A claim that has no outcome after that is free, whoever had it.
        connections: claims that are made at the same time.
    """

    def __init__(
        self,
        database: Database,
        seal: ContentSeal,
        endings: IdempotencyEndings,
        worker_id: str,
        *,
        run_max_s: float,
        connections: int,
    ) -> None:
        self._database = database
        self._seal = seal
        self._endings = endings
        self._worker_id = worker_id
        self._run_max_s = run_max_s
        self._connections = asyncio.Semaphore(connections)
        self._waiting: Counter[str] = Counter()

    async def take(self, claim: Claim, *, organization_id: str) -> Outcome | None:
        """Claim the key for this run (``None``), or the outcome that an earlier run of the same request had.

        Args:
            claim: the run.
            organization_id: whose request it is.

        Raises:
            IdempotencyError: the key belongs to a different request.
            IdempotencyRunningError: the same request runs at this moment.
            IdempotencyLostError: it ended, and its outcome was too large to be kept.
            ContentSealedError: it ended, and its outcome was stored under another master key.
            DatabaseUnavailableError: it cannot be known; nothing runs.
            OverloadedError: too many wait for an answer to this already.
        """
        waiting = self._waiting
        if waiting[organization_id] >= _WAITING_MAX_PER_ORGANIZATION or waiting.total() >= _WAITING_MAX:
            raise OverloadedError(
                "Too many requests with an idempotency key wait for the database already.",
                next_step="Try again shortly.",
                headers=(("retry-after", "1"),),
            )
        waiting[organization_id] += 1
        try:
            held = await self._ask(claim)
        finally:
            waiting[organization_id] -= 1
            if not waiting[organization_id]:
                del waiting[organization_id]
        return None if held is None else self._outcome(claim, held)

    async def keep(self, claim: Claim, outcome: Outcome) -> None:
        """Store how the run ended. Returns when it is stored, or a moment later at the latest."""
        if outcome.body is not None:
            outcome = replace(outcome, body=self._seal.seal_reply(claim.key_id, claim.digest, outcome.body))
        await self._endings.end(claim, outcome)

    async def release(self, claim: Claim) -> None:
        """Free the key: the next request runs anew. Returns when it is free, or a moment later at the latest."""
        await self._endings.end(claim, None)

    async def _ask(self, claim: Claim) -> Held | None:
        """Who has the key; ``None``: we do. A claim that was asked for and not confirmed is undone."""
        doubtful = False
        try:
            async with asyncio.timeout(_TIMEOUT_S), self._connections, self._database.write() as session:
                for _ in range(_ATTEMPTS):  # again when the claim was released between the two statements
                    async with session.begin():
                        _ = await session.connection()  # until here nothing was asked
                        doubtful = True
                        taken = await store.take(session, claim, worker_id=self._worker_id, lifetime_s=self._run_max_s)
                    if taken:
                        break
                    doubtful = False
                    async with session.begin():
                        held = await store.find(session, claim)
                    if held is not None:
                        return held
                else:
                    return Held(same=True, outcome=None)
            doubtful = False  # only here: leaving the session may fail, too
        except (DatabaseUnavailableError, TimeoutError) as error:
            raise DatabaseUnavailableError(
                "The database did not answer, so whether this idempotency key was used cannot be known; nothing ran.",
                next_step="Try again shortly, or send the request without an idempotency key.",
                headers=(("retry-after", "2"),),
            ) from error
        finally:
            if doubtful:
                self._endings.undo(claim, worker_id=self._worker_id)
        return None

    def _outcome(self, claim: Claim, held: Held) -> Outcome:
        if not held.same:
            raise IdempotencyError(
                "This idempotency key was used for a different request.", next_step="Use a new key for each request."
            )
        if held.outcome is None:
            raise IdempotencyRunningError(
                "The first request with this idempotency key still runs.",
                next_step="Send it again in a moment: it gets the same answer.",
                headers=(("retry-after", "1"),),
            )
        if held.outcome.body is None:
            raise IdempotencyLostError(
                "The first request with this idempotency key was served, and its answer was too large to be kept.",
                next_step="Use a new key to run it again; the operator can raise TOLLWAY_IDEMPOTENCY_MAX_BYTES.",
            )
        return replace(held.outcome, body=self._seal.open_reply(claim.key_id, claim.digest, held.outcome.body))
