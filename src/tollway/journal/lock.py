"""The lock on a worker's directory: who holds it is alive; the kernel frees it with the process, however that ends."""

import fcntl
import os
import time
from pathlib import Path

from tollway.errors import JournalUnavailableError

_RETRY_S = 0.02


def try_lock(directory: Path) -> int | None:
    """Take the lock if it is free: a descriptor that holds it until closed, or ``None``.

    Raises:
        OSError: the directory cannot be opened.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:  # cancelled or failed: given back, then raised again
        os.close(descriptor)
        raise
    return descriptor


def create_locked(directory: Path, *, timeout_s: float = 5.0) -> int:
    """Create the directory if needed and hold its lock; returns the descriptor.

    The drain removes directories whose lock is free: one that is there already may vanish before it is locked, and is
    then made.

    Raises:
        JournalUnavailableError: another process holds the lock, or the directory cannot be made.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            descriptor = try_lock(directory) if directory.exists() else _made_locked(directory)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise JournalUnavailableError(
                f"The journal directory {directory.name} cannot be used: {error.strerror}.",
                next_step="Check the permissions and the free space of the data directory.",
            ) from error
        if descriptor is not None:
            try:
                if directory.stat().st_ino == os.fstat(descriptor).st_ino:
                    return descriptor
            except FileNotFoundError:
                pass
            os.close(descriptor)
        time.sleep(_RETRY_S)
    raise JournalUnavailableError(
        f"The journal directory {directory.name} is in use by another process.",
        next_step="Stop the other process, or use another data directory.",
    )


def _made_locked(directory: Path) -> int | None:
    """Make it under a name that the drain passes over until it is locked.

    What the drain takes for a dead worker's it holds until the database is back: the worker could not start.
    """
    hidden = directory.with_name(f".{directory.name}")
    hidden.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = try_lock(hidden)
    if descriptor is not None:
        hidden.rename(directory)
    return descriptor
