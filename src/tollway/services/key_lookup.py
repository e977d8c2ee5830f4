"""Read a key from the database by its digest."""

from tollway.data import keys
from tollway.data.session import Database
from tollway.identity.principal import Principal


class KeyLookup:
    """Reads keys, past every cache."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, digest: bytes) -> Principal | None:
        """The key of this digest, whether or not it still may be used (`Principal.expires_at`, `revoked_at`).

        Raises:
            DatabaseUnavailableError: it could not be asked; says nothing about the key.
        """
        async with self._database.read() as session:
            return await keys.find_principal(session, digest)
