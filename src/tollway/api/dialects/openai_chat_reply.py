"""A chat completion, rendered from the internal form: https://platform.openai.com/docs/api-reference/chat/object."""

import time

import msgspec

from tollway.api.dialects.openai_chat_said import (
    Object,
    call_object,
    finish_of,
    image_object,
    is_told,
    joined,
    new_id,
    sources,
    usage_object,
)
from tollway.chat.beside import MEMBER, Gathered
from tollway.chat.message import (
    AudioPart,
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from tollway.chat.reply import ChatReply, Choice
from tollway.providers.openai_compatible.thoughts import Detail, detail_of, is_bound
from tollway.providers.wire_names import OPENAI
from tollway.routing.call import Call

_encode = msgspec.json.Encoder().encode


def knows_functions_only(call: Call) -> bool:
    """Whether the caller speaks of functions, as before there were tools."""
    return "functions" in call.fields and "tools" not in call.fields


def render_reply(reply: ChatReply, call: Call) -> bytes:
    """See `tollway.chat.dialect.ChatDialect.render_reply`."""
    legacy = knows_functions_only(call)
    body: Object = {
        "id": reply.id or new_id(),
        "object": "chat.completion",
        "created": reply.created_s or int(time.time()),
        "model": reply.model or call.model,
        "choices": [_choice(choice, index, legacy=legacy) for index, choice in enumerate(reply.choices)],
    }
    if reply.usage is not None:
        body["usage"] = usage_object(reply.usage)
    if reply.service_tier:
        body["service_tier"] = reply.service_tier
    if reply.fingerprint:
        body["system_fingerprint"] = reply.fingerprint
    return _encode(body)


def _choice(choice: Choice, index: int, *, legacy: bool) -> Object:
    message = _message(choice.parts, legacy=legacy)
    calls = "tool_calls" in message or "function_call" in message
    written: Object = {
        "index": index,
        "message": message,
        "logprobs": choice.logprobs,
        "finish_reason": finish_of(choice.stop, calls=calls, legacy=legacy),
    }
    if choice.stop_sequence:
        written["stop_reason"] = choice.stop_sequence
    if choice.safety is not None:
        written["content_filter_results"] = choice.safety
    if beside := _beside(choice):
        written[MEMBER] = beside
    return written


def _beside(choice: Choice) -> Object:
    if not choice.beside and len(choice.parts) == 1 and _is_plain(choice.parts[0]):
        return {}
    beside = Gathered()
    sounds = [part for part in choice.parts if isinstance(part, AudioPart)]
    for part in choice.parts:
        if is_beside(part) or part in sounds[:-1]:  # a message has room for one sound
            beside.part(part)
        elif isinstance(part, TextPart):
            for citation in part.citations:
                if not is_told(citation):
                    beside.citation(citation)
    beside.rest(choice.beside)
    return beside.told


def is_beside(part: Part) -> bool:
    """Whether a message has no form for it, or not for all of it."""
    if isinstance(part, ToolCallPart):
        return part.caller is not None
    return isinstance(part, FilePart) or (isinstance(part, OpaquePart) and part.source != OPENAI)


def _is_plain(part: Part) -> bool:
    return isinstance(part, TextPart) and not part.citations


def _message(parts: tuple[Part, ...], *, legacy: bool) -> Object:
    if len(parts) == 1 and isinstance(parts[0], TextPart) and _is_plain(parts[0]):
        return {"role": "assistant", "content": parts[0].text, "refusal": None}
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    refusals = [part.text for part in parts if isinstance(part, RefusalPart)]
    message: Object = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    message |= _thoughts([part for part in parts if isinstance(part, ThinkingPart)])
    message |= _sources(parts)
    calls = [part for part in parts if isinstance(part, ToolCallPart)]
    if calls and legacy:
        message["function_call"] = call_object(calls[0], legacy=True)
    elif calls:
        message["tool_calls"] = [call_object(part) for part in calls]
    images = [part for part in parts if isinstance(part, ImagePart)]
    if images:
        message["images"] = [image_object(part, index) for index, part in enumerate(images)]
    for part in parts:
        if isinstance(part, AudioPart):
            message["audio"] = _audio(part)
        elif isinstance(part, OpaquePart) and part.source == OPENAI:
            message[part.kind] = part.raw
    return message


def _thoughts(parts: list[ThinkingPart]) -> dict[str, str | list[Detail]]:
    told: dict[str, str | list[Detail]] = {}
    if text := "".join(part.text for part in parts):
        told["reasoning_content"] = text
    if any(is_bound(part) for part in parts):
        told["reasoning_details"] = [detail_of(part, index) for index, part in enumerate(parts)]
    return told


def _sources(parts: tuple[Part, ...]) -> Object:
    told: list[Object] = []
    end = 0
    for part in parts:
        if isinstance(part, TextPart):
            start, end = end, end + len(part.text)
            told.append(sources(part.citations, start, end))
    return joined(told)


def _audio(part: AudioPart) -> Object:
    return {
        "id": part.id,
        "data": part.media.value,
        "transcript": part.transcript,
        "expires_at": part.expires_at_s,
    }
