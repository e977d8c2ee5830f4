"""Points in time as people write them on a command line."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from tollway.cli.failure import usage_error

_AGO = re.compile(r"(?P<count>[0-9]{1,6})(?P<unit>[mhdw])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_FORMS = "2026-11-01, 2026-11-01T12:00:00Z, or so long ago: 30m, 24h, 7d, 2w"

Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help=f"From when: {_FORMS}.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until before when, in the same forms.")]


def instant(text: str | None, *, now: datetime | None = None) -> str | None:
    """The time in RFC 3339, UTC; a time without a zone is local time.

    Raises:
        CommandError: it is of none of the forms.
    """
    if text is None:
        return None
    try:
        if match := _AGO.fullmatch(text):
            moment = (now or datetime.now(UTC)) - int(match["count"]) * _UNITS[match["unit"]]
        else:
            moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError) as error:
        raise usage_error(f"{text!r} is not a time.", f"Write for instance {_FORMS}.") from error
