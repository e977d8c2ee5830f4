"""`tollway serve`."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tollway.cli.failure import CommandError
from tollway.cli.settings import settings_of
from tollway.services.first_keys import FirstKeys
from tollway.supervisor.errors import StartError
from tollway.supervisor.serve import Announcement
from tollway.supervisor.serve import serve as run


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; TOLLWAY_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port to listen on; TOLLWAY_PORT.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes; 0 means one for each core; TOLLWAY_WORKERS.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Directory for database, journal and secrets; TOLLWAY_DATA_DIR.")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="PostgreSQL to use instead of the embedded one; TOLLWAY_DATABASE_URL.")
    ] = None,
) -> None:
    """Start Tollway: database, local model, workers. Stops on Ctrl-C or SIGTERM."""
    given = {"host": host, "port": port, "workers": workers, "data_dir": data_dir, "database_url": database_url}
    try:
        asyncio.run(run(settings_of(**given), announce))
    except StartError as error:
        raise CommandError(str(error), code="start") from error


def announce(ready: Announcement, console: Console | None = None) -> None:
    """Tell the person at the terminal what runs and how to use it. Commands are printed so that they can be copied."""
    prepared, keys = ready.prepared, ready.prepared.keys
    database = "embedded PostgreSQL" if ready.is_database_embedded else "external PostgreSQL"
    workers = f"{ready.workers} worker{'s' * (ready.workers != 1)}"
    model = prepared.model or "no local model; install it with: pip install 'tollway[local]'"
    lines = [
        f"\n[bold green]Tollway is ready[/] at [bold]{ready.url}[/] after {ready.start_s:.1f} s.",
        f"  API docs   {ready.url}/docs",
        f"  Data       {escape(str(ready.data_dir))} ({database}, {workers})",
        f"  Model      {escape(model)}",
    ]
    if prepared.providers:
        lines.append(f"  Providers  {', '.join(prepared.providers)} (from the environment)")
    if keys:
        lines += _first_steps(ready, keys)
    else:
        lines.append(f"  Keys       in {escape(str(ready.keys_file))}, if this installation began here")
    (console or Console(soft_wrap=True, highlight=False)).print("\n".join(lines) + "\n")


def _first_steps(ready: Announcement, keys: FirstKeys) -> list[str]:
    model = ready.prepared.model or "PROVIDER/MODEL"
    return [
        f"\n[bold]Keys[/] (shown once; kept in {escape(str(ready.keys_file))})",
        f"  Administrator  {keys.admin_key}",
        f"  Project        {keys.project_key}",
        "\n[bold]Try it[/]",
        escape(curl(ready.url, keys.project_key, model)),
        "\n[bold]Or in Python[/] (pip install openai)",
        escape(snippet(ready.url, keys.project_key, model)),
    ]


def curl(url: str, key: str, model: str) -> str:
    """A command that sends a first request."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "What is a toll road?"}]})
    headers = f"-H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
    return f"curl {url}/v1/chat/completions {headers} -d '{body}'"


def snippet(url: str, key: str, model: str) -> str:
    """The same with OpenAI's SDK."""
    return f"""from openai import OpenAI

client = OpenAI(base_url="{url}/v1", api_key="{key}")
question = {{"role": "user", "content": "What is a toll road?"}}
reply = client.chat.completions.create(model="{model}", messages=[question])
print(reply.choices[0].message.content)"""
