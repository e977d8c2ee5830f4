"""What a message of a server of the OpenAI format holds, whole or as a delta; lenient, for servers differ.

Extensions that are read: ``reasoning_content`` (DeepSeek, vLLM, Z.ai), ``reasoning`` (Groq, Cerebras, OpenRouter, newer
vLLM), ``reasoning_details`` and ``images`` (OpenRouter), content as a list with ``thinking`` (Mistral),
``extra_content`` (Google), ``executed_tools`` (Groq), ``stop_reason`` (vLLM), ``content_filter_results`` (Azure),
``search_results`` and ``citations`` (Perplexity, xAI), ``provider_specific_fields`` (other gateways),
and what stands in `BESIDE`.

What only tells how the provider worked is not read: times, seeds, ids and names of its machines (``x_groq``,
``time_info``, ``sla_metrics``, ``provider``, ``native_finish_reason``, ``usage_breakdown``, ``token_id`` …).
"""

from typing import Any, Literal

import msgspec
from msgspec import Raw

from tollway.chat.message import Citation
from tollway.chat.reply import Stop
from tollway.json_object import MALFORMED, tolerant
from tollway.providers.openai_compatible.thoughts import Detail

STOPS = {
    "stop": Stop.END,
    "eos": Stop.END,
    "end_turn": Stop.END,
    "length": Stop.LENGTH,
    "model_length": Stop.CONTEXT,
    "tool_calls": Stop.TOOL_CALLS,
    "function_call": Stop.TOOL_CALLS,
    "content_filter": Stop.FILTER,
}
"""``finish_reason`` → why an answer ended."""
NULL = Raw(b"null")
"""What is absent: values stay raw."""
BESIDE = ("search_results", "citations", "images", "videos", "related_questions", "moderation", "prompt_filter_results")
"""What replies tell beside their answers: pages, pictures and questions (Perplexity), verdicts (OpenAI, Azure)."""


class Function(msgspec.Struct, gc=False):
    """A call of a function, or of a custom tool (``input``)."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    input: str | None = None


class ToolCall(msgspec.Struct, gc=False):
    """One of ``tool_calls``."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Function | None = None
    custom: Function | None = None
    extra_content: Any = None


class ContentPart(msgspec.Struct):
    """One of a list of content. Attributes: thinking: parts of their own, or a text."""

    type: str = "text"
    text: str | None = None
    refusal: str | None = None
    thinking: "list[ContentPart] | str | None" = None
    image_url: Any = None


class UrlCitation(msgspec.Struct):
    """What an annotation tells."""

    url: str = ""
    title: str | None = None
    content: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class Annotation(msgspec.Struct):
    """One of ``annotations``."""

    type: str = ""
    url_citation: UrlCitation | None = None


class Audio(msgspec.Struct):
    """A spoken answer."""

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None


class Said(msgspec.Struct):
    """A ``message`` or a ``delta``."""

    content: str | list[Raw] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Detail] | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None
    annotations: list[Raw] | None = None
    audio: Audio | None = None
    images: list[ContentPart] | None = None
    executed_tools: Raw = NULL


class Choice(msgspec.Struct):
    """One of ``choices``."""

    index: int = 0
    message: Said | None = None
    delta: Said | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    logprobs: Raw = NULL
    content_filter_results: Raw = NULL
    provider_specific_fields: Raw = NULL


class Groq(msgspec.Struct):
    """``x_groq``."""

    usage: Raw = NULL


class Body(msgspec.Struct):
    """A reply, or a chunk of a stream."""

    id: str | None = None
    object: str | None = None
    model: str | None = None
    created: float | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    choices: list[Choice] | None = None
    usage: Raw = NULL
    x_groq: Groq | None = None
    error: Raw = NULL
    search_results: Raw = NULL
    citations: Raw = NULL
    images: Raw = NULL
    videos: Raw = NULL
    related_questions: Raw = NULL
    moderation: Raw = NULL
    prompt_filter_results: Raw = NULL


