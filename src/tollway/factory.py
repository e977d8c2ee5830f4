"""Process singletons in one frozen dataclass, and the factory that builds each service from them.

The web app, the command line, the jobs and the tests all build services here, so that a service is wired the same way
wherever it runs.
"""

from dataclasses import dataclass

from tollway.config import Settings
from tollway.data.session import Database, create_engine
from tollway.identity.vault import SecretKeys, Vault
from tollway.services.secret_keys import load_secret_keys


@dataclass(frozen=True)
class ProcessContext:
    """What lives as long as the process."""

    settings: Settings
    database: Database
    secret_keys: SecretKeys
    vault: Vault

    @classmethod
    def create(cls, settings: Settings) -> "ProcessContext":
        """Open what the settings describe. Connects to nothing yet.

        Raises:
            ValueError: no database URL is set (the supervisor sets it for its children).
        """
        url = settings.storage.database_url
        if url is None:
            message = "No database: set TOLLWAY_DATABASE_URL, or start Tollway with `tollway serve`."
            raise ValueError(message)
        engine = create_engine(
            url.get_secret_value(),
            pool_size=settings.storage.database_pool_size,
            timeout_s=settings.storage.database_timeout_s,
        )
        secret_keys = load_secret_keys(settings.secrets, settings.storage.data_dir)
        return cls(
            settings=settings, database=Database(engine), secret_keys=secret_keys, vault=Vault(secret_keys.master)
        )

    async def aclose(self) -> None:
        """Close what was opened."""
        await self.database.close()


class Factory:
    """Builds services. One method a service, named as the service's file."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
