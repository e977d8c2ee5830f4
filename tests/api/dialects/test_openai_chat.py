"""The OpenAI dialect and the OpenAI wire format mean the same by what they say, plain or streamed."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from openai.lib.streaming._deltas import accumulate_delta

from support.chats import chats, normal, replies, sent_again
from support.told import events_of
from tollway.api.dialects.openai import OpenAIDialect, parse
from tollway.chat.events import Begun, Broke, Delta, Logprobs, PartBegun
from tollway.chat.losses import Losses
from tollway.chat.message import (
    Citation,
    FilePart,
    ImagePart,
    Media,
    Message,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.chat.reply import ChatReply, Choice, Stop
from tollway.chat.request import ChatRequest, Reasoning, Tool, ToolChoice
from tollway.errors import InvalidRequestError, UnsupportedFieldError
from tollway.ledger.usage import Usage
from tollway.providers.openai_compatible.wire import OPENAI_WIRE
from tollway.providers.registry import OPENAI_COMPATIBLE
from tollway.providers.sse import EventSplitter
from tollway.routing.call import Call

DIALECT = OpenAIDialect()
ASK = [{"role": "user", "content": "Hello"}]


def sse(stream: bytes) -> list[Any]:
    """The data of all events, decoded; ``[DONE]`` stays a text."""
    splitter = EventSplitter()
    found = [data for _, data in splitter.feed(stream)]
    assert not splitter.torn
    return [data.decode() if data == b"[DONE]" else json.loads(data) for data in found]


def call(*, wants_usage: bool = False, **fields: Any) -> Call:
    options = {"stream": True, "stream_options": {"include_usage": True}} if wants_usage else {}
    body = {"model": "m", "messages": ASK} | options | fields
    return parse(json.dumps(body).encode(), surface="chat", required=("messages",))


def chat_of(losses: Losses | None = None, **fields: Any) -> ChatRequest:
    return DIALECT.to_chat(call(**fields), losses or Losses(drop=False, target="it"))


def parts_of(message: dict[str, Any], *before: dict[str, Any]) -> tuple[Part, ...]:
    return chat_of(messages=[*before, message]).messages[-1].parts


def streamed(reply: ChatReply, *, wants_usage: bool = True, **fields: Any) -> list[Any]:
    renderer = DIALECT.renderer(call(wants_usage=wants_usage, **fields))
    return sse(b"".join(renderer.feed([event]) for event in events_of(reply)) + renderer.end())


def gathered(chunks: list[Any]) -> dict[str, Any]:
    """The whole completion that the official SDK makes of a stream."""
    assert chunks[-1] == "[DONE]"
    whole: dict[Any, Any] = {}
    for chunk in chunks[:-1]:
        known = {name: value for name, value in chunk.items() if name not in {"object", "choices"}}
        whole |= {name: value for name, value in known.items() if value is not None}
        for choice in chunk["choices"]:
            number = choice["index"]
            mine = whole.setdefault(number, {"message": {}, "finish_reason": None})
            mine["message"] = accumulate_delta(mine["message"], choice["delta"])
            mine["finish_reason"] = choice["finish_reason"] or mine["finish_reason"]
    return whole


JUNK = (None, True, 5, 10**30, 1.5, "x", "", [], {}, [None], [{}], {"type": "text"}, {"type": 5}, [[]])
FULL: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            "reasoning_details": [{"type": "reasoning.text", "text": "a", "signature": "s"}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "b"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"function": {"name": "f"}}]}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "reasoning": {"effort": "low"},
    "logit_bias": {"1": 1},
    "stop": ["x"],
    "metadata": {"a": "b"},
}


def spoilt(value: Any, chance: Random) -> Any:
    """The same with some values replaced, left out or added."""
    if chance.random() < 0.05:
        return chance.choice(JUNK)
    if isinstance(value, dict):
        kept = {name: spoilt(inner, chance) for name, inner in value.items() if chance.random() > 0.03}
        more = {chance.choice(("odd", "type", "content")): chance.choice(JUNK)} if chance.random() < 0.05 else {}
        return kept | more
    return [spoilt(inner, chance) for inner in value] if isinstance(value, list) else value


# --- what a request means -------------------------------------------------------------------------------


@settings(max_examples=30)
@given(chats())
def test_a_request_written_and_read_again_is_the_same_request(chat: ChatRequest) -> None:
    assert normal(sent_again(chat)) == normal(chat)


def test_the_smaller_of_two_bounds_holds() -> None:
    assert chat_of(max_tokens=10, max_completion_tokens=20).max_output_tokens == 10


def test_old_functions_are_tools_and_their_results_find_the_call() -> None:
    chat = chat_of(
        functions=[{"name": "look", "parameters": {"type": "object"}}],
        function_call={"name": "look"},
        messages=[
            *ASK,
            {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}},
            {"role": "function", "name": "look", "content": "rain"},
        ],
    )
    assert [tool.name for tool in chat.tools if isinstance(tool, Tool)] == ["look"]
    assert chat.tool_choice == ToolChoice("tool", ("look",))
    (called,), (result,) = chat.messages[1].parts, chat.messages[2].parts
    assert isinstance(called, ToolCallPart)
    assert isinstance(result, ToolResultPart)
    assert called.id == result.call_id


def test_media_come_out_of_their_addresses() -> None:
    parts = parts_of(
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "image_url", "image_url": "https://example.com/i.png"},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,BBBB", "filename": "a.pdf"}},
                {"type": "document_url", "document_url": "https://example.com/d.pdf"},
            ],
        }
    )
    assert parts == (
        ImagePart(media=Media("base64", "AAAA", "image/png")),
        ImagePart(media=Media("url", "https://example.com/i.png")),
        FilePart(media=Media("base64", "BBBB", "application/pdf"), name="a.pdf"),
        FilePart(media=Media("url", "https://example.com/d.pdf")),
    )


def test_signed_thoughts_that_were_told_come_back_as_they_were() -> None:
    thoughts = (
        ThinkingPart(text="Hm.", signature="sig", source="anthropic"),
        ThinkingPart(redacted="sealed", source="anthropic"),
    )
    calls = (ToolCallPart(id="c", name="look", arguments="{}", signature="s2", source="gemini"),)
    reply = ChatReply(choices=(Choice(parts=(*thoughts, *calls), stop=Stop.TOOL_CALLS),))
    plain = json.loads(DIALECT.render_reply(reply, call()))["choices"][0]["message"]
    told = gathered(streamed(reply))[0]["message"]
    for message in (plain, told):
        assert message["reasoning_content"] == "Hm."
        assert parts_of(message) == (*thoughts, *calls)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reasoning_effort": "high"}, Reasoning(effort="high")),
        ({"reasoning": {"max_tokens": 99, "exclude": True}}, Reasoning(budget_tokens=99, summary="none")),
        ({"thinking": {"type": "disabled"}}, Reasoning(enabled=False)),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, Reasoning(enabled=True, budget_tokens=9)),
    ],
)
def test_every_word_for_how_much_to_think_is_understood(fields: dict[str, Any], expected: Reasoning) -> None:
    assert chat_of(**fields).reasoning == expected


def test_hints_for_openai_alone_say_nothing_elsewhere_but_to_store_does() -> None:
    assert chat_of(prompt_cache_key="k", prompt_cache_retention="24h", store=False).extras == {}
    assert chat_of(store=True).extras == {"store": Raw(b"true")}


def test_an_unknown_field_at_the_top_is_kept_and_a_null_says_nothing() -> None:
    assert [*chat_of(new_thing={"a": 1}, other=None).extras] == ["new_thing"]


@pytest.mark.parametrize(
    ("messages", "path"),
    [
        ([{"role": "user", "content": "a", "mood": "good"}], "messages.0.mood"),
        ([{"role": "user", "content": [{"type": "text", "text": "a", "font": 1}]}], "messages.0.content.0.font"),
        ([{"role": "user", "content": [{"type": "smell", "smell": 1}]}], "messages.0.content.0"),
    ],
)
def test_what_is_not_known_further_down_is_lost_by_its_path(messages: list[Any], path: str) -> None:
    with pytest.raises(UnsupportedFieldError) as refused:
        chat_of(messages=messages)
    assert refused.value.param == path
    losses = Losses(drop=True, target="it")
    chat = chat_of(losses, messages=messages)
    assert losses.dropped == [path]
    assert chat.messages[0].role == "user"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [{"role": "wizard", "content": "a"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages.0.tool_call_id"),
        ({"messages": "hello"}, "messages"),
        ({"temperature": "hot"}, "temperature"),
        ({"tool_choice": "perhaps", "tools": [{"type": "function", "function": {"name": "f"}}]}, "tool_choice"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ],
)
def test_what_is_not_as_the_dialect_says_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        chat_of(**fields)
    assert refused.value.param == param


@settings(max_examples=100)
@given(st.randoms(use_true_random=False))
def test_no_request_is_too_strange(chance: Random) -> None:
    """It is understood, or refused as a fault of the caller's."""
    try:
        fields = spoilt(FULL, chance)
        chat_of(Losses(drop=True, target="it"), **(fields if isinstance(fields, dict) else {}))
    except InvalidRequestError:
        pass


