"""`tollway audit`."""

from typing import Annotated

import typer

from tollway.cli.desk import Desk, Limit, connected, path
from tollway.cli.table import Column

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS: tuple[Column, ...] = (
    ("TIME", "at"),
    ("ACTION", "action"),
    ("SUBJECT", "subject"),
    ("BY KEY", "actor_key_id"),
    ("DETAIL", "detail"),
)


@app.callback()
def audit() -> None:
    """List what happened: changes, and thresholds of budgets."""


@connected(app, "list")
def list_events(
    desk: Desk,
    *,
    action: Annotated[str | None, typer.Option("--action", help="Only this action, as in budget.threshold.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="ID", help="Only of what has this id.")] = None,
    limit: Limit = 50,
) -> None:
    """List what happened, the newest first."""
    rows = desk.api.pages(path("audit", "events"), {"action": action, "subject": subject}, limit=limit)
    desk.show_list(rows, COLUMNS, empty="Nothing has happened.")
