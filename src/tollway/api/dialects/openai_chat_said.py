"""Pieces of a chat completion's answer that replies and streams share: reasons, usage, calls, sources.

Extensions of OpenAI's form:

- ``reasoning_content`` is the text of the model's thoughts;
- ``reasoning_details`` holds them again where one is signed or sealed, and goes back with the message as it is
  (`tollway.providers.openai_compatible.thoughts`);
- ``extra_content`` is the signature of a call (Google's form), ``images`` are drawn ones (OpenRouter's form),
  ``stop_reason`` is the sequence that ended an answer (vLLM's form);
- ``citations`` are the passages of documents that an answer cites, which OpenAI has no form for;
- ``provider_specific_fields`` of a choice is what it has no form for at all (`tollway.chat.beside`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from tollway.api.dialects.openai_chat_messages import SIGNERS
from tollway.chat import beside
from tollway.chat.data_url import url_of
from tollway.chat.message import Citation, ImagePart, ToolCallPart
from tollway.chat.reply import Stop
from tollway.ids import uuid7
from tollway.ledger.usage import Usage

Object = dict[str, Any]

_FINISHES = {
    Stop.LENGTH: "length",
    Stop.CONTEXT: "length",
    Stop.TOOL_CALLS: "tool_calls",
    Stop.FILTER: "content_filter",
    Stop.REFUSAL: "content_filter",
}
_SIGNER_NAMES = {source: name for name, source in SIGNERS.items()}


def finish_of(stop: Stop | None, *, calls: bool, legacy: bool) -> str:
    """The ``finish_reason``. Args: calls: whether tools are called; legacy: whether the caller knows functions only."""
    reason = _FINISHES.get(stop, "stop") if stop is not None else ("tool_calls" if calls else "stop")
    return "function_call" if legacy and reason == "tool_calls" else reason


def new_id() -> str:
    """An id for an answer that has none."""
    return "chatcmpl-" + uuid7().replace("-", "")


def usage_object(usage: Usage) -> Object:
    """OpenAI's convention: cached and written tokens are inside the prompt's, reasoning inside the completion's."""
    into: Object = {
        "cached_tokens": usage.cache_read + usage.audio_cache_read,
        "audio_tokens": usage.audio_input + usage.audio_cache_read,
    }
    if written := usage.cache_write_5m + usage.cache_write_1h:
        into["cache_write_tokens"] = written
    if usage.image_input:
        into["image_tokens"] = usage.image_input
    out: Object = {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_output}
    if usage.image_output:
        out["image_tokens"] = usage.image_output
    entered, left = usage.input_total, usage.output_total
    return {
        "prompt_tokens": entered,
        "completion_tokens": left,
        "total_tokens": entered + left,
        "prompt_tokens_details": into,
        "completion_tokens_details": out,
    }


def call_object(part: ToolCallPart, *, legacy: bool = False) -> Object:
    """One of ``tool_calls``; a ``function_call`` for a caller who knows functions only."""
    if legacy:
        return {"name": part.name, "arguments": part.arguments}
    if part.custom:
        call: Object = {"id": part.id, "type": "custom", "custom": {"name": part.name, "input": part.arguments}}
    else:
        function = {"name": part.name, "arguments": part.arguments}
        call = {"id": part.id, "type": "function", "function": function}
    if part.signature:
        call |= signature_object(part.source, part.signature)
    return call


def signature_object(source: str, signature: str) -> Object:
    """The ``extra_content`` of a call."""
    return {"extra_content": {_SIGNER_NAMES.get(source, source): {"thought_signature": signature}}}


def annotation(citation: Citation, start: int, end: int) -> Object:
    """One of ``annotations``. Args: start, end: where the text that cites stands in the answer."""
    if citation.unit == "answer" and citation.start is not None:
        start, end = citation.start, end if citation.end is None else citation.end
    cited: Object = {"url": citation.url, "title": citation.title, "start_index": start, "end_index": end}
    if citation.text:
        cited["content"] = citation.text
    return {"type": "url_citation", "url_citation": cited}


def passage(citation: Citation, start: int, end: int) -> Object:
    """One of ``citations``: what is cited, by its place, and the text that cites it."""
    return {"start_index": start, "end_index": end, **beside.passage(citation)}


def sources(citations: Sequence[Citation], start: int, end: int) -> Object:
    """``annotations`` and ``citations`` of one text."""
    told: Object = {}
    if found := [annotation(each, start, end) for each in citations if each.url]:
        told["annotations"] = found
    if found := [passage(each, start, end) for each in citations if not each.url]:
        told["citations"] = found
    return told


def is_told(citation: Citation) -> bool:
    """Whether an annotation, or a passage, tells all that is known of it."""
    return not citation.url or (citation.kind == "url" and not citation.extra)


def image_object(part: ImagePart, index: int) -> Object:
    """One of ``images``."""
    return {"type": "image_url", "image_url": {"url": url_of(part.media, "image/png")}, "index": index}


def joined(lists: Iterable[Object]) -> Object:
    """Objects of lists as one: lists of the same name one after the other."""
    whole: Object = {}
    for each in lists:
        for name, values in each.items():
            whole.setdefault(name, []).extend(values)
    return whole
