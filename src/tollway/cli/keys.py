"""`tollway keys`."""

from typing import Annotated, Any

import typer

from tollway.cli.desk import DEFAULT_PROJECT, AnyProject, Desk, Project, Yes, connected, given, path
from tollway.cli.moment import instant
from tollway.cli.output import print_json, remark
from tollway.identity.principal import Scope

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS = (
    ("NAME", "name"),
    ("PROJECT", "project"),
    ("BEGINS WITH", "prefix"),
    ("SCOPES", "scopes"),
    ("MODELS", "allowed_models"),
    ("EXPIRES", "expires_at"),
    ("REVOKED", "revoked_at"),
    ("CREATED", "created_at"),
    ("ID", "id"),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the key.")]


def _show_new(desk: Desk, row: dict[str, Any]) -> None:
    if desk.as_json:
        print_json(row)
        return
    remark(f"Key {row['name']} ({row['id']}). It is shown this once and stored nowhere:")
    typer.echo(row["key"])


@connected(app)
def create(
    desk: Desk,
    *,
    name: Annotated[str, typer.Option("--name", "-n", help="What the key is for, or who has it.")],
    project: Project = DEFAULT_PROJECT,
    of_organization: Annotated[
        bool, typer.Option("--of-organization", help="A key for the control plane, without a project.")
    ] = False,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            "--scope", help="What it may do; repeat for several. Default: inference, or read without a project."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", help="Allow only this model: provider/model, provider/* or an alias; repeat for several."
        ),
    ] = None,
    expires_at: Annotated[
        str | None, typer.Option("--expires-at", help="When it ends, for instance 2027-01-01T00:00:00Z.")
    ] = None,
) -> None:
    """Create a key and print it, this once."""
    body = given(
        name=name,
        project=None if of_organization else project,
        scopes=scope or None,
        allowed_models=model or None,
        expires_at=instant(expires_at),
    )
    _show_new(desk, desk.api.post(path("keys"), body))


@connected(app, "list")
def list_keys(
    desk: Desk,
    *,
    project: AnyProject = None,
    revoked: Annotated[bool, typer.Option("--revoked", help="Show revoked ones too.")] = False,
) -> None:
    """List the keys, without their secrets."""
    rows = desk.api.pages(path("keys"), {"project": project, "include_revoked": str(revoked).lower()})
    desk.show_list(rows, COLUMNS, empty="No key. Make one with `tollway keys create --name NAME`.")


@connected(app)
def show(desk: Desk, name: Name, *, project: AnyProject = None) -> None:
    """Show one key, without its secret."""
    desk.show(desk.api.get(path("keys", name), {"project": project}), COLUMNS)


@connected(app)
def rotate(
    desk: Desk,
    name: Name,
    *,
    project: AnyProject = None,
    overlap_s: Annotated[
        int, typer.Option("--overlap-s", min=0, max=2_592_000, help="Seconds for which the old key still works.")
    ] = 3_600,
) -> None:
    """Replace a key by a new one, and print that, this once."""
    row = desk.api.call("POST", path("keys", name, "rotate"), query={"project": project}, body={"overlap_s": overlap_s})
    _show_new(desk, row)
    if not desk.as_json:
        remark(f"The old key ends at {row['old_key_ends_at']}.")


@connected(app)
def revoke(desk: Desk, name: Name, *, project: AnyProject = None, yes: Yes = False) -> None:
    """Revoke a key: within a second nothing takes it any more."""
    desk.confirm(f"Revoke the key {name}?", yes=yes)
    desk.show(desk.api.call("POST", path("keys", name, "revoke"), query={"project": project}), COLUMNS)
