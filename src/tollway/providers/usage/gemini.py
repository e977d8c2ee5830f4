"""``usageMetadata`` of generateContent, from the Gemini API and Vertex AI.

The convention (https://ai.google.dev/api/generate-content#UsageMetadata):

- cached tokens are inside ``promptTokenCount``, and ``cacheTokensDetails`` tells of what they are;
- the results of tools that Google ran (``toolUsePromptTokenCount``) are input on top of it;
- thoughts are output on top of ``candidatesTokenCount``, at the price of output;
- the details by modality are parts of these; documents and videos are counted and priced as images;
- in a stream every event may tell the count so far, of the whole answer: the last one holds;
- a count of nothing is left out, so an absent part is 0. Without a prompt count there is no usage at all.

Searches are charged apart (https://ai.google.dev/gemini-api/docs/google-search#pricing): every search from Gemini 3 on,
before that every prompt that was searched for. What is free of charge by the day is not known here, and is not taken
off.
"""

import contextlib
import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from tollway.json_object import MALFORMED
from tollway.ledger.usage import Usage
from tollway.providers.usage.wire import MAX_COUNT, part

_VISUAL: frozenset[str | int] = frozenset({"IMAGE", "VIDEO", "DOCUMENT", 2, 3, 5})
_AUDIO: frozenset[str | int] = frozenset({"AUDIO", 4})
"""Some servers give the numbers of the enumeration."""
_GENERATION = re.compile(r"gemini-(?P<major>[0-9]+)")
_SEARCHES_COUNT_FROM = 3


class _Detail(msgspec.Struct, rename="camel", gc=False):
    modality: str | int | None = None
    token_count: int | None = None


class _Metadata(msgspec.Struct, rename="camel", gc=False):
    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    prompt_tokens_details: list[_Detail] | None = None
    cache_tokens_details: list[_Detail] | None = None
    tool_use_prompt_tokens_details: list[_Detail] | None = None
    candidates_tokens_details: list[_Detail] | None = None
    service_tier: str | None = None
    traffic_type: str | int | None = None


_decode = msgspec.json.Decoder(_Metadata).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_TIERS = {"ON_DEMAND_FLEX": "flex", "ON_DEMAND_PRIORITY": "priority", "PROVISIONED_THROUGHPUT": "provisioned"}
"""Vertex AI's names of the kinds of traffic → service tiers; on demand is the usual one."""


class GeminiUsage(msgspec.Struct, frozen=True, gc=False):
    """What the metadata say. Attributes: service_tier: that served the request, empty if not said."""

    usage: Usage
    service_tier: str = ""


def parse_usage(raw: bytes | Raw, *, searches: int = 0) -> GeminiUsage | None:
    """The metadata as disjoint counts, ``None`` if they tell none. Never raises. Args: searches: that are charged."""
    found = _metadata(raw)
    if found is None or not _is_count(found.prompt_token_count) or not _is_count(found.candidates_token_count or 0):
        return None
    entered = (found.prompt_token_count or 0) + part(found.tool_use_prompt_token_count)
    cached = min(part(found.cached_content_token_count), entered)
    told = (found.prompt_tokens_details, found.tool_use_prompt_tokens_details)
    audio = min(sum(_of(details, _AUDIO) for details in told if details), entered)
    visual = min(sum(_of(details, _VISUAL) for details in told if details), entered - audio)
    heard, seen = 0, 0
    if cached and audio + visual:
        heard, seen = _cached_media(found, cached, text=entered - audio - visual, audio=audio, visual=visual)
    left = found.candidates_token_count or 0
    spoken = min(_of(found.candidates_tokens_details, _AUDIO), left)
    drawn = min(_of(found.candidates_tokens_details, _VISUAL), left - spoken)
    usage = Usage(
        input=entered - audio - visual - (cached - heard - seen),
        cache_read=cached - heard,
        audio_input=audio - heard,
        audio_cache_read=heard,
        image_input=visual - seen,
        output=left - spoken - drawn,
        reasoning=part(found.thoughts_token_count),
        audio_output=spoken,
        image_output=drawn,
        web_searches=searches,
    )
    return GeminiUsage(usage, _tier(found))


def charged_searches(queries: Iterable[str], *, model: str) -> int:
    """How many searches are charged. Args: queries: all that were made; model: that made them, as it names itself."""
    made = len({query for query in queries if query.strip()})
    found = _GENERATION.match(model)
    if found is not None and int(found["major"]) < _SEARCHES_COUNT_FROM:
        return min(made, 1)
    return made


def _cached_media(found: _Metadata, cached: int, *, text: int, audio: int, visual: int) -> tuple[int, int]:
    """Cached tokens of sound, and of images: as told, else those that cannot be text. The text gets the rest."""
    told = found.cache_tokens_details
    heard, seen = min(_of(told, _AUDIO), audio, cached), min(_of(told, _VISUAL), visual)
    seen = min(seen, cached - heard)
    missing = max(cached - heard - seen - text, 0)
    more = min(missing, visual - seen)
    return heard + missing - more, seen + more


def _tier(found: _Metadata) -> str:
    if found.service_tier and found.service_tier != "unspecified":
        return found.service_tier
    return _TIERS.get(found.traffic_type, "") if isinstance(found.traffic_type, str) else ""


def _of(details: list[_Detail] | None, modalities: frozenset[str | int]) -> int:
    return sum(part(each.token_count) for each in details if each.modality in modalities) if details else 0


def _metadata(raw: bytes | Raw) -> _Metadata | None:
    try:
        return _decode(raw)
    except msgspec.ValidationError:
        return _salvaged(raw)
    except MALFORMED:
        return None


def _salvaged(raw: bytes | Raw) -> _Metadata | None:
    """The metadata without what is not of its type; ``None`` if a whole count is among that."""
    try:
        found = _decode_object(raw)
    except MALFORMED:
        return None
    kept = _Metadata()
    for field in msgspec.structs.fields(_Metadata):
        with contextlib.suppress(msgspec.ValidationError):
            setattr(kept, field.name, msgspec.convert(found.get(field.encode_name), field.type))
    whole = found.get("candidatesTokenCount")
    return kept if whole is None or kept.candidates_token_count is not None else None


def _is_count(value: int | None) -> bool:
    return value is not None and 0 <= value <= MAX_COUNT
