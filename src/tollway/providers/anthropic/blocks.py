"""Content blocks of answers, both ways: what a model says, and what it said in an earlier turn.

Source: https://platform.claude.com/docs/en/api/messages (content blocks of responses).
"""

from typing import Any

import msgspec
from msgspec import Raw

from tollway.chat.message import Citation, OpaquePart, Part, RefusalPart, TextPart, ThinkingPart, ToolCallPart
from tollway.json_object import MALFORMED, tolerant
from tollway.providers.anthropic.citations import citation_object, read_citation
from tollway.providers.anthropic.names import SOURCE
from tollway.providers.anthropic.signatures import seal

EMPTY_OBJECT = Raw(b"{}")
NULL = Raw(b"null")


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    citations: list[Raw] | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = EMPTY_OBJECT
    caller: Raw = NULL


class _Caller(msgspec.Struct, gc=False):
    type: str = ""


_decode = tolerant(msgspec.json.Decoder(_Block).decode)
_decode_caller = msgspec.json.Decoder(_Caller).decode
_decode_object = tolerant(msgspec.json.Decoder(dict[str, Raw]).decode)


def read_block(raw: bytes | Raw) -> Part | None:
    """One block of an answer; ``None`` if it is none. A block of another kind is opaque. Never raises."""
    try:
        block = _decode(raw)
    except MALFORMED:
        return None
    if block.type == "text":
        return TextPart(text=block.text or "", citations=_citations(block.citations))
    if block.type == "thinking":
        return ThinkingPart(text=block.thinking or "", signature=block.signature or "", source=SOURCE)
    if block.type == "redacted_thinking":
        return ThinkingPart(redacted=block.data or "", source=SOURCE)
    if block.type == "tool_use":
        arguments = bytes(block.input).decode(errors="replace")
        return ToolCallPart(
            id=block.id or "", name=block.name or "", arguments=arguments, caller=caller_of(block.caller)
        )
    return OpaquePart(source=SOURCE, kind=block.type, raw=Raw(bytes(raw))) if block.type else None


def answer_block(part: Part) -> dict[str, Any] | Raw | None:  # noqa: PLR0911 -- one kind of part after the other
    """One part as a block of an answer; ``None`` if the format has none for it.

    A refusal is text: the stop reason tells it. Foreign signatures travel as `seal` packs them.
    """
    if isinstance(part, TextPart):
        return text_block(part)
    if isinstance(part, ToolCallPart):
        return call_block(part, part.id, tool_input(part))
    if isinstance(part, ThinkingPart):
        if part.redacted and not part.text:
            return {"type": "redacted_thinking", "data": seal(part.source, part.id, part.redacted)}
        # a provider may hide thoughts and tell a summary of them as well: one block has room for both
        signature = seal(part.source, part.id, part.signature or part.redacted)
        return {"type": "thinking", "thinking": part.text, "signature": signature}
    if isinstance(part, RefusalPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, OpaquePart) and part.source == SOURCE:
        return part.raw
    return None


def call_block(part: ToolCallPart, own_id: str, given: Raw | dict[str, str]) -> dict[str, Any]:
    """A call of a tool. Args: own_id: of the call, as the reader takes it; given: the arguments."""
    block: dict[str, Any] = {"type": "tool_use", "id": own_id, "name": part.name, "input": given}
    if part.caller is not None:
        block["caller"] = part.caller
    return block


def caller_of(raw: Raw) -> Raw | None:
    """The program that wants a tool called; ``None`` if it is the model itself. Never raises.

    https://platform.claude.com/docs/en/agents-and-tools/tool-use/programmatic-tool-calling
    """
    if raw is NULL:
        return None
    try:
        direct = _decode_caller(raw).type in {"", "direct"}
    except MALFORMED:
        return None
    return None if direct else Raw(bytes(raw))


def text_block(part: TextPart) -> dict[str, Any]:
    """A text with its sources."""
    block: dict[str, Any] = {"type": "text", "text": part.text}
    if part.citations:
        found = [made for citation in part.citations if (made := citation_object(citation)) is not None]
        if found:
            block["citations"] = found
    return block


def tool_input(part: ToolCallPart) -> Raw | dict[str, str]:
    """The arguments of a call: the format wants an object, so that what is none stands in one, as ``arguments``.

    That happens where a model wrote no JSON, and with custom tools, which take free text.
    """
    text = part.arguments.strip()
    if not text:
        return EMPTY_OBJECT
    try:
        _decode_object(text.encode())
    except MALFORMED:
        return {"arguments": part.arguments}
    return Raw(text.encode())


def _citations(raws: list[Raw] | None) -> tuple[Citation, ...]:
    if not raws:
        return ()
    return tuple(found for raw in raws if (found := read_citation(raw)) is not None)
