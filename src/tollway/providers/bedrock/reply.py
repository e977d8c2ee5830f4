"""A whole reply of Converse.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax.
What a guardrail assessed becomes the answer's `safety`; the rest of the trace (which model a router chose), fields of
the model's own that were asked for, and the configuration that was used are told beside it. Metrics are not read: they
are times.
"""

from base64 import b64decode
from binascii import Error as Base64Error

import msgspec
from msgspec import Raw

from tollway.chat.message import ImagePart, Media, OpaquePart, Part, TextPart, ThinkingPart, ToolCallPart
from tollway.chat.reply import ChatReply, Choice, Stop
from tollway.json_object import MALFORMED, decode_object, tolerant
from tollway.providers.bedrock.citations import WireCitation, WireText, citation_of
from tollway.providers.usage.bedrock import ConverseUsage, converse_usage
from tollway.providers.wire_names import BEDROCK

STOPS = {
    "end_turn": Stop.END,
    "tool_use": Stop.TOOL_CALLS,
    "max_tokens": Stop.LENGTH,
    "stop_sequence": Stop.SEQUENCE,
    "guardrail_intervened": Stop.FILTER,
    "content_filtered": Stop.FILTER,
    "model_context_window_exceeded": Stop.CONTEXT,
    "refusal": Stop.REFUSAL,
    "pause_turn": Stop.PAUSE,
}
"""``stopReason``; any other, as ``malformed_tool_use``, is `Stop.OTHER`."""
NULL = Raw(b"null")
"""What is absent: values stay raw."""
SERVER_TOOL_USE = "server_tool_use"
"""The type of a call that the provider made and answered itself."""


class _ReasoningText(msgspec.Struct):
    text: str = ""
    signature: str = ""


class _Reasoning(msgspec.Struct):
    reasoningText: _ReasoningText | None = None  # noqa: N815 -- as on the wire, and so are the others
    redactedContent: str = ""  # noqa: N815


class ToolUse(msgspec.Struct):
    """A call of a tool."""

    toolUseId: str = ""  # noqa: N815
    name: str = ""
    input: Raw = Raw(b"{}")
    type: str = ""


class ImageSource(msgspec.Struct, frozen=True):
    """Where an image is."""

    bytes: str = ""


class _Image(msgspec.Struct):
    format: str = ""
    source: ImageSource = ImageSource()


class _Cited(msgspec.Struct):
    content: list[WireText] = []
    citations: list[WireCitation] = []


class _Block(msgspec.Struct):
    text: str | None = None
    reasoningContent: _Reasoning | None = None  # noqa: N815
    toolUse: ToolUse | None = None  # noqa: N815
    citationsContent: _Cited | None = None  # noqa: N815
    image: _Image | None = None


class _Message(msgspec.Struct):
    content: list[Raw] = []


class _Output(msgspec.Struct):
    message: _Message


class Trace(msgspec.Struct):
    """What Bedrock tells of its own work."""

    guardrail: Raw = NULL
    promptRouter: Raw = NULL  # noqa: N815

    @property
    def assessment(self) -> Raw | None:
        """What a guardrail found, ``None`` if there is none."""
        return None if bytes(self.guardrail) == b"null" else self.guardrail


class Tier(msgspec.Struct):
    """The tier that served the request."""

    type: str = ""


class _Delta(msgspec.Struct):
    stop_sequence: str | None = None


class ModelFields(msgspec.Struct):
    """What was asked of the model's own reply: which sequence ended it, whole or streamed."""

    stop_sequence: str | None = None
    delta: _Delta | None = None

    @property
    def sequence(self) -> str:
        """The sequence, empty if none is told."""
        return self.stop_sequence or (self.delta.stop_sequence if self.delta is not None else "") or ""


class _Reply(msgspec.Struct):
    output: _Output
    stopReason: str | None = None  # noqa: N815
    usage: ConverseUsage | None = None
    trace: Trace | None = None
    serviceTier: Tier | None = None  # noqa: N815
    additionalModelResponseFields: Raw = NULL  # noqa: N815
    performanceConfig: Raw = NULL  # noqa: N815


