"""Converse and ConverseStream. https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html."""

import json
import struct
import zlib
from typing import Any

from support.speakers.said import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, SAID, Said, pieces

_STOPS = {"end": "end_turn", "tools": "tool_use", "length": "max_tokens"}
_USAGE = {
    "inputTokens": INPUT_TOKENS - CACHED_TOKENS,
    "cacheReadInputTokens": CACHED_TOKENS,
    "cacheWriteInputTokens": 0,
    "outputTokens": OUTPUT_TOKENS,
    "totalTokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


def plain(scenario: str) -> bytes:
    said = SAID[scenario]
    content: list[dict[str, Any]] = []
    if said.thinking:
        reasoning = {"reasoningText": {"text": said.thinking, "signature": said.signature}}
        content.append({"reasoningContent": reasoning})
    content.append({"text": said.text})
    content += [
        {"toolUse": {"toolUseId": id_, "name": name, "input": json.loads(arguments)}}
        for id_, name, arguments in said.calls
    ]
    message = {"role": "assistant", "content": content}
    body = {"output": {"message": message}, "stopReason": _STOPS[said.stop], "usage": _USAGE}
    return json.dumps(body | {"metrics": {"latencyMs": 1}}).encode()


def stream(scenario: str) -> bytes:
    said = SAID[scenario]
    events: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    index = 0
    for deltas in _text_blocks(said):
        events += [("contentBlockDelta", {"contentBlockIndex": index, "delta": delta}) for delta in deltas]
        events.append(("contentBlockStop", {"contentBlockIndex": index}))
        index += 1
    for id_, name, arguments in said.calls:
        start = {"toolUse": {"toolUseId": id_, "name": name}}
        events.append(("contentBlockStart", {"contentBlockIndex": index, "start": start}))
        for piece in pieces(arguments):
            events.append(("contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}}))
        events.append(("contentBlockStop", {"contentBlockIndex": index}))
        index += 1
    events.append(("messageStop", {"stopReason": _STOPS[said.stop]}))
    events.append(("metadata", {"usage": _USAGE, "metrics": {"latencyMs": 1}}))
    return b"".join(message(name, value) for name, value in events)


def _text_blocks(said: Said) -> list[list[dict[str, Any]]]:
    blocks: list[list[dict[str, Any]]] = []
    if said.thinking:
        deltas: list[dict[str, Any]] = [{"reasoningContent": {"text": piece}} for piece in pieces(said.thinking)]
        blocks.append([*deltas, {"reasoningContent": {"signature": said.signature}}])
    blocks.append([{"text": piece} for piece in pieces(said.text)])
    return blocks


def message(name: str, value: dict[str, Any], *, kind: str = "event") -> bytes:
    """One message of AWS's event stream: prelude, headers, payload, each part with a CRC32."""
    named = {":message-type": kind, f":{kind}-type": name, ":content-type": "application/json"}
    headers = b"".join(
        struct.pack("!B", len(key)) + key.encode() + b"\x07" + struct.pack("!H", len(text)) + text.encode()
        for key, text in named.items()
    )
    payload = json.dumps(value).encode()
    prelude = struct.pack("!II", len(headers) + len(payload) + 16, len(headers))
    whole = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return whole + struct.pack("!I", zlib.crc32(whole))


def error(status: int, words: str) -> bytes:  # noqa: ARG001 -- the status is not in the body
    return json.dumps({"message": words}).encode()
