"""Read keys from the database by their digests."""

import asyncio
from collections.abc import Sequence

from tollway.constants import KEY_LOOKUP_TIMEOUT_S
from tollway.data import keys
from tollway.data.session import Database
from tollway.errors import DatabaseUnavailableError
from tollway.identity.principal import Principal


class KeyLookup:
    """Reads keys, past every cache."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, digests: Sequence[bytes]) -> dict[bytes, Principal]:
        """The keys of these digests, whether or not they still may be used (`Principal.expires_at`, `revoked_at`).

        Raises:
            DatabaseUnavailableError: it could not be asked; says nothing about the keys.
        """
        try:
            async with asyncio.timeout(KEY_LOOKUP_TIMEOUT_S), self._database.read() as session:
                return await keys.find_principals(session, digests)
        except TimeoutError as error:
            raise DatabaseUnavailableError(
                "The database did not answer in time.",
                next_step="Try again shortly.",
                headers=(("retry-after", "2"),),
            ) from error
