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
CHUNK_BYTES = 2 * _LONGEST_BYTES
"""Read at once: every record lies whole in the chunk that begins at or shortly before it."""


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
        opens: requests that were admitted, and whose entry is not among `entries`.
        damages: what could not be read between them.
        position: where to read next.
        more: whether reading on at once may find something.
    """

    entries: list[LedgerEntry]
    opens: list[EntryOpen]
    damages: list[Damage]
    position: Position
    more: bool


def read_chunk(directory: Path, position: Position, *, dead: bool, max_entries: int) -> Chunk:
    """Read on from `position`, at the most `CHUNK_BYTES` of one segment and `max_entries` ledger entries.

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
        return Chunk([], [], [], position, more=False)
    segment, following = numbers[0], numbers[1] if len(numbers) > 1 else None
    offset = position.offset if segment == position.segment else 0
    data = _read(segment_path(directory, segment), offset)
    at_end = len(data) < CHUNK_BYTES

    entries, opens, damages, used, full = _collect(data, max_entries)
    if full or not at_end:
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
    return Chunk(entries, opens, placed, reached, more)


def _read(path: Path, offset: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, CHUNK_BYTES, offset)
    finally:
        os.close(descriptor)


def _collect(data: bytes, max_entries: int) -> tuple[list[LedgerEntry], list[EntryOpen], list[Damage], int, bool]:
    """Entries, opens, damages (segment 0), bytes used, and whether it stopped because of `max_entries`."""
    entries: list[LedgerEntry] = []
    opens: dict[str, Frame] = {}
    damages: list[Damage] = []
    used = 0
    for found in scan(data):
        if isinstance(found, Gap):
            damages.append(Damage(0, found.start, found.end))
            continue
        used = found.end
        try:
            record = decode_entry(found.payload)
        except msgspec.DecodeError:
            damages.append(Damage(0, found.start, found.end))
            continue
        if isinstance(record, str):
            opens[record] = found
            continue
        opens.pop(record.entry_id, None)
        entries.append(record)
        if len(entries) >= max_entries:
            break
    return entries, _decoded(opens.values(), damages), damages, used, len(entries) >= max_entries


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
