"""The dialect of Anthropic's Messages API: nothing is lost on the way in and back out, whole or streamed."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from support.anthropic_recordings import messages, name_of, needs_recordings
from support.chats import citations, objects, texts, tool_calls, usages
from support.told import events_of
from tollway.api.dialects.anthropic_messages import AnthropicDialect
from tollway.api.inference.surfaces import SURFACES
from tollway.chat.collect import collect
from tollway.chat.events import Begun, Broke, Counted, Delta, Ended, Event, PartBegun, PartEnded, SignatureDelta
from tollway.chat.losses import Losses
from tollway.chat.message import Citation, OpaquePart, Part, TextPart, ThinkingPart, ToolCallPart, ToolResultPart
from tollway.chat.reply import ChatReply, Choice, Stop
from tollway.chat.request import ChatRequest, ProviderTool
from tollway.errors import BudgetExceededError, InvalidRequestError, NotFoundError, UnsupportedFieldError
from tollway.ledger.usage import Usage
from tollway.providers.anthropic.reply import parse_message
from tollway.providers.anthropic.request import messages_body
from tollway.providers.anthropic.stream import AnthropicStream
from tollway.routing.call import Call

DIALECT = AnthropicDialect()
SURFACE = SURFACES["/v1/messages"]
LOST = {"defer_loading", "allowed_callers"}
"""Members of tools to which only a provider's own tools give a meaning: the internal form lacks them."""


def call_of(body: dict[str, Any], headers: dict[bytes, bytes] | None = None) -> Call:
    return DIALECT.parse(json.dumps(body).encode(), surface=SURFACE, headers=headers or {})


def chat_of(body: dict[str, Any], *, drop: bool = False) -> tuple[ChatRequest, list[str]]:
    losses = Losses(drop=drop, target="it")
    return DIALECT.to_chat(call_of({"model": "m", "max_tokens": 9, "messages": []} | body), losses), losses.dropped


def user(*content: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}]}


