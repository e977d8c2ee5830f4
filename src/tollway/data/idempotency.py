"""SQL of idempotency keys: one statement takes a key, so that of any number of callers exactly one gets it."""

from datetime import timedelta
from typing import Any, cast

import msgspec
from sqlalchemy import case, delete, func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import CursorResult

from tollway.data.schema.idempotency_claim import IdempotencyClaim
from tollway.data.session import ReadSession, WriteSession


class Claim(msgspec.Struct, frozen=True):
    """One run of a request under an idempotency key.

    Attributes:
        key_id: of the API key; two callers with different keys never meet.
        digest: SHA-256 of the idempotency key.
        body_digest: SHA-256 of the path and the body.
        entry_id: of the ledger entry that the run will have. New for each run, so that a run which lost its claim
            can neither keep an outcome nor release the claim of the run after it.
    """

    key_id: str
    digest: bytes
    body_digest: bytes
    entry_id: str


class Outcome(msgspec.Struct, frozen=True):
    """The reply to replay. Without a `body` it was too large to be kept."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


class Held(msgspec.Struct, frozen=True):
    """The run that has the key: whether of the same request, and its outcome once it ended."""

    same: bool
    outcome: Outcome | None


async def take(session: WriteSession, claim: Claim, *, worker_id: str, lifetime_s: float) -> bool:
    """Claim the key if it is free, or if its run or its outcome has expired; whether it is ours now."""
    values: dict[str, Any] = {
        "body_digest": claim.body_digest,
        "worker_id": worker_id,
        "entry_id": claim.entry_id,
        "claimed_at": func.now(),
        "expires_at": func.now() + timedelta(seconds=lifetime_s),
        "status": None,
        "headers": null(),  # None would be JSON's null
        "body": None,
    }
    statement = (
        insert(IdempotencyClaim)
        .values(key_id=claim.key_id, digest=claim.digest, **values)
        .on_conflict_do_update(
            index_elements=["key_id", "digest"], set_=values, where=IdempotencyClaim.expires_at <= func.now()
        )
        .returning(IdempotencyClaim.entry_id)
    )
    return (await session.execute(statement)).one_or_none() is not None


async def find(session: ReadSession | WriteSession, claim: Claim) -> Held | None:
    """Who has the key. The stored reply is read only for the same request."""
    same = IdempotencyClaim.body_digest == claim.body_digest
    statement = select(
        same,
        IdempotencyClaim.status,
        case((same, IdempotencyClaim.headers)),
        case((same, IdempotencyClaim.body)),
    ).where(IdempotencyClaim.key_id == claim.key_id, IdempotencyClaim.digest == claim.digest)
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        return None
    is_same, status, headers, body = row
    if status is None:
        return Held(is_same, None)
    return Held(is_same, Outcome(status, tuple((name, value) for name, value in headers or ()), body))


async def keep(session: WriteSession, claim: Claim, outcome: Outcome, *, lifetime_s: float) -> bool:
    """Store how the run ended; ``False`` if the claim is not this run's any more."""
    statement = _of_run(update(IdempotencyClaim), claim).values(
        status=outcome.status,
        headers=outcome.headers,
        body=outcome.body,
        expires_at=func.now() + timedelta(seconds=lifetime_s),
    )
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount == 1


async def release(session: WriteSession, claim: Claim) -> None:
    """Free the key, if this run still has it: the next request runs anew."""
    await session.execute(_of_run(delete(IdempotencyClaim), claim))


def _of_run(statement: Any, claim: Claim) -> Any:
    return statement.where(
        IdempotencyClaim.key_id == claim.key_id,
        IdempotencyClaim.digest == claim.digest,
        IdempotencyClaim.entry_id == claim.entry_id,
    )
