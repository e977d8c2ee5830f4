"""`tollway providers`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tollway.cli.desk import Desk, Yes, connected, given, path
from tollway.cli.failure import usage_error

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS = (
    ("NAME", "name"),
    ("SPEC", "spec"),
    ("BASE URL", "base_url"),
    ("KEY ENDS WITH", "credential_suffix"),
    ("PRICED AS", "price_provider"),
    ("DECLARED ONLY", "declared_only"),
    ("MODELS", "models"),
    ("UPDATED", "updated_at"),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the provider.")]
BaseUrl = Annotated[str | None, typer.Option("--base-url", help="Where its API lives; default: as Tollway knows it.")]
KeyVariable = Annotated[
    str | None,
    typer.Option("--api-key-env", metavar="VAR", help="Environment variable of this command that holds its API key."),
]
KeyFile = Annotated[
    str | None, typer.Option("--api-key-file", metavar="FILE", help="File that holds its API key; - reads stdin.")
]
PriceProvider = Annotated[
    str | None, typer.Option("--price-provider", help="Name under which the price book knows it.")
]
DeclaredOnly = Annotated[
    bool | None, typer.Option("--declared-only/--any-model", help="Whether undeclared models are refused.")
]
Models = Annotated[list[str] | None, typer.Option("--model", help="Declare this model; repeat for several.")]
_KEY_MAX_CHARS = 8_192


def credential(variable: str | None, file: str | None) -> str | None:
    """The provider's key out of the variable or file; ``None`` if neither was named.

    Raises:
        CommandError: both were named, or what was named holds no key.
    """
    if variable and file:
        raise usage_error("Give --api-key-env or --api-key-file, not both.")
    if variable:
        value = os.environ.get(variable, "").strip()
        if not value:
            raise usage_error(
                f"The environment variable {variable} is not set.",
                f"Set it (`export {variable}=…`) and run the command again; a provider without a key needs no option.",
            )
        return value
    if not file:
        return None
    try:
        if file == "-":
            value = sys.stdin.read(_KEY_MAX_CHARS + 1).strip()
        else:
            with Path(file).open(encoding="utf-8") as source:
                value = source.read(_KEY_MAX_CHARS + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise usage_error(f"{file} cannot be read: {error}.") from error
    if not value or len(value) > _KEY_MAX_CHARS:
        raise usage_error(f"{file} does not hold a key (1 to {_KEY_MAX_CHARS} characters).")
    return value


@connected(app)
def add(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The part of provider/model before the slash.")],
    *,
    dialect: Annotated[
        str | None, typer.Option("--dialect", help="Its wire format; default: as Tollway knows the provider.")
    ] = None,
    spec: Annotated[str | None, typer.Option("--spec", help="The provider it is, if its name here is another.")] = None,
    base_url: BaseUrl = None,
    api_key_env: KeyVariable = None,
    api_key_file: KeyFile = None,
    price_provider: PriceProvider = None,
    declared_only: DeclaredOnly = None,
    model: Models = None,
) -> None:
    """Add a provider. Of a known one, its name and key are enough."""
    body = given(
        name=name,
        dialect=dialect,
        spec=spec,
        base_url=base_url,
        credential=credential(api_key_env, api_key_file),
        price_provider=price_provider,
        declared_only=declared_only,
        models=model or None,
    )
    desk.show(desk.api.post(path("providers"), body), COLUMNS)


@connected(app, "list")
def list_providers(desk: Desk) -> None:
    """List the providers."""
    rows = desk.api.pages(path("providers"))
    desk.show_list(rows, COLUMNS, empty="No provider. Add one with `tollway providers add NAME --api-key-env VAR`.")


@connected(app)
def show(desk: Desk, name: Name) -> None:
    """Show one provider, without its key."""
    desk.show(desk.api.get(path("providers", name)), COLUMNS)


@connected(app)
def update(
    desk: Desk,
    name: Name,
    *,
    base_url: BaseUrl = None,
    api_key_env: KeyVariable = None,
    api_key_file: KeyFile = None,
    price_provider: PriceProvider = None,
    declared_only: DeclaredOnly = None,
    model: Models = None,
) -> None:
    """Change a provider; what is not given stays. --model replaces all declared models."""
    body = given(
        base_url=base_url,
        credential=credential(api_key_env, api_key_file),
        price_provider=price_provider,
        declared_only=declared_only,
        models=model or None,
    )
    desk.show(desk.api.patch(path("providers", name), body), COLUMNS)


@connected(app)
def remove(desk: Desk, name: Name, *, yes: Yes = False) -> None:
    """Remove a provider that no alias points to, with its key and declared models."""
    desk.confirm(f"Remove the provider {name} and its key?", yes=yes)
    desk.api.delete(path("providers", name))
    desk.done(f"Provider {name} is removed.", removed=name)
