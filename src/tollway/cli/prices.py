"""`tollway prices`."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from tollway.cli.desk import Desk, Yes, connected, given, path
from tollway.cli.failure import usage_error
from tollway.cli.models import split
from tollway.cli.moment import instant
from tollway.cli.output import print_json
from tollway.cli.table import Column, print_table

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS: tuple[Column, ...] = (
    ("MODEL", "name"),
    ("INPUT>", "rates.input.usd_per_million"),
    ("OUTPUT>", "rates.output.usd_per_million"),
    ("CACHED>", "rates.cache_read.usd_per_million"),
    ("REASONING>", "rates.reasoning.usd_per_million"),
    ("1M REQUESTS>", "rates.requests.usd_per_million"),
    ("PRICE ROW", "rates.input.ref"),
)
OVERRIDES: tuple[Column, ...] = (
    ("MODEL", "name"),
    ("USD PER MILLION", "rates"),
    ("FROM", "valid_from"),
    ("UNTIL", "valid_to"),
    ("SOURCE", "source"),
    ("NOTE", "note"),
    ("ID", "id"),
)
EFFECTIVE: tuple[Column, ...] = (("KIND", "kind"), ("USD PER MILLION>", "usd_per_million"), ("PRICE ROW", "ref"))
Model = Annotated[str, typer.Argument(metavar="PROVIDER/MODEL", help="The model; * stands for all, as in local/*.")]
_MILLION = Decimal(1_000_000)


def _decimal(text: str, option: str) -> Decimal:
    try:
        usd = Decimal(text)
    except InvalidOperation:
        usd = Decimal(-1)
    if not usd.is_finite() or usd < 0:
        raise usage_error(f"{option} takes an amount of USD, for instance 0.15, not {text!r}.")
    return usd


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise usage_error(f"{option} takes {form}, not {text!r}.")
    return name, value


def _tiers(texts: list[str]) -> dict[str, list[dict[str, Any]]]:
    tiers: dict[str, list[dict[str, Any]]] = {}
    for text in texts:
        bound, usd = _pair(text, "--tier", "KIND:ABOVE=USD")
        kind, _, above = bound.partition(":")
        if not above.isdecimal():
            raise usage_error(f"--tier takes KIND:ABOVE=USD, not {text!r}.")
        tiers.setdefault(kind, []).append({"above": int(above), "usd_per_million": f"{_decimal(usd, '--tier'):f}"})
    return tiers


def _rates(options: dict[str, str | None], per_request: str | None, texts: list[str]) -> dict[str, str]:
    rates = {kind: f"{_decimal(usd, f'--{kind}'):f}" for kind, usd in options.items() if usd is not None}
    if per_request is not None:
        rates["requests"] = f"{(_decimal(per_request, '--per-request') * _MILLION).normalize():f}"
    for text in texts:
        kind, usd = _pair(text, "--rate", "KIND=USD")
        rates[kind] = f"{_decimal(usd, '--rate'):f}"
    if not rates:
        raise usage_error("No price was given.", "Give at least one, for instance --input 0.15 --output 0.60.")
    return rates


@connected(app, "set")
def set_price(
    desk: Desk,
    name: Model,
    *,
    input_usd: Annotated[
        str | None, typer.Option("--input", metavar="USD", help="Input tokens, USD per million.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="USD", help="Output tokens, USD per million.")
    ] = None,
    cache_read: Annotated[
        str | None, typer.Option("--cache-read", metavar="USD", help="Cached input; default: as --input.")
    ] = None,
    cache_write: Annotated[
        str | None,
        typer.Option("--cache-write", metavar="USD", help="Writing to a 5-minute cache; default: as --input."),
    ] = None,
    cache_write_1h: Annotated[
        str | None,
        typer.Option("--cache-write-1h", metavar="USD", help="To a 1-hour cache; default: as --cache-write."),
    ] = None,
    reasoning: Annotated[
        str | None, typer.Option("--reasoning", metavar="USD", help="Reasoning tokens; default: as --output.")
    ] = None,
    per_request: Annotated[
        str | None, typer.Option("--per-request", metavar="USD", help="USD for each request, on top.")
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option("--rate", metavar="KIND=USD", help="Any other kind of usage, USD per million units."),
    ] = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(
            "--tier", metavar="KIND:ABOVE=USD", help="A price for requests with more input tokens than ABOVE."
        ),
    ] = None,
    valid_from: Annotated[
        str | None, typer.Option("--valid-from", metavar="TIME", help="From when, for instance 2027-01-01T00:00:00Z.")
    ] = None,
    valid_to: Annotated[str | None, typer.Option("--valid-to", metavar="TIME", help="Until before when.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Where the price was read.")] = None,
    note: Annotated[str | None, typer.Option("--note", help="Anything else.")] = None,
    all_organizations: Annotated[
        bool, typer.Option("--all-organizations", help="For the whole installation; needs scope `platform`.")
    ] = False,
) -> None:
    """Set a price over the base book. It replaces the one of the same model and --valid-from."""
    options = {
        "input": input_usd,
        "output": output,
        "cache_read": cache_read,
        "cache_write_5m": cache_write,
        "cache_write_1h": cache_write_1h,
        "reasoning": reasoning,
    }
    body = given(
        rates=_rates(options, per_request, rate or []),
        tiers=_tiers(tier or []) or None,
        valid_from=instant(valid_from),
        valid_to=instant(valid_to),
        source=source,
        note=note,
        all_organizations=all_organizations or None,
    )
    desk.show(desk.api.put(path("prices", *split(name)), body), OVERRIDES)


@connected(app, "list")
def list_prices(
    desk: Desk, *, provider: Annotated[str | None, typer.Option("--provider", help="Only of this provider.")] = None
) -> None:
    """List what the models of your providers cost now, in USD per million."""
    rows = desk.api.pages(path("prices"), {"provider": provider})
    desk.show_list(rows, COLUMNS, empty="No price is known. Set one with `tollway prices set PROVIDER/MODEL`.")


@connected(app, "overrides")
def list_overrides(desk: Desk) -> None:
    """List the prices that were set over the base book."""
    rows = desk.api.pages(path("price-overrides"))
    desk.show_list(rows, OVERRIDES, empty="No price was set: the base book holds.")


@connected(app)
def show(desk: Desk, name: Model) -> None:
    """Show what a model costs now, and where each price comes from."""
    row = desk.api.get(path("prices", *split(name)))
    if desk.as_json:
        print_json(row)
        return
    rates = [{"kind": kind, **rate} for kind, rate in row["rates"].items()]
    print_table(rows_with_tiers(rates), EFFECTIVE, empty=f"No price is known for {name}: `tollway prices set`.")


def rows_with_tiers(rates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each rate, and one more for each of its tiers."""
    rows = []
    for rate in rates:
        rows.append(rate)
        rows += [
            {**rate, "kind": f"{rate['kind']} above {tier['above']} input tokens", **tier}
            for tier in rate.get("tiers", ())
        ]
    return rows


@connected(app)
def remove(
    desk: Desk,
    price_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `tollway prices overrides` shows.")],
    *,
    yes: Yes = False,
) -> None:
    """Remove a price that was set, so that the base book holds again."""
    desk.confirm(f"Remove the price {price_id}?", yes=yes)
    desk.api.delete(path("price-overrides", price_id))
    desk.done(f"Price {price_id} is removed.", removed=price_id)