def plain(value: Any) -> Any:
    """The same meaning in one form: without what is so anyway."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {name: plain(each) for name, each in value.items() if each is not None and name not in LOST}
    if kept.get("caller") == {"type": "direct"}:
        del kept["caller"]
    if kept.get("type") == "tool_result":
        kept["content"] = blocks(kept.get("content", []))
        if kept.get("is_error") is False:
            del kept["is_error"]
    if kept == {"type": "ephemeral", "ttl": "5m"}:
        del kept["ttl"]
    return kept


def blocks(content: Any) -> list[Any]:
    found = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [block for block in found if block != {"type": "text", "text": ""}]


def meaning(body: dict[str, Any]) -> dict[str, Any]:
    """A request in one form: turns of one role in a row are one, an automatic cache mark has its place."""
    request = plain({name: value for name, value in body.items() if name not in {"model", "stream"}})
    turns: list[dict[str, Any]] = []
    for turn in request["messages"]:
        content = blocks(turn["content"])
        if turns and turns[-1]["role"] == turn["role"]:
            turns[-1]["content"] += content
        elif content:
            turns.append({"role": turn["role"], "content": content})
    request["messages"] = turns
    if "cache_control" in request:
        turns[-1]["content"][-1]["cache_control"] = request.pop("cache_control")
    if "output_format" in request:
        request["output_config"] = {"format": request.pop("output_format")}
    request["system"] = blocks(request.get("system", []))
    return {name: value for name, value in request.items() if value != []}


@needs_recordings
def test_every_recorded_request_keeps_its_meaning() -> None:
    dropped: set[str] = set()
    for row in messages():
        chat, lost = chat_of(row["request_json"], drop=True)
        dropped |= {field.rpartition(".")[2] for field in lost}
        made = msgspec.json.encode(messages_body(chat, model=row["request_json"]["model"], losses=_strict()))
        assert meaning(json.loads(made)) == meaning(row["request_json"]), name_of(row)
    assert dropped == LOST


def _strict() -> Losses:
    return Losses(drop=False, target="it")


@needs_recordings
def test_every_recorded_answer_is_told_again_whole_and_streamed() -> None:
    cited = 0
    for row in messages(status=200):
        body = row["response_body"].encode()
        reply = _collected(body) if row["streaming"] else parse_message(body)
        assert reply is not None
        assert _again(reply) == replace(reply, service_tier=reply.service_tier), name_of(row)
        assert _streamed(reply).choices == _without_safety(reply).choices, name_of(row)
        cited += sum(len(part.citations) for part in reply.choices[0].parts if isinstance(part, TextPart))
    assert cited == 79


def _collected(body: bytes) -> ChatReply:
    parser = AnthropicStream()
    return collect([*parser.feed(body), *parser.finish()])


def _without_safety(reply: ChatReply) -> ChatReply:
    return replace(reply, choices=tuple(replace(choice, safety=None) for choice in reply.choices))


def _again(reply: ChatReply) -> ChatReply:
    """The reply as a caller reads it."""
    told = parse_message(DIALECT.render_reply(reply, call_of(_BODY)))
    assert told is not None
    for choice in told.choices:
        choice.beside.pop("safety", None)  # it is told besides
    return replace(told, choices=tuple(replace(choice, safety=reply.choices[0].safety) for choice in told.choices))


def _streamed(reply: ChatReply, events: list[Event] | None = None) -> ChatReply:
    renderer = DIALECT.renderer(call_of(_BODY))
    out = [renderer.feed([event]) for event in (events if events is not None else events_of(reply))]
    told = _collected(b"".join([*out, renderer.end()]))
    told.choices[0].beside.pop("safety", None)
    return told


_BODY = {"model": "m", "max_tokens": 9, "messages": [], "stream": True}

own_thoughts = st.one_of(
    st.builds(ThinkingPart, text=texts, signature=texts, source=st.just("anthropic")),
    st.builds(ThinkingPart, redacted=texts, source=st.just("anthropic")),
)
opaque = st.builds(
    OpaquePart,
    source=st.just("anthropic"),
    kind=st.just("server_tool_use"),
    raw=objects.map(lambda value: msgspec.Raw(msgspec.json.encode({"type": "server_tool_use", "input": value}))),
)
web = citations.map(lambda found: replace(found, unit="", start=None, end=None))
pages = st.builds(
    Citation, kind=st.just("document"), text=texts, title=texts, document=st.integers(0, 5),
    unit=st.sampled_from(["char", "page", "block"]), start=st.integers(0, 9), end=st.integers(9, 20),
)  # fmt: skip
said: st.SearchStrategy[Part] = st.one_of(
    st.builds(TextPart, text=texts, citations=st.lists(st.one_of(web, pages), max_size=2).map(tuple)),
    own_thoughts,
    tool_calls,
    st.builds(replace, tool_calls, caller=st.just(msgspec.Raw(b'{"type":"code_execution_20250825","tool_id":"s"}'))),
    opaque,
)
answers = st.builds(
    ChatReply,
    id=texts.map(lambda text: f"msg_{text}"),
    model=texts,
    choices=st.builds(
        Choice,
        parts=st.lists(said, max_size=5).map(tuple),
        stop=st.sampled_from([Stop.END, Stop.LENGTH, Stop.SEQUENCE, Stop.PAUSE, Stop.REFUSAL, Stop.CONTEXT]),
    ).map(lambda choice: (choice,)),
    usage=usages,
)


def _calls(reply: ChatReply) -> ChatReply:
    """With the reason that calls of tools are told by."""
    choice = reply.choices[0]
    if choice.stop is Stop.END and any(isinstance(part, ToolCallPart) for part in choice.parts):
        return replace(reply, choices=(replace(choice, stop=Stop.TOOL_CALLS),))
    return reply


def _compact(reply: ChatReply) -> ChatReply:
    """With the blank of an encrypted index that no other provider has, and the JSON of opaque blocks, in one form."""
    parts = []
    for part in reply.choices[0].parts:
        if isinstance(part, TextPart):
            part = replace(part, citations=tuple(replace(each, extra={}) for each in part.citations))  # noqa: PLW2901
        elif isinstance(part, OpaquePart):
            part = replace(part, raw=msgspec.Raw(json.dumps(json.loads(bytes(part.raw)), sort_keys=True).encode()))  # noqa: PLW2901
        parts.append(part)
    return replace(reply, choices=(replace(reply.choices[0], parts=tuple(parts)),))


@settings(max_examples=40)
@given(answers)
def test_an_answer_means_the_same_after_a_round_trip(reply: ChatReply) -> None:
    assert _compact(_again(reply)) == _compact(_calls(reply))


@settings(max_examples=40)
@given(answers)
def test_a_stream_means_the_same_as_the_whole_answer(reply: ChatReply) -> None:
    assert _compact(_streamed(reply)) == _compact(_again(reply))


@settings(max_examples=40)
@given(answers, st.randoms())
def test_parts_that_come_interleaved_are_told_one_after_the_other(reply: ChatReply, chance: Any) -> None:
    events = list(events_of(reply))
    queues = [[event for event in events if getattr(event, "index", None) == index] for index in range(len(events))]
    mixed: list[Event] = []
    queues = [queue for queue in queues if queue]
    while queues:
        queue = chance.choice(queues)
        mixed.append(queue.pop(0))
        queues = [queue for queue in queues if queue]
    rest = [event for event in events if not hasattr(event, "index")]
    told = _streamed(reply, [rest[0], *mixed, *rest[1:]])
    assert _sorted(told) == _sorted(_again(reply))


def _sorted(reply: ChatReply) -> list[bytes]:
    return sorted(msgspec.json.encode(part) for part in _compact(reply).choices[0].parts)


def test_signatures_of_others_come_back_to_them() -> None:
    parts = (
        ThinkingPart(text="hm", signature="sig:1/ü", source="gemini"),
        ThinkingPart(redacted="secret", source="responses", id="rs_1"),
        ToolCallPart(id="c1", name="f", arguments='{"a": 1}', signature="call:sig", source="gemini"),
        ToolCallPart(id="c2", name="f", arguments="{}"),
    )
    reply = ChatReply(id="x", model="m", choices=(Choice(parts=parts, stop=Stop.TOOL_CALLS),), usage=Usage(1))
    for body in (
        json.loads(DIALECT.render_reply(reply, call_of(_BODY))),
        {"content": [_raw(part) for part in _streamed(reply).choices[0].parts]},
    ):
        chat, _ = chat_of({"messages": [{"role": "assistant", "content": body["content"]}]})
        assert chat.messages[0].parts == parts


def _raw(part: Part) -> dict[str, Any]:
    if isinstance(part, ToolCallPart):
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": json.loads(part.arguments)}
    assert isinstance(part, ThinkingPart)
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.redacted}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def test_a_signature_that_comes_after_a_call_is_told_too() -> None:
    call = ToolCallPart(id="c1", name="f", source="gemini")
    events: list[Event] = [
        Begun("x", "m"),
        PartBegun(0, 0, call),
        Delta(0, 0, "{}"),
        SignatureDelta(0, 0, "late"),
        PartEnded(0, 0),
        Ended(0, Stop.TOOL_CALLS),
        Counted(Usage(1), whole=True),
    ]
    told = _streamed(ChatReply(), events)
    chat, _ = chat_of({"messages": [{"role": "assistant", "content": [_raw(p) for p in told.choices[0].parts]}]})
    assert chat.messages[0].parts == (replace(call, arguments="{}", signature="late"),)


def test_a_stream_that_breaks_ends_with_an_error_event() -> None:
    renderer = DIALECT.renderer(call_of(_BODY))
    told = renderer.feed([Begun("x", "m"), Broke("Overloaded", "overloaded_error")])
    assert told.startswith(b"event: message_start\n")
    error = json.loads(told.rpartition(b"data: ")[2])
    assert error["error"]["type"] == "overloaded_error"


def test_results_of_tools_are_messages_of_their_own() -> None:
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "rain", "is_error": True}
    chat, _ = chat_of(user(result, {"type": "text", "text": "and now?"}))
    assert [message.role for message in chat.messages] == ["tool", "user"]
    part = chat.messages[0].parts[0]
    assert part == ToolResultPart(call_id="c1", parts=(TextPart(text="rain"),), failed=True)


def test_what_asks_for_nothing_is_no_loss() -> None:
    tool = {"name": "f", "input_schema": {}, "defer_loading": False, "allowed_callers": ["direct"]}
    kept = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
    chat, lost = chat_of({"tools": [tool | {"eager_input_streaming": True}], "context_management": kept})
    assert (chat.extras, lost, len(chat.tools)) == ({}, [], 1)
    cleared = {"edits": [*kept["edits"], {"type": "clear_tool_uses_20250919"}]}
    assert chat_of({"context_management": cleared})[0].extras.keys() == {"context_management"}


def test_what_only_this_format_knows_stays_as_it_came() -> None:
    search = {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]}
    server_tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 1}
    chat, _ = chat_of(user(search) | {"tools": [server_tool], "container": "c1", "mcp_servers": [{"name": "n"}]})
    part, tool = chat.messages[0].parts[0], chat.tools[0]
    assert isinstance(part, OpaquePart)
    assert isinstance(tool, ProviderTool)
    assert (json.loads(bytes(part.raw)), json.loads(bytes(tool.raw))) == (search, server_tool)
    assert chat.extras.keys() == {"container", "mcp_servers"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": "no"}, "messages"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        (user({"text": "a"}), "messages.0.content.0.type"),
        (user({"type": "image"}), "messages.0.content.0.source"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
        ({"tool_choice": {"type": "sometimes"}}, "tool_choice.type"),
        ({"temperature": "hot"}, "temperature"),
        ({"system": 1}, "system"),
        (user({"type": "tool_use", "id": "a", "name": "b", "input": 1}), "messages.0.content.0.input"),
    ],
)
def test_a_wrong_value_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        chat_of(body)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (user({"type": "text", "text": "a", "new": 1}), "messages.0.content.0.new"),
        ({"metadata": {"user_id": "u", "team": "t"}}, "metadata.team"),
        ({"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}]}, "tools.0.defer_loading"),
        ({"tools": [{"name": "f", "input_schema": {}, "allowed_callers": ["direct", "x"]}]}, "tools.0.allowed_callers"),
        ({"output_config": {"effort": "low", "task_budget": {}}}, "output_config.task_budget"),
        ({"thinking": {"type": "between_tools"}}, "thinking.type"),
    ],
)
def test_what_cannot_be_carried_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(UnsupportedFieldError) as refused:
        chat_of(body)
    assert refused.value.param == param
    assert chat_of(body, drop=True)[1] == [param]


def test_the_top_level_is_read_without_the_rest() -> None:
    call = call_of(
        {"model": "m", "max_tokens": 1, "messages": "?", "stream": True, "metadata": {"user_id": "u"}},
        {b"x-tollway-tags": b"team=search", b"anthropic-beta": b"a", b"x-api-key": b"secret"},
    )
    assert (call.model, call.stream, call.wants_usage, call.user_tag) == ("m", True, True, "u")
    assert call.tags == (("team", "search"),)
    assert call.headers == (("anthropic-beta", "a"),)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BudgetExceededError("b"), "billing_error"),
        (NotFoundError("n"), "not_found_error"),
        (InvalidRequestError("i"), "invalid_request_error"),
    ],
)
def test_errors_have_the_kind_of_their_status(error: Any, kind: str) -> None:
    error.request_id = "r"
    told = json.loads(DIALECT.error_body(error))
    assert (told["type"], told["error"]["type"], told["request_id"]) == ("error", kind, "r")
    assert told["error"]["code"] == error.code
    assert DIALECT.error_event(error).startswith(b"event: error\ndata: {")
