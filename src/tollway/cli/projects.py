"""`tollway projects`."""

from typing import Annotated

import typer

from tollway.cli.desk import Desk, Yes, connected, given, path

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS = (
    ("NAME", "name"),
    ("UNPRICED ALLOWED", "allow_unpriced"),
    ("CLAMPS OUTPUT", "clamp_output"),
    ("OUTPUT TOKENS>", "default_output_tokens"),
    ("CREATED", "created_at"),
    ("ARCHIVED", "archived_at"),
    ("ID", "id"),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the project.")]
Unpriced = Annotated[
    bool | None,
    typer.Option("--allow-unpriced/--refuse-unpriced", help="What to do with models whose price is not known."),
]
Clamp = Annotated[
    bool | None,
    typer.Option(
        "--clamp/--refuse",
        help="Where a hard budget covers less than the output may cost: shorten the output, or refuse the request.",
    ),
]
OutputTokens = Annotated[
    int | None,
    typer.Option(
        "--default-output-tokens",
        min=0,
        metavar="N",
        help="Output bound of requests that set none, to models whose limit is not known; 0: the installation's.",
    ),
]


def _default_output(tokens: int | None) -> dict[str, int | None]:
    return {} if tokens is None else {"default_output_tokens": tokens or None}


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
    clamp: Clamp = None,
    default_output_tokens: OutputTokens = None,
) -> None:
    """Create a project."""
    body = given(name=name, allow_unpriced=allow_unpriced, clamp_output=clamp)
    desk.show(desk.api.post(path("projects"), body | _default_output(default_output_tokens)), COLUMNS)


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
    clamp: Clamp = None,
    default_output_tokens: OutputTokens = None,
) -> None:
    """Change a project; what is not given stays."""
    body = given(name=rename, allow_unpriced=allow_unpriced, clamp_output=clamp)
    desk.show(desk.api.patch(path("projects", name), body | _default_output(default_output_tokens)), COLUMNS)


@connected(app)
def archive(desk: Desk, name: Name, *, yes: Yes = False) -> None:
    """Archive a project: its keys stop working, its ledger entries stay."""
    desk.confirm(f"Archive the project {name} and revoke its keys?", yes=yes)
    desk.show(desk.api.delete(path("projects", name)), COLUMNS)
