"""The texts that a request sends to a model, for an estimate when the provider did not count."""

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from tollway.json_object import MALFORMED, tolerant
from tollway.routing.call import Call

_FIELDS = ("messages", "prompt", "instructions", "input", "tools", "functions", "response_format", "text")
_MEDIA = frozenset(
    {"image_url", "input_audio", "file", "video_url", "audio_url", "document_url"}
    | {"file_data", "file_url", "file_id", "encrypted_content"}
)
"""Members of parts that are no text. A text is one whatever it says of itself."""
_decode = tolerant(msgspec.json.Decoder().decode)
_MAX_DEPTH = 64
"""Deeper text is not looked for: no provider's message nests this far."""


def prompt_texts(call: Call) -> list[str]:
    """All text of the fields that become input tokens. Images, audio and files are not texts and count nothing here."""
    return texts_of(call, _FIELDS, without=_MEDIA)


def texts_of(call: Call, fields: Collection[str], *, without: Collection[str]) -> list[str]:
    """All text of some fields, but for what stands in members with some names."""
    texts: list[str] = []
    for name in fields:
        raw = call.fields.get(name)
        if raw is None:
            continue
        texts += value_texts(raw, without=without)
    return texts


def value_texts(raw: bytes | msgspec.Raw, *, without: Collection[str] = _MEDIA) -> list[str]:
    """All text of one JSON value, but for what stands in members with some names."""
    try:
        return list(_texts(_decode(raw), without, 0))
    except MALFORMED:
        return [bytes(raw).decode(errors="replace")]


def _texts(value: Any, without: Collection[str], depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth >= _MAX_DEPTH:
        return
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, without, depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in without:
                yield from _texts(item, without, depth + 1)
