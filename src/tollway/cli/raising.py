"""Raise a budget or limit for some time: the options, and the body of the request."""

from typing import Annotated, Any

import typer

from tollway.cli.failure import usage_error
from tollway.cli.moment import instant

Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Until when, for instance 2027-01-01T00:00:00Z.")
]
End = Annotated[bool, typer.Option("--end", help="End the raise that holds.")]


def raise_body(name: str, amount: str | int | None, until: str | None, *, end: bool) -> dict[str, Any]:
    """What to change, as the API takes it: a raise to an amount, or its end.

    Args:
        name: of the amount there: ``limit_usd`` or ``limit``.
        amount: the higher limit, unless the raise ends.
        until: as people write it, unless the raise ends.
        end: whether it ends.

    Raises:
        CommandError: neither a raise nor an end was given, or both were.
    """
    if end and amount is None and until is None:
        return {"raised": None}
    if end or amount is None or until is None:
        raise usage_error(f"Give --{name.replace('_', '-')} and --until, or --end.")
    return {"raised": {name: amount, "until": instant(until)}}
