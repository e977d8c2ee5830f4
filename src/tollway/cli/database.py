"""The database of this machine's installation, for commands that work without a server."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from tollway.cli.failure import CommandError
from tollway.config import Settings, UnknownSettingError, load_settings
from tollway.services.secret_keys import SecretKeysError
from tollway.supervisor.errors import AlreadyRunningError, StartError
from tollway.supervisor.lock import DataDirLock
from tollway.supervisor.postgres import EmbeddedPostgres
from tollway.supervisor.tree import DatabaseUrls
from tollway.telemetry.logs import configure_logs

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


def settings_of(**overrides: Any) -> Settings:
    """The settings of the environment, with what was given on the command line.

    Raises:
        CommandError: one cannot be used; its value is not shown, it may be a secret.
    """
    try:
        settings = load_settings(overrides)
    except UnknownSettingError as error:
        raise CommandError(str(error), code="settings", next_step="Correct the variable and try again.") from error
    except ValidationError as error:
        details = [f"TOLLWAY_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        raise CommandError("A setting cannot be used.", code="settings", details=details) from error
    configure_logs(settings.logs)
    return settings


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
