"""The timeline of the database: a promoted standby begins a new one, and may lack the last seconds of the old one."""

from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import text

from tollway.data.session import WriteSession


class Timeline(msgspec.Struct, frozen=True):
    """The present timeline.

    Attributes:
        number: as PostgreSQL numbers it, from 1.
        since: when Tollway met it, by the database's clock; ``None`` of the first one: nothing was lost before it.
    """

    number: int
    since: datetime | None


# The first eight digits of a WAL file's name are the timeline: https://www.postgresql.org/docs/current/wal-internals.html
PRESENT_TIMELINE = """
    SELECT present.timeline, met.since, (SELECT min(timeline) FROM database_timeline)
    FROM (SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline) AS present
    LEFT JOIN database_timeline AS met ON met.timeline = ('x' || present.timeline)::bit(32)::bigint
"""
"""The columns of `PresentTimeline`."""
_PRESENT = text(PRESENT_TIMELINE)
_MEET = text("""
    WITH met AS (
        INSERT INTO database_timeline (timeline, since) VALUES (:number, clock_timestamp())
        ON CONFLICT DO NOTHING RETURNING timeline, since
    )
    SELECT since FROM met UNION ALL SELECT since FROM database_timeline WHERE timeline = :number
""")


class PresentTimeline(NamedTuple):
    """What the database says: the timeline's number in hexadecimal, since when it is known, the first that was."""

    digits: str
    since: datetime | None
    first: int | None


async def present_timeline(session: WriteSession) -> Timeline:
    """Which timeline the database is on; a new one is noted down."""
    return await known_timeline(session, PresentTimeline(*(await session.execute(_PRESENT)).one()))


async def known_timeline(session: WriteSession, present: PresentTimeline) -> Timeline:
    """The timeline that the database says it is on; a new one is noted down."""
    digits, since, first = present
    number = int(digits, 16)
    if since is None:
        since = (await session.execute(_MEET, {"number": number})).scalars().first()
    return Timeline(number, None if first in {None, number} else since)
