"""`tollway providers`."""

from typing import Annotated

import typer

from tollway.cli import credentials
from tollway.cli.desk import Desk, Yes, connected, given, pairs, path
from tollway.cli.provider_key import KeyFile, KeyVariable, credential

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(credentials.app, name="credentials", help="Further credentials, which take turns with a provider's own.")

COLUMNS = (
    ("NAME", "name"),
    ("SPEC", "spec"),
    ("BASE URL", "base_url"),
    ("KEY ENDS WITH", "credential_suffix"),
    ("PRICED AS", "price_provider"),
    ("DECLARED ONLY", "declared_only"),
    ("MODELS", "models"),
    ("OPTIONS", "options"),
    ("UPDATED", "updated_at"),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the provider.")]
BaseUrl = Annotated[str | None, typer.Option("--base-url", help="Where its API lives; default: as Tollway knows it.")]
PriceProvider = Annotated[
    str | None, typer.Option("--price-provider", help="Name under which the price book knows it.")
]
DeclaredOnly = Annotated[
    bool | None, typer.Option("--declared-only/--any-model", help="Whether undeclared models are refused.")
]
Models = Annotated[list[str] | None, typer.Option("--model", help="Declare this model; repeat for several.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="What its kind takes besides, as region=eu-west-1; repeat."),
]


def _options(given_options: list[str] | None, *, empty: str | None) -> dict[str, str | None] | None:
    """The options as the API takes them; `empty` is what NAME= stands for."""
    return {name: value or empty for name, value in pairs(given_options or (), "--option").items()} or None


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
    option: Options = None,
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
        options=_options(option, empty=""),
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
    option: Options = None,
) -> None:
    """Change a provider; what is not given stays. --model replaces all declared models, --option NAME= drops one."""
    body = given(
        base_url=base_url,
        credential=credential(api_key_env, api_key_file),
        price_provider=price_provider,
        declared_only=declared_only,
        models=model or None,
        options=_options(option, empty=None),
    )
    desk.show(desk.api.patch(path("providers", name), body), COLUMNS)


@connected(app)
def remove(desk: Desk, name: Name, *, yes: Yes = False) -> None:
    """Remove a provider that no alias points to, with its key and declared models."""
    desk.confirm(f"Remove the provider {name} and its key?", yes=yes)
    desk.api.delete(path("providers", name))
    desk.done(f"Provider {name} is removed.", removed=name)
