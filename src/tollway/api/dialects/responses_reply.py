"""A whole answer as a ``response`` object."""

import time
from typing import Any

import msgspec
from msgspec import Raw

from tollway.api.dialects.responses_object import (
    Header,
    call_id_prefix,
    call_of,
    content_of,
    incomplete_reason,
    message_of,
    namespaces,
    new_id,
    note_beside,
    other_item,
    reasoning_of,
    response_id_of,
)
from tollway.chat.beside import Gathered
from tollway.chat.message import Part, RefusalPart, TextPart, ThinkingPart, ToolCallPart
from tollway.chat.reply import ChatReply, Choice
from tollway.json_object import MALFORMED
from tollway.routing.call import Call

_encode = msgspec.json.Encoder().encode


class _Logprobs(msgspec.Struct):
    content: list[Raw] | None = None


_decode_logprobs = msgspec.json.Decoder(_Logprobs).decode


def render_reply(reply: ChatReply, call: Call) -> bytes:
    """See `tollway.chat.dialect.ChatDialect.render_reply`. The dialect has one answer: others are not asked for."""
    choice = reply.choices[0] if reply.choices else Choice()
    header = Header(
        call, response_id_of(call), reply.created_s or int(time.time()), reply.model, service_tier=reply.service_tier
    )
    reason = incomplete_reason(choice.stop)
    output = output_of(choice, namespaces(call), last="incomplete" if reason else "completed")
    status = "incomplete" if reason else "completed"
    beside = Gathered()
    for part in choice.parts:
        note_beside(beside, part, part.citations if isinstance(part, TextPart) else ())
    beside.rest(choice.beside, choice.safety)
    return _encode(header.response(status, output, usage=reply.usage, incomplete=reason, beside=beside.told))


def output_of(choice: Choice, spaces: dict[str, tuple[str, str]], *, last: str) -> list[Any]:
    """The items of an answer; `last`: the status of the last one."""
    items: list[Any] = []
    content: list[Any] | None = None
    logprobs = logprobs_of(choice.logprobs)
    for part in choice.parts:
        if isinstance(part, TextPart | RefusalPart):
            if content is None:
                content = []
                items.append(message_of(new_id("msg"), content, "completed"))
            content.append(content_of(part, logprobs if isinstance(part, TextPart) else ()))
            if isinstance(part, TextPart):
                logprobs = []
            continue
        content = None
        if (item := _item(part, spaces)) is not None:
            items.append(item)
    if items and isinstance(items[-1], dict) and "status" in items[-1]:
        items[-1]["status"] = last
    return items


def _item(part: Part, spaces: dict[str, tuple[str, str]]) -> Any | None:
    if isinstance(part, ThinkingPart):
        return reasoning_of(part.id if part.id.startswith("rs_") else new_id("rs"), part)
    if isinstance(part, ToolCallPart):
        return call_of(new_id(call_id_prefix(part)), part, "completed", spaces)
    return other_item(part)


def logprobs_of(raw: Raw | None) -> list[Raw]:
    """The probabilities of the tokens of a text."""
    if raw is None:
        return []
    try:
        return _decode_logprobs(raw).content or []
    except MALFORMED:
        return []
