"""What stands in a reply and in the events of a stream. Every field is optional on the wire."""

from typing import Any

import msgspec
from msgspec import Raw

from tollway.json_object import tolerant, utf8_only

ABSENT = Raw(b"null")


class Block(msgspec.Struct, gc=False):
    """A piece of content, or of a stream's delta of one."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None


class CalledFunction(msgspec.Struct, gc=False):
    """What is called."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct, gc=False):
    """A call, or a piece of one."""

    id: str | None = None
    function: CalledFunction | None = None


class WireCitation(msgspec.Struct, gc=False):
    """A passage and its sources. `start` and `end` count characters of the content it is in, as `type` says which."""

    start: int | None = None
    end: int | None = None
    text: str | None = None
    sources: list[Raw] | None = None
    content_index: int | None = None
    type: str | None = None


class LogprobItem(msgspec.Struct, gc=False):
    """Probabilities of the tokens of a text."""

    text: str | None = None
    logprobs: list[float] | None = None


class WireMessage(msgspec.Struct, gc=False):
    """The answer."""

    content: list[Block] | None = None
    tool_plan: str | None = None
    tool_calls: list[ToolCall] | None = None
    citations: list[WireCitation] | None = None


class Response(msgspec.Struct, gc=False):
    """A whole reply."""

    message: WireMessage
    id: str | None = None
    finish_reason: str | None = None
    usage: Raw = ABSENT
    logprobs: list[LogprobItem] | None = None


class DeltaMessage(msgspec.Struct, gc=False):
    """The part of the answer that an event brings: one object each; the first event has empty lists."""

    content: Block | list[Any] | None = None
    tool_plan: str | None = None
    tool_calls: ToolCall | list[Any] | None = None
    citations: WireCitation | list[Any] | None = None


class DeltaBody(msgspec.Struct, gc=False):
    """Of an event."""

    message: DeltaMessage | None = None
    finish_reason: str | None = None
    error: str | None = None
    usage: Raw = ABSENT


class StreamEvent(msgspec.Struct, gc=False):
    """One event; an error has a message of its own."""

    type: str | None = None
    id: str | None = None
    delta: DeltaBody | None = None
    logprobs: LogprobItem | None = None
    message: str | None = None


decode_response = tolerant(utf8_only(msgspec.json.Decoder(Response).decode))
decode_event = tolerant(utf8_only(msgspec.json.Decoder(StreamEvent).decode))
