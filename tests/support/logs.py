"""What is logged while a block of a test runs."""

from contextlib import AbstractContextManager

from structlog.exceptions import DropEvent
from structlog.testing import capture_logs
from structlog.typing import EventDict


def logged() -> AbstractContextManager[list[EventDict]]:
    """As `capture_logs`, without what the database of the tests says from a thread of its own whenever it likes."""
    return capture_logs(processors=(_without_postgres,))


def _without_postgres(_: object, __: str, event: EventDict) -> EventDict:
    if event["event"] == "postgres":
        raise DropEvent
    return event
