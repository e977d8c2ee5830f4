"""Chat, version 2. https://docs.cohere.com/reference/chat and …/reference/chat-stream."""

import json
from typing import Any

from support.speakers.said import INPUT_TOKENS, OUTPUT_TOKENS, SAID, pieces

_STOPS = {"end": "COMPLETE", "tools": "TOOL_CALL", "length": "MAX_TOKENS"}
_COUNTS = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
_USAGE = {"billed_units": _COUNTS, "tokens": _COUNTS}


def plain(scenario: str) -> bytes:
    said = SAID[scenario]
    content: list[dict[str, Any]] = [{"type": "thinking", "thinking": said.thinking}] if said.thinking else []
    message: dict[str, Any] = {"role": "assistant"}
    if said.calls:
        message["tool_plan"] = said.text
        message["tool_calls"] = [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in said.calls
        ]
    else:
        message["content"] = [*content, {"type": "text", "text": said.text}]
    body = {"id": "c1", "finish_reason": _STOPS[said.stop], "message": message, "usage": _USAGE}
    return json.dumps(body).encode()


def stream(scenario: str) -> bytes:
    said = SAID[scenario]
    events: list[dict[str, Any]] = [
        {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant", "content": []}}}
    ]
    blocks = [("thinking", said.thinking)] if said.thinking else []
    if said.calls:
        events += [{"type": "tool-plan-delta", "delta": {"message": {"tool_plan": p}}} for p in pieces(said.text)]
    else:
        blocks.append(("text", said.text))
    for index, (kind, text) in enumerate(blocks):
        begun = {"message": {"content": {"type": kind, kind: ""}}}
        events.append({"type": "content-start", "index": index, "delta": begun})
        for piece in pieces(text):
            delta = {"message": {"content": {kind: piece}}}
            events.append({"type": "content-delta", "index": index, "delta": delta})
        events.append({"type": "content-end", "index": index})
    for index, (id_, name, arguments) in enumerate(said.calls):
        call = {"id": id_, "type": "function", "function": {"name": name, "arguments": ""}}
        events.append({"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": call}}})
        for piece in pieces(arguments):
            delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
            events.append({"type": "tool-call-delta", "index": index, "delta": delta})
        events.append({"type": "tool-call-end", "index": index})
    events.append({"type": "message-end", "delta": {"finish_reason": _STOPS[said.stop], "usage": _USAGE}})
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


def error(status: int, words: str) -> bytes:  # noqa: ARG001 -- the status is not in the body
    return json.dumps({"id": "e1", "message": words}).encode()
