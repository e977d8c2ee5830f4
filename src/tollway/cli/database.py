"""The database of this machine's installation, for commands that work without a server."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from tollway.cli.failure import CommandError
from tollway.config import Settings
from tollway.services.secret_keys import SecretKeysError
from tollway.supervisor.errors import AlreadyRunningError, StartError
from tollway.supervisor.lock import DataDirLock
from tollway.supervisor.postgres import EmbeddedPostgres
from tollway.supervisor.tree import DatabaseUrls

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url", envvar="TOLLWAY_DATABASE_URL", help="PostgreSQL to use instead of the embedded one."
    ),
]
ServerDataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", envvar="TOLLWAY_DATA_DIR", help="Directory for the database, the journal and the secrets."
    ),
]
T = TypeVar("T")


def urls_of(settings: Settings) -> DatabaseUrls:
    """Where the database is, or will be once it is started."""
    storage = settings.storage
    if storage.database_url:
        app = storage.database_url.get_secret_value()
        owner = storage.migration_database_url
        return DatabaseUrls(owner.get_secret_value() if owner else app, app)
    embedded = EmbeddedPostgres(storage.data_dir)
    return DatabaseUrls(embedded.owner_url, embedded.app_url)


@asynccontextmanager
async def running_database(settings: Settings) -> AsyncIterator[DatabaseUrls]:
    """The database, started for the length of the block if it is the embedded one and does not run.

    Raises:
        StartError: it cannot be started.
    """
    if settings.storage.database_url:
        yield urls_of(settings)
        return
    try:
        lock = DataDirLock(settings.storage.data_dir).__enter__()
    except AlreadyRunningError:
        yield urls_of(settings)  # the server that holds the lock runs it
        return
    try:
        async with EmbeddedPostgres(settings.storage.data_dir):
            yield urls_of(settings)
    finally:
        lock.__exit__(None, None, None)


def run(task: Coroutine[Any, Any, T]) -> T:
    """Run a task to its end.

    Raises:
        CommandError: the installation cannot be used; the message is for the operator.
    """
    try:
        return asyncio.run(task)
    except (StartError, SecretKeysError) as error:
        raise CommandError(str(error), code="start") from error
