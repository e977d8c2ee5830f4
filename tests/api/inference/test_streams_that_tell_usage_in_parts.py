"""Streams that tell what went in at their beginning and what came out at their end, and that break off between."""

import json
from typing import Any

import httpx
import pytest

from support.anthropic_replies import MODEL, USAGE
from support.gateway import Gateway, new_mark
from support.replies import SSE
from support.standin import Close, Hang, Reply, StandIn, Step

WORDS = [f"word{index} " for index in range(200)]


def _event(value: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), json.dumps(value).encode())


def begun(*rest: Step) -> Reply:
    """A stream of 200 words without an end, and what comes then."""
    usage = USAGE | {"output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [], "usage": usage}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in WORDS
    ]
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    events = [{"type": "message_start", "message": message}, block, *deltas]
    return Reply([*map(_event, events), *rest], headers=SSE, framing="chunked")


@pytest.fixture(scope="module")
def gateway_to_claude(gateway: Gateway, standin: StandIn) -> Gateway:
    gateway.add_provider("partial", standin.base_url, spec="anthropic")
    gateway.set_price("partial", "*")
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    standin.on("partial-closed", begun(Close()))
    standin.on("partial-ended", begun())
    standin.on("partial-failed", begun(_event(error)))
    standin.on("partial-hanging", begun(Hang()))
    return gateway


def asked(model: str, mark: str, path: str) -> dict[str, Any]:
    named = {"metadata": {"user_id": mark}} if path.endswith("messages") else {"user": mark}
    messages = [{"role": "user", "content": "a"}]
    return {"model": f"partial/{model}", "max_tokens": 900, "stream": True, "messages": messages} | named


def check(entry: dict[str, Any]) -> None:
    """The input is the provider's count, the output ours."""
    assert entry["usage_source"] == "estimated"
    assert (entry["usage_input"], entry["usage_cache_read"]) == (USAGE["input_tokens"], 200)
    assert 200 <= entry["usage_output"] <= 800


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("model", ["partial-closed", "partial-ended", "partial-failed"])
def test_what_came_of_a_stream_that_broke_off_is_counted(gateway_to_claude: Gateway, model: str, path: str) -> None:
    mark = new_mark()
    answer = gateway_to_claude.post(path, asked(model, mark, path))
    assert answer.status_code == 200
    assert "word199" in answer.text
    assert "error" in answer.text
    assert "message_stop" not in answer.text
    assert "[DONE]" not in answer.text
    entry = gateway_to_claude.entry(mark)
    assert entry["outcome"] == "stream_cut"
    check(entry)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_what_came_before_the_caller_left_is_counted(gateway_to_claude: Gateway, path: str) -> None:
    mark = new_mark()
    with httpx.stream(
        "POST",
        gateway_to_claude.url + path,
        json=asked("partial-hanging", mark, path),
        headers=gateway_to_claude.headers(),
        timeout=90,
    ) as answer:
        text = ""
        for piece in answer.iter_text():
            text += piece
            if "word199" in text:
                break
    entry = gateway_to_claude.entry(mark)
    assert entry["outcome"] == "client_left"
    check(entry)
