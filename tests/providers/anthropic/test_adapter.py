"""Anthropic's Messages API, passed through: bytes stay as they are, and what they tell is read."""

import json
import random
from typing import Any

import msgspec
import pytest
from genai_prices.data import providers

from support.anthropic_recordings import messages, name_of, needs_recordings
from support.replies import recut
from tollway.api.inference.surfaces import DIALECTS, SURFACES
from tollway.ledger.usage import Usage
from tollway.providers.anthropic.adapter import AnthropicAdapter, CountAdapter
from tollway.providers.registry import REGISTRY
from tollway.routing.call import Call
from tollway.routing.catalog import Deployment
from tollway.routing.failure import FailureKind

ADAPTER = AnthropicAdapter()
SPEC = REGISTRY["anthropic"]
SURFACE = SURFACES["/v1/messages"]
AT = Deployment(
    name="claude", spec="anthropic", base_url=SPEC.base_url, credential="sk-ant-api03-x", price_provider="anthropic"
)
ANTHROPIC = next(provider for provider in providers if provider.id == "anthropic")


def call_of(body: dict[str, Any] | bytes, **headers: str) -> Call:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return DIALECTS["messages"].parse(raw, surface=SURFACE, headers=sent)


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": "claude/m", "max_tokens": 2_000, "messages": [{"role": "user", "content": "a"}]} | fields


def expected(row: dict[str, Any]) -> dict[str, int]:
    """What genai-prices reads in a whole reply."""
    _, usage = ANTHROPIC.extract_usage(json.loads(row["response_body"]))
    names = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "web_searches")
    return {name: getattr(usage, name, None) or 0 for name in names}


def counted(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input_total,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "output_tokens": usage.output_total,
        "web_searches": usage.web_searches,
    }


@needs_recordings
def test_every_recorded_message_tells_its_model_and_its_usage() -> None:
    for row in messages(status=200, streamed=False):
        answer = ADAPTER.parse_reply(row["response_body"].encode(), spec=SPEC)
        assert answer is not None, name_of(row)
        assert answer.usage is not None, name_of(row)
        assert counted(answer.usage) == expected(row), name_of(row)
        assert answer.model == json.loads(row["response_body"])["model"]
        assert answer.body is None


@needs_recordings
def test_every_recorded_stream_passes_untouched_with_its_end_held_back() -> None:
    for row in messages(status=200, streamed=True):
        body = row["response_body"].encode()
        for seed in range(3):
            reader = ADAPTER.stream_reader(call_of(asked(stream=True)), spec=SPEC)
            passed = b"".join(reader.feed(piece) for piece in recut(body, seed))
            assert reader.done, name_of(row)
            assert not reader.torn
            assert not reader.failed
            assert reader.counted
            end = reader.take_end()
            assert passed + end == body, name_of(row)
            assert end.startswith(b"event: message_stop"), name_of(row)
            answer = reader.answer()
            assert answer.usage is not None
            assert answer.usage.output_total > 0
            assert answer.model
            assert reader.delivered_texts() or b"redacted_thinking" in body, name_of(row)


@needs_recordings
def test_half_a_stream_is_torn_or_not_done_and_its_usage_is_of_a_part() -> None:
    chance = random.Random(3)
    for row in messages(status=200, streamed=True):
        body = row["response_body"].encode()
        cut = chance.randrange(body.index(b"content_block_start"), body.rindex(b"event: message_delta"))
        reader = ADAPTER.stream_reader(call_of(asked(stream=True)), spec=SPEC)
        reader.feed(body[:cut])
        reader.finish()
        assert not reader.done
        assert not reader.counted
        assert reader.answer().usage is not None


def test_an_end_without_its_empty_line_counts() -> None:
    reader = ADAPTER.stream_reader(call_of(asked(stream=True)), spec=SPEC)
    reader.feed(b'event: message_stop\ndata: {"type":"message_stop"}\n')
    assert not reader.done
    reader.finish()
    assert reader.done


def test_an_error_in_a_stream_is_noticed() -> None:
    reader = ADAPTER.stream_reader(call_of(asked(stream=True)), spec=SPEC)
    event = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    assert reader.feed(event) == event
    assert reader.failed
    assert not reader.done


def test_a_text_that_looks_like_an_event_is_a_text() -> None:
    reader = ADAPTER.stream_reader(call_of(asked(stream=True)), spec=SPEC)
    text = json.dumps('data: {"type":"message_stop"} "error" message_delta')
    event = (
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%b}}\n\n' % text.encode()
    )
    assert reader.feed(event) == event
    assert not reader.done
    assert not reader.failed
    assert reader.delivered_texts() == [json.loads(text)]


