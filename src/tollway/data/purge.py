"""SQL that removes what counts no more: each statement a small batch, so that nobody waits for it."""

from sqlalchemy import text

from tollway.data.schema.quota_window import SHORT_WINDOW_US, WINDOW_KEY
from tollway.data.session import WriteSession
from tollway.ledger.window import FOREVER_US, SECOND_US

_KEY = ", ".join(WINDOW_KEY)
_DELETE_WINDOWS = f"""
    leases AS (DELETE FROM quota_lease WHERE ({_KEY}) IN (SELECT {_KEY} FROM old)),
    windows AS (DELETE FROM quota_window WHERE ({_KEY}) IN (SELECT {_KEY} FROM old))
    SELECT count(*) FROM old
"""  # noqa: S608 -- made of the names of our own columns
_MICROSECONDS = "(extract(epoch FROM now()) * 1000000)::bigint"

# Of a rolling quota a short window is a slot; it counts for an hour at the most, as its slots are a sixtieth of it.
_SHORT_WINDOWS = text(f"""
    WITH old AS (
        SELECT {_KEY} FROM quota_window
        WHERE end_us - start_us <= {SHORT_WINDOW_US} AND end_us < {_MICROSECONDS} - CAST(:kept_us AS bigint)
        ORDER BY end_us LIMIT :limit FOR UPDATE SKIP LOCKED
    ), {_DELETE_WINDOWS}
""")  # noqa: S608 -- as above
_WINDOWS = text(f"""
    WITH old AS (
        SELECT {_KEY} FROM quota_window AS w
        WHERE end_us < {_MICROSECONDS} - CAST(:kept_us AS bigint)
            AND NOT EXISTS (
                SELECT FROM quota WHERE quota.id = w.quota_id
                    AND w.end_us >= {_MICROSECONDS} - CAST(:kept_us AS bigint) - quota.length_s * 1000000::bigint
            )
        ORDER BY end_us LIMIT :limit FOR UPDATE OF w SKIP LOCKED
    ), {_DELETE_WINDOWS}
""")  # noqa: S608 -- as above
# With nothing granted no worker has anything of it left; what the journal still settles makes a new row, that goes too.
_ENDLESS_WINDOWS = text(f"""
    WITH old AS (
        SELECT {_KEY} FROM quota_window AS w
        WHERE end_us >= {FOREVER_US} AND granted = 0
            AND NOT EXISTS (SELECT FROM quota WHERE quota.id = w.quota_id AND quota.generation = w.generation)
        LIMIT :limit FOR UPDATE OF w SKIP LOCKED
    ), {_DELETE_WINDOWS}
""")  # noqa: S608 -- as above
_CLAIMS = text("""
    WITH old AS (
        SELECT key_id, digest FROM idempotency_claim WHERE expires_at < now()
        ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), claims AS (DELETE FROM idempotency_claim AS c USING old WHERE (c.key_id, c.digest) = (old.key_id, old.digest))
    SELECT count(*) FROM old
""")
_WORKERS = text("""
    WITH old AS (
        SELECT id FROM worker
        WHERE seen_at < now() - make_interval(secs => :kept_s)
            AND NOT EXISTS (SELECT FROM quota_lease WHERE quota_lease.worker_id = worker.id)
        ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
    ), workers AS (DELETE FROM worker USING old WHERE worker.id = old.id)
    SELECT count(*) FROM old
""")


async def purge_short_windows(session: WriteSession, *, kept_s: int, limit: int) -> int:
    """Delete windows of a minute or less that ended so long ago, with their leases; returns how many.

    Args:
        session: within a transaction that has locked no window.
        kept_s: an hour at the least.
        limit: windows at the most.
    """
    return int((await session.execute(_SHORT_WINDOWS, {"kept_us": kept_s * SECOND_US, "limit": limit})).scalar_one())


async def purge_windows(session: WriteSession, *, kept_s: int, limit: int) -> int:
    """As `purge_short_windows`, for all; those of a rolling quota are kept for its length longer."""
    return int((await session.execute(_WINDOWS, {"kept_us": kept_s * SECOND_US, "limit": limit})).scalar_one())


async def purge_endless_windows(session: WriteSession, *, limit: int) -> int:
    """Delete windows without end of quotas that were deleted or begun anew, with their leases; returns how many."""
    return int((await session.execute(_ENDLESS_WINDOWS, {"limit": limit})).scalar_one())


async def purge_claims(session: WriteSession, *, limit: int) -> int:
    """Delete idempotency keys that have expired; returns how many."""
    return int((await session.execute(_CLAIMS, {"limit": limit})).scalar_one())


async def purge_workers(session: WriteSession, *, kept_s: int, limit: int) -> int:
    """Delete workers that were not seen for so long and have no lease; returns how many."""
    return int((await session.execute(_WORKERS, {"kept_s": kept_s, "limit": limit})).scalar_one())
