"""The bound of a request to the Messages API that passes untouched: as of `tollway.providers.openai_compatible.bound`.

``max_tokens`` bounds the answer, thoughts included, and the API requires it. What the provider's own tools read has no
bound, and neither has a field that nobody here knows: it may ask for a dearer mode, or for another model.
"""

import unicodedata

import msgspec
from msgspec import Raw

from tollway.errors import InvalidRequestError
from tollway.json_object import MALFORMED, tolerant
from tollway.providers.openai_compatible.bound import TEMPLATE_TOKENS, TOOL_TEMPLATE_TOKENS, RequestBound
from tollway.providers.openai_compatible.media import IMAGE_TOKENS_MAX
from tollway.routing.call import Call

_KNOWN = frozenset(
    {"model", "messages", "max_tokens", "metadata", "service_tier", "stop_sequences", "stream", "system", "temperature"}
    | {"thinking", "tool_choice", "tools", "top_k", "top_p", "cache_control", "output_config", "output_format"}
    | {"context_management", "diagnostics", "workspace_id", "user_profile_id"}
)
_CALLERS_TOOLS = ("bash_", "text_editor_", "computer_", "memory_")
"""Beginnings of the types of tools that the provider describes, and the caller runs."""
_DESCRIBED_TOOL_TOKENS = 4_096
"""What one of them adds to the prompt at the most: the tables in their pages end below 1,000."""
_TEXT_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "search_result", "tool_reference"})
_COMPACTS = b"compact_"
"""A strategy of ``context_management`` that has the model write a summary first."""
_NULL = b"null"
_MAX_TOKENS = 10**9


class _Source(msgspec.Struct, gc=False):
    type: str = ""


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    source: Raw = Raw(_NULL)
    content: Raw = Raw(_NULL)


class _Message(msgspec.Struct, gc=False):
    content: Raw = Raw(_NULL)


class _Tool(msgspec.Struct, gc=False):
    type: str | None = None


_decode_messages = tolerant(msgspec.json.Decoder(list[_Message]).decode)
_decode_blocks = tolerant(msgspec.json.Decoder(list[_Block]).decode)
_decode_source = tolerant(msgspec.json.Decoder(_Source).decode)
_decode_tools = tolerant(msgspec.json.Decoder(list[_Tool]).decode)
_decode_count = msgspec.json.Decoder(int).decode


class _Media:
    """What of a prompt is no text: bytes of the body, tokens at the most, and whether only the context bounds it."""

    __slots__ = ("data_bytes", "image", "tokens", "unbounded")

    def __init__(self) -> None:
        self.data_bytes = self.tokens = 0
        self.image = self.unbounded = False


def request_bound(call: Call, *, context_tokens: int) -> RequestBound:
    """The bound of a request.

    Args:
        call: the parsed request.
        context_tokens: what the model can take in at the most: bounds files, as nothing else does.

    Raises:
        InvalidRequestError: ``max_tokens`` is no number.
    """
    fields = call.fields
    media = _Media()
    for name in ("messages", "system"):
        if name in fields:
            _add(media, fields[name], messages=name == "messages")
    described, boundless = _tools(fields)
    text_bytes = len(call.body) - media.data_bytes
    tokens = text_bytes + media.tokens + described + (TOOL_TEMPLATE_TOKENS if "tools" in fields else TEMPLATE_TOKENS)
    tokens += _growth(call.body)
    if media.unbounded:
        tokens = max(tokens, context_tokens)
    return RequestBound(
        tokens,
        image_input=media.image,
        searches=0,
        text_bytes=text_bytes,
        text_only=not (media.image or media.unbounded),
        output_tokens=_output_tokens(fields),
        heeded=True,
        longest=None,
        service_tier="",
        boundless=boundless or _boundless(fields),
    )


def other_models(fields: dict[str, Raw]) -> str | None:
    """The field by which another model may answer, or be asked as well; ``None`` if there is none."""
    if "fallbacks" in fields and bytes(fields["fallbacks"]) != _NULL:
        return "fallbacks"
    return "tools" if "tools" in fields and b'"advisor_' in bytes(fields["tools"]) else None


def _output_tokens(fields: dict[str, Raw]) -> int:
    try:
        count = _decode_count(fields.get("max_tokens", b""))
    except MALFORMED:
        count = -1
    if not 0 <= count <= _MAX_TOKENS:
        raise InvalidRequestError(f"`max_tokens` must be a whole number up to {_MAX_TOKENS}.", param="max_tokens")
    return count


def _boundless(fields: dict[str, Raw]) -> str:
    for name in fields.keys() - _KNOWN:
        if bytes(fields[name]) != _NULL:
            return name
    managed = fields.get("context_management")
    return "context_management" if managed is not None and _COMPACTS in bytes(managed) else ""


def _tools(fields: dict[str, Raw]) -> tuple[int, str]:
    """Tokens of tools that the provider describes; and the field, if one of them runs at the provider."""
    if "tools" not in fields or bytes(fields["tools"]) == _NULL:
        return 0, ""
    try:
        tools = _decode_tools(fields["tools"])
    except MALFORMED:
        return 0, "tools"
    tokens = 0
    for tool in tools:
        if tool.type in {None, "custom"}:
            continue
        if not str(tool.type).startswith(_CALLERS_TOOLS):
            return tokens, "tools"
        tokens += _DESCRIBED_TOOL_TOKENS
    return tokens, ""


def _add(media: _Media, raw: Raw, *, messages: bool) -> None:
    """Add what of the messages, or of one content, is no text. What cannot be read may be anything."""
    try:
        if not messages:
            _add_content(media, raw)
            return
        for message in _decode_messages(raw):
            _add_content(media, message.content)
    except MALFORMED:
        media.unbounded = True


def _add_content(media: _Media, raw: Raw) -> None:
    first = memoryview(raw)[0]
    if first in b'"n':  # a text, or null
        return
    for block in _decode_blocks(raw):
        if block.type == "tool_result":
            _add_content(media, block.content)
        elif block.type == "image":
            media.image = True
            media.data_bytes += len(block.source)
            media.tokens += IMAGE_TOKENS_MAX
        elif block.type == "document":
            _add_document(media, block.source)
        elif block.type not in _TEXT_BLOCKS:
            media.unbounded = True


def _add_document(media: _Media, source: Raw) -> None:
    kind = _decode_source(source).type
    if kind == "content":
        media.image = media.unbounded = media.unbounded or b'"image"' in bytes(source)
    elif kind != "text":
        media.unbounded = media.image = True
        media.data_bytes += len(source)


def _growth(body: bytes) -> int:
    """Bytes that the text may gain in the normal form of Unicode that tokenizers bring it into."""
    if body.isascii():
        return 0
    text = body.decode()
    if unicodedata.is_normalized("NFC", text):
        return 0
    return max(len(unicodedata.normalize("NFC", text).encode()) - len(body), 0)
