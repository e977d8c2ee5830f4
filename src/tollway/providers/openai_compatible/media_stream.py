"""A stream of pictures, speech or a transcript, read while it passes.

Source: https://platform.openai.com/docs/api-reference/images-streaming and …/audio/transcript-text-done-event. Such a
stream has no end mark: the event that tells the usage is held back until the next one or the end comes, so that the
ledger entry is written before the caller has the last byte.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import astuple, replace

from tollway.json_object import MALFORMED, tolerant
from tollway.ledger.usage import Usage
from tollway.providers.adapter import DELIVERED_KEPT_MAX, Answer
from tollway.providers.openai_compatible.stream import event_data, split_events
from tollway.providers.sse import EVENT_MAX_BYTES

_ERRORS = frozenset({"error"})
_TAIL_SEARCHED = 3
"""As much of an event's end may have come with the bytes before."""
_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_DONE = b"[DONE]"


class _Event(msgspec.Struct):
    type: str = ""
    delta: str | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_decode = tolerant(msgspec.json.Decoder(_Event).decode)


class MediaStreamReader:
    """Reads one stream. Satisfies `tollway.providers.adapter.StreamReader`."""

    def __init__(self, ends: frozenset[str], usage_of: Callable[[bytes], Usage | None]) -> None:
        """Args: ends: types of events that tell a count; usage_of: reads it from the data of one."""
        self._ends = ends
        self._usage_of = usage_of
        self._open = bytearray()
        self._held = b""
        self._oversized = False
        self._texts: list[str] = []
        self._chars = 0
        self._usage: Usage | None = None
        self.done = False
        self.failed = False

    @property
    def counted(self) -> bool:
        """Whether the usage that was told is of the whole answer: there may be another picture."""
        return self.done and self._usage is not None

    @property
    def torn(self) -> bool:
        """Whether the last event is there in part only."""
        return self._oversized or bool(self._open.strip())

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes as they came; return the bytes to pass on now."""
        if self.done:
            self._held += chunk
            return b""
        if self._oversized:
            return chunk
        searched = max(len(self._open) - _TAIL_SEARCHED, 0)
        self._open += chunk
        end = max((at + len(mark) for mark in _ENDS if (at := self._open.rfind(mark, searched)) >= 0), default=0)
        if end:
            block = bytes(self._open[:end])
            del self._open[:end]
            return self._read(block)
        if len(self._open) <= EVENT_MAX_BYTES:
            return b""
        self._oversized = True  # too long to be read: passed on as it comes, and all that follows
        passed, self._open = self._release() + bytes(self._open), bytearray()
        return passed

    def finish(self) -> None:
        """The stream ended. The last event counts as whole also where its empty line was left out."""
        rest = bytes(self._open)
        if rest.strip() and (event_data(rest).strip() == _DONE or _event(event_data(rest)) is not None):
            self._open.clear()
            self._held = self._read(rest) + self._held
        if self._usage is not None and not self._open:
            self.done = True

    def take_break(self) -> bytes:
        """What separates an event of ours from what came of an event that was cut."""
        self._open.clear()
        return b"\n\n" if self._oversized else b""

    def take_end(self) -> bytes:
        """What is left to pass on when the stream has ended."""
        rest = self._release() + bytes(self._open)
        self._open.clear()
        return rest

    def delivered_texts(self) -> list[str]:
        """The generated texts that passed, for an estimate."""
        return self._texts

    def answer(self) -> Answer:
        """What the stream has said so far."""
        return Answer(usage=self._usage)

    def _read(self, block: bytes) -> bytes:
        """Look into whole events; return those to pass on."""
        passed: list[bytes] = []
        events = list(split_events(block))
        for place, part in enumerate(events):
            data = event_data(part)
            if data.strip() == _DONE:
                self.done = True
                self._held += b"".join(events[place:])
                break
            passed.append(self._release())
            if self._takes(data):
                self._held = part
            else:
                passed.append(part)
        return b"".join(passed)

    def _takes(self, data: bytes) -> bool:
        """Take in one event; return whether it tells what was counted."""
        event = _event(data)
        if event is None:
            return False
        if event.type in _ERRORS or bytes(event.error) != b"null":
            self.failed = True
        if event.delta and self._chars < DELIVERED_KEPT_MAX:
            self._texts.append(event.delta)
            self._chars += len(event.delta)
        if event.type not in self._ends:
            return False
        usage = self._usage_of(data)
        if usage is not None:
            self._usage = usage if self._usage is None else _sum(self._usage, usage)
        return True

    def _release(self) -> bytes:
        held, self._held = self._held, b""
        return held


def _event(data: bytes) -> _Event | None:
    try:
        return _decode(data) if data else None
    except MALFORMED:
        return None


def _sum(first: Usage, second: Usage) -> Usage:
    """Of two pictures of one request."""
    counts = (one + other for one, other in zip(astuple(first), astuple(second), strict=True))
    return replace(Usage(*counts), requests=1)
