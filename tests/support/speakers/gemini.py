"""generateContent. https://ai.google.dev/api/generate-content."""

import json
from typing import Any

from support.speakers.said import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, REASONING_TOKENS, SAID, Said, pieces

_STOPS = {"end": "STOP", "tools": "STOP", "length": "MAX_TOKENS"}


def _usage(said: Said) -> dict[str, int]:
    thought = {"thoughtsTokenCount": REASONING_TOKENS} if said.thinking else {}
    return {
        "promptTokenCount": INPUT_TOKENS,
        "cachedContentTokenCount": CACHED_TOKENS,
        "candidatesTokenCount": OUTPUT_TOKENS - sum(thought.values()),
        "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS,
        **thought,
    }


def _reply(scenario: str, parts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    finish = {"finishReason": more.pop("finish")} if "finish" in more else {}
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0} | finish
    return {"candidates": [candidate], "modelVersion": f"{scenario}-0101", "responseId": "r1"} | more


def _calls(said: Said) -> list[dict[str, Any]]:
    return [{"functionCall": {"name": name, "args": json.loads(arguments)}} for _, name, arguments in said.calls]


def plain(scenario: str) -> bytes:
    said = SAID[scenario]
    parts: list[dict[str, Any]] = [{"text": said.thinking, "thought": True}] if said.thinking else []
    parts.append({"text": said.text} | ({"thoughtSignature": said.signature} if said.signature else {}))
    return json.dumps(
        _reply(scenario, parts + _calls(said), finish=_STOPS[said.stop], usageMetadata=_usage(said))
    ).encode()


def stream(scenario: str) -> bytes:
    said = SAID[scenario]
    chunks = [_reply(scenario, [{"text": piece, "thought": True}]) for piece in pieces(said.thinking)]
    chunks += [_reply(scenario, [{"text": piece}]) for piece in pieces(said.text)]
    chunks += [_reply(scenario, [call]) for call in _calls(said)]
    chunks.append(_reply(scenario, [{"text": ""}], finish=_STOPS[said.stop], usageMetadata=_usage(said)))
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)


def error(status: int, words: str) -> bytes:
    return json.dumps({"error": {"code": status, "message": words, "status": "UNAVAILABLE"}}).encode()
