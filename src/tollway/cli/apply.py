"""`tollway apply`."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from tollway.cli.change import Action, Change
from tollway.cli.client import ApiClient
from tollway.cli.declaration import load_declaration
from tollway.cli.desk import open_api
from tollway.cli.endpoint import ApiKey, DataDir, Url
from tollway.cli.failure import CommandError
from tollway.cli.output import AsJson, print_json, remark
from tollway.cli.plan import plan
from tollway.cli.table import cell

_COLOURS = {Action.CREATE: "green", Action.CHANGE: "yellow", Action.REMOVE: "red"}


def apply(
    *,
    file: Annotated[str, typer.Option("--file", "-f", help="The file; - reads stdin.")] = "tollway.yaml",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove what is not declared, in the sections that the file has.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make providers, prices, projects, keys, budgets, limits and webhooks as a file declares them.

    Applied twice, the second time changes nothing. Without --prune nothing is ever removed.
    """
    wanted = load_declaration(file)
    folder = Path() if file == "-" else Path(file).parent
    with open_api(url, api_key, data_dir, organization=wanted.organization) as api:
        changes = plan(api, wanted, folder, prune=prune)
        if not as_json:
            _show_diff(changes)
        if dry_run or not changes:
            _conclude(changes, [], applied=False, as_json=as_json)
            return
        _confirm_removals(changes, yes=yes)
        made = [_make(change, api, number, len(changes), as_json=as_json) for number, change in enumerate(changes, 1)]
    _conclude(changes, made, applied=True, as_json=as_json)


def _show_diff(changes: Sequence[Change]) -> None:
    """The differences, as people read them, on stdout."""
    console = Console(highlight=False, soft_wrap=True)
    for change in changes:
        colour = _COLOURS[change.action]
        console.print(f"[{colour}]{change.action} {change.noun} {escape(change.name)}[/{colour}]")
        for name, (before, after) in change.fields.items():
            arrow = escape(cell(after) or '""')
            if change.action is Action.CHANGE:
                arrow = f"{escape(cell(before)) or 'nothing'} → {arrow}"
            console.print(f"    {name}: {arrow}")


def _confirm_removals(changes: Sequence[Change], *, yes: bool) -> None:
    removals = [change for change in changes if change.action is Action.REMOVE]
    if not removals or yes:
        return
    if not sys.stdin.isatty() or not typer.confirm(f"Remove {_count(len(removals), 'thing')}?", err=True):
        raise CommandError(
            "Nothing was changed.", code="not_confirmed", next_step="Add --yes to remove without asking."
        )


def _make(change: Change, api: ApiClient, number: int, total: int, *, as_json: bool) -> Mapping[str, Any]:
    """Make one change. What was made before it stays made; the next run goes on from there."""
    try:
        row = change.make(api)
    except CommandError as error:
        error.message = f"{change.noun} {change.name}: {error.message}"
        error.details = (*error.details, f"{number - 1} of {total} changes were made before.")
        raise
    except OSError as error:
        raise CommandError(
            f"{change.noun} {change.name}: {error.filename}: {os.strerror(error.errno or 0)}."
        ) from error
    if not as_json and sys.stderr.isatty():
        remark(f"{number}/{total} {change.noun} {change.name}")
    return row if isinstance(row, dict) and change.noun in {"key", "webhook"} and change.action is Action.CREATE else {}


def _conclude(changes: Sequence[Change], made: Sequence[Mapping[str, Any]], *, applied: bool, as_json: bool) -> None:
    keys = [
        {"project": row["project"], "name": row["name"], "key": row["key"], "file": row.get("file")}
        for row in made
        if "key" in row
    ]
    secrets = [
        {"name": row["name"], "secret": row["secret"], "file": row.get("file")} for row in made if "secret" in row
    ]
    if as_json:
        facts = [change.facts() for change in changes]
        print_json({"applied": applied, "changes": facts, "keys": keys, "webhooks": secrets})
        return
    for key in keys:
        told = f"written to {key['file']}" if key["file"] else f"{key['key']} (shown this once)"
        typer.echo(f"key {key['project']}/{key['name']}: {told}")
    for webhook in secrets:
        told = f"written to {webhook['file']}" if webhook["file"] else f"{webhook['secret']} (shown this once)"
        typer.echo(f"webhook {webhook['name']}: {told}")
    if not changes:
        remark("No changes: everything is as declared.")
    else:
        remark(f"{_count(len(changes), 'change')} made." if applied else f"{_count(len(changes), 'change')} to make.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
