"""`tollway projects`."""

from typing import Annotated

import typer

from tollway.cli.desk import Desk, Yes, connected, given, path

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS = (
    ("NAME", "name"),
    ("UNPRICED ALLOWED", "allow_unpriced"),
    ("CREATED", "created_at"),
    ("ARCHIVED", "archived_at"),
    ("ID", "id"),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the project.")]
Unpriced = Annotated[
    bool | None,
    typer.Option("--allow-unpriced/--refuse-unpriced", help="What to do with models whose price is not known."),
]


@connected(app, "list")
def list_projects(
    desk: Desk, *, archived: Annotated[bool, typer.Option("--archived", help="Show archived ones too.")] = False
) -> None:
    """List the projects."""
    rows = desk.api.pages(path("projects"), {"include_archived": str(archived).lower()})
    desk.show_list(rows, COLUMNS, empty="No project yet. Make one with `tollway projects create NAME`.")


@connected(app)
def create(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits, dots and hyphens.")],
    *,
    allow_unpriced: Unpriced = None,
) -> None:
    """Create a project."""
    desk.show(desk.api.post(path("projects"), given(name=name, allow_unpriced=allow_unpriced)), COLUMNS)


@connected(app)
def show(desk: Desk, name: Name) -> None:
    """Show one project."""
    desk.show(desk.api.get(path("projects", name)), COLUMNS)


@connected(app)
def update(
    desk: Desk,
    name: Name,
    *,
    rename: Annotated[str | None, typer.Option("--rename", help="The new name.")] = None,
    allow_unpriced: Unpriced = None,
) -> None:
    """Change a project; what is not given stays."""
    desk.show(desk.api.patch(path("projects", name), given(name=rename, allow_unpriced=allow_unpriced)), COLUMNS)


@connected(app)
def archive(desk: Desk, name: Name, *, yes: Yes = False) -> None:
    """Archive a project: its keys stop working, its ledger entries stay."""
    desk.confirm(f"Archive the project {name} and revoke its keys?", yes=yes)
    desk.show(desk.api.delete(path("projects", name)), COLUMNS)
