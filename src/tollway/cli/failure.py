"""How a command fails: a code, the cause, the next step, and an exit code that scripts can tell apart."""

import sys
from collections.abc import Sequence
from enum import IntEnum

from tollway.errors import TollwayError


class ExitCode(IntEnum):
    """What a command exits with."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NO_SERVER = 3


class CommandError(Exception):
    """A command cannot do what was asked.

    Attributes:
        message: what happened and why.
        code: stable name, for instance ``not_found``; empty where the message says all.
        next_step: what the reader can do.
        exit_code: what the process exits with.
        status: HTTP status of a server's refusal, else 0.
        details: further lines, for instance the fields at fault.
        request_id: names the refused request in the server's logs.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        next_step: str = "",
        exit_code: ExitCode = ExitCode.FAILED,
        status: int = 0,
        details: Sequence[str] = (),
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.next_step = next_step
        self.exit_code = exit_code
        self.status = status
        self.details = tuple(details)
        self.request_id = request_id


def no_server(url: str, cause: str) -> CommandError:
    """Nothing answers at the URL."""
    return CommandError(
        f"No Tollway answers at {url} ({cause}).",
        code="no_server",
        next_step="Start it with `tollway serve`, or say where it runs with --url or TOLLWAY_URL.",
        exit_code=ExitCode.NO_SERVER,
    )


def usage_error(message: str, next_step: str = "") -> CommandError:
    """The command was called with values that cannot be used."""
    return CommandError(message, code="usage", next_step=next_step, exit_code=ExitCode.USAGE)


def from_fault(error: TollwayError) -> CommandError:
    """A fault of our own services, as the command line shows it."""
    return CommandError(error.message, code=error.code, next_step=error.next_step)


def show(error: CommandError) -> None:
    """Write the error to stderr."""
    head = f"Error [{error.code}]: " if error.code else "Error: "
    lines = [head + error.message, *(f"  {detail}" for detail in error.details)]
    if error.next_step:
        lines.append(f"Next step: {error.next_step}")
    if error.request_id:
        lines.append(f"Request id: {error.request_id}")
    sys.stderr.write("\n".join(lines) + "\n")
