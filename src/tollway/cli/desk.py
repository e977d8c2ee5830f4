"""What a command that talks to a server has at hand, and the options that all of them share."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec
from urllib.parse import quote

import typer

from tollway.cli.client import ApiClient
from tollway.cli.endpoint import SERVER_PANEL, ApiKey, DataDir, KeyKind, Url, find_endpoint
from tollway.cli.failure import CommandError, usage_error
from tollway.cli.output import AsJson, print_json, remark
from tollway.cli.table import Column, print_record, print_table

DEFAULT_PROJECT = "default"

Organization = Annotated[
    str | None,
    typer.Option(
        "--organization",
        "-o",
        rich_help_panel=SERVER_PANEL,
        help="Name or id of the organization to act on; default: that of the key. Another one needs scope `platform`.",
    ),
]
Project = Annotated[str, typer.Option("--project", "-p", help="Name or id of the project.")]
AnyProject = Annotated[str | None, typer.Option("--project", "-p", help="Only of this project (name or id).")]
AnyKey = Annotated[str | None, typer.Option("--key", help="Only of this key (name or id).")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="Rows at the most.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True)
class Desk:
    """The server, and whether the reader is a program."""

    api: ApiClient
    as_json: bool

    def show_list(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], *, empty: str) -> None:
        """Print rows: for programs as the API gives lists, for people as a table."""
        if self.as_json:
            print_json({"data": list(rows)})
        else:
            print_table(rows, columns, empty=empty)

    def show(self, row: Mapping[str, Any], columns: Sequence[Column]) -> None:
        """Print one thing."""
        if self.as_json:
            print_json(row)
        else:
            print_record(row, columns)

    def done(self, text: str, **facts: Any) -> None:
        """Say that it is done; for programs as the facts."""
        if self.as_json:
            print_json(facts)
        else:
            remark(text)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something that cannot be undone.

        Raises:
            CommandError: the answer was no, or nobody is there to answer.
        """
        try:
            agreed = yes or typer.confirm(question, err=True)
        except typer.Abort:  # nobody is there, or Ctrl-C
            agreed = False
        if not agreed:
            raise CommandError(
                "Nothing was changed.", code="not_confirmed", next_step="Add --yes to skip the question."
            )


P = ParamSpec("P")


def connected(
    app: typer.Typer, name: str | None = None, *, key: KeyKind = "admin_key"
) -> Callable[[Callable[Concatenate[Desk, P], None]], Callable[Concatenate[Desk, P], None]]:
    """Make a function a command of `app`, with a `Desk` as its first argument and the shared options behind its own."""

    def register(function: Callable[Concatenate[Desk, P], None]) -> Callable[Concatenate[Desk, P], None]:
        def run(
            *,
            organization: Organization = None,
            url: Url = None,
            api_key: ApiKey = None,
            data_dir: DataDir = None,
            as_json: AsJson = False,
            **own: Any,
        ) -> None:
            with open_api(url, api_key, data_dir, key=key, organization=organization) as api:
                bound: Callable[..., None] = function
                bound(Desk(api, as_json), **own)

        shared = [item for item in inspect.signature(run).parameters.values() if item.kind is item.KEYWORD_ONLY]
        own_parameters = list(inspect.signature(function).parameters.values())[1:]
        parameters = [item.replace(kind=item.KEYWORD_ONLY) for item in own_parameters] + shared
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads the options here
        run.__doc__ = function.__doc__
        app.command(name or function.__name__)(run)
        return function

    return register


def open_api(
    url: str | None,
    api_key: str | None,
    data_dir: Path | None,
    *,
    key: KeyKind = "admin_key",
    organization: str | None = None,
) -> ApiClient:
    """A client of the server that the options mean.

    Raises:
        CommandError: there is no key, or no server.
    """
    endpoint = find_endpoint(url, api_key, data_dir, key)
    api = ApiClient(endpoint, organization=organization)
    if endpoint.key is None:
        api.get("/healthz")  # that no server is there is the better news of the two
        raise CommandError(
            f"No key for {endpoint.url}.",
            code="missing_api_key",
            next_step="Set TOLLWAY_API_KEY, pass --api-key, or name the server's data directory with --data-dir.",
        )
    return api


def path(*parts: str) -> str:
    """A path of the control plane; slashes stay, since the names of models have them."""
    return "/api/v1/" + "/".join(quote(part, safe="/") for part in parts)


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """What an option of the form NAME=VALUE says; the value may be empty.

    Raises:
        CommandError: one has not this form.
    """
    parts = [text.partition("=") for text in texts]
    if wrong := [name for name, sign, _ in parts if not (name and sign)]:
        raise usage_error(f"{option} {wrong[0]} has no value: write NAME=VALUE.")
    return {name: value for name, _, value in parts}


def given(**fields: Any) -> dict[str, Any]:
    """The fields that were given."""
    return {name: value for name, value in fields.items() if value is not None}
