"""A stream of the Messages API, as events. Source: https://platform.claude.com/docs/en/build-with-claude/streaming.

A block that only this format knows is told when it is whole: nobody else could make sense of a part of it.
"""

import msgspec
from msgspec import Raw

from tollway.chat.beside import joined
from tollway.chat.events import (
    Begun,
    Beside,
    Broke,
    Cited,
    Counted,
    Delta,
    Ended,
    Event,
    PartBegun,
    PartEnded,
    SignatureDelta,
)
from tollway.chat.message import OpaquePart, Part, ToolCallPart
from tollway.json_object import MALFORMED, decode_object, tolerant
from tollway.providers.anthropic.blocks import read_block
from tollway.providers.anthropic.citations import read_citation
from tollway.providers.anthropic.error import read_error
from tollway.providers.anthropic.reply import ABSENT, beside_of
from tollway.providers.anthropic.stops import read_stop
from tollway.providers.sse import EventStream
from tollway.providers.usage.anthropic import WireUsage, merge, read_usage, tier_of, usage_of


class _Message(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: Raw = ABSENT


class _Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: Raw = ABSENT
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Raw = ABSENT
    container: Raw = ABSENT
    content: str | None = None


class StreamEvent(msgspec.Struct, gc=False):
    """One event's data."""

    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    content_block: Raw = ABSENT
    message: Raw = ABSENT
    usage: Raw = ABSENT
    context_management: Raw = ABSENT
    provider_specific_fields: Raw = ABSENT


read_event = tolerant(msgspec.json.Decoder(StreamEvent).decode)
_decode_message = tolerant(msgspec.json.Decoder(_Message).decode)


class AnthropicStream(EventStream):
    """Reads one stream. Satisfies `tollway.providers.wire.WireStream`.

    Attributes:
        done: whether ``message_stop`` came.
    """

    __slots__ = ("_arguments", "_begun", "_opaque", "_pieces", "_usage", "done")

    done: bool

    def __init__(self) -> None:
        super().__init__()
        self._usage: WireUsage | None = None
        self._begun: dict[int, Part] = {}
        self._arguments = False
        self._opaque: OpaquePart | None = None
        self._pieces: list[str] = []
        self.done = False

    def _read(self, data: bytes, events: list[Event]) -> None:
        try:
            event = read_event(data)
        except MALFORMED:
            return
        kind = event.type
        if kind == "content_block_delta" and event.delta is not None:
            self._delta(event.index, event.delta, events)
        elif kind == "content_block_start":
            self._start(event.index, event.content_block, events)
        elif kind == "content_block_stop":
            self._stop(event.index, events)
        elif kind == "message_start":
            self._message(event.message, events)
        elif kind == "message_delta":
            self._ending(event, events)
        elif kind == "message_stop":
            self.done = True
        elif kind == "error":
            error = read_error(data)
            events.append(Broke(error.message, error.type))

    def _message(self, raw: Raw, events: list[Event]) -> None:
        try:
            message = _decode_message(raw)
        except MALFORMED:
            return
        self._usage = read_usage(message.usage)
        events.append(Begun(message.id or "", message.model or "", service_tier=tier_of(self._usage)))
        self._count(events, whole=False)

    def _count(self, events: list[Event], *, whole: bool) -> None:
        usage = usage_of(self._usage)
        if usage is not None:
            events.append(Counted(usage, whole=whole, service_tier=tier_of(self._usage)))

    def _start(self, index: int, raw: Raw, events: list[Event]) -> None:
        part = read_block(raw)
        if part is None:
            return
        if isinstance(part, OpaquePart):
            self._opaque, self._pieces = part, []
            return
        if isinstance(part, ToolCallPart):
            part = msgspec.structs.replace(part, arguments="" if part.arguments == "{}" else part.arguments)
            self._arguments = bool(part.arguments)
        self._begun[index] = part
        events.append(PartBegun(0, index, part))

    def _delta(self, index: int, delta: _Delta, events: list[Event]) -> None:
        if index not in self._begun:
            if piece := delta.partial_json or delta.content:
                self._pieces.append(piece)
            return
        text = delta.text or delta.thinking or delta.partial_json
        if text:
            self._arguments = self._arguments or delta.partial_json is not None
            events.append(Delta(0, index, text))
        elif delta.signature:
            events.append(SignatureDelta(0, index, delta.signature))
        elif delta.citation is not ABSENT and (citation := read_citation(delta.citation)) is not None:
            events.append(Cited(0, index, citation))

    def _stop(self, index: int, events: list[Event]) -> None:
        part = self._begun.pop(index, None)
        if part is not None:
            if isinstance(part, ToolCallPart) and not self._arguments:
                events.append(Delta(0, index, "{}"))
            events.append(PartEnded(0, index))
        elif self._opaque is not None:
            events.append(PartBegun(0, index, _whole(self._opaque, "".join(self._pieces))))
            events.append(PartEnded(0, index))
            self._opaque = None

    def _ending(self, event: StreamEvent, events: list[Event]) -> None:
        self._usage = merge(self._usage, read_usage(event.usage))
        delta = event.delta
        container = delta.container if delta is not None else ABSENT
        for name, values in beside_of(container, event.context_management, event.provider_specific_fields).items():
            events.append(Beside(0, name, joined(values)))
        stop = read_stop(delta.stop_reason) if delta is not None else None
        self._count(events, whole=stop is not None)
        if delta is not None and stop is not None:
            details = None if bytes(delta.stop_details) == b"null" else delta.stop_details
            events.append(Ended(0, stop, delta.stop_sequence or "", details))


def _whole(part: OpaquePart, written: str) -> OpaquePart:
    """The block with the input that was streamed."""
    if not written:
        return part
    try:
        fields = decode_object(part.raw)
        if part.kind == "compaction":
            fields["content"] = Raw(msgspec.json.encode(written))
            return msgspec.structs.replace(part, raw=Raw(msgspec.json.encode(fields)))
        fields["input"] = Raw(msgspec.json.encode(msgspec.json.decode(written.encode(), type=dict[str, Raw])))
    except MALFORMED:
        return part
    return msgspec.structs.replace(part, raw=Raw(msgspec.json.encode(fields)))
