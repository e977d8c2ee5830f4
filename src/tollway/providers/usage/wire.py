"""The usage object of the OpenAI dialect as it stands on the wire, every field of every provider optional."""

from typing import Any, TypeGuard

import msgspec
from msgspec import Raw

from tollway.json_object import MALFORMED

MAX_COUNT = 10**9
"""No request has more tokens; above it the number is garbage, and a charge for it might not fit a bigint."""


class InputDetails(msgspec.Struct, gc=False):
    """``prompt_tokens_details`` or ``input_tokens_details``."""

    cached_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """``completion_tokens_details`` or ``output_tokens_details``."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class WireUsage(msgspec.Struct, gc=False):
    """The object itself. ``None``: absent or null."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: InputDetails | None = None
    input_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    output_tokens_details: OutputDetails | None = None
    cached_tokens: int | None = None
    prompt_cache_hit_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    citation_tokens: int | None = None
    num_search_queries: int | None = None
    cost: Raw = Raw(b"")

    @property
    def has_parts(self) -> bool:
        """Whether anything of a chat is told apart: what was cached, no text, thought, cited or searched for."""
        into, out = self.prompt_tokens_details, self.completion_tokens_details
        if self.cached_tokens or self.prompt_cache_hit_tokens or self.cache_read_input_tokens:
            return True
        if self.reasoning_tokens or self.citation_tokens or self.num_search_queries:
            return True
        if into is not None and (into.cached_tokens or into.cache_read_input_tokens or into.cache_write_tokens):
            return True
        if into is not None and (into.audio_tokens or into.image_tokens):
            return True
        return out is not None and bool(out.reasoning_tokens or out.audio_tokens or out.image_tokens)


_WIRE = msgspec.json.Decoder(WireUsage)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_DETAILS = (
    "prompt_tokens_details",
    "input_tokens_details",
    "completion_tokens_details",
    "output_tokens_details",
)
_COUNTS = tuple(name for name in WireUsage.__struct_fields__ if name not in {*_DETAILS, "cost"})
_WHOLE_COUNTS = ("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens")


def decode_usage(raw: bytes | Raw) -> WireUsage | None:
    """The object, or ``None`` if it is none, or if one of its whole counts is no count. Never raises."""
    wire: WireUsage | None
    try:
        wire = _WIRE.decode(raw)
    except msgspec.ValidationError:
        wire = _salvaged(raw)
    except MALFORMED:
        return None
    if wire is None:
        return None
    for count in (wire.prompt_tokens, wire.input_tokens, wire.completion_tokens, wire.output_tokens):
        if count is not None and not 0 <= count <= MAX_COUNT:
            return None
    return wire


def part(count: int | None) -> int:
    """The count of a part: 0 if it is absent or no count."""
    return count if count is not None and 0 <= count <= MAX_COUNT else 0


def _salvaged(raw: bytes | Raw) -> WireUsage | None:
    """The object without fields of an unexpected type and ``cost``; ``None`` if a whole count is among them."""
    try:
        found = _OBJECT.decode(raw)
    except MALFORMED:
        return None
    if not all(found.get(name) is None or _is_int(found[name]) for name in _WHOLE_COUNTS):
        return None
    kept: dict[str, Any] = {name: found[name] for name in _COUNTS if _is_int(found.get(name))}
    for name in _DETAILS:
        details = found.get(name)
        if isinstance(details, dict):
            kept[name] = {inner: count for inner, count in details.items() if _is_int(count)}
    return msgspec.convert(kept, WireUsage)


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
