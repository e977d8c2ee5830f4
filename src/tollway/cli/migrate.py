"""`tollway migrate`."""

import asyncio
from typing import Annotated

import typer

from tollway.cli.database import DatabaseUrl, ServerDataDir, run, running_database
from tollway.cli.failure import CommandError
from tollway.cli.output import AsJson, print_json
from tollway.cli.settings import settings_of
from tollway.cli.table import busy
from tollway.config import Settings
from tollway.services import migrate as migrations


def migrate(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail if the schema is not that of this version.")
    ] = False,
    database_url: DatabaseUrl = None,
    data_dir: ServerDataDir = None,
    as_json: AsJson = False,
) -> None:
    """Bring the database to the schema of this version. `tollway serve` does it too, at every start."""
    settings = settings_of(database_url=database_url, data_dir=data_dir)
    with busy("Looking …" if check else "Migrating …"):
        version = run(_migrate(settings, check=check))
    up_to_date = version.up_to_date or not check
    if as_json:
        print_json({"before": version.current, "head": version.head, "up_to_date": up_to_date})
    elif version.up_to_date:
        typer.echo(f"The database has the newest schema, {version.head}.")
    elif check:
        typer.echo(f"The database has the schema {version.current or 'none'}; this version needs {version.head}.")
    else:
        typer.echo(f"Migrated from {version.current or 'an empty database'} to {version.head}.")
    if not up_to_date:
        raise CommandError(
            "The schema is not that of this version.", code="schema_mismatch", next_step="Run `tollway migrate`."
        )


async def _migrate(settings: Settings, *, check: bool) -> migrations.SchemaVersion:
    async with running_database(settings) as urls:
        return await asyncio.to_thread(migrations.current_and_head if check else migrations.migrate, urls.owner)
