"""The ``response`` object: what it says beside its items, and the items themselves.

Source: https://platform.openai.com/docs/api-reference/responses/object; the order of members is that of OpenAI's own.
"""

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from tollway.api.dialects.responses_signature import SOURCE, packed
from tollway.api.dialects.responses_tools import namespaces_of
from tollway.chat.beside import MEMBER, Gathered
from tollway.chat.message import (
    AudioPart,
    Citation,
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from tollway.chat.reply import Stop
from tollway.ledger.usage import Usage
from tollway.routing.call import Call

_ID_BYTES = 24
_NULL = Raw(b"null")
_DEFAULTS: dict[str, Raw] = {
    "instructions": _NULL,
    "max_output_tokens": _NULL,
    "max_tool_calls": _NULL,
    "parallel_tool_calls": Raw(b"true"),
    "previous_response_id": _NULL,
    "prompt_cache_key": _NULL,
    "reasoning": Raw(b'{"effort":null,"summary":null}'),
    "safety_identifier": _NULL,
    "service_tier": Raw(b'"default"'),
    "store": Raw(b"true"),
    "temperature": Raw(b"1.0"),
    "text": Raw(b'{"format":{"type":"text"},"verbosity":"medium"}'),
    "tool_choice": Raw(b'"auto"'),
    "tools": Raw(b"[]"),
    "top_logprobs": Raw(b"0"),
    "top_p": Raw(b"1.0"),
    "truncation": Raw(b'"disabled"'),
    "user": _NULL,
    "metadata": Raw(b"{}"),
}
"""What a response repeats of its request, with what is said where the request says nothing."""
_INCOMPLETE = {
    Stop.LENGTH: "max_output_tokens",
    Stop.CONTEXT: "max_output_tokens",
    Stop.FILTER: "content_filter",
}


def new_id(prefix: str) -> str:
    """An id as OpenAI's look, for instance ``resp_…``."""
    return f"{prefix}_{os.urandom(_ID_BYTES).hex()}"


def response_id_of(call: Call) -> str:
    """The id that the response has already, or a new one."""
    told = call.recalled.told.get("id") if call.recalled is not None else None
    return new_id("resp") if told is None else msgspec.json.decode(told, type=str)


class Header(msgspec.Struct):
    """What a response says of itself, whatever its state.

    Attributes:
        call: what was asked.
        id: of the response.
        created_s: epoch seconds.
        model: that answers.
        service_tier: that serves it; empty if not said.
    """

    call: Call
    id: str
    created_s: int
    model: str
    service_tier: str = ""

    def response(
        self,
        status: str,
        output: Sequence[Any] = (),
        *,
        usage: Usage | None = None,
        error: dict[str, str] | None = None,
        incomplete: str = "",
        beside: dict[str, list[Raw]] | None = None,
    ) -> dict[str, Any]:
        """The object in one of its states.

        Args:
            status: ``in_progress``, ``completed``, ``incomplete`` or ``failed``.
            output: its items.
            usage: of the whole answer; ``None`` if it is not known.
            error: code and message.
            incomplete: why it is so.
            beside: what the provider told that no item has a form for (`tollway.chat.beside`).
        """
        told = dict(self.call.recalled.told) if self.call.recalled is not None else {}
        told.pop("id", None)
        made: dict[str, Any] = {
            "id": self.id,
            "object": "response",
            "created_at": self.created_s,
            "status": status,
            "background": told.pop("background", False),
            "completed_at": int(time.time()) if status == "completed" else None,
            "error": error,
            "incomplete_details": {"reason": incomplete} if incomplete else None,
            "model": self.model or self.call.model,
            "output": output,
        }
        for name, default in _DEFAULTS.items():
            given = self.call.fields.get(name, _NULL)
            made[name] = default if bytes(given) == b"null" else given
        if self.service_tier:
            made["service_tier"] = self.service_tier
        made["usage"] = None if usage is None else usage_of(usage)
        if beside:
            made[MEMBER] = beside
        return made | told


def incomplete_reason(stop: Stop | None) -> str:
    """Why an answer that ended so is not whole; empty if it is."""
    return _INCOMPLETE.get(stop, "") if stop is not None else ""


def usage_of(usage: Usage) -> dict[str, Any]:
    """Counts as this dialect tells them: cached tokens are part of the input, reasoning is part of the output."""
    return {
        "input_tokens": usage.input_total,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read + usage.audio_cache_read,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        },
        "output_tokens": usage.output_total,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input_total + usage.output_total,
    }


def annotation_of(citation: Citation) -> Any:
    """A source of a text."""
    if "annotation" in citation.extra:
        return citation.extra["annotation"]
    if citation.url:
        return {
            "type": "url_citation",
            "start_index": citation.start if citation.unit == "answer" and citation.start is not None else 0,
            "end_index": citation.end if citation.unit == "answer" and citation.end is not None else 0,
            "title": citation.title,
            "url": citation.url,
        }
    return {
        "type": "file_citation",
        "file_id": f"document_{citation.document or 0}",
        "filename": citation.title,
        "index": citation.start or 0,
    }


def content_of(part: TextPart | RefusalPart, logprobs: Sequence[Any] = ()) -> dict[str, Any]:
    """A part of a message."""
    if isinstance(part, RefusalPart):
        return {"type": "refusal", "refusal": part.text}
    annotations = [annotation_of(citation) for citation in part.citations]
    return {"type": "output_text", "annotations": annotations, "logprobs": logprobs, "text": part.text}


def message_of(id_: str, content: Sequence[Any], status: str) -> dict[str, Any]:
    """A message of the model's."""
    return {"id": id_, "type": "message", "status": status, "content": content, "role": "assistant"}


def reasoning_of(id_: str, part: ThinkingPart) -> dict[str, Any]:
    """Thoughts."""
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    made: dict[str, Any] = {"id": id_, "type": "reasoning", "summary": summary}
    if content := packed(part):
        made["encrypted_content"] = content
    return made


def call_of(id_: str, part: ToolCallPart, status: str, namespaces: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """A call of a tool."""
    named, written = ("custom_tool_call", "input") if part.custom else ("function_call", "arguments")
    made = {"id": id_, "type": named, "status": status, "call_id": part.id, written: part.arguments, "name": part.name}
    if part.name in namespaces:
        made["namespace"], made["name"] = namespaces[part.name]
    return made


def other_item(part: Part) -> Any | None:
    """An item of what is neither text nor thought nor call; ``None`` for what this dialect has no word for."""
    if isinstance(part, OpaquePart) and part.source == SOURCE:
        return part.raw
    if isinstance(part, ImagePart) and part.media.kind == "base64":
        return {
            "id": new_id("ig"),
            "type": "image_generation_call",
            "status": "completed",
            "output_format": part.media.mime.rpartition("/")[2] or "png",
            "result": part.media.value,
        }
    return None


def note_beside(beside: Gathered, part: Part, citations: Iterable[Citation]) -> None:
    """Keep what items do not tell of a part."""
    if isinstance(part, OpaquePart | AudioPart | FilePart | ImagePart | ToolCallPart) and other_item(part) is None:
        beside.part(part)
    for citation in citations:
        if "annotation" not in citation.extra and (citation.kind != "url" or citation.text or citation.extra):
            beside.citation(citation)


def call_id_prefix(part: ToolCallPart) -> str:
    """How the ids of its items begin."""
    return "ctc" if part.custom else "fc"


def namespaces(call: Call) -> dict[str, tuple[str, str]]:
    """The tools of a request that have a namespace."""
    return namespaces_of(call.fields.get("tools"))
