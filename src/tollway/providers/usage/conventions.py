"""The questions on which providers of the OpenAI dialect differ when they report usage, and their answers.

The answers agree with the usage extractors of genai-prices, which are checked against recorded replies.
"""

from enum import StrEnum

import msgspec


class CachedField(StrEnum):
    """Where the number of input tokens read from a cache stands in a usage object."""

    DETAILS = "details"
    """``prompt_tokens_details.cached_tokens`` (chat) or ``input_tokens_details.cached_tokens`` (responses)."""
    TOP_LEVEL = "cached_tokens"
    HIT = "prompt_cache_hit_tokens"
    READ_INPUT = "cache_read_input_tokens"


class CostField(StrEnum):
    """Where the provider states what it charges for the request."""

    NONE = ""
    COST = "cost"
    """``cost``: USD."""
    TOTAL = "cost.total_cost"
    """``cost.total_cost``: USD."""


class UsageConvention(msgspec.Struct, frozen=True, kw_only=True):
    """How one provider counts. Data: each provider states its own, nothing is inferred from the numbers.

    Attributes:
        source: where the convention is documented.
        cached: fields to look at for cached input tokens; the first one present holds.
        cached_outside_input: cached and cache-write tokens come on top of the input count.
        reasoning_outside_output: reasoning tokens come on top of the output count (chat only: the responses API
            counts them inside everywhere).
        reasoning_top_level: they stand in ``reasoning_tokens`` itself, not in the details.
        citation_outside_output: ``citation_tokens`` come on top of the output count.
        searches: ``num_search_queries`` counts searches that are billed one by one.
        cost: where the provider's own charge stands.
    """

    source: str
    cached: tuple[CachedField, ...] = (CachedField.DETAILS,)
    cached_outside_input: bool = False
    reasoning_outside_output: bool = False
    reasoning_top_level: bool = False
    citation_outside_output: bool = False
    searches: bool = False
    cost: CostField = CostField.NONE


DEFAULT = UsageConvention(
    source="https://platform.openai.com/docs/api-reference/chat/object: cached, audio and reasoning are parts",
)
"""OpenAI's own, and that of every server that says it is compatible."""

_GOOGLE = UsageConvention(
    source="https://ai.google.dev/api/generate-content#UsageMetadata: cachedContentTokenCount inside promptTokenCount, "
    "toolUsePromptTokenCount beside it, thoughtsTokenCount beside candidatesTokenCount; cumulative in streams",
    reasoning_outside_output=True,
)

CONVENTIONS: dict[str, UsageConvention] = {
    "openai": DEFAULT,
    "azure": DEFAULT,
    "local": DEFAULT,
    "ollama": DEFAULT,
    "vllm": DEFAULT,
    "nvidia": DEFAULT,
    "cerebras": DEFAULT,
    "fireworks": DEFAULT,
    "groq": UsageConvention(
        source="https://console.groq.com/docs/prompt-caching: cached tokens in prompt_tokens_details, inside",
    ),
    "mistral": UsageConvention(
        source="https://docs.mistral.ai/studio-api/conversations/advanced/prompt-caching: billed by "
        "prompt_tokens_details.cached_tokens; num_cached_tokens also counts hits that are not billed as such",
    ),
    "deepseek": UsageConvention(
        source="https://api-docs.deepseek.com/guides/kv_cache: prompt_cache_hit_tokens, inside prompt_tokens",
        cached=(CachedField.DETAILS, CachedField.HIT),
    ),
    "moonshotai": UsageConvention(
        source="https://platform.moonshot.ai/docs/api/chat: cached_tokens in the usage object, inside",
        cached=(CachedField.DETAILS, CachedField.TOP_LEVEL),
    ),
    "together": UsageConvention(
        source="https://docs.together.ai/reference/chat-completions: cached_tokens in the usage object, inside",
        cached=(CachedField.DETAILS, CachedField.TOP_LEVEL),
    ),
    "openrouter": UsageConvention(
        source="https://openrouter.ai/docs/use-cases/usage-accounting: `cost` in credits, one credit is one USD",
        cost=CostField.COST,
    ),
    "xai": UsageConvention(
        source="https://docs.x.ai/docs/guides/reasoning: total_tokens = prompt + completion + reasoning, so "
        "reasoning is outside completion_tokens",
        reasoning_outside_output=True,
    ),
    "perplexity": UsageConvention(
        source="https://docs.perplexity.ai/getting-started/pricing: citation and reasoning tokens are billed beside "
        "completion_tokens, searches by num_search_queries, usage.cost.total_cost in USD",
        cached=(),
        reasoning_outside_output=True,
        reasoning_top_level=True,
        citation_outside_output=True,
        searches=True,
        cost=CostField.TOTAL,
    ),
    "cohere": UsageConvention(
        source="https://docs.cohere.com/docs/how-does-cohere-pricing-work: billed_units are paid, not tokens; "
        "cached_tokens are billed like any other",
        cached=(),
    ),
    "gemini": _GOOGLE,
    "vertex": _GOOGLE,
    "anthropic": UsageConvention(
        source="https://platform.claude.com/docs/en/build-with-claude/prompt-caching: input_tokens leave out what was "
        "read from or written to a cache, thinking is inside output_tokens; read by tollway.providers.usage.anthropic",
        cached=(),
        cached_outside_input=True,
    ),
    "bedrock": UsageConvention(
        source="https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html: inputTokens leave out what "
        "was read from or written to a cache; read by tollway.providers.usage.bedrock",
        cached=(),
        cached_outside_input=True,
    ),
    "databricks": UsageConvention(
        source="genai-prices, provider databricks: cache_read_input_tokens and reasoning_tokens, both inside",
        cached=(CachedField.READ_INPUT, CachedField.DETAILS),
        reasoning_top_level=True,
    ),
}
"""Provider's registry name → convention."""


def convention_for(provider: str) -> UsageConvention:
    """The convention of a provider by its registry name; OpenAI's own for an unknown compatible server."""
    return CONVENTIONS.get(provider, DEFAULT)
