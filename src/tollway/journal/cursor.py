"""How far a worker's journal was drained, kept beside it in a file that is replaced whole."""

import os
from pathlib import Path

import msgspec

from tollway.journal.reader import Position
from tollway.journal.record import frame, scan
from tollway.ledger.entry import EntryOpen

_FILE_NAME = "cursor"
_PART_BYTES = 512 * 1024


class Cursor(msgspec.Struct, frozen=True):
    """State of the drain of one worker.

    Attributes:
        position: everything before it is in the database, but for `opens`.
        opens: admitted requests whose entry has not been read yet, by entry id. They are carried here because their
            segments may be removed first.
        damaged: segments with damage, to be set aside instead of removed.
    """

    position: Position = Position()
    opens: dict[str, EntryOpen] = {}
    damaged: frozenset[int] = frozenset()


_decoder = msgspec.msgpack.Decoder(Cursor)


def load_cursor(directory: Path) -> Cursor:
    """The stored cursor; a missing or unreadable one starts over, which is safe: entries are taken in once.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        data = (directory / _FILE_NAME).read_bytes()
    except FileNotFoundError:
        return Cursor()
    parts = [found for found in scan(data) if hasattr(found, "payload")]
    if not parts or parts[-1].end != len(data):
        return Cursor()
    try:
        return _decoder.decode(b"".join(part.payload for part in parts))
    except msgspec.DecodeError:
        return Cursor()


def save_cursor(directory: Path, cursor: Cursor) -> None:
    """Replace the stored cursor; durable when this returns.

    Raises:
        OSError: the disk refused it.
    """
    payload = msgspec.msgpack.encode(cursor)
    parts = (payload[start : start + _PART_BYTES] for start in range(0, len(payload), _PART_BYTES))
    partial = directory / f"{_FILE_NAME}.new"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(b"".join(frame(part) for part in parts))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(directory / _FILE_NAME)