def test_the_body_is_the_callers_but_for_the_model() -> None:
    body = (
        b'{ "model":"claude/m", "max_tokens": 7, "messages":[{"role":"user","content":"\\u00e9 \xc3\xa9"}],"new":1.50}'
    )
    call = call_of(body, anthropic_version="2024-01-01", anthropic_beta="a,b", x_other="no")
    request = ADAPTER.build_request(call, surface=SURFACE, deployment=AT, spec=SPEC, model="m")
    assert request.url == "https://api.anthropic.com/v1/messages"
    assert b'"content":"\\u00e9 \xc3\xa9"' in request.body
    assert b'"new":1.50' in request.body
    assert json.loads(request.body) == json.loads(body) | {"model": "m"}
    assert request.headers["x-api-key"] == AT.credential
    assert (request.headers["anthropic-version"], request.headers["anthropic-beta"]) == ("2024-01-01", "a,b")
    assert "x-other" not in request.headers
    same = ADAPTER.build_request(call, surface=SURFACE, deployment=AT, spec=SPEC, model="claude/m")
    assert same.body is call.body


def test_the_version_of_the_api_is_named_where_the_caller_does_not() -> None:
    request = ADAPTER.build_request(call_of(asked()), surface=SURFACE, deployment=AT, spec=SPEC, model="m")
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert "anthropic-beta" not in request.headers


def test_an_oauth_token_is_shown_as_one() -> None:
    signed_in = msgspec.structs.replace(AT, credential="sk-ant-oat01-token")
    call = call_of(asked(), anthropic_beta="a")
    headers = ADAPTER.build_request(call, surface=SURFACE, deployment=signed_in, spec=SPEC, model="m").headers
    assert headers["authorization"] == "Bearer sk-ant-oat01-token"
    assert headers["anthropic-beta"] == "a,oauth-2025-04-20"
    assert "x-api-key" not in headers


@pytest.mark.parametrize(
    ("limit", "budget", "sent"),
    [
        (1_500, 1_400, {"type": "enabled", "budget_tokens": 1_400}),
        (1_500, 4_000, {"type": "enabled", "budget_tokens": 1_499}),
        (900, 4_000, None),
    ],
)
def test_a_bound_of_ours_leaves_thoughts_below_it(limit: int, budget: int, sent: dict[str, Any] | None) -> None:
    call = call_of(asked(thinking={"type": "enabled", "budget_tokens": budget}))
    request = ADAPTER.build_request(call, surface=SURFACE, deployment=AT, spec=SPEC, model="m", output_tokens=limit)
    body = json.loads(request.body)
    assert (body["max_tokens"], body.get("thinking")) == (limit, sent)


def test_a_count_costs_nothing() -> None:
    adapter = CountAdapter()
    answer = adapter.parse_reply(b'{"input_tokens": 12}', spec=SPEC)
    assert answer is not None
    assert answer.usage == Usage(requests=0)
    assert adapter.parse_reply(b'{"error": 1}', spec=SPEC) is None
    assert adapter.bound(call_of(asked()), spec=SPEC, model="m", context_tokens=9).input_tokens == 0


@pytest.mark.parametrize(
    ("status", "kind", "message", "found"),
    [
        (529, "overloaded_error", "Overloaded", FailureKind.OVERLOADED),
        (400, "invalid_request_error", "Your credit balance is too low to access the API.", FailureKind.EXHAUSTED),
        (400, "invalid_request_error", "prompt is too long: 205000 tokens > 200000 maximum", FailureKind.CONTEXT),
        (400, "invalid_request_error", "max_tokens: must be positive", FailureKind.INVALID),
        (401, "authentication_error", "invalid x-api-key", FailureKind.CREDENTIAL),
        (403, "permission_error", "no", FailureKind.CREDENTIAL),
        (404, "not_found_error", "model: claude-does-not-exist", FailureKind.NOT_FOUND),
        (429, "rate_limit_error", "This request would exceed your organization's rate limit", FailureKind.RATE_LIMITED),
        (500, "api_error", "Internal server error", FailureKind.SERVER),
        (504, "timeout_error", "Timed out", FailureKind.TIMEOUT),
        (0, "overloaded_error", "Overloaded", FailureKind.OVERLOADED),
    ],
)
def test_refusals_have_their_class(status: int, kind: str, message: str, found: FailureKind) -> None:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
    failure = ADAPTER.classify_failure(status, (("retry-after", "3"),), body)
    assert (failure.kind, failure.message, failure.code) == (found, message, kind)
    assert failure.retry_after_s == 3
    assert ADAPTER.error_body(failure, body, provider="claude") is body


def test_a_refusal_without_the_envelope_gets_one() -> None:
    failure = ADAPTER.classify_failure(502, (), b"<html>Bad gateway</html>")
    told = json.loads(ADAPTER.error_body(failure, b"<html>Bad gateway</html>", provider="claude"))
    assert (told["type"], told["error"]["type"]) == ("error", "api_error")
    assert "Bad gateway" in told["error"]["message"]


def test_an_estimate_counts_texts_and_no_pictures() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 50_000}}
    call = call_of(
        asked(system="Be brief.", messages=[{"role": "user", "content": [{"type": "text", "text": "x"}, image]}])
    )
    usage = ADAPTER.estimate(call, ["a few words"])
    assert 3 < usage.input < 30
    assert usage.output == 3
