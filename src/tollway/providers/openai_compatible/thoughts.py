"""Thoughts that must go back as they came: the field ``reasoning_details`` of a message.

The form is OpenRouter's (https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks): callers of
Tollway's chat completions get it for thoughts that are signed or sealed, whatever provider thought them, and send it
back with the message. Text alone stands in ``reasoning_content``.
"""

import msgspec

from tollway.chat.message import ThinkingPart
from tollway.providers.wire_names import ANTHROPIC, GEMINI, OPENAI, RESPONSES

_FORMATS = {ANTHROPIC: "anthropic-claude-v1", RESPONSES: "openai-responses-v1", GEMINI: "google-gemini-v1"}
_SOURCES = {name: source for source, name in _FORMATS.items()}


class Detail(msgspec.Struct, omit_defaults=True):
    """One entry. Attributes: type: ``reasoning.text``, ``reasoning.summary`` or ``reasoning.encrypted``."""

    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None


def is_bound(part: ThinkingPart) -> bool:
    """Whether it says more than its text, so that it must go back as it came."""
    return bool(part.signature or part.redacted or part.id)


def detail_of(part: ThinkingPart, index: int) -> Detail:
    """The entry of a part."""
    sealed = bool(part.redacted) and not part.text
    return Detail(
        type="reasoning.encrypted" if sealed else "reasoning.text",
        text=None if sealed else part.text,
        data=part.redacted or None,
        signature=part.signature or None,
        id=part.id or None,
        format=_FORMATS.get(part.source, part.source or None),
        index=index,
    )


def part_of(detail: Detail) -> ThinkingPart:
    """The part of an entry."""
    return ThinkingPart(
        text=detail.text or detail.summary or "",
        signature=detail.signature or "",
        redacted=detail.data or "",
        source=source_of(detail),
        id=detail.id or "",
    )


def source_of(detail: Detail) -> str:
    """The wire format that an entry came from."""
    return _SOURCES.get(detail.format or "", detail.format or OPENAI)
