"""Callers of every dialect: how each asks for the same, and what each was told, read by hand and not by our code."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Told:
    """What a caller was told.

    Attributes:
        calls: ``(id, name, decoded arguments)``
        usage: ``(all input tokens, of them cached, all output tokens)``
        ended: whether the stream has its end mark.
    """

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    stop: str = ""
    usage: tuple[int, int, int] | None = None
    ended: bool = True
    error: str = ""


@dataclass(frozen=True)
class Caller:
    """One dialect.

    Attributes:
        ask: (model, stream, feature) → body; a feature is ``tools``, ``json``, ``thinking``, ``image`` or ``text``.
        read, read_stream: what was told.
        stops: (ended by itself, wants tools called, was cut at the limit) in its words.
        error_of: the message of an error body.
    """

    path: str
    ask: Callable[[str, bool, str], dict[str, Any]]
    read: Callable[[Any], Told]
    read_stream: Callable[[bytes], Told]
    stops: dict[str, str]
    error_of: Callable[[Any], str]


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
_WEATHER = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}


def sse(body: bytes) -> list[Any]:
    """The data of all events, decoded; ``[DONE]`` stays a text."""
    found = []
    for line in body.decode().splitlines():
        if line.startswith("data:"):
            data = line[5:].strip()
            found.append(data if data == "[DONE]" else json.loads(data))
    return found


# --- chat completions ---------------------------------------------------------------------------------


def _chat_ask(model: str, stream: bool, feature: str) -> dict[str, Any]:  # noqa: FBT001 -- one signature for all
    content: Any = "Say it."
    body: dict[str, Any] = {"model": model, "max_tokens": 500}
    if feature == "image":
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
        content = [{"type": "text", "text": "Say it."}, image]
    if feature == "tools":
        tool = {"name": "weather", "description": "The weather.", "parameters": _WEATHER}
        clock = {"name": "clock", "parameters": {"type": "object", "properties": {}}}
        body["tools"] = [{"type": "function", "function": each} for each in (tool, clock)]
        body["tool_choice"] = "auto"
    if feature == "json":
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "place", "schema": SCHEMA, "strict": True},
        }
    if feature == "thinking":
        body["reasoning_effort"] = "low"
        body["max_tokens"] = 8_000
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body | {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]}


def _chat_usage(usage: dict[str, Any]) -> tuple[int, int, int]:
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return usage["prompt_tokens"], cached, usage["completion_tokens"]


def _chat_read(body: Any) -> Told:
    choice = body["choices"][0]
    message = choice["message"]
    calls = [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in message.get("tool_calls") or []
    ]
    thinking = message.get("reasoning_content") or ""
    return Told(message["content"] or "", thinking, calls, choice["finish_reason"], _chat_usage(body["usage"]))


def _chat_read_stream(body: bytes) -> Told:
    told = Told(ended=False)
    calls: dict[int, list[str]] = {}
    for chunk in sse(body):
        if chunk == "[DONE]":
            told.ended = True
            continue
        if "error" in chunk:
            told.error = chunk["error"]["message"]
            continue
        assert not told.ended
        if chunk.get("usage"):
            told.usage = _chat_usage(chunk["usage"])
        for choice in chunk["choices"]:
            delta = choice["delta"]
            told.text += delta.get("content") or ""
            told.thinking += delta.get("reasoning_content") or ""
            told.stop = choice.get("finish_reason") or told.stop
            for call in delta.get("tool_calls") or []:
                whole = calls.setdefault(call["index"], ["", "", ""])
                whole[0] += call.get("id") or ""
                whole[1] += call["function"].get("name") or ""
                whole[2] += call["function"].get("arguments") or ""
    told.calls = [(id_, name, json.loads(arguments)) for id_, name, arguments in calls.values()]
    return told


# --- messages -----------------------------------------------------------------------------------------


def _messages_ask(model: str, stream: bool, feature: str) -> dict[str, Any]:  # noqa: FBT001
    content: Any = "Say it."
    body: dict[str, Any] = {"model": model, "max_tokens": 500, "system": "Be brief."}
    if feature == "image":
        source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
        content = [{"type": "text", "text": "Say it."}, {"type": "image", "source": source}]
    if feature == "tools":
        body["tools"] = [
            {"name": "weather", "description": "The weather.", "input_schema": _WEATHER},
            {"name": "clock", "input_schema": {"type": "object", "properties": {}}},
        ]
        body["tool_choice"] = {"type": "auto"}
    if feature == "json":
        body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    if feature == "thinking":
        body["thinking"] = {"type": "enabled", "budget_tokens": 2_048}
        body["max_tokens"] = 8_000
    if stream:
        body["stream"] = True
    return body | {"messages": [{"role": "user", "content": content}]}


def _messages_usage(usage: dict[str, Any]) -> tuple[int, int, int]:
    cached = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    return usage["input_tokens"] + cached + written, cached, usage["output_tokens"]


def _messages_read(body: Any) -> Told:
    told = Told(stop=body["stop_reason"], usage=_messages_usage(body["usage"]))
    for block in body["content"]:
        if block["type"] == "text":
            told.text += block["text"]
        elif block["type"] == "thinking":
            told.thinking += block["thinking"]
        elif block["type"] == "tool_use":
            told.calls.append((block["id"], block["name"], block["input"]))
    return told


def _messages_read_stream(body: bytes) -> Told:
    told = Told(ended=False)
    blocks: dict[int, dict[str, Any]] = {}
    usage: dict[str, Any] = {}
    for event in sse(body):
        match event["type"]:
            case "error":
                told.error = event["error"]["message"]
            case "message_start":
                usage |= event["message"]["usage"]
            case "content_block_start":
                assert event["index"] == len(blocks)
                blocks[event["index"]] = event["content_block"] | {"json": ""}
            case "content_block_delta":
                _messages_delta(blocks[event["index"]], event["delta"])
            case "message_delta":
                told.stop = event["delta"]["stop_reason"]
                usage |= event["usage"]
            case "message_stop":
                told.ended = True
    told.usage = _messages_usage(usage) if usage else None
    _take_blocks(told, blocks)
    return told


def _take_blocks(told: Told, blocks: dict[int, dict[str, Any]]) -> None:
    for block in blocks.values():
        if block["type"] == "text":
            told.text += block["text"]
        elif block["type"] == "thinking":
            told.thinking += block["thinking"]
        elif block["type"] == "tool_use" and (block["json"] or told.ended):
            told.calls.append((block["id"], block["name"], json.loads(block["json"] or "{}")))


def _messages_delta(block: dict[str, Any], delta: dict[str, Any]) -> None:
    if delta["type"] == "text_delta":
        block["text"] += delta["text"]
    elif delta["type"] == "thinking_delta":
        block["thinking"] += delta["thinking"]
    elif delta["type"] == "input_json_delta":
        block["json"] += delta["partial_json"]


# --- responses ----------------------------------------------------------------------------------------


def _responses_ask(model: str, stream: bool, feature: str) -> dict[str, Any]:  # noqa: FBT001
    content: list[dict[str, Any]] = [{"type": "input_text", "text": "Say it."}]
    body: dict[str, Any] = {"model": model, "max_output_tokens": 500, "instructions": "Be brief.", "store": False}
    if feature == "image":
        content.append({"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"})
    if feature == "tools":
        body["tools"] = [
            {"type": "function", "name": "weather", "parameters": _WEATHER, "strict": False},
            {
                "type": "function",
                "name": "clock",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            },
        ]
        body["tool_choice"] = "auto"
    if feature == "json":
        body["text"] = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
    if feature == "thinking":
        body["reasoning"] = {"effort": "low", "summary": "auto"}
        body["max_output_tokens"] = 8_000
    if stream:
        body["stream"] = True
    return body | {"input": [{"type": "message", "role": "user", "content": content}]}


def _responses_read(body: Any) -> Told:
    told = Told(stop=body["status"])
    usage = body["usage"]
    cached = (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
    told.usage = usage["input_tokens"], cached, usage["output_tokens"]
    for item in body["output"]:
        if item["type"] == "message":
            told.text += "".join(part.get("text", "") for part in item["content"])
        elif item["type"] == "reasoning":
            told.thinking += "".join(part["text"] for part in item.get("summary") or item.get("content") or [])
        elif item["type"] == "function_call":
            told.calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
            told.stop = "tools"
    return told


def _responses_read_stream(body: bytes) -> Told:
    events = sse(body)
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    last = events[-1] if events else {"type": ""}
    if last["type"] not in {"response.completed", "response.incomplete"}:
        error = last.get("message") or ((last.get("response") or {}).get("error") or {}).get("message") or ""
        return Told(text=text, ended=False, error=error)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    told = _responses_read(last["response"])
    assert told.text == text
    return told


CALLERS: dict[str, Caller] = {
    "chat": Caller(
        "/v1/chat/completions",
        _chat_ask,
        _chat_read,
        _chat_read_stream,
        {"end": "stop", "tools": "tool_calls", "length": "length"},
        lambda body: str(body["error"]["message"]),
    ),
    "messages": Caller(
        "/v1/messages",
        _messages_ask,
        _messages_read,
        _messages_read_stream,
        {"end": "end_turn", "tools": "tool_use", "length": "max_tokens"},
        lambda body: str(body["error"]["message"]),
    ),
    "responses": Caller(
        "/v1/responses",
        _responses_ask,
        _responses_read,
        _responses_read_stream,
        {"end": "completed", "tools": "tools", "length": "incomplete"},
        lambda body: str(body["error"]["message"]),
    ),
}
"""Dialect → a caller who speaks it."""


def told(caller: Caller, answer: httpx.Response, *, streamed: bool) -> Told:
    """What the caller was told."""
    return caller.read_stream(answer.content) if streamed else caller.read(answer.json())
