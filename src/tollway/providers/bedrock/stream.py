"""A stream of ConverseStream as events.

Text and reasoning have no event that begins them: their first delta does. What is not text is held back until it is
whole: encrypted thoughts, images, and calls that the provider makes itself. ``messageStop`` ends the answer, and
``metadata``, the last event, counts it.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

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
from tollway.chat.message import Part, TextPart, ThinkingPart, ToolCallPart
from tollway.chat.reply import Stop
from tollway.json_object import MALFORMED
from tollway.providers.bedrock.citations import citation_of
from tollway.providers.bedrock.event_stream import Message, MessageSplitter
from tollway.providers.bedrock.reply import (
    SERVER_TOOL_USE,
    STOPS,
    beside_of,
    image_part,
    model_fields,
    opaque,
    redacted_text,
    stop_sequence,
)
from tollway.providers.bedrock.stream_events import (
    BlockData,
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageStart,
    MessageStop,
    Metadata,
    ReasoningDelta,
    Start,
    decode_event,
    decode_exception,
)
from tollway.providers.usage.bedrock import converse_usage
from tollway.providers.wire_names import BEDROCK

_BROKEN = "eventStreamError"
"""Our name for a stream whose checksums are wrong."""


class _Held:
    """A part that is passed on when it is whole. Attributes: start: of its block; pieces: of its data."""

    __slots__ = ("pieces", "start")

    def __init__(self, start: Start) -> None:
        self.start = start
        self.pieces: list[Any] = []


class ConverseStream:
    """Reads one stream. Satisfies `tollway.providers.wire.WireStream`."""

    __slots__ = ("_ended", "_failed", "_held", "_open", "_splitter", "_stop", "done")

    def __init__(self) -> None:
        self._splitter = MessageSplitter()
        self._open: set[int] = set()
        self._held: dict[int, _Held] = {}
        self._stop: MessageStop | None = None
        self._ended = False
        self._failed = False
        self.done = False

    @property
    def torn(self) -> bool:
        """Whether the bytes so far end in the middle of an event."""
        return self._splitter.torn

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """The events that these bytes complete."""
        events: list[Event] = []
        for message in self._splitter.feed(chunk):
            self._read(message, events)
        if self._splitter.broken and not (self._failed or self.done):
            self._failed = True
            events.append(Broke(f"The stream cannot be read: {self._splitter.broken}.", _BROKEN))
        return events

    def finish(self) -> Sequence[Event]:
        """The connection ended. An answer that was ended is whole, also where its count did not come."""
        events: list[Event] = []
        if self._stop is not None and not self._failed:
            self._end(events, None)
            self.done = self.done or not self.torn
        return events

    def _read(self, message: Message, events: list[Event]) -> None:
        if self._failed or self.done:
            return
        headers = message.headers
        if headers.get(":message-type", "event") != "event":
            self._failed = True
            events.append(_broke(message))
            return
        name = str(headers.get(":event-type"))
        event = decode_event(name, message.payload)
        if event is not None:
            self._takers[name](self, event, events)

    def _begin(self, _: MessageStart, events: list[Event]) -> None:
        events.append(Begun())

    def _begin_block(self, block: BlockStart, events: list[Event]) -> None:
        index, use = block.contentBlockIndex, block.start.toolUse
        if use is not None and use.type != SERVER_TOOL_USE:
            self._open_part(index, ToolCallPart(id=use.toolUseId, name=use.name), events)
        elif use is not None or block.start.toolResult is not None or block.start.image is not None:
            self._held[index] = _Held(block.start)

    def _open_part(self, index: int, part: Part, events: list[Event]) -> None:
        if index not in self._open:
            self._open.add(index)
            events.append(PartBegun(0, index, part))

    def _take_delta(self, block: BlockDelta, events: list[Event]) -> None:
        index, delta = block.contentBlockIndex, block.delta
        if delta.text is not None:
            self._open_part(index, _NO_TEXT, events)
            if delta.text:
                events.append(Delta(0, index, delta.text))
        elif index in self._held:
            self._hold(self._held[index], delta)
        elif delta.toolUse is not None:
            if index in self._open and delta.toolUse.input:
                events.append(Delta(0, index, delta.toolUse.input))
        elif delta.reasoningContent is not None:
            self._take_reasoning(index, delta.reasoningContent, events)
        elif delta.citation is not None:
            self._open_part(index, _NO_TEXT, events)
            events.append(Cited(0, index, citation_of(delta.citation)))

    def _hold(self, held: _Held, delta: BlockData) -> None:
        if delta.toolUse is not None:
            held.pieces.append(delta.toolUse.input)
        elif delta.toolResult is not None:
            held.pieces += delta.toolResult
        elif delta.image is not None:
            held.pieces.append(delta.image.source.bytes)
        elif delta.reasoningContent is not None:
            held.pieces.append(delta.reasoningContent.redactedContent)

    def _take_reasoning(self, index: int, delta: ReasoningDelta, events: list[Event]) -> None:
        if delta.redactedContent:
            self._held[index] = held = _Held(_NO_START)
            held.pieces.append(delta.redactedContent)
            return
        self._open_part(index, _NO_THOUGHTS, events)
        if delta.text:
            events.append(Delta(0, index, delta.text))
        if delta.signature:
            events.append(SignatureDelta(0, index, delta.signature))

    def _end_block(self, block: BlockStop, events: list[Event]) -> None:
        index = block.contentBlockIndex
        held = self._held.pop(index, None)
        if held is not None:
            self._open_part(index, _whole(held), events)
        if index in self._open:
            self._open.discard(index)
            events.append(PartEnded(0, index))

    def _end_message(self, stop: MessageStop, events: list[Event]) -> None:
        self._stop = stop
        if stop.stopReason != "guardrail_intervened":  # its assessment comes with the metadata
            self._end(events, None)

    def _end(self, events: list[Event], safety: Raw | None) -> None:
        if self._ended:
            return
        self._ended = True
        for index in sorted(self._open | self._held.keys()):  # blocks that were never ended
            self._end_block(BlockStop(index), events)
        stop = self._stop or MessageStop()
        reason = STOPS.get(stop.stopReason, Stop.OTHER) if stop.stopReason else None
        for name, values in model_fields(stop.additionalModelResponseFields).items():
            events.append(Beside(0, name, joined(values)))
        events.append(Ended(0, reason, stop_sequence(stop.additionalModelResponseFields), safety))

    def _take_metadata(self, metadata: Metadata, events: list[Event]) -> None:
        for name, values in beside_of(metadata.trace, metadata.performanceConfig).items():
            events.append(Beside(0, name, joined(values)))
        if self._stop is not None:
            self._end(events, metadata.trace.assessment if metadata.trace is not None else None)
            self.done = True
        usage = converse_usage(metadata.usage)
        if usage is not None:
            tier = metadata.serviceTier.type if metadata.serviceTier is not None else ""
            events.append(Counted(usage, whole=True, service_tier=tier))

    _takers: ClassVar[dict[str, Callable[["ConverseStream", Any, list[Event]], None]]] = {
        "messageStart": _begin,
        "contentBlockStart": _begin_block,
        "contentBlockDelta": _take_delta,
        "contentBlockStop": _end_block,
        "messageStop": _end_message,
        "metadata": _take_metadata,
    }


_NO_TEXT = TextPart(text="")
_NO_THOUGHTS = ThinkingPart(source=BEDROCK)
_NO_START = Start()


def _broke(message: Message) -> Broke:
    """An exception, or an error of the service itself."""
    headers = message.headers
    kind = str(headers.get(":exception-type") or headers.get(":error-code") or "")
    told = decode_exception(message.payload)
    words = told.message or told.originalMessage or str(headers.get(":error-message") or "")
    return Broke(words or kind or "The provider reported an error without a word.", kind)


def _whole(held: _Held) -> Part:
    """What was held back."""
    start = held.start
    if start.image is not None:
        return image_part(start.image.format, "".join(held.pieces))
    if start.toolUse is not None:
        use = start.toolUse
        call = {
            "toolUseId": use.toolUseId,
            "name": use.name,
            "input": _document("".join(held.pieces)),
            "type": use.type,
        }
        return opaque(Raw(msgspec.json.encode({"toolUse": call})))
    if start.toolResult is not None:
        result: dict[str, Any] = {"toolUseId": start.toolResult.toolUseId, "content": held.pieces}
        if start.toolResult.status:
            result["status"] = start.toolResult.status
        if start.toolResult.type:
            result["type"] = start.toolResult.type
        return opaque(Raw(msgspec.json.encode({"toolResult": result})))
    return ThinkingPart(redacted="".join(redacted_text(piece) for piece in held.pieces), source=BEDROCK)


def _document(text: str) -> Raw:
    """A call's arguments: JSON; text that is none stays text."""
    try:
        msgspec.json.decode(text)
    except MALFORMED:
        return Raw(msgspec.json.encode(text))
    return Raw(text.encode())
