"""The surfaces of the data plane that ask a model: one row each, over the one pipeline."""

from tollway.api.dialects.anthropic_messages import AnthropicDialect
from tollway.api.dialects.compact import CompactDialect
from tollway.api.dialects.openai import OpenAIDialect
from tollway.api.dialects.responses import ResponsesDialect
from tollway.chat.dialect import Dialect
from tollway.routing.call import Surface

_ROWS = (
    Surface(
        "chat",
        "/v1/chat/completions",
        "/chat/completions",
        ("messages",),
        streams=True,
        translates=True,
        cacheable=True,
    ),
    Surface("completions", "/v1/completions", "/completions", ("prompt",), streams=True, cacheable=True),
    Surface("embeddings", "/v1/embeddings", "/embeddings", ("input",), streams=False, cacheable=True),
    Surface("moderations", "/v1/moderations", "/moderations", ("input",), streams=False, cacheable=True),
    Surface("images", "/v1/images/generations", "/images/generations", ("prompt",), streams=True),
    Surface("image_edits", "/v1/images/edits", "/images/edits", ("prompt",), streams=True, form=True),
    Surface("image_variations", "/v1/images/variations", "/images/variations", ("image",), streams=False, form=True),
    Surface("speech", "/v1/audio/speech", "/audio/speech", ("input",), streams=True, flows=True),
    Surface("transcriptions", "/v1/audio/transcriptions", "/audio/transcriptions", ("file",), streams=True, form=True),
    Surface("translations", "/v1/audio/translations", "/audio/translations", ("file",), streams=False, form=True),
    Surface(
        "responses",
        "/v1/responses",
        "/responses",
        ("input",),
        streams=True,
        dialect="responses",
        translates=True,
        remembers=True,
    ),
    Surface(
        "compact",
        "/v1/responses/compact",
        "/responses/compact",
        ("input",),
        streams=False,
        dialect="compact",
        translates=True,
        remembers=True,
    ),
    Surface(
        "messages",
        "/v1/messages",
        "/messages",
        ("messages", "max_tokens"),
        streams=True,
        dialect="messages",
        translates=True,
        cacheable=True,
    ),
    Surface(
        "count_tokens",
        "/v1/messages/count_tokens",
        "/messages/count_tokens",
        ("messages",),
        streams=False,
        dialect="messages",
    ),
)

SURFACES: dict[str, Surface] = {row.path: row for row in _ROWS}
"""Path → surface."""

DIALECTS: dict[str, Dialect] = {
    "chat": OpenAIDialect(),
    "responses": ResponsesDialect(),
    "compact": CompactDialect(),
    "messages": AnthropicDialect(),
}
"""Name → dialect."""
