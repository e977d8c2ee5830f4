"""SQL of the workers that live."""

from datetime import datetime

import msgspec
from sqlalchemy import text

from tollway.constants import WORKER_UNSEEN_S
from tollway.data.session import WriteSession


class Presence(msgspec.Struct, frozen=True):
    """What a worker learns when it shows itself.

    Attributes:
        now: the database's clock.
        workers: workers that were seen lately, this one among them.
    """

    now: datetime
    workers: int


_SEEN = text("""
    WITH seen AS (
        INSERT INTO worker (id, host) VALUES (:id, :host) ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()
    )
    SELECT clock_timestamp(), 1 + count(*) FROM worker
    WHERE id <> :id AND seen_at > clock_timestamp() - make_interval(secs => :unseen_s)
""")


async def show_worker(session: WriteSession, worker_id: str, host: str) -> Presence:
    """Say that a worker lives. Two transactions of the same worker follow each other from here on."""
    found = await session.execute(_SEEN, {"id": worker_id, "host": host, "unseen_s": WORKER_UNSEEN_S})
    now, workers = found.one()
    return Presence(now, workers)
