"""Chat completions, with a ``reasoning_content``. https://platform.openai.com/docs/api-reference/chat/object."""

import json
from typing import Any

from support.speakers.said import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, REASONING_TOKENS, SAID, Said, pieces

_STOPS = {"end": "stop", "tools": "tool_calls", "length": "length"}


def _usage(said: Said) -> dict[str, Any]:
    return {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
        "completion_tokens_details": {"reasoning_tokens": REASONING_TOKENS if said.thinking else 0},
    }


def plain(scenario: str) -> bytes:
    said = SAID[scenario]
    message: dict[str, Any] = {"role": "assistant", "content": said.text}
    if said.thinking:
        message["reasoning_content"] = said.thinking
    if said.calls:
        message["tool_calls"] = [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in said.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": _STOPS[said.stop], "logprobs": None}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": f"{scenario}-0101"}
    return json.dumps(body | {"choices": [choice], "usage": _usage(said)}).encode()


def stream(scenario: str) -> bytes:
    said = SAID[scenario]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in pieces(said.thinking)]
    deltas += [{"content": piece} for piece in pieces(said.text)]
    for index, (id_, name, arguments) in enumerate(said.calls):
        begun = {"index": index, "id": id_, "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [begun]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": p}}]} for p in pieces(arguments)]
    chunks = [_chunk(scenario, [{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    chunks.append(_chunk(scenario, [{"index": 0, "delta": {}, "finish_reason": _STOPS[said.stop]}]))
    chunks.append(_chunk(scenario, [], usage=_usage(said)))
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def _chunk(scenario: str, choices: list[dict[str, Any]], **more: object) -> dict[str, Any]:
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": f"{scenario}-0101",
    }
    return head | {"choices": choices} | more


def error(status: int, words: str) -> bytes:
    return json.dumps({"error": {"message": words, "type": "some_error", "param": None, "code": f"c{status}"}}).encode()
