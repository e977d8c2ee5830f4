"""`tollway workers`."""

from typing import Annotated

import typer

from tollway.cli.desk import Desk, Yes, connected, path
from tollway.cli.table import Column

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS: tuple[Column, ...] = (
    ("WORKER", "id"),
    ("HOST", "host"),
    ("STARTED", "started_at"),
    ("LAST SEEN", "seen_at"),
    ("LEASES>", "leases"),
    ("LEASED USD>", "leased_usd"),
)


@connected(app, "list")
def list_workers(desk: Desk) -> None:
    """List the workers, with what they have leased of budgets. The key needs scope `platform`."""
    desk.show_list(desk.api.pages(path("workers")), COLUMNS, empty="No worker.")


@connected(app)
def release(
    desk: Desk,
    worker: Annotated[str, typer.Argument(metavar="WORKER", help="The id that `tollway workers list` shows.")],
    *,
    yes: Yes = False,
) -> None:
    """Give up a worker whose machine is lost: what it had leased may be spent again.

    Whatever its journal held and the ledger lacks is then counted nowhere. The key needs scope `platform`.
    """
    desk.confirm(f"Is the machine of the worker {worker} lost for good?", yes=yes)
    desk.api.delete(path("workers", worker))
    desk.done(f"Worker {worker} is given up.", released=worker)
