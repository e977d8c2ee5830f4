"""The form of one record on disk: mark, version, length, checksum, payload.

::

    0      3        4               8              12                  12 + length
    | mark | version | length (LE)  | CRC-32 (LE)  | payload (MessagePack)  |

The checksum covers the length and the payload. The bytes of the mark cannot occur in UTF-8, so no text that a caller
sends can look like the start of a record when a damaged segment is searched for the next sound one.
"""

import struct
import zlib
from collections.abc import Iterator

import msgspec

from tollway.ledger.entry import EntryOpen, LedgerEntry

VERSION = 1
MARK = b"\xc1\xfe\xc1" + bytes([VERSION])
RECORD_MAX_BYTES = 1024 * 1024
"""Largest payload. An entry with every tag and attempt at its limit has about 100 kB."""

_HEADER = struct.Struct("<4sII")
HEADER_BYTES = _HEADER.size

Record = EntryOpen | LedgerEntry

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(EntryOpen | LedgerEntry)


class _OpenHead(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="open"):
    """The beginning of an `EntryOpen`."""

    entry_id: str


_head_decoder: msgspec.msgpack.Decoder[_OpenHead | LedgerEntry] = msgspec.msgpack.Decoder(_OpenHead | LedgerEntry)


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A sound payload at ``[start, end)`` of the searched bytes."""

    start: int
    end: int
    payload: bytes


class Gap(msgspec.Struct, frozen=True):
    """Bytes ``[start, end)`` that are no record, with a sound record after them."""

    start: int
    end: int


def frame(payload: bytes) -> bytes:
    """The payload as it stands on disk.

    Raises:
        ValueError: the payload exceeds `RECORD_MAX_BYTES`.
    """
    length = len(payload)
    if length > RECORD_MAX_BYTES:
        message = f"A journal record has {length} bytes; the limit is {RECORD_MAX_BYTES}."
        raise ValueError(message)
    return _HEADER.pack(MARK, length, zlib.crc32(payload, length)) + payload


def encode(record: Record) -> bytes:
    """The record as it stands on disk.

    Raises:
        ValueError: the record exceeds `RECORD_MAX_BYTES`.
    """
    return frame(_encoder.encode(record))


def decode(payload: bytes) -> Record:
    """The record of a payload.

    Raises:
        msgspec.DecodeError: the payload is sound, but was not written by a version this one understands.
    """
    return _decoder.decode(payload)


def decode_entry(payload: bytes) -> LedgerEntry | str:
    """As `decode`, but of an `EntryOpen` only the entry id: almost all are followed by their entry, and never needed.

    Raises:
        msgspec.DecodeError: as `decode`.
    """
    record = _head_decoder.decode(payload)
    return record if isinstance(record, LedgerEntry) else record.entry_id


def _frame_at(data: bytes, start: int) -> Frame | None:
    if len(data) - start < HEADER_BYTES:
        return None
    mark, length, checksum = _HEADER.unpack_from(data, start)
    end = start + HEADER_BYTES + length
    if mark != MARK or length > RECORD_MAX_BYTES or end > len(data):
        return None
    payload = data[start + HEADER_BYTES : end]
    return Frame(start, end, payload) if zlib.crc32(payload, length) == checksum else None


def _next_frame(data: bytes, start: int) -> Frame | None:
    while (start := data.find(MARK, start)) >= 0:
        found = _frame_at(data, start)
        if found is not None:
            return found
        start += 1
    return None


def scan(data: bytes) -> Iterator[Frame | Gap]:
    """All sound records in order, and the gaps between them. What follows the last sound record is not told.

    Whether that rest is a torn tail, a record still being written or damage only the reader of the file can know.
    """
    position = 0
    while True:
        found = _frame_at(data, position)
        if found is None:
            found = _next_frame(data, position + 1)
            if found is None:
                return
            yield Gap(position, found.start)
        yield found
        position = found.end