def test_half_a_surrogate_pair_is_read() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"a\\ud83d"}]}'
    chat = DIALECT.to_chat(parse(body, surface="chat", required=()), Losses(drop=False, target="it"))
    assert chat.messages == (Message("user", (TextPart(text="a\ufffd"),)),)


# --- what an answer says --------------------------------------------------------------------------------


@settings(max_examples=50)
@given(replies())
def test_a_stream_says_what_the_plain_reply_says(reply: ChatReply) -> None:
    plain = json.loads(DIALECT.render_reply(reply, call()))
    whole = gathered(streamed(reply))
    assert (whole["id"], whole["model"], whole["created"]) == (plain["id"], plain["model"], plain["created"])
    assert whole.get("usage") == plain.get("usage")
    for choice in plain["choices"]:
        told = whole[choice["index"]]
        assert told["finish_reason"] == choice["finish_reason"]
        message = told["message"]
        for name in ("tool_calls", "annotations"):
            for entry in message.get(name, ()):
                del entry["index"]
        assert {name: value for name, value in message.items() if value} == {
            name: value for name, value in choice["message"].items() if value
        }


@settings(max_examples=40)
@given(replies())
def test_an_answer_rendered_and_read_again_says_the_same(reply: ChatReply) -> None:
    rendered = DIALECT.render_reply(reply, call())
    again = OPENAI_WIRE.parse_reply(rendered, spec=OPENAI_COMPATIBLE)
    assert again is not None
    assert DIALECT.render_reply(again, call()) == rendered
    assert again.usage == reply.usage
    for told, meant in zip(again.choices, reply.choices, strict=True):
        for kind in (TextPart, RefusalPart, ThinkingPart):
            assert _text(told, kind) == _text(meant, kind)
        assert [part for part in told.parts if isinstance(part, ToolCallPart)] == [
            part for part in meant.parts if isinstance(part, ToolCallPart)
        ]


