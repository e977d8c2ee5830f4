"""Server-sent events out of bytes that are cut anywhere. Pure.

Source for the framing: WHATWG HTML, "Server-sent events", section 9.2.6
(https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

from tollway.chat.events import Event
from tollway.constants import SSE_EVENT_MAX_BYTES

# An event ends with an empty line; a line ends with CRLF, LF or CR. The groups are atomic so that CRLF counts once.
_EVENT_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_SPLIT_END_MAX_BYTES = 3
"""As much of an event's end may have come with the bytes before."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
EVENT_MAX_BYTES = 16 * SSE_EVENT_MAX_BYTES
"""Of one event that is to be read: room for a picture or a sound in base64, which comes in one piece."""

END_MARK = b"[DONE]"
"""Data of the last event of many streams."""
ServerEvent = tuple[bytes, bytes]
"""Name (empty if the event has none) and data."""


class EventSplitter:
    """Splits one stream. Comments, ids and retry times are left out, and events without data."""

    __slots__ = ("_begun", "_oversized", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._begun = False
        self._oversized = False

    @property
    def torn(self) -> bool:
        """Whether the bytes so far end inside an event, or one was too long to be kept."""
        return self._oversized or bool(self._rest.strip())

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Take bytes as they came; return the events they complete, in order.

        After an event of more than `EVENT_MAX_BYTES` nothing more comes, and the stream stays `torn`.
        """
        if self._oversized:
            return []
        if self._begun and not self._rest and chunk.endswith(b"\n\n") and b"\r" not in chunk:
            return [event for block in chunk[:-2].split(b"\n\n") if (event := _event(block)) is not None]
        searched = max(0, len(self._rest) - _SPLIT_END_MAX_BYTES)
        if self._rest:
            self._rest += chunk
            if self._begun and _EVENT_END.search(self._rest, searched) is None:  # copied once, when it is whole
                return self._bounded()
            data = bytes(self._rest)
        else:
            data = chunk
        if not self._begun:
            if len(data) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(data):
                self._rest = bytearray(data)
                return []
            self._begun = True
            data = data.removeprefix(_BYTE_ORDER_MARK)
        blocks = _blocks(data, searched)
        self._rest = bytearray(blocks.pop())
        events = [event for block in blocks if (event := _event(block)) is not None]
        return events + self._bounded()

    def finish(self) -> list[ServerEvent]:
        """The stream ended: the last event, if it lacks its empty line; whether it is whole, its data must tell."""
        rest = bytes(self._rest)
        self._rest.clear()
        event = None if self._oversized else _event(rest)
        return [] if event is None else [event]

    def _bounded(self) -> list[ServerEvent]:
        """No more events: what is kept is let go of if it is too long."""
        if len(self._rest) > EVENT_MAX_BYTES:
            self._oversized = True
            self._rest.clear()
        return []


class EventStream(ABC):
    """What streams of server-sent events have in common (`tollway.providers.wire.WireStream`)."""

    __slots__ = ("_splitter", "_unread")

    def __init__(self) -> None:
        self._splitter = EventSplitter()
        self._unread = False

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether the stream said that it is whole."""

    @property
    def torn(self) -> bool:
        """Whether the bytes so far end in the middle of an event."""
        return not self.done and (self._unread or self._splitter.torn)

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """The events that these bytes complete."""
        events: list[Event] = []
        for _, data in self._splitter.feed(chunk):
            self._read(data, events)
        return events

    def finish(self) -> Sequence[Event]:
        """The connection ended. The last event counts also where its empty line was left out, if it can be read."""
        events: list[Event] = []
        for _, data in self._splitter.finish():
            self._read(data, events)
            self._unread = not events and not self.done and data.strip() != END_MARK
        return events

    @abstractmethod
    def _read(self, data: bytes, events: list[Event]) -> None:
        """Take in the data of one event, and add what it says."""


def _blocks(data: bytes, start: int) -> list[bytes]:
    """The events of `data`, and last what follows them; none ends before `start`."""
    if b"\r" not in data:
        return data.split(b"\n\n")
    if data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n"):
        return data.split(b"\r\n\r\n")
    blocks = []
    begin = 0
    for match in _EVENT_END.finditer(data, start):
        blocks.append(data[begin : match.start()])
        begin = match.end()
    blocks.append(data[begin:])
    return blocks


def _event(block: bytes) -> ServerEvent | None:
    """The name and data of one event without its end; ``None`` if it has no data."""
    if b"\r" in block:
        return _by_line(block)
    if block.startswith(b"data: ") and b"\n" not in block:
        return b"", block[6:]
    if block.startswith(b"event: "):
        name, _, rest = block.partition(b"\n")
        if rest.startswith(b"data: ") and b"\n" not in rest:
            return name[7:], rest[6:]
    return _by_line(block)


def _by_line(block: bytes) -> ServerEvent | None:
    name = b""
    data: list[bytes] = []
    for line in _LINE_END.split(block):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return (name, b"\n".join(data)) if data else None
