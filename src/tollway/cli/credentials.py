"""`tollway providers credentials`."""

from typing import Annotated

import typer

from tollway.cli.desk import Desk, Yes, connected, path
from tollway.cli.failure import usage_error
from tollway.cli.provider_key import KeyFile, KeyVariable, credential

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS = (("NAME", "name"), ("ENDS WITH", "credential_suffix"), ("CREATED", "created_at"), ("ID", "id"))
Provider = Annotated[str, typer.Argument(metavar="PROVIDER", help="Name or id of the provider.")]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="To tell it from the provider's others.")]


def _secret(variable: str | None, file: str | None) -> dict[str, str]:
    """The body with the credential.

    Raises:
        CommandError: none was named, or what was named holds none.
    """
    found = credential(variable, file)
    if found is None:
        raise usage_error("Give --api-key-env or --api-key-file.")
    return {"credential": found}


@connected(app, "list")
def list_credentials(desk: Desk, provider: Provider) -> None:
    """List a provider's further credentials, without their secrets."""
    rows = desk.api.pages(path("providers", provider, "credentials"))
    empty = f"None. Add one with `tollway providers credentials add {provider} --name NAME --api-key-env VAR`."
    desk.show_list(rows, COLUMNS, empty=empty)


@connected(app)
def add(
    desk: Desk, provider: Provider, *, name: Name, api_key_env: KeyVariable = None, api_key_file: KeyFile = None
) -> None:
    """Add a credential, which takes turns with the provider's own."""
    body = {"name": name} | _secret(api_key_env, api_key_file)
    desk.show(desk.api.post(path("providers", provider, "credentials"), body), COLUMNS)


@connected(app)
def rotate(
    desk: Desk, provider: Provider, *, name: Name, api_key_env: KeyVariable = None, api_key_file: KeyFile = None
) -> None:
    """Put a new secret in the place of the present one."""
    body = _secret(api_key_env, api_key_file)
    desk.show(desk.api.put(path("providers", provider, "credentials", name), body), COLUMNS)


@connected(app)
def remove(desk: Desk, provider: Provider, *, name: Name, yes: Yes = False) -> None:
    """Take a credential away."""
    desk.confirm(f"Remove the credential {name} of {provider}?", yes=yes)
    desk.api.delete(path("providers", provider, "credentials", name))
    desk.done(f"Credential {name} of {provider} is removed.", removed=name)
