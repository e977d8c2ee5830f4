"""Usage of Amazon Bedrock's Converse.

``inputTokens`` are those that were neither read from a cache nor written to one; ``cacheReadInputTokens`` and
``cacheWriteInputTokens`` come on top (https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html, and so
does genai-prices, provider ``aws``, add them up). ``cacheDetails`` says how long what was written is kept; what it
leaves out counts as kept for 5 minutes. ``outputTokens`` include reasoning, which is not told apart. ``totalTokens``
is the sum of all. In a stream the one ``metadata`` event counts the whole answer.
"""

import msgspec

from tollway.ledger.usage import Usage
from tollway.providers.usage.wire import MAX_COUNT, part


class CacheDetail(msgspec.Struct):
    """Tokens written to the cache for a time."""

    ttl: str = ""
    inputTokens: int = 0  # noqa: N815 -- as on the wire


class ConverseUsage(msgspec.Struct):
    """``TokenUsage`` of the wire; ``None``: absent."""

    inputTokens: int | None = None  # noqa: N815 -- as on the wire, and so are the others
    outputTokens: int | None = None  # noqa: N815
    cacheReadInputTokens: int | None = None  # noqa: N815
    cacheWriteInputTokens: int | None = None  # noqa: N815
    cacheDetails: list[CacheDetail] | None = None  # noqa: N815


def converse_usage(wire: ConverseUsage | None) -> Usage | None:
    """Disjoint counts; ``None`` if there is no count of the input, or one is impossible."""
    if wire is None or wire.inputTokens is None:
        return None
    entered, left = wire.inputTokens, wire.outputTokens or 0
    if not (0 <= entered <= MAX_COUNT and 0 <= left <= MAX_COUNT):
        return None
    written = part(wire.cacheWriteInputTokens)
    kept_1h = sum(part(detail.inputTokens) for detail in wire.cacheDetails or () if detail.ttl == "1h")
    kept_1h = min(kept_1h, written)
    return Usage(
        input=entered,
        cache_read=part(wire.cacheReadInputTokens),
        cache_write_5m=written - kept_1h,
        cache_write_1h=kept_1h,
        output=left,
    )
