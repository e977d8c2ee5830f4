"""Look at the database server as a whole, before or beside its use."""

from tollway.data.server_facts import ServerFacts, server_facts
from tollway.data.session import Database

VERSION_MIN = 150_000
"""PostgreSQL 15, the oldest with everything that the schema uses (NULLS NOT DISTINCT, MERGE)."""


class ServerCheck:
    """Asks the server what it is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def facts(self) -> ServerFacts:
        """What it says.

        Raises:
            DatabaseUnavailableError: it cannot be reached.
        """
        async with self._database.read() as session:
            return await server_facts(session)
