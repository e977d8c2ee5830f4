"""`tollway init`."""

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from tollway.cli.database import DatabaseUrl, ServerDataDir, run, running_database
from tollway.cli.failure import CommandError
from tollway.cli.output import AsJson, print_json
from tollway.cli.settings import settings_of
from tollway.cli.table import busy
from tollway.config import Settings
from tollway.data.session import Database, create_engine
from tollway.services.first_keys import FILE_NAME, FirstKeys
from tollway.services.first_start import FirstStart
from tollway.services.migrate import migrate
from tollway.services.secret_keys import load_secret_keys

EXAMPLE = "tollway.yaml"


def init(
    *,
    example: Annotated[
        Path | None,
        typer.Option(
            "--example", help="Also write a commented file for `tollway apply` there; an existing file is left alone."
        ),
    ] = None,
    database_url: DatabaseUrl = None,
    data_dir: ServerDataDir = None,
    as_json: AsJson = False,
) -> None:
    """Prepare a data directory, its secrets and its database, without serving.

    What is there already is kept: run twice, the second time changes nothing.
    """
    settings = settings_of(database_url=database_url, data_dir=data_dir)
    if example:
        _write_example(example)
    with busy("Preparing …"):
        keys = run(_prepare(settings))
    folder = settings.storage.data_dir.absolute()
    if as_json:
        first = {"admin_key": keys.admin_key, "project_key": keys.project_key} if keys else None
        print_json({"data_dir": str(folder), "keys": first})
        return
    typer.echo(f"{folder} is ready.")
    if keys:
        typer.echo(f"Administrator key  {keys.admin_key}\nProject key        {keys.project_key}")
        typer.echo(f"They are kept in {folder / FILE_NAME}.")
    typer.echo("Start Tollway with `tollway serve`.")


async def _prepare(settings: Settings) -> FirstKeys | None:
    """Secrets, schema and first keys; the keys only where they are new."""
    storage = settings.storage
    storage.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret_keys = load_secret_keys(settings.secrets, storage.data_dir)
    async with running_database(settings) as urls:
        await asyncio.to_thread(migrate, urls.owner)
        database = Database(create_engine(urls.app, pool_size=1, timeout_s=storage.database_timeout_s))
        try:
            first = FirstStart(database, pepper=secret_keys.pepper, data_dir=storage.data_dir)
            return await first.ensure(settings.server.url)
        finally:
            await database.close()


def _write_example(path: Path) -> None:
    text = files("tollway.cli").joinpath(EXAMPLE).read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.", code="file") from error
