"""The bound of a request that is translated: as of `tollway.providers.openai_compatible.bound`, from its internal form.

A translated request is written anew, so that nothing of the caller's reaches the provider which is not bounded here,
and the bound of the output always stands in the field that the provider heeds.
"""

from collections.abc import Iterator

from tollway.chat.message import AudioPart, FilePart, ImagePart, OpaquePart, Part, ToolResultPart
from tollway.chat.request import ChatRequest, ProviderTool
from tollway.errors import InvalidRequestError
from tollway.providers.field_names import field_name
from tollway.providers.openai_compatible.bound import (
    COUNT_MAX,
    TEMPLATE_TOKENS,
    TOOL_TEMPLATE_TOKENS,
    RequestBound,
    bounding_extra,
)
from tollway.providers.openai_compatible.media import AUDIO_BYTES_PER_TOKEN, image_tokens_max
from tollway.providers.openai_compatible.output_limits import output_limit

_BOUNDED_AUDIO = frozenset({"mp3", "wav"})
"""Formats that cannot hold long silence in few bytes."""
_SILENT_FILES = frozenset({"application/pdf"})
"""Types of files that hold no sound, which costs more than text with some."""
_DEARER = (
    *("cachedContent", "cached_content", "web_search_options"),
    *("mcp_servers", "container", "speed", "inference_geo", "fallbacks", "context_management", "compaction", "thread"),
)
"""Fields that name a prompt kept at the provider, of any length; searches and tools that it runs; other modes and
places."""


def chat_bound(
    chat: ChatRequest, *, body_bytes: int, model: str, context_tokens: int, searches: bool = False
) -> RequestBound:
    """The bound of a request.

    Args:
        chat: the request.
        body_bytes: size of the body it came in, which bounds its text.
        model: the name of the model at the provider.
        context_tokens: what the model can take in at the most: bounds files, as nothing else does.
        searches: whether the provider may search unasked, and counts it.

    Raises:
        InvalidRequestError: a number that bounds the request is none that could.
    """
    _require_counts(chat)
    tokens = text_bytes = body_bytes
    tokens += TOOL_TEMPLATE_TOKENS if chat.tools else TEMPLATE_TOKENS
    audio = image = unbounded = False
    boundless = next((f"tools.{index}" for index, tool in enumerate(chat.tools) if isinstance(tool, ProviderTool)), "")
    if chat.extras and not boundless:
        boundless = next((name for name in _DEARER if name in chat.extras), "") or bounding_extra(chat.extras)
    for part in parts_of(chat):
        if isinstance(part, ImagePart):
            image = True
            data = len(part.media.value) if part.media.kind == "base64" else 0
            text_bytes -= data
            tokens += image_tokens_max(model) - data
        elif isinstance(part, AudioPart):
            audio = True
            data = len(part.media.value) if part.media.kind == "base64" else 0
            text_bytes -= data
            tokens += data // AUDIO_BYTES_PER_TOKEN + 1 - data
            unbounded = unbounded or part.media.kind != "base64" or part.format not in _BOUNDED_AUDIO
        elif isinstance(part, FilePart) and part.media.kind != "text":
            unbounded = image = True
            audio = audio or part.media.mime not in _SILENT_FILES
        elif isinstance(part, OpaquePart):
            unbounded = True
    if unbounded:
        tokens = max(tokens, context_tokens)
    answers = chat.n or 1
    return RequestBound(
        tokens,
        answers,
        0,
        audio,
        image,
        "audio" in chat.modalities or "image" in chat.modalities or "image" in model,
        int(searches),
        text_bytes=text_bytes,
        text_only=not (audio or image or unbounded),
        output_tokens=chat.max_output_tokens,
        heeded=chat.max_output_tokens is not None,
        longest=output_limit(model) if chat.max_output_tokens is None else None,
        service_tier=chat.service_tier,
        boundless=boundless,
    )


def _require_counts(chat: ChatRequest) -> None:
    """A count below one would make the bound too small: providers read it as "no bound", or not at all."""
    for name, count in (("max_output_tokens", chat.max_output_tokens), ("n", chat.n)):
        if count is not None and not 1 <= count <= COUNT_MAX:
            field = field_name(chat.source, name)
            raise InvalidRequestError(f"`{field}` must be a whole number from 1 to {COUNT_MAX}.", param=field)


def parts_of(chat: ChatRequest) -> Iterator[Part]:
    """All parts of all messages, those of results of tools too."""
    for message in chat.messages:
        for part in message.parts:
            yield part
            if isinstance(part, ToolResultPart):
                yield from part.parts
