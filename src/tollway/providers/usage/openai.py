"""Usage objects of the OpenAI dialect: chat completions, completions, embeddings and responses.

Rules for what does not add up, so that a strange reply never fails a request and never invents tokens:

- a count is a JSON integer from 0 to `MAX_COUNT`; anything else is no count;
- without an input count, or with an output field that is no count, there is no usage at all (``None``): the caller
  estimates and says so. Embeddings have no output field;
- a part that is no count is 0, and a part greater than its whole is cut to the whole;
- cached tokens are taken to be text as far as the text goes, then audio: providers do not say which they were;
- cache writes have the 5-minute kind: the dialect does not tell how long they are kept.
"""

from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import msgspec
from msgspec import Raw

from tollway.json_object import MALFORMED
from tollway.ledger.money import pico_from_usd
from tollway.ledger.usage import Usage
from tollway.providers.usage.conventions import CachedField, CostField, UsageConvention
from tollway.providers.usage.wire import InputDetails, OutputDetails, WireUsage, decode_usage, part

MAX_COST_USD = Decimal(1_000_000)
"""No request costs more; the pico-dollars of it fit a bigint nine times over."""
MAX_COST_CHARS = 64
"""No published price has more digits; it bounds the decimal arithmetic."""

_IN_DETAILS = CachedField.DETAILS  # naming a member of an enum takes 0.2 µs
_NO_INPUT_DETAILS = InputDetails()
_NO_OUTPUT_DETAILS = OutputDetails()
_TOTAL_COST = msgspec.json.Decoder(dict[str, Raw])


class ParsedUsage(NamedTuple):
    """A provider's own count.

    Attributes:
        usage: disjoint counts.
        provider_cost: pico-dollars the provider says it charges, ``None`` if it does not say.
    """

    usage: Usage
    provider_cost: int | None


def parse_usage(raw: bytes | Raw, *, convention: UsageConvention) -> ParsedUsage | None:
    """The usage object as disjoint counts, or ``None`` if it tells none. Never raises."""
    wire = decode_usage(raw)
    if wire is None:
        return None
    if wire.prompt_tokens is not None:
        if wire.has_parts:
            usage = _chat(wire, wire.prompt_tokens, convention)
        else:  # whatever the convention: by far the most are such
            usage = Usage(wire.prompt_tokens, output=wire.completion_tokens or 0)
    elif wire.input_tokens is not None:
        usage = _responses(wire, wire.input_tokens, convention)
    else:
        return None
    return ParsedUsage(usage, _provider_cost(wire.cost, convention.cost) if convention.cost else None)


def _chat(wire: WireUsage, entered: int, convention: UsageConvention) -> Usage:
    details = wire.completion_tokens_details or _NO_OUTPUT_DETAILS
    left = wire.completion_tokens or 0
    reasoning = part(wire.reasoning_tokens if convention.reasoning_top_level else details.reasoning_tokens)
    if convention.reasoning_outside_output:
        left += reasoning
    citation = part(wire.citation_tokens) if convention.citation_outside_output else 0
    return _disjoint(
        entered,
        left + citation,
        cached=_cached(wire, wire.prompt_tokens_details, convention),
        into=wire.prompt_tokens_details or _NO_INPUT_DETAILS,
        out=details,
        reasoning=reasoning,
        citation=citation,
        searches=part(wire.num_search_queries) if convention.searches else 0,
        convention=convention,
    )


def _responses(wire: WireUsage, entered: int, convention: UsageConvention) -> Usage:
    details = wire.output_tokens_details or _NO_OUTPUT_DETAILS
    return _disjoint(
        entered,
        wire.output_tokens or 0,
        cached=_cached(wire, wire.input_tokens_details, convention),
        into=wire.input_tokens_details or _NO_INPUT_DETAILS,
        out=details,
        reasoning=part(details.reasoning_tokens),
        citation=0,
        searches=0,
        convention=convention,
    )


def _cached(wire: WireUsage, details: InputDetails | None, convention: UsageConvention) -> int:
    for field in convention.cached:
        count: int | None
        if field is _IN_DETAILS:
            count = None if details is None else details.cached_tokens
            if count is None and details is not None:
                count = details.cache_read_input_tokens
        else:
            count = getattr(wire, field)
        if count is not None:
            return part(count)
    return 0


def _disjoint(
    entered: int,
    left: int,
    *,
    cached: int,
    into: InputDetails,
    out: OutputDetails,
    reasoning: int,
    citation: int,
    searches: int,
    convention: UsageConvention,
) -> Usage:
    """Take the parts out of the wholes."""
    written, audio, image = part(into.cache_write_tokens), part(into.audio_tokens), part(into.image_tokens)
    spoken, drawn = part(out.audio_tokens), part(out.image_tokens)
    if convention.cached_outside_input:
        entered += cached + written
    cached = min(cached, entered)
    written = min(written, entered - cached)
    audio = min(audio, entered)
    image = min(image, entered - audio)
    text = entered - audio - image
    audio_cached = 0
    if audio or image:
        cached_beyond_text = max(cached - text, 0)
        audio_cached = min(cached_beyond_text, audio)
        image -= cached_beyond_text - audio_cached
        audio -= audio_cached
        cached -= audio_cached
        written = min(written, max(text - cached, 0))
    spoken = min(spoken, left)
    drawn = min(drawn, left - spoken)
    citation = min(citation, left - spoken - drawn)
    reasoning = min(reasoning, left - spoken - drawn - citation)
    return Usage(
        input=entered - cached - audio_cached - written - audio - image,
        cache_read=cached,
        cache_write_5m=written,
        audio_input=audio,
        audio_cache_read=audio_cached,
        image_input=image,
        output=left - reasoning - spoken - drawn - citation,
        reasoning=reasoning,
        audio_output=spoken,
        image_output=drawn,
        citation=citation,
        web_searches=searches,
    )


def _provider_cost(raw: Raw, field: CostField) -> int | None:
    """Pico-dollars of the cost as the provider wrote it, read as a decimal and never as a float."""
    text = bytes(raw)
    if field is CostField.TOTAL:
        try:
            text = bytes(_TOTAL_COST.decode(raw).get("total_cost", b""))
        except MALFORMED:
            return None
    if not 0 < len(text) <= MAX_COST_CHARS:
        return None
    try:
        cost = Decimal(text.decode())
    except (InvalidOperation, UnicodeDecodeError):
        return None
    return pico_from_usd(cost) if 0 <= cost <= MAX_COST_USD else None
