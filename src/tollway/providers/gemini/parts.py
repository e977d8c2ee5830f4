"""Parts of an answer as parts of the internal form.

- A signature on a part of text stands in a thought without text behind that text: of all parts only thoughts and calls
  have room for one, and Gemini itself streams it so (https://ai.google.dev/gemini-api/docs/thought-signatures).
- What only Gemini knows (code it ran, searches it made) is an `OpaquePart`: the part as it came.
- A call without an id gets one made of the reply's id, its place and its name: the same in a stream and in a whole
  reply.
"""

from hashlib import blake2b

from msgspec import Raw

from tollway.chat.message import (
    AudioPart,
    FilePart,
    ImagePart,
    Media,
    OpaquePart,
    Part,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from tollway.json_object import MALFORMED, decode_object
from tollway.providers.gemini.schema import ABSENT, FunctionCall, WirePart, decode_part
from tollway.providers.wire_names import GEMINI

_ID_BYTES = 12
_AUDIO_FORMATS = {"L16": "pcm16", "pcm": "pcm16", "mpeg": "mp3", "x-wav": "wav"}
"""Subtypes of ``audio/`` → the names that OpenAI gave the formats; the others have the same."""


def read_parts(raw: Raw, *, seed: str) -> list[Part]:
    """What one part says: nothing, a part, or a text and the thought that holds its signature.

    Args:
        raw: the part as it came.
        seed: of the id of a call that has none: unlike that of any other part of the reply.
    """
    try:
        part = decode_part(raw)
    except MALFORMED:
        return [] if (opaque := _opaque(raw)) is None else [opaque]
    if part.text is not None:
        return _text(part, part.text)
    if part.function_call is not None:
        return [_call(part.function_call, part.thought_signature or "", seed)]
    found = _media(part) or _opaque(raw)
    parts: list[Part] = [] if found is None else [found]
    if part.thought_signature and not isinstance(found, OpaquePart):
        parts.append(_signature(part.thought_signature))
    return parts


def _text(part: WirePart, text: str) -> list[Part]:
    signature = part.thought_signature or ""
    if part.thought:
        return [ThinkingPart(text=text, signature=signature, source=GEMINI)] if text or signature else []
    parts: list[Part] = [TextPart(text=text)] if text else []
    return [*parts, _signature(signature)] if signature else parts


def _signature(signature: str) -> ThinkingPart:
    return ThinkingPart(signature=signature, source=GEMINI)


def _call(call: FunctionCall, signature: str, seed: str) -> ToolCallPart:
    arguments = bytes(call.args).decode() if call.args != ABSENT else "{}"
    made = blake2b(f"{seed}/{call.name}/{arguments}".encode(), digest_size=_ID_BYTES).hexdigest()
    return ToolCallPart(
        id=call.id or f"call_{made}",
        name=call.name,
        arguments=arguments,
        signature=signature,
        source=GEMINI if signature else "",
    )


def _media(part: WirePart) -> Part | None:
    if part.inline_data is not None:
        mime, name = part.inline_data.mime_type, part.inline_data.display_name
        media = Media("base64", part.inline_data.data, mime)
    elif part.file_data is not None:
        mime, name = part.file_data.mime_type, part.file_data.display_name
        media = Media("url", part.file_data.file_uri, mime)
    else:
        return None
    kind, _, rest = mime.partition("/")
    if kind == "image":
        return ImagePart(media=media)
    if kind == "audio":
        subtype = rest.partition(";")[0]
        return AudioPart(media=media, format=_AUDIO_FORMATS.get(subtype, subtype))
    return FilePart(media=media, name=name)


def _opaque(raw: Raw) -> OpaquePart | None:
    """The whole part; its kind is the name of what it holds. ``None`` if it holds nothing."""
    try:
        members = decode_object(raw)
    except MALFORMED:
        return None
    kind = next((name for name in members if name not in {"thought", "thoughtSignature"}), "")
    return OpaquePart(source=GEMINI, kind=kind, raw=Raw(bytes(raw))) if kind else None
