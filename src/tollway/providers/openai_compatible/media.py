"""The parts of a request that are not text: how many bytes of the body they are, and how many tokens at the most.

Sources: OpenAI, "Images and vision" and "Audio"; Mistral, "Vision"; Qwen2-VL; Gemini, "Understand and count tokens".
"""

import msgspec

from tollway.json_object import MALFORMED, tolerant

IMAGE_TOKENS_MAX = 16_384
"""The most that a published model counts for one image: Qwen2-VL. OpenAI's: 10,000, Mistral's 4,096, Gemini's 2,240."""
DENSE_IMAGE_TOKENS_MAX = 48_169
"""gpt-4o-mini counts images so that they cost what they do with gpt-4o: 2,833, and 5,667 for each of up to 8 tiles."""
AUDIO_BYTES_PER_TOKEN = 16
"""Of base64: the leanest MP3 has 1,333 of it a second, and no provider counts more than 32 tokens a second."""
PAST_AUDIO_TOKENS_MAX = 16_384
"""An earlier answer that was spoken, referred to by its id: the longest that a model speaks."""

_DENSE_IMAGES = "gpt-4o-mini"
_BOUNDED_AUDIO = frozenset({b'"mp3"', b'"wav"'})
"""Formats that cannot hold long silence in few bytes."""
_TEXT_MEMBERS = frozenset(
    {"type", "text", "refusal", "cache_control", "thinking", "reasoning", "signature", "annotations", "citations"}
)
_LIST, _OBJECT = _NESTED = b"[{"
"""First bytes of a JSON value."""
_NULL = b"null"


def image_tokens_max(model: str) -> int:
    """The most that an image counts."""
    return DENSE_IMAGE_TOKENS_MAX if _DENSE_IMAGES in model else IMAGE_TOKENS_MAX


class Media(msgspec.Struct, gc=False):
    """What of a request is not text.

    Attributes:
        data_bytes: bytes of the body that are it.
        tokens: what it counts at the most.
        audio, image: whether there is any.
        unbounded: whether there is something whose tokens only the model's context bounds: a file, a video.
    """

    data_bytes: int = 0
    tokens: int = 0
    audio: bool = False
    image: bool = False
    unbounded: bool = False


_ABSENT = msgspec.Raw(_NULL)


class _Message(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    content: msgspec.Raw = _ABSENT
    audio: msgspec.Raw = _ABSENT
    role: msgspec.Raw = _ABSENT
    name: msgspec.Raw = _ABSENT
    tool_calls: msgspec.Raw = _ABSENT
    tool_call_id: msgspec.Raw = _ABSENT
    function_call: msgspec.Raw = _ABSENT
    refusal: msgspec.Raw = _ABSENT
    reasoning: msgspec.Raw = _ABSENT
    reasoning_content: msgspec.Raw = _ABSENT
    reasoning_details: msgspec.Raw = _ABSENT
    annotations: msgspec.Raw = _ABSENT
    cache_control: msgspec.Raw = _ABSENT


class _Audio(msgspec.Struct, gc=False):
    data: msgspec.Raw = msgspec.Raw(_NULL)
    format: msgspec.Raw = msgspec.Raw(_NULL)


class _PlainMessage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    content: str = ""
    role: str = ""
    name: str = ""


NO_MESSAGES = msgspec.Raw(b"[]")
_decode_plain = msgspec.json.Decoder(list[_PlainMessage]).decode
_decode_messages = tolerant(msgspec.json.Decoder(list[_Message]).decode)
_decode_members = tolerant(msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode)
_decode_list = tolerant(msgspec.json.Decoder(list[msgspec.Raw]).decode)
_decode_object = tolerant(msgspec.json.Decoder(dict[str, msgspec.Raw]).decode)
_decode_audio = tolerant(msgspec.json.Decoder(_Audio).decode)


def find_media(fields: dict[str, msgspec.Raw], *, model: str) -> Media | None:
    """What of a request is not text; ``None`` if all of it is.

    What cannot be read may be anything.

    Args:
        fields: of the request.
        model: the name of the model at the provider.
    """
    if "input" not in fields and is_plain(fields.get("messages", NO_MESSAGES)):
        return None
    media = Media()
    try:
        if "messages" in fields:
            for message in _messages(media, fields["messages"]):
                content, audio = message.content, message.audio
                if memoryview(content)[0] in _NESTED:
                    _add_content(media, content, model)
                if audio is not _ABSENT and bytes(audio) != _NULL:
                    media.audio = True
                    media.tokens += PAST_AUDIO_TOKENS_MAX
        if "input" in fields and b"{" in bytes(fields["input"]):
            _add_content(media, fields["input"], model)
    except MALFORMED:
        media.unbounded = True
    return media if media.data_bytes or media.audio or media.unbounded else None


def is_plain(messages: msgspec.Raw) -> bool:
    """Whether all members of all messages are texts, as in most requests: nothing more is to be looked at then."""
    try:
        _decode_plain(messages)
    except MALFORMED:
        return False
    return True


def _messages(media: Media, raw: msgspec.Raw) -> list[_Message]:
    """The messages. A member that no dialect has may be a reference, unless it is a plain value."""
    try:
        return _decode_messages(raw)
    except msgspec.ValidationError:
        messages = _decode_members(raw)
    known = frozenset(_Message.__struct_fields__)
    for message in messages:
        if any(memoryview(message[name])[0] in _NESTED for name in message.keys() - known):
            media.unbounded = True
    return [_Message(message.get("content", _ABSENT), message.get("audio", _ABSENT)) for message in messages]


def _add_content(media: Media, raw: msgspec.Raw, model: str) -> None:
    """Add the parts of a content that is a list of them."""
    first = memoryview(raw)[0]
    if first == _OBJECT:
        media.unbounded = True
    elif first == _LIST:
        for part in _decode_list(raw):
            if memoryview(part)[0] == _OBJECT:
                _add_part(media, part, model)
            elif memoryview(part)[0] == _LIST:
                media.unbounded = True


def _add_part(media: Media, part: msgspec.Raw, model: str) -> None:
    """Add what of a part may refer to something that is not text, whatever its ``type`` says."""
    for name, value in _decode_object(part).items():
        if name in _TEXT_MEMBERS or bytes(value) == _NULL:
            continue
        if name == "image_url":
            media.image = True
            media.tokens += image_tokens_max(model)
        elif name == "input_audio":
            _add_audio(media, value)
        else:
            media.unbounded = True
        media.data_bytes += len(value)


def _add_audio(media: Media, value: msgspec.Raw) -> None:
    audio = _decode_audio(value)
    media.audio = True
    media.tokens += len(audio.data) // AUDIO_BYTES_PER_TOKEN + 1
    media.unbounded = media.unbounded or bytes(audio.format).lower() not in _BOUNDED_AUDIO
