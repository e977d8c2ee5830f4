"""Callers reach Gemini and Claude at Google: whole conversations with tools, refusals, and the sign-in of Vertex AI."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gateway import Gateway
from support.replies import recut
from support.speakers import anthropic
from support.standin import Received, Reply, StandIn

USAGE = {"promptTokenCount": 11, "candidatesTokenCount": 7, "thoughtsTokenCount": 2}
CALL = {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": "c2ln"}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
ASK = {"role": "user", "content": "Rain?"}
SSE = (("content-type", "text/event-stream"),)
GRANT = {
    "access_token": "granted-1",
    "expires_in": 3600,
    "token_type": "Bearer",
    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
}
BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}


def answer(*parts: dict[str, Any]) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"}
    return {"candidates": [candidate], "usageMetadata": USAGE, "responseId": "r-1", "modelVersion": "gemini-9"}


def said(received: Received, reply: dict[str, Any]) -> Reply:
    body = json.dumps(reply).encode()
    if "alt=sse" not in received.path:
        return Reply([body])
    return Reply(recut(b"data: " + body + b"\r\n\r\n", received.serial), headers=SSE, framing="chunked")


def claude(received: Received) -> Reply:
    if "count-tokens" in received.path:
        return Reply([b'{"input_tokens": 12}'])
    if received.json.get("stream") is True:
        return Reply([anthropic.stream("text")], headers=SSE)
    return Reply([anthropic.plain("text")])


def gemini(received: Received) -> Reply:
    """Calls the tool, and speaks when it has the result."""
    if "/token" in received.path:
        return Reply([json.dumps(GRANT).encode()])
    if "publishers/anthropic" in received.path:
        return claude(received)
    if "blocked" in received.path:
        return said(received, BLOCKED)
    if "keyless" in received.path:
        error = {
            "code": 400,
            "message": "API key not valid. Please pass a valid API key.",
            "status": "INVALID_ARGUMENT",
        }
        return Reply([json.dumps({"error": error}).encode()], status=400)
    if b"functionResponse" in received.body:
        return said(received, answer({"text": "Yes."}))
    return said(received, answer({"text": "I look."}, CALL))


class World:
    def __init__(self, gateway: Gateway, google: StandIn) -> None:
        self.gateway, self.google = gateway, google

    def chat(self, model: str, messages: list[dict[str, Any]], *, stream: bool = False) -> dict[str, Any]:
        """The message that the caller gets, whole or put together from its chunks."""
        body = {"model": model, "messages": messages, "tools": TOOLS, "stream": stream}
        reply = self.gateway.post("/v1/chat/completions", body)
        assert reply.status_code == 200, reply.text
        if not stream:
            return dict(reply.json()["choices"][0]["message"]) | {"finish": reply.json()["choices"][0]["finish_reason"]}
        return _message(reply.text)

    @property
    def last(self) -> Received:
        """The last request to a model: tokens are fetched whenever it suits the worker."""
        return next(received for received in reversed(self.google.received) if "/token" not in received.path)


def _message(text: str) -> dict[str, Any]:
    chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    assert "data: [DONE]" in text
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    calls: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            message["content"] += choice["delta"].get("content") or ""
            message["finish"] = choice.get("finish_reason") or message.get("finish")
            for piece in choice["delta"].get("tool_calls") or ():
                call = calls.setdefault(piece["index"], {"function": {"arguments": ""}})
                function = piece.get("function", {})
                call["function"]["arguments"] += function.get("arguments", "")
                call["function"] |= {"name": function["name"]} if "name" in function else {}
                call |= {name: piece[name] for name in ("id", "type", "extra_content") if name in piece}
    return message | ({"tool_calls": [calls[index] for index in sorted(calls)]} if calls else {})


@pytest.fixture(scope="module")
def world(quota_gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory: Path = tmp_path_factory.mktemp("google")
    gateway = quota_gateway.tenant()
    with StandIn(gemini) as google:
        subject = directory / "subject"
        subject.write_text("who-i-am")
        account = {
            "type": "external_account",
            "audience": "//iam.googleapis.com/locations/global/workforcePools/p/providers/q",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": google.base_url + "/token",
            "credential_source": {"file": str(subject)},
        }
        place = {"project": "p-1", "region": "europe-west4"}
        gateway.add_provider("gemini", google.base_url, spec="gemini", credential="key-1")
        gateway.add_provider("express", google.base_url, spec="vertex", credential="key-2", options=place)
        gateway.add_provider(
            "vertex",
            google.base_url,
            spec="vertex",
            credential=json.dumps(account),
            options=place | {"sign_in": "federated"},
        )
        for name in ("gemini", "vertex", "express"):
            gateway.set_price(name, "*")
        yield World(gateway, google)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("model", ["gemini/gemini-3-flash", "express/gemini-3-flash", "vertex/gemini-3-flash"])
def test_a_conversation_with_a_tool_keeps_its_signature_and_its_names(
    world: World, model: str, *, stream: bool
) -> None:
    first = world.chat(model, [ASK], stream=stream)
    assert (first["content"], first.pop("finish")) == ("I look.", "tool_calls")
    (call,) = first["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("weather", {"city": "Oslo"})
    result = {"role": "tool", "tool_call_id": call["id"], "content": "wet"}
    second = world.chat(model, [ASK, first, result], stream=stream)
    assert (second["content"], second["finish"]) == ("Yes.", "stop")
    asked, turn, answered = world.last.json["contents"]  # type: ignore[misc]
    assert asked["parts"] == [{"text": "Rain?"}]
    assert turn["parts"][0] == {"text": "I look."}
    assert turn["parts"][1]["functionCall"] == CALL["functionCall"] | {"id": call["id"]}
    assert turn["parts"][1]["thoughtSignature"] == "c2ln"
    response = {"id": call["id"], "name": "weather", "response": {"output": "wet"}}
    assert answered["parts"] == [{"functionResponse": response}]


def test_vertex_is_asked_with_a_token_or_a_plain_key(world: World) -> None:
    world.chat("vertex/gemini-3-flash", [ASK])
    assert world.last.header("authorization") == "Bearer granted-1"
    assert world.last.path.endswith(
        "/projects/p-1/locations/europe-west4/publishers/google/models/gemini-3-flash:generateContent"
    )
    world.chat("express/gemini-3-flash", [ASK])
    assert world.last.header("x-goog-api-key") == "key-2"
    world.chat("gemini/gemini-3-flash", [ASK])
    assert world.last.header("x-goog-api-key") == "key-1"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_claude_at_vertex_answers(world: World, *, stream: bool) -> None:
    message = world.chat("vertex/claude-sonnet-4-5@20250929", [ASK], stream=stream)
    assert message["content"].startswith("Grüezi")
    assert world.last.path.partition("models/")[2] == (
        "claude-sonnet-4-5@20250929:streamRawPredict" if stream else "claude-sonnet-4-5@20250929:rawPredict"
    )
    assert "model" not in world.last.json
    assert world.last.json["anthropic_version"] == "vertex-2023-10-16"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_messages_for_claude_pass_vertex_as_they_are(world: World, *, stream: bool) -> None:
    fields = {"max_tokens": 9, "messages": [ASK], "stream": stream, "brand_new": {"a": [1.50]}}
    reply = world.gateway.post(
        "/v1/messages",
        {"model": "vertex/claude-sonnet-4-5@20250929"} | fields,
        headers={"anthropic-beta": "some-beta-2025-01-01"},
    )
    assert reply.status_code == 200, reply.text
    assert "msg_1" in reply.text
    assert world.last.json == fields | {"anthropic_version": "vertex-2023-10-16"}
    assert world.last.header("anthropic-beta") == "some-beta-2025-01-01"
    assert world.last.path.endswith(":streamRawPredict" if stream else ":rawPredict")


def test_vertex_counts_the_tokens_of_messages(world: World) -> None:
    body = {"model": "vertex/claude-sonnet-4-5@20250929", "messages": [ASK]}
    assert world.gateway.post("/v1/messages/count_tokens", body).json() == {"input_tokens": 12}
    assert world.last.path.endswith("/publishers/anthropic/models/count-tokens:rawPredict")
    assert world.last.json["model"] == "claude-sonnet-4-5@20250929"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_prompt_that_google_blocks_is_filtered(world: World, *, stream: bool) -> None:
    message = world.chat("gemini/blocked", [ASK], stream=stream)
    assert (message["content"] or "", message["finish"]) == ("", "content_filter")


def test_a_refusal_comes_with_googles_words(world: World) -> None:
    reply = world.gateway.post("/v1/chat/completions", {"model": "gemini/keyless", "messages": [ASK]})
    assert reply.status_code == 400
    assert "API key not valid" in reply.json()["error"]["message"]
