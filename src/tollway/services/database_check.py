"""Whether the database answers."""

from tollway.data.ping import ping
from tollway.data.session import Database
from tollway.errors import DatabaseUnavailableError


class DatabaseCheck:
    """Asks the database for the least it can answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fault(self) -> str:
        """What is wrong with it, empty if nothing is."""
        try:
            async with self._database.read() as session:
                await ping(session)
        except DatabaseUnavailableError as error:
            return error.text
        return ""
