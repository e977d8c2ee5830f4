"""The official `anthropic` SDK for Python against Tollway, before Anthropic and before a server of another dialect."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import Anthropic
from anthropic.types import MessageParam, ToolParam

from support.anthropic_replies import MODEL, SIGNATURE, TEXT, THOUGHT, broken, messages, refusal
from support.gateway import Gateway, new_mark
from support.replies import WORDS
from support.spender import Spender
from support.standin import StandIn

ASKED: list[MessageParam] = [{"role": "user", "content": "Say something."}]
WEATHER: ToolParam = {
    "name": "weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CLAUDE = "claude/claude-x"
"""A model whose provider speaks the dialect."""
OTHER = "stub/gpt"
"""A model whose provider speaks another one."""
each_model = pytest.mark.parametrize("model", [CLAUDE, OTHER])


@pytest.fixture(scope="module")
def claude(gateway: Gateway, standin: StandIn) -> Gateway:
    """Tollway with the stand-in as Anthropic, too."""
    gateway.add_provider("claude", standin.base_url, spec="anthropic")
    gateway.set_price("claude", "*")
    standin.on("claude-x", messages)
    standin.on("claude-overloaded", refusal(529, "overloaded_error", "Overloaded"))
    standin.on("claude-poor", refusal(400, "invalid_request_error", "Your credit balance is too low"))
    standin.on("claude-broken", broken())
    return gateway


@pytest.fixture(scope="module")
def client(claude: Gateway) -> Iterator[Anthropic]:
    """The SDK, pointed at Tollway as its documentation says."""
    with Anthropic(base_url=claude.url, api_key=claude.project_key, max_retries=0) as opened:
        yield opened


@each_model
def test_a_message_is_parsed_and_its_cost_is_in_the_headers(client: Anthropic, model: str) -> None:
    raw = client.messages.with_raw_response.create(model=model, max_tokens=100, messages=ASKED)
    message = raw.parse()
    block = message.content[0]
    assert block.type == "text"
    assert block.text == (TEXT if model == CLAUDE else "".join(WORDS))
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert message.usage.output_tokens > 0
    assert float(raw.headers["x-tollway-cost"]) > 0
    assert message._request_id == raw.headers["request-id"] == raw.headers["x-request-id"]


@each_model
def test_a_stream_says_the_same_as_a_message(client: Anthropic, model: str) -> None:
    whole = client.messages.create(model=model, max_tokens=100, messages=ASKED)
    with client.messages.stream(model=model, max_tokens=100, messages=ASKED) as stream:
        texts = list(stream.text_stream)
        streamed = stream.get_final_message()
    assert len(texts) > 3
    assert "".join(texts) == whole.content[0].text  # type: ignore[union-attr]
    assert [block.type for block in streamed.content] == [block.type for block in whole.content]
    assert (streamed.stop_reason, streamed.model) == (whole.stop_reason, whole.model)
    assert streamed.usage.output_tokens > 1


def test_bytes_pass_untouched_with_the_headers_that_say_what_they_mean(claude: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    body = json.dumps(
        {"max_tokens": 9, "model": CLAUDE, "a_field_of_tomorrow": [1, 2.50], "messages": ASKED, "user": mark}
    )
    sent = {"anthropic-beta": "interleaved-thinking-2025-05-14", "anthropic-version": "2024-01-01", "x-app": "cli"}
    answer = claude.post("/v1/messages?beta=true", body.encode(), headers=sent)
    assert answer.is_success
    (received,) = standin.marked(mark)
    assert received.path == "/v1/messages"
    assert received.body == body.replace(CLAUDE, "claude-x").replace(": ", ":").replace(", ", ",").encode() or (
        received.json == json.loads(body) | {"model": "claude-x"}
    )
    assert received.header("anthropic-beta") == sent["anthropic-beta"]
    assert received.header("anthropic-version") == sent["anthropic-version"]
    assert received.header("x-app") is None
    assert received.header("x-api-key")
    assert received.header("authorization") is None
    assert answer.headers["x-tollway-upstream-request-id"] == "req_upstream"


def test_what_was_cached_is_metered_apart(client: Anthropic, claude: Gateway) -> None:
    for streamed in (False, True):
        mark = new_mark()
        asked: dict[str, Any] = {"model": CLAUDE, "max_tokens": 100, "metadata": {"user_id": mark}, "messages": ASKED}
        if streamed:
            with client.messages.stream(**asked) as stream:
                stream.until_done()
        else:
            client.messages.create(**asked)
        entry = claude.entry(mark)
        kinds = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
        assert [entry[f"usage_{kind}"] for kind in kinds] == [25, 200, 10, 20, 40]
        assert (entry["usage_source"], entry["model_answered"]) == ("provider", MODEL)
        assert (entry["surface"], entry["status"], entry["stream"]) == ("messages", 200, streamed)


@each_model
def test_tools_go_round_with_the_thoughts_that_led_to_them(client: Anthropic, model: str) -> None:
    tooled = model if model == CLAUDE else "stub/tools"
    asked: dict[str, Any] = {"model": tooled, "max_tokens": 4_000, "tools": [WEATHER]}
    said: list[MessageParam] = [{"role": "user", "content": "What is the weather in Paris?"}]
    for streamed in (False, True):
        if streamed:
            with client.messages.stream(messages=said, **asked) as stream:
                first = stream.get_final_message()
        else:
            first = client.messages.create(messages=said, **asked)
        assert first.stop_reason == "tool_use"
        if model == CLAUDE:
            thought = first.content[0]
            assert thought.type == "thinking"
            assert (thought.thinking, thought.signature) == (THOUGHT, SIGNATURE)
        call = first.content[-1]
        assert call.type == "tool_use"
        assert (call.name, call.input) == ("weather", {"city": "Paris"})
        result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "21 °C"}]}
        turn: list[MessageParam] = [
            *said,
            {"role": "assistant", "content": first.content},  # type: ignore[typeddict-item]  # as its users write it
            {"role": "user", "content": [result]},
        ]
        second = client.messages.create(messages=turn, **asked)
        assert second.content[0].text == "The tool says: 21 °C"  # type: ignore[union-attr]


def test_tokens_are_counted_by_the_provider_or_estimated_here(client: Anthropic, claude: Gateway) -> None:
    mark = new_mark()
    asked: dict[str, Any] = {"messages": ASKED, "system": "Be brief.", "tools": [WEATHER]}
    told = client.messages.with_raw_response.count_tokens(model=CLAUDE, **asked)
    assert told.parse().input_tokens == 12
    assert "x-tollway-estimated" not in told.headers
    made = client.messages.with_raw_response.count_tokens(
        model=OTHER, extra_body={"metadata": {"user_id": mark}}, **asked
    )
    assert 20 < made.parse().input_tokens < 80
    assert (made.headers["x-tollway-estimated"], made.headers["x-tollway-cost"]) == ("true", "0")
    entry = claude.entry(mark)
    assert (entry["surface"], entry["status"]) == ("count_tokens", 200)
    assert (entry["charge_pico"], entry["usage_input"]) == (0, 0)


@pytest.mark.parametrize(
    ("model", "kind", "error"),
    [
        ("nowhere/x", "not_found_error", anthropic.NotFoundError),
        ("claude/claude-overloaded", "overloaded_error", anthropic.APIStatusError),
        ("claude/claude-poor", "invalid_request_error", anthropic.BadRequestError),
        ("stub/rate-limited", "rate_limit_error", anthropic.RateLimitError),
    ],
)
def test_errors_come_as_the_sdks_own(
    client: Anthropic, model: str, kind: str, error: type[anthropic.APIStatusError]
) -> None:
    with pytest.raises(error) as caught:
        client.messages.create(model=model, max_tokens=10, messages=ASKED)
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["error"]["message"]


def test_a_stranger_is_told_so(claude: Gateway) -> None:
    with (
        Anthropic(base_url=claude.url, api_key="tw-unknown", max_retries=0) as opened,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        opened.messages.create(model=CLAUDE, max_tokens=10, messages=ASKED)
    assert caught.value.request_id
    body: Any = caught.value.body
    assert body["error"]["type"] == "authentication_error"
    assert body["request_id"] == caught.value.request_id


def test_a_spent_budget_is_a_billing_error(claude: Gateway) -> None:
    broke = Spender(claude)
    broke.budget("0")
    answer = claude.post("/v1/messages", {"model": CLAUDE, "max_tokens": 10, "messages": ASKED}, key=broke.key)
    assert answer.status_code == 402
    assert answer.json()["error"]["type"] == "billing_error"
    assert answer.json()["error"]["code"] == "budget_exceeded"
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/messages", 405), ("POST", "/v1/messages/no", 404)])
def test_errors_of_paths_come_in_the_envelope_too(claude: Gateway, method: str, path: str, status: int) -> None:
    answer = claude.client.request(method, path, json={}, headers={"x-api-key": claude.project_key})
    assert answer.status_code == status
    assert answer.json()["type"] == "error"
    assert answer.json()["request_id"] == answer.headers["request-id"]


def test_an_error_inside_a_stream_reaches_the_sdk(client: Anthropic) -> None:
    with (
        pytest.raises(anthropic.APIStatusError, match="Overloaded"),
        client.messages.stream(model="claude/claude-broken", max_tokens=10, messages=ASKED) as stream,
    ):
        stream.until_done()


@each_model
def test_a_request_of_claude_code_is_served(claude: Gateway, model: str) -> None:
    mark = new_mark()
    session = json.dumps({"device_id": mark, "session_id": mark})
    body = {
        "model": model,
        "max_tokens": 32_000,
        "stream": True,
        "metadata": {"user_id": session},
        "system": [
            {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]}
        ],
    }
    sent = {
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,fine-grained-tool-streaming-2025-05-14",
        "anthropic-version": "2023-06-01",
        "x-api-key": claude.project_key,
        "x-app": "cli",
        "anthropic-dangerous-direct-browser-access": "true",
        "user-agent": "claude-cli/2.1.0 (external, cli)",
    }
    answer: httpx.Response = claude.client.post("/v1/messages?beta=true", json=body, headers=sent)
    assert answer.is_success, answer.text
    names = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert (names[0], names[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert ": x-tollway-cost " in answer.text


def test_models_are_listed_in_the_sdks_own_form(client: Anthropic, claude: Gateway) -> None:
    listed = list(client.models.list())
    assert "stub/plain" in [model.id for model in listed]
    assert client.models.retrieve("stub/plain").type == "model"
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.models.retrieve("nowhere/x")
    body: Any = caught.value.body
    assert body["error"]["type"] == "not_found_error"
    assert "owned_by" in claude.client.get("/v1/models", headers=claude.headers()).json()["data"][0]
