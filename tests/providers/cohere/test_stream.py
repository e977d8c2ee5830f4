"""Cohere's streams mean what its whole replies mean; its counts and its refusals."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.replies import recut
from tollway.chat.collect import collect
from tollway.chat.events import Broke, Event
from tollway.chat.message import Citation, TextPart
from tollway.chat.reply import Stop
from tollway.ledger.usage import Usage
from tollway.providers.cohere.error import classify
from tollway.providers.cohere.reply import parse_reply
from tollway.providers.cohere.stream import CohereStream
from tollway.providers.usage.cohere import parse_usage
from tollway.routing.failure import FailureKind

USAGE = {"billed_units": {"input_tokens": 3, "output_tokens": 5.0}, "tokens": {"input_tokens": 500, "output_tokens": 6}}


def reply(message: dict[str, Any], finish: str = "COMPLETE") -> dict[str, Any]:
    return {"id": "r-1", "finish_reason": finish, "message": {"role": "assistant"} | message, "usage": USAGE}


def read(body: bytes, seed: int = 0) -> tuple[list[Event], CohereStream]:
    parser = CohereStream()
    events = [event for piece in recut(body, seed) for event in parser.feed(piece)]
    return [*events, *parser.finish()], parser


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (e.get("type", "x").encode(), json.dumps(e).encode()) for e in events)


def streamed(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A whole reply as the events of a stream."""
    message = whole["message"]
    yield {"type": "message-start", "id": whole["id"], "delta": {"message": {"role": "assistant", "content": []}}}
    for index, block in enumerate(message.get("content", ())):
        kind = block["type"]
        begun = {"message": {"content": {"type": kind, kind: block[kind][:1]}}}
        yield {"type": "content-start", "index": index, "delta": begun}
        more = {"message": {"content": {kind: block[kind][1:]}}}
        yield {"type": "content-delta", "index": index, "delta": more}
        yield {"type": "content-end", "index": index}
        if kind == "text":
            for citation in message.get("citations", ()):
                yield {"type": "citation-start", "index": 0, "delta": {"message": {"citations": citation}}}
                yield {"type": "citation-end", "index": 0}
    for piece in (message.get("tool_plan", "")[:2], message.get("tool_plan", "")[2:]):
        yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}
    for index, call in enumerate(message.get("tool_calls", ())):
        function = call["function"]
        begun_call = call | {"function": function | {"arguments": ""}}
        yield {"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": begun_call}}}
        for piece in function["arguments"]:
            delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
            yield {"type": "tool-call-delta", "index": index, "delta": delta}
        yield {"type": "tool-call-end", "index": index}
    yield {"type": "message-end", "delta": {"finish_reason": whole["finish_reason"], "usage": whole["usage"]}}


texts = st.text(min_size=1, max_size=9)
blocks = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, texts),
    st.builds(lambda text: {"type": "thinking", "thinking": text}, texts),
)
calls = st.builds(
    lambda name, arguments: {"id": "i", "type": "function", "function": {"name": name, "arguments": arguments}},
    texts,
    texts,
)
messages = st.fixed_dictionaries(
    {},
    optional={"content": st.lists(blocks, max_size=4), "tool_plan": texts, "tool_calls": st.lists(calls, max_size=3)},
)


@given(messages, st.sampled_from(["COMPLETE", "TOOL_CALL", "MAX_TOKENS", "STOP_SEQUENCE", "NEW"]), st.integers(0, 99))
def test_any_reply_means_the_same_as_a_stream(message: dict[str, Any], finish: str, seed: int) -> None:
    whole = reply(message, finish)
    events, parser = read(sse(*streamed(whole)) + b"data: [DONE]\n\n", seed)
    assert collect(events) == parse_reply(json.dumps(whole).encode())
    assert parser.done
    assert not parser.torn


def test_citations_name_their_documents_and_their_tools() -> None:
    document = {"type": "document", "id": "document-2:0", "document": {"title": "T", "url": "https://t.example"}}
    tool = {"type": "tool", "id": "call_1:0", "tool_output": {"a": "b"}}
    cited = {"start": 1, "end": 3, "text": "bc", "sources": [document, tool], "type": "TEXT_CONTENT"}
    whole = reply({"content": [{"type": "text", "text": "abcd"}], "citations": [cited]})
    found = parse_reply(json.dumps(whole).encode())
    assert found is not None
    (part,) = found.choices[0].parts
    assert isinstance(part, TextPart)
    first, second = part.citations
    assert first == Citation(
        "document", text="bc", title="T", url="https://t.example", document=2, unit="answer", start=1, end=3,
        extra=first.extra,
    )  # fmt: skip
    assert json.loads(bytes(second.extra["source"])) == tool
    assert (second.kind, second.title, second.document) == ("search_result", "call_1:0", None)
    events, _ = read(sse(*streamed(whole)))
    assert collect(events) == found


