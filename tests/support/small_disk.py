"""A disk so small that a test can fill it."""

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_FILLER = "filler"
_PIECE = bytes(64 * 1024)


class SmallDisk:
    """A memory file system."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Leave no byte free."""
        with (self.path / _FILLER).open("ab", buffering=0) as filler:
            piece = _PIECE
            while piece:
                try:
                    filler.write(piece)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    piece = piece[: len(piece) // 2]

    def empty(self) -> None:
        """Give back what `fill` took."""
        (self.path / _FILLER).unlink(missing_ok=True)


@contextmanager
def small_disk(path: Path, *, mebibytes: int) -> Iterator[SmallDisk]:
    """A small disk at this path for the length of the block; skips the test where this process may not mount one."""
    path.mkdir(parents=True, exist_ok=True)
    options = f"size={mebibytes}m,mode=0755"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"may not mount a file system here: {mounted.stderr.decode(errors='replace').strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
