"""The child's side of readiness: tell the supervisor, if one started this process, that it can be used."""

import contextlib
import os

from tollway.config import READY_FD_VARIABLE


def announce(words: bytes) -> None:
    """Tell the supervisor, once."""
    descriptor = os.environ.get(READY_FD_VARIABLE)
    if descriptor:
        with contextlib.suppress(OSError):  # nobody waits any more
            os.write(int(descriptor), words)
            os.close(int(descriptor))


def announce_ready() -> None:
    """Say that this process can be used, once."""
    announce(b"ready\n")