def test_a_stream_that_failed_is_broken_and_not_done() -> None:
    begun = {"type": "message-start", "id": "r"}
    ended = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "no luck", "usage": USAGE}}
    events, parser = read(sse(begun, ended))
    assert events[-1] == Broke("no luck", "ERROR")
    assert not parser.done
    events, _ = read(sse(begun, {"message": "internal server error"}))
    assert events[-1] == Broke("internal server error")


def test_probabilities_are_of_the_texts_that_cohere_tells_them_for() -> None:
    items = [{"text": "ab", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]}, {"text": "c", "logprobs": [-1]}]
    found = parse_reply(
        json.dumps(reply({"content": [{"type": "text", "text": "abc"}]}) | {"logprobs": items}).encode()
    )
    assert found is not None
    raw = found.choices[0].logprobs
    assert raw is not None
    content = json.loads(bytes(raw))["content"]
    assert [(each["token"], each["logprob"]) for each in content] == [("ab", -0.75), ("c", -1)]
    delta = {"message": {"content": {"text": "c"}}}
    started = {"type": "content-start", "delta": {"message": {"content": {"type": "text", "text": "ab"}}}}
    events, _ = read(sse(started, {"type": "content-delta", "delta": delta, "logprobs": items[1]}))
    streamed_raw = collect(events).choices[0].logprobs
    assert streamed_raw is not None
    assert [each["logprob"] for each in json.loads(bytes(streamed_raw))["content"]] == [-1]


@pytest.mark.parametrize(
    ("reason", "stop"),
    [("COMPLETE", Stop.END), ("TOOL_CALL", Stop.TOOL_CALLS), ("ERROR_TOXIC", Stop.FILTER), ("ERROR", Stop.OTHER)],
)
def test_reasons_for_the_end(reason: str, stop: Stop) -> None:
    found = parse_reply(json.dumps(reply({}, reason)).encode())
    assert found is not None
    assert found.choices[0].stop is stop


def test_billed_units_are_counted_and_tokens_only_without_them() -> None:
    assert parse_usage(json.dumps(USAGE).encode()) == Usage(input=3, output=5)
    assert parse_usage(json.dumps({"tokens": USAGE["tokens"]}).encode()) == Usage(input=500, output=6)
    searched = {"billed_units": {"input_tokens": 1, "output_tokens": 2, "search_units": 1}}
    assert parse_usage(json.dumps(searched).encode()) == Usage(input=1, output=2, web_searches=1)
    for raw in (
        b"{}",
        b"[]",
        b'{"billed_units":{"input_tokens":1}}',
        b'{"billed_units":{"input_tokens":1.5}}',
        b"\xff",
    ):
        assert parse_usage(raw) is None
    infinite = b'{"billed_units":{"input_tokens":1e999,"output_tokens":1}}'
    assert parse_usage(infinite) is None


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "invalid request: too many tokens: size limit exceeded by 12 tokens", FailureKind.CONTEXT),
        (400, "invalid request: message must be at least 1 token long", FailureKind.INVALID),
        (401, "invalid api token", FailureKind.CREDENTIAL),
        (402, "please add a payment method", FailureKind.EXHAUSTED),
        (404, "model 'x' not found", FailureKind.NOT_FOUND),
        (422, "unknown field", FailureKind.INVALID),
        (429, "You are using a Trial key, which is limited to 10 API calls / minute.", FailureKind.RATE_LIMITED),
        (429, "You are using a Trial key, which is limited to 1000 API calls / month.", FailureKind.EXHAUSTED),
        (498, "invalid token", FailureKind.FILTERED),
        (500, "internal server error", FailureKind.SERVER),
        (503, "unavailable", FailureKind.OVERLOADED),
    ],
)
def test_a_refusal_has_its_class(status: int, message: str, kind: FailureKind) -> None:
    failure = classify(status, (), json.dumps({"id": "x", "message": message}).encode())
    assert (failure.kind, failure.message, failure.status) == (kind, message, status)
    assert classify(status, (), b"plain words").message == "plain words"
