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

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from tollway.ledger.usage import Usage
from tollway.providers.usage.wire import MAX_COUNT

_VISUAL: frozenset[str | int] = frozenset({"IMAGE", "VIDEO", "DOCUMENT", 2, 3, 5})
_AUDIO: frozenset[str | int] = frozenset({"AUDIO", 4})
"""Some servers give the numbers of the enumeration."""
_GENERATION = re.compile(r"gemini-(?P<major>[0-9]+)")
_SEARCHES_COUNT_FROM = 3


class _Metadata(msgspec.Struct, rename="camel", gc=False):
    prompt_token_count: Any = None
    cached_content_token_count: Any = None
    tool_use_prompt_token_count: Any = None
    candidates_token_count: Any = None
    thoughts_token_count: Any = None
    prompt_tokens_details: Any = None
    cache_tokens_details: Any = None
    tool_use_prompt_tokens_details: Any = None
    candidates_tokens_details: Any = None
    service_tier: Any = None
    traffic_type: Any = None


_decode = msgspec.json.Decoder(_Metadata).decode
_TIERS = {"ON_DEMAND_FLEX": "flex", "ON_DEMAND_PRIORITY": "priority", "PROVISIONED_THROUGHPUT": "provisioned"}
"""Vertex AI's names of the kinds of traffic → service tiers; on demand is the usual one."""


class GeminiUsage(msgspec.Struct, frozen=True, gc=False):
    """What the metadata say. Attributes: service_tier: that served the request, empty if not said."""

    usage: Usage
    service_tier: str = ""


def parse_usage(raw: bytes | Raw, *, searches: int = 0) -> GeminiUsage | None:
    """The metadata as disjoint counts, ``None`` if they tell none. Never raises. Args: searches: that are charged."""
    try:
        found = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not _is_count(found.prompt_token_count) or not _is_count(found.candidates_token_count or 0):
        return None
    entered = found.prompt_token_count + _part(found.tool_use_prompt_token_count)
    cached = min(_part(found.cached_content_token_count), entered)
    details = (*_details(found.prompt_tokens_details), *_details(found.tool_use_prompt_tokens_details))
    audio = min(_of(details, _AUDIO), entered)
    visual = min(_of(details, _VISUAL), entered - audio)
    heard, seen = _cached_media(found, cached, text=entered - audio - visual, audio=audio, visual=visual)
    left = found.candidates_token_count or 0
    out = _details(found.candidates_tokens_details)
    spoken = min(_of(out, _AUDIO), left)
    drawn = min(_of(out, _VISUAL), left - spoken)
    usage = Usage(
        input=entered - audio - visual - (cached - heard - seen),
        cache_read=cached - heard,
        audio_input=audio - heard,
        audio_cache_read=heard,
        image_input=visual - seen,
        output=left - spoken - drawn,
        reasoning=_part(found.thoughts_token_count),
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
    told = _details(found.cache_tokens_details)
    heard, seen = min(_of(told, _AUDIO), audio, cached), min(_of(told, _VISUAL), visual)
    seen = min(seen, cached - heard)
    missing = max(cached - heard - seen - text, 0)
    more = min(missing, visual - seen)
    return heard + missing - more, seen + more


def _tier(found: _Metadata) -> str:
    if isinstance(found.service_tier, str) and found.service_tier not in {"", "unspecified"}:
        return found.service_tier
    return _TIERS.get(found.traffic_type, "") if isinstance(found.traffic_type, str) else ""


def _details(value: Any) -> tuple[dict[str, Any], ...]:
    return tuple(each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _of(details: Iterable[dict[str, Any]], modalities: frozenset[str | int]) -> int:
    found = (each for each in details if isinstance(each.get("modality"), str | int))
    return sum(_part(each.get("tokenCount")) for each in found if each["modality"] in modalities)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def _part(value: Any) -> int:
    return value if _is_count(value) else 0
