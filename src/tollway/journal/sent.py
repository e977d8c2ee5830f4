"""Segments that are in the database already, kept for a while: a promoted standby may lack the last seconds of it."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tollway.journal.reader import Chunk, Position, read_chunk
from tollway.journal.segment import SENT_DIRECTORY, segment_numbers, segment_path

_TIMELINE_FILE = "timeline"
_TRIM_INTERVAL_S = 5.0
_FREE_MIN_BYTES = 4 * 1024 * 1024
"""Four times the reserve of a worker: a disk so small keeps nothing that it could do without."""
_FREE_ENOUGH_BYTES = 1024**3
_FREE_SHARE = 10


class SentSegment(msgspec.Struct, frozen=True):
    """One kept segment of one worker, and when it was stored in epoch seconds."""

    directory: Path
    number: int
    sent_s: float

    @property
    def worker_id(self) -> str:
        """Who wrote it."""
        return self.directory.name

    @property
    def path(self) -> Path:
        """The file."""
        return segment_path(self.directory, self.number)

    def chunks(self, *, max_entries: int) -> Iterator[Chunk]:
        """What has entries of it, at the most so many at once. What cannot be read was told of when it was read first.

        Raises:
            OSError: it cannot be read.
        """
        position, more = Position(self.number), True
        while more and position.segment == self.number:
            chunk = read_chunk(self.directory, position, dead=True, max_entries=max_entries)
            position, more = chunk.position, chunk.more
            if chunk.entries:
                yield chunk


class SentSegments:
    """What was sent within the recovery window, and to which timeline of the database.

    Args:
        journal: the journal of the data directory.
        window_s: seconds for which a segment is kept after all of it was stored; 0 keeps nothing. A disk that is nearly
            full keeps less: to record requests comes first.
    """

    def __init__(self, journal: Path, *, window_s: float) -> None:
        self._root = journal / SENT_DIRECTORY
        self._window_s = window_s
        self._trim_due_s = 0.0

    def keep(self, worker_directory: Path, number: int) -> None:
        """Take a segment over from the journal of a worker: all of it was stored.

        Raises:
            OSError: the disk refused it; it is where it was.
        """
        path = segment_path(worker_directory, number)
        if not self._window_s:
            path.unlink()
            return
        kept = self._root / worker_directory.name
        kept.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.utime(path)
        path.replace(segment_path(kept, number))

    def newest_first(self) -> list[SentSegment]:
        """All of them: what was stored last is most likely to be missing.

        Raises:
            OSError: the disk cannot be read.
        """
        if not self._root.is_dir():
            return []
        found = [
            SentSegment(directory, number, segment_path(directory, number).stat().st_mtime)
            for directory in self._root.iterdir()
            if directory.is_dir()
            for number in segment_numbers(directory)
        ]
        return sorted(found, key=lambda segment: segment.sent_s, reverse=True)

    def trim(self) -> None:
        """Remove what is older than the window; the oldest also while the disk is nearly full.

        Raises:
            OSError: the disk refused it.
        """
        full = self._root.is_dir() and self._nearly_full()
        if not full and time.monotonic() < self._trim_due_s:
            return
        self._trim_due_s = time.monotonic() + _TRIM_INTERVAL_S
        oldest_s = time.time() - self._window_s
        for segment in reversed(self.newest_first()):
            if segment.sent_s >= oldest_s and not full:
                break
            segment.path.unlink()
            if segment_numbers(segment.directory) == []:
                segment.directory.rmdir()
            full = full and self._nearly_full()

    @property
    def timeline(self) -> int | None:
        """The timeline of the database that has everything; ``None`` before the first was noted."""
        try:
            return int((self._root / _TIMELINE_FILE).read_text())
        except (FileNotFoundError, ValueError):
            return None

    def note_timeline(self, number: int) -> None:
        """Everything that is kept is, or will be, in this timeline.

        Raises:
            OSError: the disk refused it.
        """
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._root / f"{_TIMELINE_FILE}.new"
        partial.write_text(str(number))
        partial.replace(self._root / _TIMELINE_FILE)

    def _nearly_full(self) -> bool:
        disk = os.statvfs(self._root)
        enough = max(_FREE_MIN_BYTES, min(disk.f_blocks * disk.f_frsize // _FREE_SHARE, _FREE_ENOUGH_BYTES))
        return disk.f_bavail * disk.f_frsize < enough
