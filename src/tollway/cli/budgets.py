"""`tollway budgets`."""

from typing import Annotated, Any

import typer

from tollway.cli.desk import AnyKey, AnyProject, Desk, Yes, connected, given, path
from tollway.cli.options import takes
from tollway.cli.raising import End, Until, raise_body
from tollway.cli.scope import SCOPE_OPTIONS, scope_body, scope_text, subject_text, with_scope
from tollway.cli.table import Column
from tollway.ledger.quota import Mode

app = typer.Typer(no_args_is_help=True, add_completion=False)

STATE: tuple[Column, ...] = (
    ("SETTLED>", "settled_usd"),
    ("HELD>", "held_usd"),
    ("LEASED>", "leased_usd"),
    ("LEFT>", "left_usd"),
    ("FORECAST>", "forecast_usd"),
    ("ENDS", "window_end"),
)
COLUMNS: tuple[Column, ...] = (
    ("FOR", "scope"),
    ("WINDOW", "window"),
    ("MODE", "mode"),
    ("LIMIT USD>", "limit_usd"),
    *STATE,
    ("PAUSED", "paused"),
    ("ID", "id"),
)
RECORD: tuple[Column, ...] = (
    *COLUMNS,
    ("RAISED TO", "raised.limit_usd"),
    ("RAISED UNTIL", "raised.until"),
    ("STRICT", "strict"),
    ("EVENTS AT %", "thresholds"),
)
BudgetId = Annotated[str, typer.Argument(metavar="ID", help="The id that `tollway budgets list` shows.")]
LimitUsd = Annotated[str, typer.Option("--limit-usd", metavar="USD", help="USD in a window, for instance 25.50.")]
_Threshold = Annotated[
    list[int] | None,
    typer.Option(
        "--threshold", min=1, max=100, help="Raise an event at this percentage; repeat. Default: 50, 80, 100."
    ),
]
_Strict = Annotated[
    bool | None,
    typer.Option(
        "--strict/--estimate",
        help="Charge what the provider did not count with its upper bound, or with our estimate. "
        "Default: the upper bound if hard.",
    ),
]


_Mode = Annotated[
    Mode | None, typer.Option("--mode", help="hard: never exceeded. soft: it warns.", show_default="hard")
]


def _show(desk: Desk, row: dict[str, Any]) -> None:
    desk.show(row if desk.as_json else {**row, "scope": scope_text(row)}, RECORD)


@connected(app, "list")
def list_budgets(desk: Desk, *, project: AnyProject = None, key: AnyKey = None) -> None:
    """List the budgets, with what of them is used now."""
    rows = desk.api.pages(path("budgets"), {"project": project, "key": key})
    desk.show_list(
        rows if desk.as_json else with_scope(rows),
        COLUMNS,
        empty="No budget. Set one with `tollway budgets set --window day --limit-usd 5`.",
    )


@connected(app)
def show(desk: Desk, budget: BudgetId) -> None:
    """Show one budget."""
    _show(desk, desk.api.get(path("budgets", budget)))


@connected(app)
def windows(desk: Desk, budget: BudgetId) -> None:
    """List what each user, key or whatever --each said has used of a budget now."""
    rows = desk.api.pages(path("budgets", budget, "windows"))
    shown = rows if desk.as_json else ({**row, "subject": subject_text(row)} for row in rows)
    desk.show_list(shown, (("OF", "subject"), *STATE), empty="Nothing of it is used.")


@connected(app, "set")
@takes(*SCOPE_OPTIONS)
def set_budget(
    desk: Desk,
    /,
    *,
    window: Annotated[
        str,
        typer.Option("--window", help="total, hour, day, week, month, or rolling: with a length, as in rolling:24h."),
    ],
    limit_usd: LimitUsd,
    mode: _Mode = None,
    strict: _Strict = None,
    threshold: _Threshold = None,
    **scope: Any,
) -> None:
    """Set a budget: the one of this scope and window is made, or changed."""
    body = given(window=window, limit_usd=limit_usd, mode=mode, strict=strict, thresholds=threshold or None)
    _show(desk, desk.api.put(path("budgets"), scope_body(scope) | body))


@connected(app)
def update(
    desk: Desk,
    budget: BudgetId,
    *,
    limit_usd: Annotated[str | None, typer.Option("--limit-usd", metavar="USD", help="The new limit.")] = None,
    mode: Annotated[Mode | None, typer.Option("--mode", help="hard: never exceeded. soft: it warns.")] = None,
    strict: _Strict = None,
    threshold: _Threshold = None,
) -> None:
    """Change a budget; what is not given stays."""
    body = given(limit_usd=limit_usd, mode=mode, strict=strict, thresholds=threshold or None)
    _show(desk, desk.api.patch(path("budgets", budget), body))


@connected(app)
def pause(desk: Desk, budget: BudgetId) -> None:
    """Let a budget count on, and neither refuse nor warn."""
    _show(desk, desk.api.patch(path("budgets", budget), {"paused": True}))


@connected(app)
def resume(desk: Desk, budget: BudgetId) -> None:
    """End the pause of a budget."""
    _show(desk, desk.api.patch(path("budgets", budget), {"paused": False}))


@connected(app, "raise")
def raise_budget(
    desk: Desk,
    budget: BudgetId,
    *,
    limit_usd: Annotated[str | None, typer.Option("--limit-usd", metavar="USD", help="The higher limit.")] = None,
    until: Until = None,
    end: End = False,
) -> None:
    """Raise a budget for some time."""
    _show(desk, desk.api.patch(path("budgets", budget), raise_body("limit_usd", limit_usd, until, end=end)))


@connected(app)
def reset(desk: Desk, budget: BudgetId, *, yes: Yes = False) -> None:
    """Begin the windows of a budget anew, with nothing used."""
    desk.confirm(f"Forget what was used of the budget {budget}?", yes=yes)
    _show(desk, desk.api.post(path("budgets", budget, "reset")))


@connected(app)
def remove(desk: Desk, budget: BudgetId, *, yes: Yes = False) -> None:
    """Remove a budget."""
    desk.confirm(f"Remove the budget {budget}?", yes=yes)
    desk.api.delete(path("budgets", budget))
    desk.done(f"Budget {budget} is removed.", removed=budget)
