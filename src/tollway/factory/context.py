"""What lives as long as a process."""

from dataclasses import dataclass

from tollway.config import Settings
from tollway.data.session import Database, create_engine
from tollway.identity.vault import SecretKeys, Vault
from tollway.providers.plugins import install_plugins
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
            ValueError: no database URL is set (the supervisor sets it for its children), or two provider plugins clash.
        """
        install_plugins()
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
