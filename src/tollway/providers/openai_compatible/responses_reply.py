"""Replies of the Responses API: what metering needs of them, and the members that tell of Tollway's own state."""

from collections.abc import Mapping

import msgspec

from tollway.json_object import MALFORMED, decode_object, tolerant
from tollway.providers.openai_compatible.reply import Reply, parse_reply

_encode = msgspec.json.Encoder().encode


class _Part(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    content: list[_Part] | None = None
    summary: list[_Part] | None = None
    arguments: str | None = None
    input: str | None = None


class _Output(msgspec.Struct):
    output: list[_Item] = []


_decode_output = tolerant(msgspec.json.Decoder(_Output).decode)


def retold(body: bytes | msgspec.Raw, told: Mapping[str, msgspec.Raw]) -> bytes:
    """A response with these members in place of the provider's; as it is if it cannot be taken apart."""
    if not told:
        return bytes(body)
    try:
        fields = decode_object(body)
    except MALFORMED:
        return bytes(body)
    fields.update(told)
    return _encode(fields)


def read_response(raw: bytes | msgspec.Raw) -> Reply | None:
    """What a response says; ``None`` if it is no JSON object."""
    return parse_reply(bytes(raw))


def response_texts(body: bytes | msgspec.Raw) -> list[str]:
    """The generated texts of a response, for an estimate when the provider did not count."""
    try:
        items = _decode_output(body).output
    except MALFORMED:
        return []
    texts: list[str | None] = []
    for item in items:
        texts += [item.arguments, item.input]
        for part in (*(item.content or ()), *(item.summary or ())):
            texts += [part.text, part.refusal]
    return [text for text in texts if text]
