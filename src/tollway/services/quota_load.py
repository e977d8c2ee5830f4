"""Read all budgets and limits, for the memory of a worker."""

from tollway.data.quotas import all_quotas
from tollway.data.session import Database
from tollway.ledger.quota import Quota


class QuotaLoad:
    """Reads the quotas of all organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> list[Quota]:
        """All of them.

        Raises:
            DatabaseUnavailableError: keep those you have.
        """
        async with self._database.read() as session:
            return await all_quotas(session)
