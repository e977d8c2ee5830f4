"""What of a request of the Responses API is not text: as of `tollway.providers.openai_compatible.media`."""

import msgspec

from tollway.json_object import MALFORMED, tolerant
from tollway.providers.openai_compatible.media import AUDIO_BYTES_PER_TOKEN, Media, image_tokens_max

_TEXT_ITEMS = frozenset({"", "message", "reasoning", "function_call", "custom_tool_call"})
"""Items that hold only what is in the body; with parts that are looked at."""
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})
_TEXT_PARTS = frozenset({"input_text", "output_text", "refusal", "text", "summary_text", "reasoning_text"})
_ABSENT = msgspec.Raw(b"null")


class _Item(msgspec.Struct, gc=False):
    type: str = ""
    content: msgspec.Raw = _ABSENT
    output: msgspec.Raw = _ABSENT


class _Audio(msgspec.Struct, gc=False):
    data: str = ""


class _Part(msgspec.Struct, gc=False):
    type: str = ""
    image_url: str | None = None
    file_id: str | None = None
    input_audio: _Audio | None = None


_decode_items = tolerant(msgspec.json.Decoder(list[_Item]).decode)
_decode_parts = tolerant(msgspec.json.Decoder(list[_Part]).decode)


def find_media(fields: dict[str, msgspec.Raw], *, model: str) -> Media | None:
    """What of a request is not text; ``None`` if all of it is. What cannot be read may be anything.

    Args:
        fields: of the request.
        model: the name of the model at the provider.
    """
    raw = fields.get("input", _ABSENT)
    if b"{" not in bytes(raw):
        return None
    media = Media()
    try:
        for item in _decode_items(raw):
            if item.type in _TEXT_ITEMS:
                _add(media, item.content, model)
            elif item.type in _RESULTS:
                _add(media, item.output, model)
            else:
                media.unbounded = True
    except MALFORMED:
        media.unbounded = True
    return media if media.data_bytes or media.audio or media.image or media.unbounded else None


def _add(media: Media, raw: msgspec.Raw, model: str) -> None:
    """Add the parts of a content that is a list of them."""
    if not bytes(raw).startswith(b"["):
        return
    for part in _decode_parts(raw):
        if part.type in _TEXT_PARTS:
            continue
        if part.type == "input_image":
            media.image = True
            media.tokens += image_tokens_max(model)
            media.data_bytes += len(part.image_url or "")
        elif part.type == "input_audio" and part.input_audio is not None:
            media.audio = True
            media.tokens += len(part.input_audio.data) // AUDIO_BYTES_PER_TOKEN + 1
            media.data_bytes += len(part.input_audio.data)
            media.unbounded = True
        else:
            media.unbounded = True
