"""`tollway models`."""

from typing import Annotated

import typer

from tollway.cli.desk import Desk, connected, path
from tollway.cli.failure import usage_error

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS = (("NAME", "name"), ("PROVIDER", "provider"), ("DECLARED", "created_at"))
Name = Annotated[str, typer.Argument(metavar="PROVIDER/MODEL", help="The model, for instance local/smollm2.")]


def split(name: str) -> tuple[str, str]:
    """Provider and model of ``provider/model``.

    Raises:
        CommandError: it is not of that form.
    """
    provider, slash, model = name.partition("/")
    if not (provider and slash and model):
        raise usage_error(f"{name} is not of the form PROVIDER/MODEL.", "Write for instance local/smollm2.")
    return provider, model


@connected(app, "list")
def list_models(
    desk: Desk, *, provider: Annotated[str | None, typer.Option("--provider", help="Only of this provider.")] = None
) -> None:
    """List the declared models."""
    rows = desk.api.pages(path("models"), {"provider": provider})
    desk.show_list(
        rows, COLUMNS, empty="No declared model: a provider takes every model name, unless it says otherwise."
    )


@connected(app)
def add(desk: Desk, name: Name) -> None:
    """Declare a model, so that lists show it."""
    desk.show(desk.api.call("PUT", path("models", *split(name))), COLUMNS)


@connected(app)
def remove(desk: Desk, name: Name) -> None:
    """Take a declaration back."""
    desk.api.delete(path("models", *split(name)))
    desk.done(f"Model {name} is no longer declared.", removed=name)
