"""What a field of the internal form is called in the dialect of the caller: for naming what gets lost. Pure."""

from tollway.chat.request import ChatRequest
from tollway.providers.wire_names import ANTHROPIC, OPENAI, RESPONSES

_NAMES: dict[str, dict[str, str]] = {
    OPENAI: {"max_output_tokens": "max_completion_tokens", "reasoning": "reasoning_effort"},
    RESPONSES: {"response_format": "text.format", "verbosity": "text.verbosity"},
    ANTHROPIC: {
        "max_output_tokens": "max_tokens",
        "stop": "stop_sequences",
        "response_format": "output_config.format",
        "reasoning": "thinking",
        "user": "metadata.user_id",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    },
}
"""Dialect → field of `ChatRequest` → its name there, where that is another one."""
_ITEMS = {RESPONSES: "input"}
_APART = {RESPONSES: "instructions", ANTHROPIC: "system"}
"""Where a dialect has its system prompt, if not among the messages."""


def field_name(source: str, field: str) -> str:
    """The caller's name of a field. Args: source: the dialect; field: of `ChatRequest`."""
    return _NAMES.get(source, {}).get(field, field)


def message_path(chat: ChatRequest, index: int) -> str:
    """Where the caller wrote a message, for instance ``messages.2``."""
    apart = _APART.get(chat.source)
    items = _ITEMS.get(chat.source, "messages")
    if apart is None:
        return f"{items}.{index}"
    return apart if index < chat.leading else f"{items}.{index - chat.leading}"
