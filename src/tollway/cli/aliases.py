"""`tollway aliases`."""

from typing import Annotated

import typer

from tollway.cli.desk import DEFAULT_PROJECT, AnyProject, Desk, Project, connected, path

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS = (("PROJECT", "project"), ("NAME", "name"), ("TARGET", "target"), ("CREATED", "created_at"))
Name = Annotated[str, typer.Argument(metavar="NAME", help="The alias; it has no slash.")]


@connected(app, "list")
def list_aliases(desk: Desk, *, project: AnyProject = None) -> None:
    """List the aliases."""
    rows = desk.api.pages(path("aliases"), {"project": project})
    desk.show_list(rows, COLUMNS, empty="No alias. Make one with `tollway aliases set NAME PROVIDER/MODEL`.")


@connected(app, "set")
def set_alias(
    desk: Desk,
    name: Name,
    target: Annotated[str, typer.Argument(metavar="PROVIDER/MODEL", help="What it stands for.")],
    *,
    project: Project = DEFAULT_PROJECT,
) -> None:
    """Let a name of the project stand for a model."""
    desk.show(desk.api.put(path("aliases", project, name), {"target": target}), COLUMNS)


@connected(app)
def show(desk: Desk, name: Name, *, project: Project = DEFAULT_PROJECT) -> None:
    """Show one alias."""
    desk.show(desk.api.get(path("aliases", project, name)), COLUMNS)


@connected(app)
def remove(desk: Desk, name: Name, *, project: Project = DEFAULT_PROJECT) -> None:
    """Remove an alias."""
    desk.api.delete(path("aliases", project, name))
    desk.done(f"Alias {name} is removed.", removed=name)
