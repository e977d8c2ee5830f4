"""Why an answer ended, both ways.

Source: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons. What the internal form tells apart
and the format does not: a content filter is a refusal, and an unknown reason is the end of a turn.
"""

from tollway.chat.reply import Stop

_READ = {
    "end_turn": Stop.END,
    "max_tokens": Stop.LENGTH,
    "stop_sequence": Stop.SEQUENCE,
    "tool_use": Stop.TOOL_CALLS,
    "pause_turn": Stop.PAUSE,
    "refusal": Stop.REFUSAL,
    "model_context_window_exceeded": Stop.CONTEXT,
}
_WRITTEN = {stop: reason for reason, stop in _READ.items()} | {Stop.FILTER: "refusal", Stop.OTHER: "end_turn"}


def read_stop(reason: str | None) -> Stop | None:
    """The reason as told; ``None`` if none was."""
    return None if not reason else _READ.get(reason, Stop.OTHER)


def stop_reason(stop: Stop | None, *, calls: bool) -> str:
    """The reason to tell. Args: calls: whether the answer calls a tool, which some providers do not give as reason."""
    if calls and stop in {None, Stop.END, Stop.OTHER}:
        return "tool_use"
    return _WRITTEN[stop or Stop.END]
