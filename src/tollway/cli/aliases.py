"""`tollway aliases`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tollway.cli.desk import DEFAULT_PROJECT, AnyProject, Desk, Project, connected, given, path
from tollway.cli.failure import usage_error
from tollway.cli.route_form import WrittenRoute, by_target, route_of_file, target_text, written_route
from tollway.routing.route import Sticky, Strategy

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS = (
    ("PROJECT", "project"),
    ("NAME", "name"),
    ("TARGET", "targets"),
    ("STRATEGY", "route.strategy"),
    ("CREATED", "created_at"),
)
DETAILS = (
    *COLUMNS[:-1],
    ("STICKY", "route.sticky"),
    ("LATENCY TARGET MS", "route.latency_target_ms"),
    ("ATTEMPTS", "route.retry.attempts"),
    ("FALLS BACK ON", "route.retry.fall_back_on"),
    ("HEDGE", "route.hedge"),
    ("CANARY", "route.canary"),
    ("SHADOW", "route.shadow"),
    ("RULES", "route.rules"),
    ("CONTINUES STREAMS", "route.continue_streams"),
    ("TIMEOUT S", "route.timeout_s"),
    COLUMNS[-1],
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The alias; it has no slash.")]
Targets = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PROVIDER/MODEL]...", help="What it stands for; several make a route."),
]
OfTarget = "for one of the targets; repeat."


def _for_people(row: Mapping[str, Any]) -> dict[str, Any]:
    route = row["route"]
    return dict(row) | {"targets": [target_text(target) for target in route["targets"]] if route else [row["target"]]}


def _show(desk: Desk, row: Mapping[str, Any]) -> None:
    desk.show(row if desk.as_json else _for_people(row), DETAILS)


@connected(app, "list")
def list_aliases(desk: Desk, *, project: AnyProject = None) -> None:
    """List the aliases."""
    rows = desk.api.pages(path("aliases"), {"project": project})
    shown = rows if desk.as_json else map(_for_people, rows)
    desk.show_list(shown, COLUMNS, empty="No alias. Make one with `tollway aliases set NAME PROVIDER/MODEL`.")


@connected(app, "set")
def set_alias(
    desk: Desk,
    name: Name,
    target: Targets = None,
    *,
    project: Project = DEFAULT_PROJECT,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="YAML file with the whole route instead.")] = None,
    strategy: Annotated[Strategy | None, typer.Option("--strategy", help="How the targets are put in order.")] = None,
    weight: Annotated[
        list[str] | None, typer.Option("--weight", metavar="PROVIDER/MODEL=N", help=f"Part of the traffic {OfTarget}")
    ] = None,
    priority: Annotated[
        list[str] | None, typer.Option("--priority", metavar="PROVIDER/MODEL=N", help=f"Lower is first {OfTarget}")
    ] = None,
    latency_target: Annotated[
        int | None, typer.Option("--latency-target", metavar="MS", help="Time to the first token, for least_cost.")
    ] = None,
    sticky: Annotated[Sticky | None, typer.Option("--sticky", help="What keeps to one target.")] = None,
    retry_attempts: Annotated[
        int | None, typer.Option("--retry-attempts", metavar="N", help="Attempts at the most, of all targets.")
    ] = None,
    hedge_after: Annotated[
        int | None, typer.Option("--hedge-after", metavar="MS", help="Ask a second target if nothing came by then.")
    ] = None,
    canary: Annotated[
        str | None,
        typer.Option("--canary", metavar="PROVIDER/MODEL=PERCENT", help="A target that answers a part of them."),
    ] = None,
    shadow: Annotated[
        str | None,
        typer.Option("--shadow", metavar="PROVIDER/MODEL=PERCENT", help="A target that gets copies of a part of them."),
    ] = None,
    continue_streams: Annotated[
        bool | None,
        typer.Option("--continue-streams/--end-streams", help="Whether the next target goes on where a stream broke."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="Of the whole request, retries included.")
    ] = None,
) -> None:
    """Let a name of the project stand for a model, or for several. What was set before is replaced."""
    said = given(
        strategy=strategy,
        latency_target_ms=latency_target,
        sticky=sticky,
        retry=None if retry_attempts is None else {"attempts": retry_attempts},
        hedge=None if hedge_after is None else {"after_ms": hedge_after},
        canary=_part("--canary", canary),
        shadow=_part("--shadow", shadow),
        continue_streams=continue_streams,
        timeout_s=timeout,
    )
    targets = _targets(target or [], by_target(weight or (), "--weight"), by_target(priority or (), "--priority"))
    _show(desk, desk.api.put(path("aliases", project, name), _route(file, targets, said).body))


def _route(file: Path | None, targets: list[dict[str, Any]], said: dict[str, Any]) -> WrittenRoute:
    """The route of the file or of the options.

    Raises:
        CommandError: neither or both were given, or what was given cannot be.
    """
    if file is not None:
        if targets or said:
            raise usage_error("Give --file or targets and options, not both.")
        return route_of_file(file)
    if not targets:
        raise usage_error("Give a target, PROVIDER/MODEL, or --file.")
    return written_route({"targets": targets, **said}, origin="The command")


def _targets(names: list[str], weights: dict[str, float], priorities: dict[str, float]) -> list[dict[str, Any]]:
    if unknown := (weights.keys() | priorities.keys()) - set(names):
        raise usage_error(f"Not among the targets: {', '.join(sorted(unknown))}.")
    return [{"target": name} | given(weight=weights.get(name), priority=priorities.get(name)) for name in names]


def _part(option: str, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    ((target, percent),) = by_target([text], option).items()
    return {"target": target, "percent": percent}


@connected(app)
def show(desk: Desk, name: Name, *, project: Project = DEFAULT_PROJECT) -> None:
    """Show one alias with all of its route."""
    _show(desk, desk.api.get(path("aliases", project, name)))


@connected(app)
def remove(desk: Desk, name: Name, *, project: Project = DEFAULT_PROJECT) -> None:
    """Remove an alias."""
    desk.api.delete(path("aliases", project, name))
    desk.done(f"Alias {name} is removed.", removed=name)
