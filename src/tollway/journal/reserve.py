"""Disk space set aside, so that requests already running can still be recorded when the disk is full."""

import os
import time
from pathlib import Path

RESERVE_BYTES = 1024 * 1024
"""About two thousand entries: twice the requests one worker serves at the same time."""
_SPARE_BYTES = 64 * 1024
"""Free space beyond the reserve, without which the next requests could not be admitted anyway."""
_RETRY_INTERVAL_S = 0.25
_FILE_NAME = "reserve"


class Reserve:
    """A file whose only use is the space it takes. While it is missing, no new request is admitted."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE_NAME
        self._next_try_s = 0.0
        self.held = False

    def take(self) -> bool:
        """Set the space aside again; ``False`` if the disk does not have it. Tries a few times a second at the most."""
        now_s = time.monotonic()
        if self.held or now_s < self._next_try_s:
            return self.held
        self._next_try_s = now_s + _RETRY_INTERVAL_S
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            self.held = self._set_aside(descriptor)
        finally:
            os.close(descriptor)
        return self.held

    def _set_aside(self, descriptor: int) -> bool:
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        except OSError:
            self.release()
            return False
        try:
            os.posix_fallocate(descriptor, RESERVE_BYTES, _SPARE_BYTES)
        except OSError:
            return False  # the reserve itself stays: requests that run already need it
        finally:
            os.ftruncate(descriptor, RESERVE_BYTES)
        return True

    def doubt(self) -> None:
        """The disk refused something: admit nobody until `take` has seen that there is room again."""
        self.held = False

    def release(self) -> None:
        """Give the space back to the disk."""
        self.held = False
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return  # a read-only disk: there is nothing to give back
