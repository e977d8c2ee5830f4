"""Messages. https://docs.anthropic.com/en/api/messages and …/messages-streaming."""

import json
from typing import Any

from support.speakers.said import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, SAID, Said, pieces

_STOPS = {"end": "end_turn", "tools": "tool_use", "length": "max_tokens"}
_USAGE = {
    "input_tokens": INPUT_TOKENS - CACHED_TOKENS,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": CACHED_TOKENS,
    "output_tokens": OUTPUT_TOKENS,
}


def _blocks(said: Said) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if said.thinking:
        blocks.append({"type": "thinking", "thinking": said.thinking, "signature": said.signature})
    if said.text:
        blocks.append({"type": "text", "text": said.text})
    blocks += [
        {"type": "tool_use", "id": id_, "name": name, "input": json.loads(arguments)}
        for id_, name, arguments in said.calls
    ]
    return blocks


def plain(scenario: str) -> bytes:
    said = SAID[scenario]
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": f"{scenario}-0101"}
    stop = {"stop_reason": _STOPS[said.stop], "stop_sequence": None}
    return json.dumps(body | {"content": _blocks(said), "usage": _USAGE} | stop).encode()


def stream(scenario: str) -> bytes:
    said = SAID[scenario]
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": f"{scenario}-0101", "content": []}
    usage = {**_USAGE, "output_tokens": 1}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start | {"stop_reason": None, "stop_sequence": None, "usage": usage}},
        {"type": "ping"},
    ]
    for index, block in enumerate(_blocks(said)):
        begun, deltas = _streamed(block)
        events.append({"type": "content_block_start", "index": index, "content_block": begun})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": _STOPS[said.stop], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": OUTPUT_TOKENS}})
    events.append({"type": "message_stop"})
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


def _streamed(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if block["type"] == "text":
        return block | {"text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
    if block["type"] == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return block | {"thinking": "", "signature": ""}, deltas
    arguments = json.dumps(block["input"], ensure_ascii=False)
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(arguments)]]
    return block | {"input": {}}, deltas


def error(status: int, words: str) -> bytes:
    kind = {429: "rate_limit_error", 529: "overloaded_error"}.get(status, "api_error")
    return json.dumps({"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}).encode()