_decode_reply = tolerant(msgspec.json.Decoder(_Reply).decode)
_decode_block = tolerant(msgspec.json.Decoder(_Block).decode)
_decode_model_fields = tolerant(msgspec.json.Decoder(ModelFields | None).decode)


def parse_reply(body: bytes) -> ChatReply | None:
    """What the reply says; ``None`` if it is none of Converse. Never raises."""
    try:
        wire = _decode_reply(body)
        parts = tuple(_part(raw) for raw in wire.output.message.content)
    except MALFORMED:
        return None
    choice = Choice(
        parts=parts,
        stop=STOPS.get(wire.stopReason, Stop.OTHER) if wire.stopReason else None,
        stop_sequence=stop_sequence(wire.additionalModelResponseFields),
        safety=wire.trace.assessment if wire.trace is not None else None,
        beside=beside_of(wire.trace, wire.performanceConfig) | model_fields(wire.additionalModelResponseFields),
    )
    return ChatReply(
        choices=(choice,),
        usage=converse_usage(wire.usage),
        service_tier=wire.serviceTier.type if wire.serviceTier is not None else "",
    )


def beside_of(trace: Trace | None, performance: Raw) -> dict[str, list[Raw]]:
    """What Bedrock tells beside the answer."""
    told = {"promptRouter": NULL if trace is None else trace.promptRouter, "performanceConfig": performance}
    return {name: [raw] for name, raw in told.items() if bytes(raw) != b"null"}


def model_fields(raw: Raw) -> dict[str, list[Raw]]:
    """Fields of the model's own reply that the caller asked for; the stop sequence is asked for here."""
    try:
        fields = decode_object(raw)
    except MALFORMED:
        return {}
    return {"additionalModelResponseFields": [raw]} if fields.keys() - {"stop_sequence", "delta"} else {}


def stop_sequence(raw: Raw) -> str:
    """The sequence that ended the answer, where the model tells it."""
    try:
        fields = _decode_model_fields(raw)
    except MALFORMED:
        return ""
    return fields.sequence if fields is not None else ""


def redacted_text(blob: str) -> str:
    """Encrypted thoughts as Anthropic writes them: Converse puts that text into base64 once more."""
    try:
        return b64decode(blob, validate=True).decode()
    except (Base64Error, ValueError):
        return blob


def image_part(format_: str, data: str) -> ImagePart:
    """An image that the model made."""
    return ImagePart(media=Media("base64", data, f"image/{format_}" if format_ else ""))


def _part(raw: Raw) -> Part:
    block = _decode_block(raw)
    if block.text is not None:
        return TextPart(text=block.text)
    if block.toolUse is not None and block.toolUse.type != SERVER_TOOL_USE:
        use = block.toolUse
        return ToolCallPart(id=use.toolUseId, name=use.name, arguments=bytes(use.input).decode())
    if block.reasoningContent is not None:
        return _thinking(block.reasoningContent)
    if block.citationsContent is not None:
        cited = block.citationsContent
        text = "".join(piece.text for piece in cited.content)
        return TextPart(text=text, citations=tuple(citation_of(citation) for citation in cited.citations))
    if block.image is not None:
        return image_part(block.image.format, block.image.source.bytes)
    return opaque(raw)


def opaque(raw: Raw) -> OpaquePart:
    """A block that only Converse knows, for instance a call that the provider made itself, and what came of it."""
    try:
        kind = next(iter(msgspec.json.decode(raw, type=dict[str, Raw])), "")
    except msgspec.DecodeError:  # half a surrogate pair: it is passed on as it came
        kind = ""
    return OpaquePart(source=BEDROCK, kind=kind, raw=Raw(bytes(raw)))


def _thinking(wire: _Reasoning) -> ThinkingPart:
    if wire.redactedContent:
        return ThinkingPart(redacted=redacted_text(wire.redactedContent), source=BEDROCK)
    told = wire.reasoningText or _ReasoningText()
    return ThinkingPart(text=told.text, signature=told.signature, source=BEDROCK)
