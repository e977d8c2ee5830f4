"""`tollway projects`."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from tollway.cli.desk import Desk, Yes, connected, given, path
from tollway.cli.options import option, takes

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS = (
    ("NAME", "name"),
    ("UNPRICED ALLOWED", "allow_unpriced"),
    ("CLAMPS OUTPUT", "clamp_output"),
    ("OUTPUT TOKENS>", "default_output_tokens"),
    ("DROPS", "drop_unsupported"),
    ("STORES", "store_content"),
    ("DAYS>", "retention_days"),
    ("CACHE S>", "cache_ttl_s"),
    ("CACHE BYTES>", "cache_max_bytes"),
    ("SINGLE FLIGHT", "cache_single_flight"),
    ("CREATED", "created_at"),
    ("ARCHIVED", "archived_at"),
    ("ID", "id"),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the project.")]


class Stored(StrEnum):
    """What is kept of responses and conversations."""

    NONE = "none"
    METADATA = "metadata"
    FULL = "full"


SETTINGS = (
    option(
        "allow_unpriced",
        bool | None,
        "--allow-unpriced/--refuse-unpriced",
        help="What to do with models whose price is not known.",
    ),
    option(
        "clamp_output",
        bool | None,
        "--clamp/--refuse",
        help="Where a hard budget covers less than the output may cost: shorten the output, or refuse the request.",
    ),
    option(
        "default_output_tokens",
        int | None,
        "--default-output-tokens",
        min=0,
        metavar="N",
        help="Output bound of requests that set none, to models whose limit is not known; 0: the installation's.",
    ),
    option(
        "drop_unsupported",
        bool | None,
        "--drop-unsupported/--refuse-unsupported",
        help="Fields that a provider of another dialect cannot be asked for: leave them out, or refuse the request.",
    ),
    option("store_content", Stored | None, "--store-content", help="What is kept of responses and conversations."),
    option("retention_days", int | None, "--retention-days", min=1, metavar="N", help="Days for which that is kept."),
    option(
        "cache_ttl_s",
        int | None,
        "--cache-ttl",
        min=0,
        metavar="SECONDS",
        help="How long an answer may be given again for the same request; 0: never.",
    ),
    option(
        "cache_max_bytes",
        int | None,
        "--cache-max-bytes",
        min=0,
        metavar="BYTES",
        help="Bytes of answers that each worker keeps.",
    ),
    option(
        "cache_single_flight",
        bool | None,
        "--single-flight/--no-single-flight",
        help="Ask once for the same requests at the same time.",
    ),
)
"""What can be said of a project, each by the API's name."""


def _body(*, default_output_tokens: int | None, **fields: Any) -> dict[str, Any]:
    """What was given; of the default, 0 stands for nothing."""
    body = given(**fields)
    return body if default_output_tokens is None else body | {"default_output_tokens": default_output_tokens or None}


@connected(app, "list")
def list_projects(
    desk: Desk, *, archived: Annotated[bool, typer.Option("--archived", help="Show archived ones too.")] = False
) -> None:
    """List the projects."""
    rows = desk.api.pages(path("projects"), {"include_archived": str(archived).lower()})
    desk.show_list(rows, COLUMNS, empty="No project yet. Make one with `tollway projects create NAME`.")


@connected(app)
@takes(*SETTINGS)
def create(
    desk: Desk,
    /,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits, dots and hyphens.")],
    **settings: Any,
) -> None:
    """Create a project."""
    desk.show(desk.api.post(path("projects"), _body(name=name, **settings)), COLUMNS)


@connected(app)
def show(desk: Desk, name: Name) -> None:
    """Show one project."""
    desk.show(desk.api.get(path("projects", name)), COLUMNS)


@connected(app)
@takes(*SETTINGS)
def update(
    desk: Desk,
    /,
    name: Name,
    *,
    rename: Annotated[str | None, typer.Option("--rename", help="The new name.")] = None,
    **settings: Any,
) -> None:
    """Change a project; what is not given stays."""
    desk.show(desk.api.patch(path("projects", name), _body(name=rename, **settings)), COLUMNS)


@connected(app)
def archive(desk: Desk, name: Name, *, yes: Yes = False) -> None:
    """Archive a project: its keys stop working, its ledger entries stay."""
    desk.confirm(f"Archive the project {name} and revoke its keys?", yes=yes)
    desk.show(desk.api.delete(path("projects", name)), COLUMNS)
