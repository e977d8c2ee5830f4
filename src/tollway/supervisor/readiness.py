"""The child's side of readiness: tell the supervisor, if one started this process, that it can be used."""

import contextlib
import os

from tollway.config import READY_FD_VARIABLE


def announce_ready() -> None:
    """Say so, once."""
    descriptor = os.environ.get(READY_FD_VARIABLE)
    if descriptor:
        with contextlib.suppress(OSError):  # nobody waits any more
            os.write(int(descriptor), b"ready\n")
            os.close(int(descriptor))
