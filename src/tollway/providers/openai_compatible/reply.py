"""A whole reply of the OpenAI dialect: what metering needs of it. The body itself goes to the caller untouched."""

import msgspec

from tollway.json_object import MALFORMED, decode_object, tolerant


class Reply(msgspec.Struct, gc=False):
    """The parts of a reply that are read.

    Attributes:
        model: the model that answered, empty if not said.
        usage: the raw usage object, ``None`` if absent or null.
        service_tier: the tier that served the request, empty if not said.
    """

    model: str = ""
    usage: msgspec.Raw | None = None
    service_tier: str = ""


class _Wire(msgspec.Struct, gc=False):
    model: str | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")
    service_tier: str | None = None


class _Choice(msgspec.Struct):
    message: msgspec.Raw = msgspec.Raw(b"null")
    text: str | None = None


class _Choices(msgspec.Struct):
    choices: list[_Choice] = []


class _Text(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: msgspec.Raw = msgspec.Raw(b"")


_decode = tolerant(msgspec.json.Decoder(_Wire).decode)
_decode_choices = tolerant(msgspec.json.Decoder(_Choices).decode)
_decode_text = tolerant(msgspec.json.Decoder(_Text).decode)
_decode_model = msgspec.json.Decoder(str).decode


def parse_reply(body: bytes) -> Reply | None:
    """Read a reply; ``None`` if it is not a JSON object.

    A ``model`` of the wrong type costs only the model: the usage is still read.
    """
    try:
        wire = _decode(body)
    except MALFORMED:
        return _parse_odd(body)
    usage = wire.usage if bytes(wire.usage) != b"null" else None
    return Reply(wire.model or "", usage, wire.service_tier or "")


def _parse_odd(body: bytes) -> Reply | None:
    try:
        fields = decode_object(body)
    except MALFORMED:
        return None
    try:
        model = _decode_model(fields.get("model", msgspec.Raw(b'""')))
    except MALFORMED:
        model = ""
    usage = fields.get("usage")
    return Reply(model=model, usage=usage if usage is not None and bytes(usage) != b"null" else None)


def reply_texts(body: bytes) -> list[str]:
    """The generated texts of a whole reply, for an estimate when the provider did not count."""
    try:
        choices = _decode_choices(body).choices
    except MALFORMED:
        return []
    return [text for choice in choices for text in choice_texts(choice.text, choice.message)]


def choice_texts(text: str | None, message: msgspec.Raw) -> list[str]:
    """The texts of a choice: its own, and those of its ``message`` or ``delta``."""
    return [text, *_message_texts(message)] if text else _message_texts(message)


def _message_texts(raw: msgspec.Raw) -> list[str]:
    """Content, reasoning, refusal, tool calls as JSON."""
    try:
        text = _decode_text(raw)
    except MALFORMED:
        return []
    parts = [text.content, text.reasoning_content, text.refusal, bytes(text.tool_calls).decode(errors="replace")]
    return [part for part in parts if part]
