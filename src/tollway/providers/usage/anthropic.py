"""Usage objects of Anthropic's Messages API, as replies, streams and requests for a count have them.

Convention (https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance and the
docstrings of Anthropic's SDK): ``input_tokens`` excludes what was read from a cache and what was written to one; writes
are split by how long they are kept in ``cache_creation``; thinking tokens are inside ``output_tokens``. A stream tells
the input at its start, and at its end the cumulative counts of all of it, which replace what was told before.

Rules for what does not add up are those of `tollway.providers.usage.openai`. Writes that are not in the split have the
5-minute kind. The tokens of ``compaction`` iterations are not in the totals and are added; those of other models
(``advisor_message``) have no price here, and are not counted.
"""

import msgspec
from msgspec import Raw

from tollway.json_object import MALFORMED
from tollway.ledger.usage import Usage
from tollway.providers.usage.wire import MAX_COUNT, part

_COMPACTION = "compaction"


class CacheCreation(msgspec.Struct, gc=False):
    """``cache_creation``: cache writes by how long they are kept."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """``output_tokens_details``."""

    thinking_tokens: int | None = None


class ServerTools(msgspec.Struct, gc=False):
    """``server_tool_use``."""

    web_search_requests: int | None = None
    web_fetch_requests: int | None = None


class Iteration(msgspec.Struct, gc=False):
    """One of ``iterations``."""

    type: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None


class WireUsage(msgspec.Struct, gc=False, omit_defaults=True):
    """The object itself. ``None``: absent or null."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerTools | None = None
    service_tier: str | None = None
    speed: str | None = None
    iterations: list[Iteration] | None = None


_decode = msgspec.json.Decoder(WireUsage).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_FIELDS = WireUsage.__struct_fields__
_FAST = "fast"


def read_usage(raw: bytes | Raw) -> WireUsage | None:
    """The object; without the fields of an unexpected type, ``None`` if it is none. Never raises."""
    try:
        return _decode(raw)
    except msgspec.ValidationError:
        return _salvaged(raw)
    except MALFORMED:
        return None


def _salvaged(raw: bytes | Raw) -> WireUsage | None:
    try:
        fields = _decode_fields(raw)
    except MALFORMED:
        return None
    found = WireUsage()
    for name, value in fields.items():
        if name in _FIELDS:
            try:
                one = _decode(b'{"%b":%b}' % (name.encode(), bytes(value)))
            except MALFORMED:
                continue
            setattr(found, name, getattr(one, name))
    return found


def merge(told: WireUsage | None, later: WireUsage | None) -> WireUsage | None:
    """What a stream has told when it tells more: the later counts hold where there are any."""
    if told is None or later is None:
        return later if told is None else told
    for name in _FIELDS:
        value = getattr(later, name)
        if value is not None:
            setattr(told, name, value)
    return told


def usage_of(wire: WireUsage | None) -> Usage | None:
    """The object as disjoint counts; ``None`` if it does not tell both what went in and what came out."""
    if wire is None or not (_is_count(wire.input_tokens) and _is_count(wire.output_tokens)):
        return None
    written_5m, written_1h = _written(wire.cache_creation_input_tokens, wire.cache_creation)
    entered, left, read = part(wire.input_tokens), part(wire.output_tokens), part(wire.cache_read_input_tokens)
    for iteration in wire.iterations or ():
        if iteration.type == _COMPACTION:
            more_5m, more_1h = _written(iteration.cache_creation_input_tokens, iteration.cache_creation)
            written_5m, written_1h = written_5m + more_5m, written_1h + more_1h
            entered += part(iteration.input_tokens)
            left += part(iteration.output_tokens)
            read += part(iteration.cache_read_input_tokens)
    details, tools = wire.output_tokens_details, wire.server_tool_use
    thought = min(part(details.thinking_tokens), left) if details is not None else 0
    return Usage(
        input=entered,
        cache_read=read,
        cache_write_5m=written_5m,
        cache_write_1h=written_1h,
        output=left - thought,
        reasoning=thought,
        web_searches=part(tools.web_search_requests) if tools is not None else 0,
    )


def tier_of(wire: WireUsage | None) -> str:
    """What decides on the prices: the service tier, or the faster mode."""
    if wire is None:
        return ""
    return _FAST if wire.speed == _FAST else wire.service_tier or ""


def usage_object(usage: Usage, *, service_tier: str = "") -> WireUsage:
    """Disjoint counts as the object: what is no text counts as input like any other."""
    written = usage.cache_write_5m + usage.cache_write_1h
    return WireUsage(
        input_tokens=usage.input + usage.audio_input + usage.image_input,
        cache_creation_input_tokens=written,
        cache_read_input_tokens=usage.cache_read + usage.audio_cache_read,
        cache_creation=CacheCreation(usage.cache_write_5m, usage.cache_write_1h) if written else None,
        output_tokens=usage.output_total,
        output_tokens_details=OutputDetails(usage.reasoning) if usage.reasoning else None,
        server_tool_use=ServerTools(usage.web_searches, 0) if usage.web_searches else None,
        service_tier=service_tier or None,
    )


def _is_count(count: int | None) -> bool:
    return count is not None and 0 <= count <= MAX_COUNT


def _written(total: int | None, split: CacheCreation | None) -> tuple[int, int]:
    """Cache writes that are kept for five minutes, and for an hour."""
    kept_5m = part(split.ephemeral_5m_input_tokens) if split is not None else 0
    kept_1h = part(split.ephemeral_1h_input_tokens) if split is not None else 0
    return kept_5m + max(part(total) - kept_5m - kept_1h, 0), kept_1h
