"""A whole message of Anthropic's Messages API. Source: https://platform.claude.com/docs/en/api/messages.

Rules: of several answers the first is told. A sound is told by its transcript, an image as Markdown: the format has
neither in an answer. What it has no form for at all stands in ``provider_specific_fields`` (`tollway.chat.beside`).
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tollway.chat.beside import MEMBER, Gathered
from tollway.chat.data_url import url_of
from tollway.chat.message import AudioPart, Citation, FilePart, ImagePart, OpaquePart, Part, TextPart, ToolCallPart
from tollway.chat.reply import ChatReply, Choice
from tollway.ledger.usage import Usage
from tollway.providers.anthropic.blocks import answer_block
from tollway.providers.anthropic.citations import is_told
from tollway.providers.anthropic.signatures import call_seal
from tollway.providers.anthropic.stops import stop_reason
from tollway.providers.usage.anthropic import usage_object
from tollway.providers.wire_names import ANTHROPIC
from tollway.routing.call import Call

PLACEHOLDERS = (AudioPart, ImagePart, FilePart)
"""Parts of an answer that are told as text."""

_encode = msgspec.json.Encoder().encode
_NO_USAGE = Usage(requests=0)
_ID = "msg_"


def render_message(reply: ChatReply, call: Call) -> bytes:
    """See `tollway.chat.dialect.ChatDialect.render_reply`."""
    choice = reply.choices[0] if reply.choices else Choice()
    content: list[Any] = []
    beside = Gathered()
    for part in choice.parts:
        if isinstance(part, ToolCallPart) and (sealed := sealed_call(part)) is not None:
            content.append(sealed)
        block = block_of(part)
        if block is not None:
            content.append(block)
        note_beside(beside, part, part.citations if isinstance(part, TextPart) else ())
    calls = any(isinstance(part, ToolCallPart) for part in choice.parts)
    beside.rest(choice.beside, choice.safety)
    message = {
        "id": message_id(reply.id),
        "type": "message",
        "role": "assistant",
        "model": reply.model or call.model,
        "content": content,
        "stop_reason": stop_reason(choice.stop, calls=calls),
        "stop_sequence": choice.stop_sequence or None,
        "usage": usage_object(reply.usage or _NO_USAGE, service_tier=reply.service_tier),
    }
    return _encode(message | {MEMBER: beside.told} if beside.told else message)


def note_beside(beside: Gathered, part: Part, citations: Iterable[Citation]) -> None:
    """Keep what blocks do not tell of a part."""
    foreign = isinstance(part, OpaquePart) and part.source != ANTHROPIC
    if foreign or (isinstance(part, AudioPart | FilePart) and part.media.value and part.media.kind != "text"):
        beside.part(replace(part, transcript="") if isinstance(part, AudioPart) else part)  # that is told as text
    for citation in citations:
        if not is_told(citation):
            beside.citation(citation)


def block_of(part: Part) -> dict[str, Any] | Raw | None:
    """The block of a part; ``None`` if it is left out."""
    if isinstance(part, AudioPart):
        return {"type": "text", "text": part.transcript}
    if isinstance(part, ImagePart):
        return {"type": "text", "text": f"![image]({url_of(part.media, 'image/png')})"}
    if isinstance(part, FilePart):
        return {"type": "text", "text": part.media.value if part.media.kind == "text" else f"[{part.name or 'file'}]"}
    return answer_block(part)


def sealed_call(part: ToolCallPart) -> dict[str, Any] | None:
    """The block that carries the signature of a call; ``None`` if it has none."""
    data = call_seal(part)
    return {"type": "redacted_thinking", "data": data} if data else None


def message_id(own_id: str) -> str:
    """The provider's id, in the form that the SDKs' users know."""
    return own_id if own_id.startswith(_ID) else _ID + own_id
