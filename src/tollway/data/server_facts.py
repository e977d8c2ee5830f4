"""What a PostgreSQL server says of itself."""

from datetime import datetime

import msgspec
from sqlalchemy import Text, cast, column, func, select, table

from tollway.data.session import ReadSession


class ServerFacts(msgspec.Struct, frozen=True):
    """What decides whether a server can be used.

    Attributes:
        version: as PostgreSQL numbers it: 150004 is 15.4.
        pgvector: its version, installed or at hand; ``None`` if it is not there.
        clock: the server's present time.
    """

    version: int
    pgvector: str | None
    clock: datetime


async def server_facts(session: ReadSession) -> ServerFacts:
    """Ask the server.

    Source: https://www.postgresql.org/docs/current/view-pg-available-extensions.html
    """
    extensions = table(
        "pg_available_extensions", column("name"), column("default_version"), column("installed_version")
    )
    version = func.coalesce(extensions.c.installed_version, extensions.c.default_version)
    pgvector = select(cast(version, Text)).where(extensions.c.name == "vector").scalar_subquery()
    found = await session.execute(select(func.current_setting("server_version_num"), pgvector, func.clock_timestamp()))
    number, vector, clock = found.one()
    return ServerFacts(version=int(number), pgvector=vector, clock=clock)