class SearchResult(msgspec.Struct):
    """One of ``search_results``."""

    url: str = ""
    title: str | None = None
    snippet: str | None = None


_decode_sources = tolerant(msgspec.json.Decoder(list[SearchResult | str]).decode)
_decode_annotation = tolerant(msgspec.json.Decoder(Annotation).decode)
_decode_content = tolerant(msgspec.json.Decoder(ContentPart).decode)
_NOTHING: dict[str, Raw] = {}


def beside_of(body: Body) -> dict[str, Raw]:
    """What a reply, or a chunk of one, tells beside its answers."""
    if (body.search_results is body.citations is body.images is body.videos is NULL) and (
        body.related_questions is body.moderation is body.prompt_filter_results is NULL
    ):  # as in nearly every chunk
        return _NOTHING
    return {name: raw for name in BESIDE if (raw := told(getattr(body, name))) is not None}


def sources_of(beside: dict[str, Raw]) -> list[Citation]:
    """The pages that an answer relies on as a whole (Perplexity, xAI): with their titles, or addresses alone."""
    for name in ("search_results", "citations"):
        if (found := beside.get(name)) is None:
            continue
        try:
            pages = _decode_sources(found)
        except MALFORMED:
            continue
        results = [SearchResult(url=page) if isinstance(page, str) else page for page in pages]
        return [Citation("url", text=page.snippet or "", title=page.title or "", url=page.url) for page in results]
    return []


def usage_of(body: Body) -> Raw | None:
    """The usage object, ``None`` if there is none."""
    usage = told(body.usage)
    return told(body.x_groq.usage) if usage is None and body.x_groq is not None else usage


def stop_of(choice: Choice) -> tuple[Stop | None, str]:
    """Why an answer ended, and the sequence that ended it."""
    if not choice.finish_reason:
        return None, ""
    stop = STOPS.get(choice.finish_reason, Stop.OTHER)
    if stop is Stop.END and isinstance(choice.stop_reason, str) and choice.stop_reason:
        return Stop.SEQUENCE, choice.stop_reason
    return stop, ""


def told(raw: Raw) -> Raw | None:
    """A value, ``None`` if it is absent, null or holds nothing."""
    return None if raw is NULL or bytes(raw) in {b"null", b"{}", b"[]"} else raw


def content_of(raw: Raw) -> ContentPart:
    """A part of listed content; an empty one if it cannot be read."""
    try:
        return _decode_content(raw)
    except MALFORMED:
        return ContentPart(type="")


def citation_of(raw: Raw) -> Citation | None:
    """The source that an annotation names; ``None`` if it is of another kind."""
    try:
        cited = _decode_annotation(raw).url_citation
    except MALFORMED:
        return None
    if cited is None:
        return None
    unit: Literal["", "answer"] = "" if cited.start_index is None else "answer"
    return Citation(
        "url",
        text=cited.content or "",
        title=cited.title or "",
        url=cited.url,
        unit=unit,
        start=cited.start_index,
        end=cited.end_index,
    )


def thinking_text(part: ContentPart) -> str:
    """The thoughts in a part of Mistral's."""
    if part.thinking is None or isinstance(part.thinking, str):
        return part.thinking or ""
    return "".join(inner.text or "" for inner in part.thinking)


def arguments_of(function: Function) -> str:
    """JSON text; some servers send the object itself."""
    arguments = function.arguments
    if arguments is None:
        return function.input or ""
    return arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()


def signature_of(call: ToolCall) -> str:
    """Google's signature of a call: https://ai.google.dev/gemini-api/docs/thought-signatures."""
    found = call.extra_content
    for name in ("google", "thought_signature"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def image_address(part: ContentPart) -> str:
    """The address of an image: ``{"image_url": {"url": …}}``, or the text itself."""
    found = part.image_url.get("url") if isinstance(part.image_url, dict) else part.image_url
    return found if isinstance(found, str) else ""
