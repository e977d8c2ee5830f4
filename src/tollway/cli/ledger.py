"""`tollway ledger`."""

import sys
import time
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import DownloadColumn, Progress, SpinnerColumn, TimeElapsedColumn

from tollway.cli.desk import AnyKey, AnyProject, Desk, Limit, connected, path
from tollway.cli.failure import CommandError
from tollway.cli.moment import Since, Until, instant
from tollway.cli.options import left_out, takes
from tollway.cli.output import print_json, remark
from tollway.cli.table import Column, print_record, print_table
from tollway.ledger.entry import Outcome

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS: tuple[Column, ...] = (
    ("TIME", "admitted_at"),
    ("REQUEST", "request_id"),
    ("PROJECT", "project"),
    ("KEY", "key"),
    ("MODEL", "model"),
    ("OUTCOME", "outcome"),
    ("STATUS>", "status"),
    ("IN>", "input_tokens"),
    ("OUT>", "output_tokens"),
    ("USD>", "charge"),
    ("MS>", "duration_ms"),
)
EXPLAINED: tuple[Column, ...] = (
    ("Request", "request_id"),
    ("Time", "admitted_at"),
    ("Project", "project"),
    ("Key", "key"),
    ("User", "user"),
    ("Tags", "tags"),
    ("Asked for", "model_asked"),
    ("Answered by", "model"),
    ("Answered as", "model_answered"),
    ("Outcome", "outcome"),
    ("Status", "status"),
    ("Error", "error"),
    ("Counted by", "usage_source"),
    ("Milliseconds", "duration_ms"),
)
LINES: tuple[Column, ...] = (
    ("KIND", "kind"),
    ("QUANTITY x USD PER MILLION = USD", "arithmetic"),
    ("PRICE ROW", "price_ref"),
    ("AGREES", "agrees"),
)
_LANDING_POLL_S = 0.2


class ExportFormat(StrEnum):
    """How entries are written."""

    CSV = "csv"
    JSONL = "jsonl"


Model = Annotated[str | None, typer.Option("--model", help="Only of this model, as asked, sent or answered.")]
Provider = Annotated[str | None, typer.Option("--provider", help="Only of this provider.")]
Ended = Annotated[Outcome | None, typer.Option("--outcome", help="Only requests that ended so.")]
FILTERS = (
    left_out("project", AnyProject),
    left_out("key", AnyKey),
    left_out("model", Model),
    left_out("provider", Provider),
    left_out("outcome", Ended),
    left_out("since", Since),
    left_out("until", Until),
)


def _query(filters: dict[str, Any]) -> dict[str, Any]:
    return filters | {"since": instant(filters["since"]), "until": instant(filters["until"])}


def _for_people(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry with what a person reads in place of the parts it comes from."""
    flag = "" if entry["priced"] else " unpriced"
    return {
        **entry,
        "model": f"{entry['provider']}/{entry['model_sent']}",
        "charge": entry["charge_usd"] + flag,
        "duration_ms": entry["duration_us"] // 1_000,
    }


@connected(app, "list")
@takes(*FILTERS)
def list_entries(desk: Desk, /, *, limit: Limit = 20, **filters: Any) -> None:
    """List ledger entries, newest first."""
    rows: Iterable[dict[str, Any]] = desk.api.pages(path("ledger", "entries"), _query(filters), limit=limit)
    if not desk.as_json:
        rows = map(_for_people, rows)
    desk.show_list(rows, COLUMNS, empty="No entry. A request that just ended is here within a second.")


@connected(app)
def explain(
    desk: Desk,
    request_id: Annotated[str, typer.Argument(metavar="REQUEST_ID", help="The x-request-id of the answer.")],
    *,
    wait_s: Annotated[
        float, typer.Option("--wait-s", min=0, max=60, help="Seconds to wait for an entry that is on its way.")
    ] = 10.0,
) -> None:
    """Show what a request cost, and the arithmetic behind it."""
    found = _landed(desk, request_id, time.monotonic() + wait_s)
    if desk.as_json:
        print_json(found)
        return
    for entry in found["data"]:
        print_record(_for_people(entry), EXPLAINED)
        print_table(entry["lines"], LINES, empty="Nothing was charged.")
        verdict = "recomputed, the same" if entry["agrees"] else f"RECOMPUTED: {entry['recomputed_usd']} USD"
        typer.echo(f"Charge {entry['charge_usd']} USD ({verdict})")
        for text in entry["remarks"]:
            remark(text)


def _landed(desk: Desk, request_id: str, give_up_at: float) -> Any:
    """The entries of a request; one that just ended is on its way from the journal."""
    while True:
        try:
            return desk.api.get(path("ledger", "entries", request_id))
        except CommandError as error:
            if error.code != "not_found" or time.monotonic() >= give_up_at:
                raise
        time.sleep(_LANDING_POLL_S)


@connected(app)
def audit(desk: Desk, *, since: Since = None, until: Until = None) -> None:
    """Recompute charges and sums from the entries, and show what differs; by default of the last 31 days."""
    answer = desk.api.get(path("ledger", "audit"), {"since": instant(since), "until": instant(until)})
    if desk.as_json:
        print_json(answer)
    else:
        columns: tuple[Column, ...] = (("SUM", "rollup"), ("OF", "key"), ("EXPECTED", "expected"), ("STORED", "stored"))
        wrong: tuple[Column, ...] = (
            ("REQUEST", "request_id"),
            ("CHARGE", "charge_usd"),
            ("RECOMPUTED", "recomputed_usd"),
        )
        print_table(answer["differences"], columns, empty="All sums are those of their entries.")
        print_table(answer["wrong_charges"], wrong, empty="All charges are those of their lines.")
        typer.echo(f"{answer['entries']} entries checked from {answer['since']} until {answer['until']}.")
    if not answer["agrees"]:
        raise CommandError(
            "The ledger does not agree with itself.",
            code="audit_failed",
            next_step="Keep a copy of the database, and report it.",
        )


@connected(app)
@takes(*FILTERS)
def export(
    desk: Desk,
    /,
    *,
    form: Annotated[ExportFormat, typer.Option("--format", help="How to write them.")] = ExportFormat.JSONL,
    output: Annotated[Path | None, typer.Option("--output", help="A file, which is replaced; default: stdout.")] = None,
    **filters: Any,
) -> None:
    """Write all matching entries, oldest first."""
    with desk.api.stream("GET", path("ledger", "export"), query={"format": form} | _query(filters)) as answer:
        if output is None:
            for chunk in answer.chunks():
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            return
        size = _save(_watched(answer.chunks()), output)
    desk.done(f"{output} has {size} bytes.", file=str(output), bytes=size)


def _save(chunks: Iterator[bytes], output: Path) -> int:
    """Write a file that appears when it is whole; the number of its bytes."""
    draft = output.with_name(f"{output.name}.part")
    try:
        with draft.open("xb") as file:
            try:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
            except BaseException:  # whatever the end: a half-written file must not stay
                draft.unlink(missing_ok=True)
                raise
            size = file.tell()
        draft.rename(output)
    except OSError as error:
        raise CommandError(f"{error.filename or draft} cannot be written: {error.strerror}.", code="file") from error
    return size


def _watched(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same, with progress on a terminal."""
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task("", total=None)
        for chunk in chunks:
            progress.advance(task, len(chunk))
            yield chunk
