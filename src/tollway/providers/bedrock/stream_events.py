"""The events of ConverseStream as they stand on the wire.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
"""

from typing import Any

import msgspec
from msgspec import Raw

from tollway.json_object import MALFORMED, tolerant
from tollway.providers.bedrock.citations import WireCitation
from tollway.providers.bedrock.reply import NULL, ImageSource, Tier, ToolUse, Trace
from tollway.providers.usage.bedrock import ConverseUsage


class MessageStart(msgspec.Struct):
    """``messageStart``."""


class ToolResultStart(msgspec.Struct):
    """What a tool of the provider returned begins."""

    toolUseId: str = ""  # noqa: N815 -- as on the wire, and so are the others
    type: str = ""
    status: str = ""


class ImageStart(msgspec.Struct):
    """An image begins."""

    format: str = ""


class Start(msgspec.Struct, frozen=True):
    """What begins."""

    toolUse: ToolUse | None = None  # noqa: N815
    toolResult: ToolResultStart | None = None  # noqa: N815
    image: ImageStart | None = None


class BlockStart(msgspec.Struct):
    """``contentBlockStart``."""

    contentBlockIndex: int = 0  # noqa: N815
    start: Start = Start()


class ToolUseDelta(msgspec.Struct):
    """More of a call's arguments."""

    input: str = ""


class ReasoningDelta(msgspec.Struct):
    """More of the thoughts."""

    text: str = ""
    signature: str = ""
    redactedContent: str = ""  # noqa: N815


class ImageDelta(msgspec.Struct):
    """More of an image."""

    source: ImageSource = ImageSource()


class BlockData(msgspec.Struct, frozen=True):
    """More of a block."""

    text: str | None = None
    toolUse: ToolUseDelta | None = None  # noqa: N815
    toolResult: list[Raw] | None = None  # noqa: N815
    reasoningContent: ReasoningDelta | None = None  # noqa: N815
    citation: WireCitation | None = None
    image: ImageDelta | None = None


class BlockDelta(msgspec.Struct):
    """``contentBlockDelta``."""

    contentBlockIndex: int = 0  # noqa: N815
    delta: BlockData = BlockData()


class BlockStop(msgspec.Struct):
    """``contentBlockStop``."""

    contentBlockIndex: int = 0  # noqa: N815


class MessageStop(msgspec.Struct):
    """``messageStop``."""

    stopReason: str | None = None  # noqa: N815
    additionalModelResponseFields: Raw = NULL  # noqa: N815


class Metadata(msgspec.Struct):
    """``metadata``."""

    usage: ConverseUsage | None = None
    trace: Trace | None = None
    serviceTier: Tier | None = None  # noqa: N815
    performanceConfig: Raw = NULL  # noqa: N815


class StreamException(msgspec.Struct):
    """An error within the stream."""

    message: str = ""
    originalMessage: str = ""  # noqa: N815


_DECODERS = {
    name: tolerant(msgspec.json.Decoder(kind).decode)
    for name, kind in (
        ("messageStart", MessageStart),
        ("contentBlockStart", BlockStart),
        ("contentBlockDelta", BlockDelta),
        ("contentBlockStop", BlockStop),
        ("messageStop", MessageStop),
        ("metadata", Metadata),
    )
}
_decode_exception = tolerant(msgspec.json.Decoder(StreamException).decode)


def decode_event(name: str, payload: bytes) -> Any:
    """The event of this name; ``None`` if there is none, or it cannot be read."""
    decode = _DECODERS.get(name)
    try:
        return decode(payload) if decode is not None else None
    except MALFORMED:
        return None


def decode_exception(payload: bytes) -> StreamException:
    """The error; without words if it cannot be read."""
    try:
        return _decode_exception(payload)
    except MALFORMED:
        return StreamException()
