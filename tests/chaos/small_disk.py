"""A disk so small that a run can fill it."""

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE_BYTES = 48 * 1024 * 1024
_FILLER = "filler"
_PIECE = bytes(64 * 1024)


@contextmanager
def small_disk(path: Path, *, size_bytes: int = SIZE_BYTES) -> Iterator[Path]:
    """A memory file system at this path for the length of the block.

    Raises:
        subprocess.CalledProcessError: this process may not mount.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = f"size={size_bytes},mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True, capture_output=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def can_mount() -> bool:
    """Whether this process may mount a file system."""
    with tempfile.TemporaryDirectory() as name:
        try:
            with small_disk(Path(name) / "disk"):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / _FILLER).open("ab", buffering=0) as filler:
        piece = _PIECE
        while piece:
            try:
                filler.write(piece)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                piece = piece[: len(piece) // 2]
        os.fsync(filler.fileno())


def empty(disk: Path) -> None:
    """Give back what `fill` took."""
    (disk / _FILLER).unlink(missing_ok=True)
