"""`tollway webhooks`."""

from typing import Annotated, Any

import typer

from tollway.cli.desk import Desk, Limit, Yes, connected, given, path
from tollway.cli.output import print_json, remark
from tollway.cli.table import Column

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS: tuple[Column, ...] = (
    ("NAME", "name"),
    ("URL", "url"),
    ("EVENTS", "events"),
    ("ENABLED", "enabled"),
    ("CREATED", "created_at"),
    ("ID", "id"),
)
DELIVERIES: tuple[Column, ...] = (
    ("TIME", "at"),
    ("EVENT", "action"),
    ("ATTEMPTS>", "attempts"),
    ("DELIVERED", "delivered_at"),
    ("NEXT ATTEMPT", "next_at"),
    ("ERROR", "last_error"),
    ("EVENT ID", "event_id"),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the webhook.")]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", help="An action of the audit log, or *; repeat. Default: budget.threshold."),
]


def _show_secret(desk: Desk, row: dict[str, Any]) -> None:
    if desk.as_json:
        print_json(row)
        return
    remark(f"Webhook {row['name']} ({row['id']}). Its secret is shown this once:")
    typer.echo(row["secret"])


@connected(app, "list")
def list_webhooks(desk: Desk) -> None:
    """List the webhooks."""
    rows = desk.api.pages(path("webhooks"))
    desk.show_list(rows, COLUMNS, empty="No webhook. Make one with `tollway webhooks create NAME --to URL`.")


@connected(app)
def create(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits, dots and hyphens.")],
    *,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Where events are posted to.")],
    event: Events = None,
) -> None:
    """Create a webhook and print its secret, this once."""
    _show_secret(desk, desk.api.post(path("webhooks"), given(name=name, url=to, events=event or None)))


@connected(app)
def show(desk: Desk, name: Name) -> None:
    """Show one webhook, without its secret."""
    desk.show(desk.api.get(path("webhooks", name)), COLUMNS)


@connected(app)
def update(
    desk: Desk,
    name: Name,
    *,
    to: Annotated[str | None, typer.Option("--to", metavar="URL", help="Where events are posted to.")] = None,
    event: Events = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it is told anything.")] = None,
) -> None:
    """Change a webhook; what is not given stays. --event replaces all of its events."""
    body = given(url=to, events=event or None, enabled=enabled)
    desk.show(desk.api.patch(path("webhooks", name), body), COLUMNS)


@connected(app)
def rotate(desk: Desk, name: Name) -> None:
    """Give a webhook a new secret and print it, this once. The old one signs nothing more."""
    _show_secret(desk, desk.api.post(path("webhooks", name, "rotate")))


@connected(app)
def test(desk: Desk, name: Name) -> None:
    """Send a webhook an event of its own."""
    event_id = desk.api.post(path("webhooks", name, "test"))["event_id"]
    desk.done(f"Event {event_id} is on its way: `tollway webhooks deliveries {name}`.", event_id=event_id)


@connected(app)
def deliveries(desk: Desk, name: Name, *, limit: Limit = 50) -> None:
    """List what was or is to be sent to a webhook, the newest first."""
    rows = desk.api.pages(path("webhooks", name, "deliveries"), limit=limit)
    desk.show_list(rows, DELIVERIES, empty="Nothing was to be sent.")


@connected(app)
def remove(desk: Desk, name: Name, *, yes: Yes = False) -> None:
    """Remove a webhook; what was still to be sent to it is not sent."""
    desk.confirm(f"Remove the webhook {name}?", yes=yes)
    desk.api.delete(path("webhooks", name))
    desk.done(f"Webhook {name} is removed.", removed=name)
