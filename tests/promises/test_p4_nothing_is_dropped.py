"""P4: nothing is dropped on the way: fields and bytes pass both ways, but for the documented changes."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.gateway import Gateway, chat_body, new_mark
from support.recordings import raw_fields
from support.replies import SSE, recut
from support.standin import Received, Reply, StandIn

ODD_BODY = (
    b'{ "a_field_of_tomorrow" : {"deep":[1.0, 1e2,\t-0, 12345678901234567890123,"\\u00e9\\/"]}, '
    b'"temperature":1.50, "model" : "stub/plain",'
    b'"messages":[ {"role":"user","content":"na\xc3\xafve \xf0\x9f\x9a\x8f"} ],'
    b'"seed":0.10000000000000000001,"stop":null,"user":"%b"}'
)
HALF_PAIRS = (
    rb'{"model": "stub/halves", "user": "half\udc00", "metadata": {"a": "\ud83d"}, "stop": ["\ude80\ud83d"],'
    rb'"messages": [{"role": "user", "content": "\\\ud83d \ud83d\ude80 \ud83d"}], "stream_options": {"x": "\ud83d"}'
)
"""Halves of surrogate pairs, escaped: JSON allows them, and a token's end may cut a character in two."""
FIELD_NAMES = st.text(max_size=12).filter(lambda name: name not in {"model", "messages", "stream", "user", "metadata"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def heard(standin: StandIn, mark: str) -> Received:
    (received,) = standin.marked(mark)
    return received


def test_every_value_keeps_its_place_and_its_text(gateway: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    body = ODD_BODY.replace(b"%b", mark.encode())
    assert gateway.post("/v1/chat/completions", body).is_success
    expected = [(name, b'"plain"' if name == "model" else value) for name, value in raw_fields(body)]
    assert raw_fields(heard(standin, mark).body) == expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(extra=st.dictionaries(FIELD_NAMES, JSON, max_size=6), ascii_only=st.booleans(), indent=st.none() | st.just(1))
def test_whatever_field_is_sent_arrives(
    gateway: Gateway, standin: StandIn, *, extra: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    mark = new_mark()
    fields = extra | {"model": "stub/plain", "messages": [], "user": mark}
    try:
        body = json.dumps(fields, ensure_ascii=ascii_only, indent=indent).encode()
    except UnicodeEncodeError:
        return  # a lone surrogate is no text
    answer = gateway.post("/v1/chat/completions", body)
    if answer.is_success:
        expected = [(name, b'"plain"' if name == "model" else value) for name, value in raw_fields(body)]
        assert raw_fields(heard(standin, mark).body) == expected
    else:
        assert answer.status_code == 400
        assert answer.json()["error"]["code"]


def test_half_a_surrogate_pair_passes_both_ways(gateway: Gateway, standin: StandIn) -> None:
    body = rb'{"choices":[{"message":{"content":"\ud83d"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
    standin.on("halves", Reply([body]))
    answer = gateway.post("/v1/chat/completions", HALF_PAIRS + b"}")
    assert answer.content == body
    sent = json.loads(HALF_PAIRS + b"}") | {"model": "halves"}
    assert json.loads(heard(standin, "half\udc00").body) == sent
    entry = gateway.entry("half\ufffd")
    assert (entry["usage_source"], entry["tags"]) == ("provider", {"a": "\ufffd"})


def test_half_a_surrogate_pair_passes_in_a_stream_and_in_an_error(gateway: Gateway, standin: StandIn) -> None:
    events = rb'data: {"model":"m","choices":[{"delta":{"content":"\ud83d"}}]}' + b"\n\n"
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2},"x":"\\ude80"}\n\n'
    standin.on("halves", Reply([events + usage + b"data: [DONE]\n\n"], headers=SSE))
    answer = gateway.post("/v1/chat/completions", HALF_PAIRS + b', "stream": true}')
    assert answer.content.startswith(events)
    assert b'"usage"' not in answer.content
    refusal = rb'{"error": {"message": "\ud83d", "code": "odd"}}'
    standin.on("halves", Reply([refusal], status=400))
    assert gateway.post("/v1/chat/completions", HALF_PAIRS + b"}").content == refusal


def test_a_reply_passes_byte_for_byte(gateway: Gateway, standin: StandIn) -> None:
    body = (
        b'{\n  "id":"x" , "model":"m","choices":[ ],"n":1.50,'
        b'"usage":{"prompt_tokens":1,"completion_tokens":0}, "\\u00e9":"\xf0\x9f\x9a\x8f"}\n'
    )
    standin.on("odd-reply", Reply([body]))
    answer = gateway.chat("odd-reply")
    assert answer.content == body


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_stream_passes_byte_for_byte_with_comments_and_multi_line_data(
    gateway: Gateway, standin: StandIn, line_end: bytes
) -> None:
    lines = [
        b": hello",
        b"",
        b"id: 7",
        b"event: chunk",
        b'data: {"model":"m","choices":[{"index":0,',
        b'data: "delta":{"content":"na\xc3\xafve"}}]}',
        b"",
        b'data:{"choices":[{"index":0,"delta":{"content":"\xf0\x9f\x9a\x8f"}}],"usage":null}',
        b"",
        b"retry: 10",
        b"",
        b"unknown line",
        b"",
    ]
    body = line_end.join([*lines, b""])
    end = b"data: [DONE]" + line_end * 2
    standin.on("odd-stream", lambda received: Reply(recut(body + end, received.serial), headers=SSE, framing="chunked"))
    for _ in range(20):  # other cuts each time
        answer = gateway.chat("odd-stream", stream=True).content
        assert re.sub(rb": x-tollway-cost [0-9.]+\n\n", b"", answer) == body + end  # between events, or within a CRLF
        assert answer.index(b": x-tollway-cost") <= len(body) < answer.index(b"[DONE]")


def test_usage_is_asked_for_and_taken_out_again(gateway: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    text = gateway.chat(user=mark, stream=True, stream_options={"include_obfuscation": False}).text
    assert '"usage"' not in text
    received = standin.marked(mark)[0]
    assert received.json["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert gateway.entry(mark)["usage_source"] == "provider"


def test_usage_that_was_asked_for_stays(gateway: Gateway) -> None:
    assert '"usage"' in gateway.chat(stream=True, stream_options={"include_usage": True}).text


def test_an_event_is_not_held_back_until_the_next_one(gateway: Gateway, standin: StandIn) -> None:
    standin.hold()
    body = chat_body("held", stream=True)
    with gateway.client.stream("POST", "/v1/chat/completions", json=body, headers=gateway.headers()) as stream:
        pieces = stream.iter_bytes()
        seen = b""
        while b"every" not in seen:  # the last event before the provider pauses
            seen += next(pieces)
        standin.release()
        assert b"".join(pieces).endswith(b"data: [DONE]\n\n")


def test_rate_limit_headers_of_the_provider_reach_the_caller(gateway: Gateway, standin: StandIn) -> None:
    told = (("x-ratelimit-remaining-requests", "41"), ("x-ratelimit-reset-tokens", "6m0s"), ("openai-version", "2020"))
    body = b'{"usage":{"prompt_tokens":1,"completion_tokens":1}}'
    standin.on("limited", Reply([body], headers=(("content-type", "application/json"), *told)))
    answer = gateway.chat("limited")
    assert answer.headers["x-ratelimit-remaining-requests"] == "41"
    assert answer.headers["x-ratelimit-reset-tokens"] == "6m0s"


@pytest.mark.parametrize(
    "model", ["rate-limited", "bad-request", "forbidden", "unprocessable", "missing", "broken", "overloaded"]
)
def test_an_error_of_the_provider_keeps_its_status_and_its_words(
    gateway: Gateway, standin: StandIn, model: str
) -> None:
    direct = gateway.client.post(f"{standin.base_url}/chat/completions", json={"model": model})
    answer = gateway.chat(model)
    assert (answer.status_code, answer.content) == (direct.status_code, direct.content)
    assert answer.headers["x-tollway-error-source"] == "upstream"


def test_the_callers_key_and_headers_stay_here_and_the_credential_goes_up(gateway: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    headers = {"cookie": "session=secret", "x-forwarded-for": "10.0.0.1", "x-api-key": "other-secret"}
    gateway.post("/v1/chat/completions", chat_body(user=mark), headers=headers)
    received = standin.marked(mark)[0]
    assert (received.header("authorization") or "").startswith("Bearer sk-stub-credential")
    sent = " ".join(value for _, value in received.headers)
    assert gateway.project_key not in sent
    assert "secret" not in sent.replace("must-stay-secret", "")
