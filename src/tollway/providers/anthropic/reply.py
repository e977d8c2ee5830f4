"""A whole message of the Messages API. Source: https://platform.claude.com/docs/en/api/messages."""

import msgspec
from msgspec import Raw

from tollway.chat.beside import read_beside
from tollway.chat.reply import ChatReply, Choice
from tollway.json_object import MALFORMED, tolerant
from tollway.providers.anthropic.blocks import read_block
from tollway.providers.anthropic.stops import read_stop
from tollway.providers.usage.anthropic import read_usage, tier_of, usage_of

ABSENT = Raw(b"null")


class _Message(msgspec.Struct, gc=False):
    id: str | None = None
    type: str = "message"
    model: str | None = None
    content: list[Raw] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Raw = ABSENT
    usage: Raw = ABSENT
    container: Raw = ABSENT
    context_management: Raw = ABSENT
    provider_specific_fields: Raw = ABSENT


class Head(msgspec.Struct, gc=False):
    """A message without its content. Attributes: usage: JSON as it came."""

    model: str | None = None
    usage: Raw = ABSENT


class _Count(msgspec.Struct, gc=False):
    input_tokens: int


_decode = tolerant(msgspec.json.Decoder(_Message).decode)
_decode_head = tolerant(msgspec.json.Decoder(Head).decode)
_decode_count = msgspec.json.Decoder(_Count).decode


def parse_message(body: bytes) -> ChatReply | None:
    """The message; ``None`` if it is none. Never raises."""
    try:
        message = _decode(body)
    except MALFORMED:
        return None
    if message.content is None or message.type != "message":
        return None
    wire = read_usage(message.usage)
    choice = Choice(
        parts=tuple(part for raw in message.content if (part := read_block(raw)) is not None),
        stop=read_stop(message.stop_reason),
        stop_sequence=message.stop_sequence or "",
        safety=None if bytes(message.stop_details) == b"null" else message.stop_details,
        beside=beside_of(message.container, message.context_management, message.provider_specific_fields),
    )
    return ChatReply(
        id=message.id or "",
        model=message.model or "",
        choices=(choice,),
        usage=usage_of(wire),
        service_tier=tier_of(wire),
    )


def beside_of(container: Raw, context_management: Raw, others: Raw) -> dict[str, list[Raw]]:
    """What a message tells beside its content: where its tools ran, what of the dialogue was cleared."""
    told = {"container": container, "context_management": context_management}
    found = {name: [raw] for name, raw in told.items() if bytes(raw) != b"null"}
    return found | read_beside(others) if others is not ABSENT else found


def parse_head(body: bytes | Raw) -> Head | None:
    """What of a message is read while it passes; ``None`` if it is no JSON object. Never raises."""
    try:
        head = _decode_head(body)
    except msgspec.ValidationError:
        return Head() if bytes(body).lstrip().startswith(b"{") else None
    except MALFORMED:
        return None
    return head


def is_count(body: bytes) -> bool:
    """Whether this is the answer to a request for a count of tokens."""
    try:
        return _decode_count(body).input_tokens >= 0
    except MALFORMED:
        return False
