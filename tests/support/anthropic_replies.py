"""A stand-in that speaks Anthropic's Messages API. Shapes: https://platform.claude.com/docs/en/api/messages."""

import json
from typing import Any

from support.replies import SSE, recut
from support.standin import Received, Reply

MODEL = "claude-sonnet-4-5-20250929"
SIGNATURE = "EqQBCkYIBxgCKkDsL+ai1t+6YRucCoUJ3ucgRuWn"
THOUGHT = "The weather has to be looked up."
USAGE = {
    "input_tokens": 25,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 200,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    "output_tokens": 40,
    "service_tier": "standard",
}
TOKENS = (255, 40)
"""All that went in and came out."""


def messages(received: Received) -> Reply:
    """A message, streamed if that is asked: a call of the first tool, then what the tool said; else a sentence."""
    if received.path.endswith("/count_tokens"):
        return Reply([json.dumps({"input_tokens": 12}).encode()])
    blocks = _blocks(received)
    stop = "tool_use" if blocks[-1]["type"] == "tool_use" else "end_turn"
    head = {"id": "msg_01", "type": "message", "role": "assistant", "model": MODEL}
    if not received.json.get("stream"):
        body = head | {"content": blocks, "stop_reason": stop, "stop_sequence": None, "usage": USAGE}
        return Reply([json.dumps(body).encode()], headers=_HEADERS, tokens=TOKENS)
    return Reply(
        recut(b"".join(_events(head, blocks, stop)), received.serial, longest=60),
        headers=(*SSE, ("request-id", "req_upstream")),
        framing="chunked",
        tokens=TOKENS,
    )


_HEADERS = (("content-type", "application/json"), ("request-id", "req_upstream"))


def refusal(status: int, kind: str, message: str) -> Reply:
    """An error as the API tells it."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_upstream"}
    return Reply([json.dumps(body).encode()], status=status, headers=_HEADERS)


def broken() -> Reply:
    """A stream with an error in it."""
    events = _events({"id": "msg_01", "type": "message", "role": "assistant", "model": MODEL}, _TEXT, "end_turn")
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    return Reply([*events[:3], _event(error)], headers=SSE, framing="chunked")


def _blocks(received: Received) -> list[dict[str, Any]]:
    asked: Any = received.json
    last = asked["messages"][-1]["content"]
    if isinstance(last, list) and last[0]["type"] == "tool_result":
        thoughts = [block for block in asked["messages"][-2]["content"] if block["type"] == "thinking"]
        assert thoughts == [{"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}], thoughts
        return [{"type": "text", "text": f"The tool says: {_text(last[0]['content'])}"}]
    if asked.get("tools"):
        call = {"type": "tool_use", "id": "toolu_01", "name": asked["tools"][0]["name"], "input": {"city": "Paris"}}
        return [{"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}, call]
    return _TEXT


_TEXT: list[dict[str, Any]] = [{"type": "text", "text": "Every byte passes, also “naïve” ones 🚏."}]
TEXT: str = _TEXT[0]["text"]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else str(content[0]["text"])


def _events(head: dict[str, Any], blocks: list[dict[str, Any]], stop: str) -> list[bytes]:
    started = head | {"content": [], "stop_reason": None, "stop_sequence": None, "usage": USAGE | {"output_tokens": 1}}
    events = [_event({"type": "message_start", "message": started}), _event({"type": "ping"})]
    for index, block in enumerate(blocks):
        begun, deltas = _pieces(block)
        events.append(_event({"type": "content_block_start", "index": index, "content_block": begun}))
        events += [_event({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas]
        events.append(_event({"type": "content_block_stop", "index": index}))
    ended = {"stop_reason": stop, "stop_sequence": None}
    events.append(_event({"type": "message_delta", "delta": ended, "usage": {"output_tokens": USAGE["output_tokens"]}}))
    return [*events, _event({"type": "message_stop"})]


def _pieces(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if block["type"] == "tool_use":
        text = json.dumps(block["input"])
        halves = (text[:5], text[5:])
        return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": half} for half in halves]
    if block["type"] == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": block["thinking"]}]
        return block | {"thinking": "", "signature": ""}, [
            *deltas,
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    words = block["text"].split(" ")
    texts = [word if index == 0 else f" {word}" for index, word in enumerate(words)]
    return block | {"text": ""}, [{"type": "text_delta", "text": text} for text in texts]


def _event(value: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), json.dumps(value, ensure_ascii=False).encode())
