"""The names of journal files: one directory a worker, in it numbered segments."""

from contextlib import suppress
from pathlib import Path

JOURNAL_DIRECTORY = "journal"
QUARANTINE_DIRECTORY = "journal-damaged"
"""Beside the journal: segments in which a record could not be read are kept here for a person to look at."""
SENT_DIRECTORY = ".sent"
"""In the journal, on the same disk: segments that are in the database already, by worker."""
_SUFFIX = ".seg"


def journal_directory(data_dir: Path) -> Path:
    """Where the directories of all workers lie."""
    return data_dir / JOURNAL_DIRECTORY


def segment_path(directory: Path, number: int) -> Path:
    """The file of a segment. Names sort as their numbers."""
    return directory / f"{number:010d}{_SUFFIX}"


def segment_numbers(directory: Path) -> list[int]:
    """The numbers of the segments that exist, ascending. Other files are ignored.

    Raises:
        FileNotFoundError: the directory does not exist.
    """
    return sorted(
        int(path.stem)
        for path in directory.iterdir()
        if path.suffix == _SUFFIX and path.stem.isascii() and path.stem.isdigit()
    )


def worker_directories(data_dir: Path) -> list[Path]:
    """The directories of all workers, live and dead."""
    return _worker_directories(journal_directory(data_dir))


def undrained_bytes(journal: Path) -> int:
    """Bytes of the segments of all workers, live and dead, that are not wholly in the database yet.

    Args:
        journal: of the data directory.

    Raises:
        OSError: the disk cannot be read.
    """
    total_bytes = 0
    for directory in _worker_directories(journal):
        with suppress(FileNotFoundError):  # drained to its end at this moment
            for number in segment_numbers(directory):
                with suppress(FileNotFoundError):  # as above
                    total_bytes += segment_path(directory, number).stat().st_size
    return total_bytes


def _worker_directories(journal: Path) -> list[Path]:
    if not journal.is_dir():
        return []
    return sorted(path for path in journal.iterdir() if path.is_dir() and not path.name.startswith("."))
