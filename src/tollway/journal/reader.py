"""Read a worker's journal from a position on, while it is being written or after its worker died.

A segment ends when a later one exists, or when its worker is dead. Only then is a rest that is no record final: a torn
tail, which is normal after a power cut, or damage. Before that it may be a record half written.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tollway.journal.record import HEADER_BYTES, MARK, RECORD_MAX_BYTES, Frame, Gap, decode, decode_entry, scan
from tollway.journal.segment import segment_numbers, segment_path
from tollway.ledger.entry import EntryOpen, LedgerEntry

_LONGEST_BYTES = HEADER_BYTES + RECORD_MAX_BYTES
_CHUNK_BYTES = (256 * 1024, 2 * _LONGEST_BYTES)
"""Read at once: some hundred records, which is a millisecond or two of work; and what is read if they hold no record:
every record lies whole in the long chunk that begins at or shortly before it."""


class Position(msgspec.Struct, frozen=True):
    """The next byte to read."""

    segment: int = 0
    offset: int = 0


class Damage(msgspec.Struct, frozen=True):
    """Bytes ``[start, end)`` of a segment in which nothing could be read.

    ``torn``: an incomplete record at the end of its segment. It was never acknowledged to anybody, so nothing is lost.
    """

    segment: int
    start: int
    end: int
    torn: bool = False


class Chunk(msgspec.Struct, frozen=True):
    """What one read found.

    Attributes:
        entries: in the order they were written.
        records: what each was read from.
        opens: requests that were admitted, and whose entry is not among `entries`.
        damages: what could not be read between them.
        position: where to read next.
        more: whether reading on at once may find something.
    """

    entries: list[LedgerEntry]
    records: list[bytes]
    opens: list[EntryOpen]
    damages: list[Damage]
    position: Position
    more: bool


def read_chunk(directory: Path, position: Position, *, dead: bool, max_entries: int) -> Chunk:
    """Read on from `position`, at the most a chunk of one segment and `max_entries` ledger entries.

    Args:
        directory: the worker's.
        position: from the chunk before; ``Position()`` at the first.
        dead: whether the worker can write no more (the caller holds its lock).
        max_entries: stop after so many.

    Raises:
        OSError: the directory or a segment cannot be read.
    """
    numbers = [number for number in segment_numbers(directory) if number >= position.segment]
    if not numbers:
        return Chunk([], [], [], [], position, more=False)
    segment, following = numbers[0], numbers[1] if len(numbers) > 1 else None
    offset = position.offset if segment == position.segment else 0
    for size in _CHUNK_BYTES:
        data = _read(segment_path(directory, segment), offset, size)
        at_end = len(data) < size
        found = _collect(data, max_entries)
        if found.used or at_end:
            break
    used, damages = found.used, found.damages
    opens = _decoded(found.opens.values(), damages)
    if len(found.entries) >= max_entries or not at_end:
        if not used:  # a chunk without any record: keep what may be the beginning of one
            used = len(data) - _LONGEST_BYTES
            damages.append(Damage(0, 0, used))
        reached, more = Position(segment, offset + used), True
    elif dead or following is not None:
        if used < len(data):
            damages.append(Damage(0, used, len(data), torn=_is_torn(data[used:])))
        reached = Position(segment, offset + len(data)) if following is None else Position(following)
        more = following is not None
    else:
        reached, more = Position(segment, offset + used), False
    placed = [Damage(segment, offset + gap.start, offset + gap.end, gap.torn) for gap in damages]
    return Chunk(found.entries, found.records, opens, placed, reached, more)


def _read(path: Path, offset: int, size: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, size, offset)
    finally:
        os.close(descriptor)


class _Found(msgspec.Struct):
    """As `Chunk`, with the opens as they stand in the searched bytes, of which `used` are read."""

    entries: list[LedgerEntry] = []
    records: list[bytes] = []
    opens: dict[str, Frame] = {}
    damages: list[Damage] = []
    used: int = 0


def _collect(data: bytes, max_entries: int) -> _Found:
    found = _Found()
    for part in scan(data):
        if isinstance(part, Gap):
            found.damages.append(Damage(0, part.start, part.end))
            continue
        found.used = part.end
        try:
            record = decode_entry(part.payload)
        except msgspec.DecodeError:
            found.damages.append(Damage(0, part.start, part.end))
            continue
        if isinstance(record, str):
            found.opens[record] = part
            continue
        found.opens.pop(record.entry_id, None)
        found.entries.append(record)
        found.records.append(part.payload)
        if len(found.entries) >= max_entries:
            break
    return found


def _decoded(frames: Iterable[Frame], damages: list[Damage]) -> list[EntryOpen]:
    """What is sound but was written by another version counts as damage: it is kept for one that understands it."""
    found: list[EntryOpen] = []
    for frame in frames:
        try:
            record = decode(frame.payload)
        except msgspec.DecodeError:
            damages.append(Damage(0, frame.start, frame.end))
        else:
            found += [record] if isinstance(record, EntryOpen) else []
    return found


def _is_torn(rest: bytes) -> bool:
    """Whether this can be the beginning of a record, or blocks that were allocated and never written."""
    if not rest.strip(b"\0"):
        return True
    if len(rest) < HEADER_BYTES:
        return rest[: len(MARK)] == MARK[: len(rest)]
    length = int.from_bytes(rest[len(MARK) : len(MARK) + 4], "little")
    return rest.startswith(MARK) and len(rest) < HEADER_BYTES + length <= _LONGEST_BYTES
