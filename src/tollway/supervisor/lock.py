"""One supervisor for each data directory."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from tollway.supervisor.errors import AlreadyRunningError, StartError

FILE_NAME = "supervisor.lock"


class DataDirLock:
    """An flock on a file of the data directory: it goes with the process that holds it, however that ends."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE_NAME
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            AlreadyRunningError: another process has it.
            StartError: the directory cannot be made or written.
        """
        try:
            self._descriptor = self._locked()
        except OSError as error:
            raise StartError(
                f"The data directory {self._path.parent} cannot be used: {error.strerror}. "
                "Give it space and permissions, or choose another one with --data-dir."
            ) from error
        return self

    def _locked(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take(descriptor)
        except BaseException:  # given back, then raised again
            os.close(descriptor)
            raise
        return descriptor

    def _take(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise AlreadyRunningError(
                f"Tollway already runs on {self._path.parent} (process {holder}). "
                f"Stop it with `kill {holder}`, or choose another directory with --data-dir."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back. The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
