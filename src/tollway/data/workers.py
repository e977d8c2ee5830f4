"""SQL of the workers that live."""

from datetime import datetime

import msgspec
from sqlalchemy import text

from tollway.constants import WORKER_UNSEEN_S
from tollway.data.session import WriteSession
from tollway.data.timeline import PRESENT_TIMELINE, PresentTimeline


class Presence(msgspec.Struct, frozen=True):
    """What a worker learns when it shows itself.

    Attributes:
        now: the database's clock.
        workers: workers that were seen lately, this one among them.
        timeline: what is to be given to `tollway.data.timeline.known_timeline`.
    """

    now: datetime
    workers: int
    timeline: PresentTimeline


_SEEN = text(f"""
    WITH seen AS (
        INSERT INTO worker (id, host) VALUES (:id, :host) ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()
    )
    SELECT clock_timestamp(), others.count, present.* FROM (
        SELECT 1 + count(*) AS count FROM worker
        WHERE id <> :id AND seen_at > clock_timestamp() - make_interval(secs => :unseen_s)
    ) AS others, ({PRESENT_TIMELINE}) AS present
""")  # noqa: S608 -- made of constants


async def show_worker(session: WriteSession, worker_id: str, host: str) -> Presence:
    """Say that a worker lives. Two transactions of the same worker follow each other from here on."""
    found = await session.execute(_SEEN, {"id": worker_id, "host": host, "unseen_s": WORKER_UNSEEN_S})
    now, workers, *timeline = found.one()
    return Presence(now, workers, PresentTimeline(*timeline))
