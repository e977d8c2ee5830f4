"""`tollway limits`."""

from typing import Annotated, Any

import typer

from tollway.cli.desk import AnyKey, AnyProject, Desk, Yes, connected, given, path
from tollway.cli.failure import usage_error
from tollway.cli.options import option, takes
from tollway.cli.raising import End, Until, raise_body
from tollway.cli.scope import SCOPE_OPTIONS, scope_body, subject_text, with_scope
from tollway.cli.table import Column

app = typer.Typer(no_args_is_help=True, add_completion=False)

STATE: tuple[Column, ...] = (
    ("USED>", "used"),
    ("HELD>", "held"),
    ("LEFT>", "left"),
    ("ENDS", "window_end"),
)
COLUMNS: tuple[Column, ...] = (
    ("FOR", "scope"),
    ("OF", "unit"),
    ("IN A", "window"),
    ("LIMIT>", "limit"),
    *STATE,
    ("QUEUE S>", "queue_s"),
    ("PAUSED", "paused"),
    ("ID", "id"),
)
RECORD: tuple[Column, ...] = (
    *COLUMNS,
    ("RAISED TO", "raised.limit"),
    ("RAISED UNTIL", "raised.until"),
)
_UNITS = ("requests", "tokens", "input_tokens", "output_tokens")
_WINDOWS = ("second", "minute", "hour", "day")
LimitId = Annotated[str, typer.Argument(metavar="ID", help="The id that `tollway limits list` shows.")]
_Queue = Annotated[
    float | None,
    typer.Option("--queue", metavar="SECONDS", min=0, max=60, help="Let requests wait so long before refusing them."),
]


def _show(desk: Desk, row: dict[str, Any]) -> None:
    desk.show(row if desk.as_json else next(with_scope([row])), RECORD)


@connected(app, "list")
def list_limits(desk: Desk, *, project: AnyProject = None, key: AnyKey = None) -> None:
    """List the rate limits, with what of them is used now."""
    rows = desk.api.pages(path("limits"), {"project": project, "key": key})
    desk.show_list(
        rows if desk.as_json else with_scope(rows),
        COLUMNS,
        empty="No rate limit. Set one with `tollway limits set --requests-per-minute 60`.",
    )


@connected(app)
def show(desk: Desk, limit: LimitId) -> None:
    """Show one rate limit."""
    _show(desk, desk.api.get(path("limits", limit)))


@connected(app)
def windows(desk: Desk, limit: LimitId) -> None:
    """List what each user, key or whatever --each said has used of a limit now."""
    rows = desk.api.pages(path("limits", limit, "windows"))
    shown = rows if desk.as_json else ({**row, "subject": subject_text(row)} for row in rows)
    desk.show_list(shown, (("OF", "subject"), *STATE), empty="Nothing of it is used.")


_AMOUNT_OPTIONS = tuple(
    option(
        f"{unit}_per_{window}",
        int | None,
        f"--{unit.replace('_', '-')}-per-{window}",
        min=0,
        metavar="N",
        rich_help_panel="How much",
        help=f"{unit.replace('_', ' ').capitalize()} in a {window}.",
    )
    for unit in _UNITS
    for window in _WINDOWS
)


@connected(app, "set")
@takes(*SCOPE_OPTIONS, *_AMOUNT_OPTIONS)
def set_limits(
    desk: Desk,
    /,
    *,
    parallel: Annotated[
        int | None,
        typer.Option("--parallel", min=0, metavar="N", rich_help_panel="How much", help="Requests at a time."),
    ] = None,
    queue: _Queue = None,
    **options: Any,
) -> None:
    """Set rate limits: those of this scope, unit and window are made, or changed. Several may be given at once."""
    scope = scope_body(options)
    limits: list[dict[str, Any]] = [
        {"unit": unit, "window": window, "limit": limit}
        for unit in _UNITS
        for window in _WINDOWS
        if (limit := options[f"{unit}_per_{window}"]) is not None
    ]
    if parallel is not None:
        limits.append({"unit": "parallel", "limit": parallel})
    if not limits:
        raise usage_error("No limit was given.", "Give at least one, for instance --requests-per-minute 60.")
    rows = [desk.api.put(path("limits"), scope | limit | given(queue_s=queue)) for limit in limits]
    desk.show_list(rows if desk.as_json else with_scope(rows), COLUMNS, empty="")


@connected(app)
def update(
    desk: Desk,
    limit: LimitId,
    *,
    to: Annotated[int | None, typer.Option("--limit", min=0, metavar="N", help="The new limit.")] = None,
    queue: _Queue = None,
    paused: Annotated[bool | None, typer.Option("--pause/--resume", help="Whether it refuses nothing.")] = None,
) -> None:
    """Change a rate limit; what is not given stays."""
    _show(desk, desk.api.patch(path("limits", limit), given(limit=to, queue_s=queue, paused=paused)))


@connected(app, "raise")
def raise_limit(
    desk: Desk,
    limit: LimitId,
    *,
    to: Annotated[int | None, typer.Option("--limit", min=0, metavar="N", help="The higher limit.")] = None,
    until: Until = None,
    end: End = False,
) -> None:
    """Raise a rate limit for some time."""
    _show(desk, desk.api.patch(path("limits", limit), raise_body("limit", to, until, end=end)))


@connected(app)
def reset(desk: Desk, limit: LimitId, *, yes: Yes = False) -> None:
    """Begin the windows of a rate limit anew, with nothing used."""
    desk.confirm(f"Forget what was used of the rate limit {limit}?", yes=yes)
    _show(desk, desk.api.post(path("limits", limit, "reset")))


@connected(app)
def remove(desk: Desk, limit: LimitId, *, yes: Yes = False) -> None:
    """Remove a rate limit."""
    desk.confirm(f"Remove the rate limit {limit}?", yes=yes)
    desk.api.delete(path("limits", limit))
    desk.done(f"Rate limit {limit} is removed.", removed=limit)