def _text(choice: Choice, kind: type[TextPart | RefusalPart | ThinkingPart]) -> str:
    return "".join(part.text for part in choice.parts if isinstance(part, kind))


def test_usage_is_told_in_openais_convention() -> None:
    usage = Usage(
        input=11, cache_read=4, audio_cache_read=1, cache_write_5m=2, audio_input=2, output=7, reasoning=4
    )  # fmt: skip
    told = json.loads(DIALECT.render_reply(ChatReply(usage=usage), call()))["usage"]
    assert (told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]) == (20, 11, 31)
    assert told["prompt_tokens_details"] == {"cached_tokens": 5, "audio_tokens": 3, "cache_write_tokens": 2}
    assert told["completion_tokens_details"] == {"reasoning_tokens": 4, "audio_tokens": 0}


def test_usage_is_streamed_only_to_those_who_ask() -> None:
    reply = ChatReply(choices=(Choice(stop=Stop.END),), usage=Usage(input=1, output=1))
    assert all("usage" not in chunk for chunk in streamed(reply, wants_usage=False)[:-1])
    *chunks, last, _ = streamed(reply)
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 2
    assert all(chunk["usage"] is None for chunk in chunks)


def test_a_caller_of_functions_is_answered_in_functions() -> None:
    parts = (ToolCallPart(id="c", name="look", arguments='{"a":1}'),)
    reply = ChatReply(choices=(Choice(parts=parts, stop=Stop.TOOL_CALLS),))
    functions = [{"name": "look", "parameters": {}}]
    plain = json.loads(DIALECT.render_reply(reply, call(functions=functions)))["choices"][0]
    told = gathered(streamed(reply, functions=functions))[0]
    for choice in (plain, told):
        assert choice["finish_reason"] == "function_call"
        assert choice["message"]["function_call"] == {"name": "look", "arguments": '{"a":1}'}
        assert "tool_calls" not in choice["message"]


def test_probabilities_stand_in_the_chunk_of_their_text() -> None:
    renderer = DIALECT.renderer(call(stream=True))
    weighed = Logprobs(0, Raw(b'{"content":[{"token":"a"}]}'))
    events = [Begun(), PartBegun(0, 0, TextPart(text="")), Delta(0, 0, "a"), weighed]
    _, chunk = sse(renderer.feed(events))
    assert chunk["choices"][0]["delta"] == {"content": "a"}
    assert chunk["choices"][0]["logprobs"] == {"content": [{"token": "a"}]}


def test_cited_documents_are_told_beside_the_addresses() -> None:
    passage = Citation("document", text="it rains", document=0, unit="page", start=1, end=2)
    address = Citation("url", url="https://example.com", title="News")
    parts = (TextPart(text="One. "), TextPart(text="Two.", citations=(passage, address)))
    reply = ChatReply(choices=(Choice(parts=parts),))
    plain = json.loads(DIALECT.render_reply(reply, call()))["choices"][0]["message"]
    for message in (plain, gathered(streamed(reply))[0]["message"]):
        assert message["content"] == "One. Two."
        cited = message["annotations"][0]["url_citation"]
        assert (cited["url"], cited["start_index"], cited["end_index"]) == ("https://example.com", 5, 9)
        assert message["citations"][0] | {"text": "it rains", "document": 0, "start": 1} == message["citations"][0]


def test_the_sequence_that_ended_an_answer_is_told() -> None:
    reply = ChatReply(choices=(Choice(stop=Stop.SEQUENCE, stop_sequence="END"),))
    (plain,) = json.loads(DIALECT.render_reply(reply, call()))["choices"]
    told = streamed(reply, wants_usage=False)[-2]["choices"][0]
    assert (plain["finish_reason"], plain["stop_reason"]) == (told["finish_reason"], told["stop_reason"])
    assert plain["stop_reason"] == "END"


def test_a_provider_that_breaks_down_is_told_in_the_envelope() -> None:
    renderer = DIALECT.renderer(call(stream=True))
    (event,) = sse(renderer.feed([Broke("out of luck")]))
    assert "out of luck" in event["error"]["message"]
