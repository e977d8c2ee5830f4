"""Messages of an AWS event stream (``application/vnd.amazon.eventstream``), split out of bytes cut anywhere. Pure.

A message is ``total length | headers length | CRC of these two | headers | payload | CRC of all before``, integers
big-endian: https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html. The checks are those of botocore.
"""

import struct
from binascii import crc32
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

MESSAGE_MAX_BYTES = 24 * 1024 * 1024 + 128 * 1024 + 16
"""The longest message that AWS defines: a payload of 24 MiB, headers of 128 KiB and the frame."""
HEADERS_MAX_BYTES = 128 * 1024
_PRELUDE = struct.Struct(">III")
_CRC_BYTES = 4
_MESSAGE_MIN_BYTES = _PRELUDE.size + _CRC_BYTES
_CACHED_MAX_BYTES = 1_024
"""Headers of a stream repeat themselves; longer ones are not worth remembering."""

HeaderValue = str | bytes | int | bool


class Message(NamedTuple):
    """One message. Attributes: headers: by name, shared among messages: never changed."""

    headers: Mapping[str, HeaderValue]
    payload: bytes


class MessageSplitter:
    """Splits one stream.

    Attributes:
        broken: why the stream cannot be read any further: a check failed. Empty while it can.
    """

    __slots__ = ("_needed", "_pieces", "_size", "broken")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._needed = _PRELUDE.size
        self.broken = ""

    @property
    def torn(self) -> bool:
        """Whether the bytes so far end in the middle of a message."""
        return self._size > 0

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that these bytes complete. Nothing more once the stream is `broken`."""
        if self.broken:
            return []
        self._pieces.append(chunk)
        self._size += len(chunk)
        if self._size < self._needed:  # long messages are joined once, when they are whole
            return []
        data = chunk if len(self._pieces) == 1 else b"".join(self._pieces)
        messages: list[Message] = []
        start, self._needed = 0, _PRELUDE.size
        try:
            while len(data) - start >= _PRELUDE.size:
                length = _message_length(data, start)
                if len(data) - start < length:
                    self._needed = length
                    break
                messages.append(_message(data, start, start + length))
                start += length
        except _BrokenError as error:
            self.broken = str(error)
            start = len(data)
        self._size = len(data) - start
        self._pieces = [data[start:]] if self._size else []
        return messages


class _BrokenError(Exception):
    """What follows cannot be read."""


def _message_length(data: bytes, start: int) -> int:
    total, headers, crc = _PRELUDE.unpack_from(data, start)
    if crc32(data[start : start + 8]) != crc:
        raise _BrokenError("the checksum of a message's lengths is wrong")
    if not _MESSAGE_MIN_BYTES <= total <= MESSAGE_MAX_BYTES or headers > min(
        HEADERS_MAX_BYTES, total - _MESSAGE_MIN_BYTES
    ):
        raise _BrokenError("a message has impossible lengths")
    return int(total)


def _message(data: bytes, start: int, end: int) -> Message:
    crc = int.from_bytes(data[end - _CRC_BYTES : end], "big")
    if crc32(data[start : end - _CRC_BYTES]) != crc:
        raise _BrokenError("the checksum of a message is wrong")
    body = start + _PRELUDE.size
    payload = body + int.from_bytes(data[start + 4 : start + 8], "big")
    raw = data[body:payload]
    headers = _cached_headers(raw) if len(raw) <= _CACHED_MAX_BYTES else _headers(raw)
    return Message(headers, data[payload : end - _CRC_BYTES])


def _short(raw: bytes, at: int) -> tuple[bytes, int]:
    length = int.from_bytes(raw[at : at + 2], "big")
    return raw[at + 2 : at + 2 + length], at + 2 + length


def _text(raw: bytes, at: int) -> tuple[str, int]:
    value, end = _short(raw, at)
    return value.decode("utf-8", "replace"), end


def _integer(size: int) -> Callable[[bytes, int], tuple[int, int]]:
    return lambda raw, at: (int.from_bytes(raw[at : at + size], "big", signed=True), at + size)


_READERS: tuple[Callable[[bytes, int], tuple[HeaderValue, int]], ...] = (
    lambda _raw, at: (True, at),
    lambda _raw, at: (False, at),
    _integer(1),
    _integer(2),
    _integer(4),
    _integer(8),
    _short,
    _text,
    _integer(8),  # a time, in milliseconds
    lambda raw, at: (raw[at : at + 16], at + 16),  # a UUID
)
"""By the type of a header's value."""


def _headers(raw: bytes) -> Mapping[str, HeaderValue]:
    """All headers.

    Raises:
        _BrokenError: they are not well formed; the checksum was right, so a defect of the sender.
    """
    headers: dict[str, HeaderValue] = {}
    at = 0
    while at < len(raw):
        name_end = at + 1 + raw[at]
        if name_end >= len(raw) or raw[name_end] >= len(_READERS):
            raise _BrokenError("a message's headers are malformed")
        name = raw[at + 1 : name_end].decode("utf-8", "replace")
        headers[name], at = _READERS[raw[name_end]](raw, name_end + 1)
    if at != len(raw):
        raise _BrokenError("a message's headers are malformed")
    return headers


_cached_headers = lru_cache(maxsize=64)(_headers)
