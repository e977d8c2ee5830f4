"""The dialect of the Responses API, judged by OpenAI's own SDK: requests are read, answers and streams are told."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace
from openai import omit
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent

from support.chats import answer_parts, objects, replies, texts
from support.told import events_of
from tollway.api.dialects.responses import ResponsesDialect
from tollway.api.inference.surfaces import SURFACES
from tollway.chat.events import Begun, Broke, Delta, PartBegun
from tollway.chat.losses import Losses
from tollway.chat.message import ImagePart, OpaquePart, Part, RefusalPart, TextPart, ThinkingPart, ToolCallPart
from tollway.chat.reply import ChatReply, Choice, Stop
from tollway.chat.request import ChatRequest, ProviderTool, Reasoning, ResponseFormat, Tool, ToolChoice
from tollway.errors import InvalidRequestError, UnsupportedFieldError, UpstreamError
from tollway.ledger.usage import Usage
from tollway.providers.sse import EventSplitter
from tollway.routing.call import Call, Recalled

DIALECT = ResponsesDialect()
SURFACE = SURFACES["/v1/responses"]
TOLD = (TextPart, RefusalPart, ThinkingPart, ToolCallPart)


def call_of(**fields: Any) -> Call:
    body = json.dumps({"model": "stub/plain", "input": "hi"} | fields).encode()
    return DIALECT.parse(body, surface=SURFACE, headers={})


def chat_of(**fields: Any) -> ChatRequest:
    return DIALECT.to_chat(call_of(**fields), Losses(drop=False, target="it"))


def read(reply: ChatReply, **fields: Any) -> Response:
    body = json.loads(DIALECT.render_reply(reply, call_of(**fields)))
    found = construct_type(type_=Response, value=body)
    assert isinstance(found, Response)
    return found


def streamed(reply: ChatReply, **fields: Any) -> list[dict[str, Any]]:
    """The events of a stream of this answer, as JSON."""
    renderer = DIALECT.renderer(call_of(stream=True, **fields))
    out = b"".join([renderer.feed([event]) for event in events_of(reply)]) + renderer.end()
    splitter = EventSplitter()
    events = [(name.decode(), json.loads(data)) for name, data in splitter.feed(out)]
    assert not splitter.torn
    assert all(name == event["type"] for name, event in events)
    return [event for _, event in events]


def without_ids(value: Any) -> Any:
    """The same without what differs from one answer to the next."""
    if isinstance(value, dict):
        return {k: without_ids(v) for k, v in value.items() if k not in {"id", "item_id", "created_at", "completed_at"}}
    return [without_ids(element) for element in value] if isinstance(value, list) else value


said = replies(
    st.one_of(
        answer_parts,
        st.builds(ToolCallPart, id=st.uuids().map(str), name=texts, arguments=texts, custom=st.just(value=True)),
    )
)


@given(said)
def test_a_stream_tells_the_same_as_a_whole_reply(reply: ChatReply) -> None:
    whole = json.loads(DIALECT.render_reply(reply, call_of(stream=True)))
    events = streamed(reply)
    assert without_ids(events[-1]["response"]) == without_ids(whole)
    assert events[-1]["type"] == f"response.{whole['status']}"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


@given(said)
def test_the_sdk_puts_a_stream_together_to_the_response_that_it_ends_with(reply: ChatReply) -> None:
    state: Any = ResponseStreamState(input_tools=[], text_format=omit)
    last: Any = None
    for event in streamed(reply):
        for made in state.handle_event(construct_type(type_=ResponseStreamEvent, value=event)):
            last = made
    assert last.type in {"response.completed", "response.incomplete"}
    snapshot = state._ResponseStreamState__current_snapshot
    assert [item.type for item in snapshot.output] == [item.type for item in last.response.output]
    for grown, told in zip(snapshot.output, last.response.output, strict=True):
        if grown.type == "message":
            assert [part.model_dump().get("text") for part in grown.content] == [
                part.model_dump().get("text") for part in told.content
            ]
        elif grown.type == "function_call":
            assert grown.arguments == told.arguments


@given(said)
def test_an_answer_that_is_sent_back_is_what_it_was(reply: ChatReply) -> None:
    body = json.loads(DIALECT.render_reply(reply, call_of()))
    chat = chat_of(input=body["output"])
    back = [part for message in chat.messages for part in message.parts]
    expected = [part for part in reply.choices[0].parts if isinstance(part, TOLD)]
    assert [_meaning(part) for part in back] == [_meaning(part) for part in expected]


def _meaning(part: Part) -> Part:
    """What this dialect has words for: a citation has no text of its own here, it is a range of the answer."""
    if isinstance(part, TextPart):
        return replace(part, citations=tuple(replace(citation, text="") for citation in part.citations))
    if isinstance(part, ThinkingPart):
        return replace(part, id="", source=part.source if part.signature else "")
    return part


@given(st.lists(st.one_of(objects, texts), max_size=4), objects)
def test_no_input_is_a_defect(items: list[Any], extra: dict[str, Any]) -> None:
    for value in (items, [extra | {"type": "function_call"}], [extra | {"role": "user", "content": items}]):
        try:
            chat_of(input=value, **{f"x_{name}": each for name, each in extra.items()})
        except InvalidRequestError as error:
            assert error.param  # noqa: PT017 -- either is right


FULL: Any = dict(  # noqa: C408 -- as a caller writes it
    instructions="Be brief.",
    input=[
        {"role": "developer", "content": "Now."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"},
                {"type": "input_audio", "input_audio": {"data": "CCCC", "format": "wav"}},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "e",
        },
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "A cat.", "annotations": []}],
        },
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "c1",
            "name": "look",
            "namespace": "zoo",
            "arguments": "{}",
            "status": "completed",
        },
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "yes"}]},
        {"type": "custom_tool_call", "call_id": "c2", "name": "run", "input": "ls"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "a b"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
    ],
    tools=[
        {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True},
        {"type": "custom", "name": "run", "format": {"type": "text"}},
        {"type": "namespace", "name": "zoo", "description": "d", "tools": [{"type": "function", "name": "look"}]},
        {"type": "web_search"},
    ],
    tool_choice={"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]},
    text={"format": {"type": "json_schema", "name": "n", "schema": {"a": 1}, "strict": True}, "verbosity": "low"},
    reasoning={"effort": "high", "summary": "auto"},
    max_output_tokens=9,
    temperature=0.5,
    top_p=0.9,
    top_logprobs=2,
    include=["message.output_text.logprobs", "reasoning.encrypted_content"],
    parallel_tool_calls=False,
    service_tier="flex",
    safety_identifier="someone",
    prompt_cache_key="k",
    client_metadata={"x-codex-installation-id": "a"},
    metadata={"a": "b"},
    store=True,
    truncation="auto",
)
"""A request with everything in it."""


def test_a_request_is_read_whole() -> None:
    chat = chat_of(**FULL)
    assert [message.role for message in chat.messages] == [
        *("system", "developer", "user", "assistant", "tool", "assistant", "tool", "assistant")
    ]
    assert [type(part).__name__ for part in chat.messages[2].parts] == [
        "TextPart",
        "ImagePart",
        "FilePart",
        "AudioPart",
    ]
    image = chat.messages[2].parts[1]
    assert isinstance(image, ImagePart)
    assert (image.media.kind, image.media.mime, image.media.value, image.detail) == (
        "base64",
        "image/png",
        "AAAA",
        "low",
    )
    thoughts, told, called = chat.messages[3].parts
    assert thoughts == ThinkingPart(text="hm", signature="e", source="responses", id="rs_1")
    assert told == TextPart(text="A cat.")
    assert called == ToolCallPart(id="c1", name="zoo__look", arguments="{}")
    assert isinstance(chat.messages[7].parts[0], OpaquePart)
    assert [tool.name if isinstance(tool, Tool) else tool.kind for tool in chat.tools] == [
        *("look", "run", "zoo__look", "web_search")
    ]
    assert isinstance(chat.tools[3], ProviderTool)
    assert chat.tool_choice == ToolChoice("required", ("look",))
    assert chat.response_format == ResponseFormat(kind="json_schema", name="n", schema=Raw(b'{"a": 1}'), strict=True)
    assert chat.reasoning == Reasoning(effort="high", summary="auto")
    assert (chat.max_output_tokens, chat.temperature, chat.top_p) == (9, 0.5, 0.9)
    assert (chat.logprobs, chat.top_logprobs, chat.verbosity) == (True, 2, "low")
    assert (chat.parallel_tool_calls, chat.service_tier, chat.user) == (False, "flex", "someone")
    assert chat.extras == {}


@pytest.mark.parametrize(
    ("fields", "lost"),
    [
        ({"input": [{"role": "user", "content": "a", "mood": "x"}]}, "input.0.mood"),
        ({"input": [{"role": "user", "content": [{"type": "input_video"}]}]}, "input.0.content.0"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"include": ["file_search_call.results"]}, "include.0"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format"),
        ({"reasoning": {"effort": "low", "mode": "x"}}, "reasoning.mode"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
    ],
)
def test_what_cannot_be_carried_is_named(fields: dict[str, Any], lost: str) -> None:
    with pytest.raises(UnsupportedFieldError) as refused:
        chat_of(**fields)
    assert refused.value.param == lost
    losses = Losses(drop=True, target="it")
    DIALECT.to_chat(call_of(**fields), losses)
    assert losses.dropped == [lost]


def test_fields_that_nobody_knows_are_carried_as_extras() -> None:
    assert chat_of(a_field_of_tomorrow={"a": 1}).extras == {"a_field_of_tomorrow": Raw(b'{"a": 1}')}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": 5}, "input"),
        ({"input": ["a"]}, "input.0"),
        ({"input": [{"type": "function_call", "name": "a"}]}, "input.0.call_id"),
        ({"input": [{"role": "nobody", "content": "a"}]}, "input.0.role"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0"),
        ({"temperature": "hot"}, "temperature"),
        ({"tools": [{"name": "a"}]}, "tools.0.type"),
    ],
)
def test_a_wrong_value_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        chat_of(**fields)
    assert refused.value.param == param


def test_input_may_be_left_out_only_if_a_dialogue_goes_on() -> None:
    for name in ("previous_response_id", "conversation", "prompt"):
        DIALECT.parse(json.dumps({"model": "m", name: "x"}).encode(), surface=SURFACE, headers={})
    with pytest.raises(InvalidRequestError) as refused:
        DIALECT.parse(b'{"model": "m"}', surface=SURFACE, headers={})
    assert refused.value.param == "input"


def test_an_answer_that_was_cut_is_incomplete_and_says_why() -> None:
    for stop, reason in ((Stop.LENGTH, "max_output_tokens"), (Stop.FILTER, "content_filter")):
        found = read(ChatReply(choices=(Choice(parts=(TextPart(text="A"),), stop=stop),)))
        assert (found.status, found.incomplete_details and found.incomplete_details.reason) == ("incomplete", reason)
        assert found.output[0].status == "incomplete"  # type: ignore[union-attr]


def test_a_response_repeats_what_was_asked_and_counts_as_this_dialect_does() -> None:
    usage = Usage(input=10, cache_read=5, cache_write_5m=2, output=7, reasoning=3)
    found = read(
        ChatReply(model="m-1", created_s=5, choices=(Choice(parts=(TextPart(text="A"),), stop=Stop.END),), usage=usage),
        instructions="Be brief.",
        metadata={"a": "b"},
        temperature=0.5,
        tools=[{"type": "function", "name": "f", "parameters": {}, "strict": None}],
    )
    assert (found.status, found.output_text, found.model, found.created_at) == ("completed", "A", "m-1", 5)
    assert (found.instructions, found.metadata, found.temperature) == ("Be brief.", {"a": "b"}, 0.5)
    assert found.tools[0].type == "function"
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.total_tokens) == (17, 10, 27)
    assert found.usage.input_tokens_details.cached_tokens == 5
    assert found.usage.output_tokens_details.reasoning_tokens == 3


def test_state_is_told_as_the_caller_asked_for_it() -> None:
    told = {"id": Raw(b'"resp_1"'), "store": Raw(b"false"), "previous_response_id": Raw(b'"resp_0"')}
    call = replace(call_of(), recalled=Recalled(told))
    body = json.loads(DIALECT.render_reply(ChatReply(choices=(Choice(),)), call))
    assert (body["id"], body["store"], body["previous_response_id"]) == ("resp_1", False, "resp_0")


def test_the_names_of_a_namespace_come_back_apart() -> None:
    part = ToolCallPart(id="c1", name="zoo__look", arguments="{}")
    tools = [{"type": "namespace", "name": "zoo", "tools": [{"type": "function", "name": "look"}]}]
    body = json.loads(DIALECT.render_reply(ChatReply(choices=(Choice(parts=(part,)),)), call_of(tools=tools)))
    assert (body["output"][0]["namespace"], body["output"][0]["name"]) == ("zoo", "look")


def test_an_error_inside_a_stream_is_the_end_of_it() -> None:
    renderer = DIALECT.renderer(call_of(stream=True))
    out = renderer.feed(
        [Begun(), PartBegun(0, 0, TextPart(text="")), Delta(0, 0, "A"), Broke("It is full.", "overloaded_error")]
    )
    last = json.loads(out.strip().rpartition(b"data: ")[2])
    assert last["type"] == "response.failed"
    assert last["response"]["error"] == {"code": "overloaded_error", "message": "It is full."}
    assert last["response"]["output"][0]["content"][0]["text"] == "A"


def test_an_error_of_ours_in_a_stream_is_one_to_the_sdk() -> None:
    event = DIALECT.error_event(UpstreamError("It broke."))
    assert event.startswith(b"event: error\n")
    told = json.loads(event.partition(b"data: ")[2])
    assert (told["type"], told["message"], told["error"]["code"]) == ("error", "It broke.", "upstream_error")
