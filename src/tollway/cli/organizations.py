"""`tollway organizations`."""

from typing import Annotated

import typer

from tollway.cli.desk import Desk, Yes, connected, given, path

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS = (
    ("NAME", "name"),
    ("TIME ZONE", "time_zone"),
    ("SERVES WITHOUT DATABASE", "serve_without_database"),
    ("CREATED", "created_at"),
    ("ID", "id"),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the organization.")]
TimeZone = Annotated[
    str | None,
    typer.Option("--time-zone", help="IANA name, for instance Europe/Berlin: days of reports and budgets begin there."),
]
Serve = Annotated[
    bool | None,
    typer.Option(
        "--serve-without-database/--refuse-without-database",
        help="While the database is away and what is leased of a hard budget is used up: serve on, or answer 503.",
    ),
]


@connected(app, "list")
def list_organizations(desk: Desk) -> None:
    """List the organizations that the key may see."""
    desk.show_list(desk.api.pages(path("organizations")), COLUMNS, empty="No organization.")


@connected(app)
def create(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits, dots and hyphens.")],
    *,
    time_zone: TimeZone = None,
    serve_without_database: Serve = None,
) -> None:
    """Create an organization. The key needs scope `platform`."""
    body = given(name=name, time_zone=time_zone, serve_without_database=serve_without_database)
    desk.show(desk.api.post(path("organizations"), body), COLUMNS)


@connected(app)
def show(desk: Desk, name: Name) -> None:
    """Show one organization."""
    desk.show(desk.api.get(path("organizations", name)), COLUMNS)


@connected(app)
def update(
    desk: Desk,
    name: Name,
    *,
    rename: Annotated[str | None, typer.Option("--rename", help="The new name.")] = None,
    time_zone: TimeZone = None,
    serve_without_database: Serve = None,
) -> None:
    """Change an organization; what is not given stays."""
    body = given(name=rename, time_zone=time_zone, serve_without_database=serve_without_database)
    desk.show(desk.api.patch(path("organizations", name), body), COLUMNS)


@connected(app)
def delete(desk: Desk, name: Name, *, yes: Yes = False) -> None:
    """Delete an organization that never had a project, key or provider."""
    desk.confirm(f"Delete the organization {name}?", yes=yes)
    desk.api.delete(path("organizations", name))
    desk.done(f"Organization {name} is deleted.", deleted=name)
