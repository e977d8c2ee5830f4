"""The OpenAI wire format: the conformance suite for every provider that speaks it, and what is told to whom."""

import json
from typing import Any

import pytest
from msgspec import Raw

from support.chats import AT
from support.recordings import available, recordings
from tollway.chat.collect import collect
from tollway.chat.events import Begun, Broke, Counted, Event, PartBegun, SignatureDelta
from tollway.chat.losses import Losses
from tollway.chat.message import (
    Citation,
    FilePart,
    ImagePart,
    Media,
    Message,
    Part,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.chat.reply import Stop
from tollway.chat.request import ChatRequest, Reasoning, Tool, ToolChoice
from tollway.conformance.requests import CASES
from tollway.conformance.suite import ProviderConformance, Recording
from tollway.providers.openai_compatible.wire import OPENAI_WIRE
from tollway.providers.registry import REGISTRY, ProviderSpec
from tollway.providers.wire_names import ANTHROPIC, GEMINI, OPENAI
from tollway.routing.failure import FailureKind

ROWS = [row for row in REGISTRY.values() if row.dialect == OPENAI]
RECORDED_MAX = 12
"""Recordings of one provider for the suite; all of them go through `test_openai_wire`."""
_USER = Message("user", (TextPart(text="Hello"),))


def recorded(provider: str) -> tuple[Recording, ...]:
    """Some exchanges, but for those that end otherwise than they should: `test_openai_wire` has them all."""
    rows = [row for row in recordings() if row.provider == provider and row.surface == "chat"] if available() else []
    whole = [row for row in rows if b"finish_reason" in row.body and b"event: error" not in row.body]
    return tuple(
        Recording(
            name=row.name,
            body=row.body,
            status=row.status,
            streamed=row.stream,
            counted=b'"prompt_tokens"' in row.body,
        )
        for row in whole[:RECORDED_MAX]
    )


class TestOpenAI(ProviderConformance):
    spec = REGISTRY["openai"]
    wire = OPENAI_WIRE
    recordings = recorded("openai")


class TestAzure(ProviderConformance):
    spec = REGISTRY["azure"]
    wire = OPENAI_WIRE
    recordings = recorded("azure")


class TestMistral(ProviderConformance):
    spec = REGISTRY["mistral"]
    wire = OPENAI_WIRE
    recordings = recorded("mistral")


class TestOpenRouter(ProviderConformance):
    spec = REGISTRY["openrouter"]
    wire = OPENAI_WIRE
    recordings = recorded("openrouter")


class _AnyRow(ProviderConformance):
    __test__ = False
    wire = OPENAI_WIRE


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_request_to_any_provider_is_carried_or_its_loss_is_named(row: ProviderSpec) -> None:
    suite = type(row.name, (_AnyRow,), {"spec": row})()
    for case in CASES:
        suite.test_a_request_is_carried_or_its_loss_is_named(case)


def asked(provider: str, *parts: Part, losses: Losses | None = None, **fields: Any) -> dict[str, Any]:
    """What a provider gets for a request."""
    messages = fields.pop("messages", (Message("user", parts),) if parts else (_USER,))
    request = OPENAI_WIRE.build_request(
        ChatRequest(source=fields.pop("source", ANTHROPIC), messages=messages, **fields),
        deployment=AT,
        spec=REGISTRY[provider],
        model="m",
        losses=losses or Losses(drop=False, target="it"),
    )
    return dict(json.loads(request.body))


def heard(
    *chunks: dict[str, Any], provider: str = "openai_compatible", end: bytes = b"data: [DONE]\n\n"
) -> list[Event]:
    parser = OPENAI_WIRE.stream_parser(spec=REGISTRY[provider])
    stream = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    events = [*parser.feed(stream + end), *parser.finish()]
    assert parser.done
    return events


def delta(finish: str | None = None, **said: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


# --- what a provider is asked ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "field"),
    [("openai", "max_completion_tokens"), ("mistral", "max_tokens"), ("cerebras", "max_completion_tokens")],
)
def test_the_bound_of_the_output_stands_in_the_field_that_is_heeded(provider: str, field: str) -> None:
    assert asked(provider, max_output_tokens=99)[field] == 99


@pytest.mark.parametrize(("provider", "asks"), [("openai", True), ("mistral", False), ("perplexity", False)])
def test_usage_is_asked_for_where_it_can_be(provider: str, *, asks: bool) -> None:
    assert (asked(provider, stream=True).get("stream_options") == {"include_usage": True}) is asks


@pytest.mark.parametrize(("provider", "role"), [("openai", "developer"), ("groq", "system"), ("deepseek", "system")])
def test_a_developer_is_the_system_where_there_is_no_such_role(provider: str, role: str) -> None:
    message = Message("developer", (TextPart(text="Be brief."),))
    assert asked(provider, messages=(message, _USER))["messages"][0] == {"role": role, "content": "Be brief."}


@pytest.mark.parametrize(
    ("provider", "told"),
    [
        ("openai", {"reasoning_effort": "low"}),
        ("openrouter", {"reasoning": {"max_tokens": 2_000, "enabled": True}}),
        ("deepseek", {"thinking": {"type": "enabled"}}),
        ("perplexity", {"reasoning_effort": "low"}),
    ],
)
def test_a_budget_of_thoughts_is_told_in_the_providers_words(provider: str, told: dict[str, Any]) -> None:
    body = asked(provider, reasoning=Reasoning(enabled=True, budget_tokens=2_000))
    assert {name: body[name] for name in told} == told


def test_switched_off_thinking_is_told_only_where_there_is_a_word_for_it() -> None:
    off = Reasoning(enabled=False)
    assert "reasoning_effort" not in asked("openai", reasoning=off)
    assert asked("zai", reasoning=off)["thinking"] == {"type": "disabled"}
    assert asked("openai", reasoning=Reasoning(effort="none"))["reasoning_effort"] == "none"
    assert asked("groq", reasoning=Reasoning(effort="max"))["reasoning_effort"] == "high"
    assert asked("deepseek", reasoning=Reasoning(effort="low"))["reasoning_effort"] == "high"


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("openai", {"role": "assistant", "content": "Yes."}),
        ("deepseek", {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."}),
        ("groq", {"role": "assistant", "content": "Yes.", "reasoning": "Hm."}),
        (
            "mistral",
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                    {"type": "text", "text": "Yes."},
                ],
            },
        ),
        (
            "openrouter",
            {
                "role": "assistant",
                "content": "Yes.",
                "reasoning_details": [
                    {
                        "type": "reasoning.text",
                        "text": "Hm.",
                        "signature": "s",
                        "format": "anthropic-claude-v1",
                        "index": 0,
                    }
                ],
            },
        ),
    ],
)
def test_thoughts_go_back_as_the_provider_takes_them(provider: str, expected: dict[str, Any]) -> None:
    parts = (ThinkingPart(text="Hm.", signature="s", source=ANTHROPIC), TextPart(text="Yes."))
    assert asked(provider, messages=(_USER, Message("assistant", parts)))["messages"][1] == expected


def test_images_of_tools_follow_their_results() -> None:
    shot = ImagePart(media=Media("base64", "AAAA", "image/png"))
    result = ToolResultPart(call_id="a", parts=(TextPart(text="see"), shot))
    failed = ToolResultPart(call_id="b", parts=(TextPart(text="no"),), failed=True)
    calls = Message("assistant", (ToolCallPart(id="a", name="f"), ToolCallPart(id="b", name="f")))
    messages = asked("openai", messages=(_USER, calls, Message("tool", (result, failed)), _USER))["messages"]
    assert messages[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert messages[2] == {"role": "tool", "tool_call_id": "a", "content": "see"}
    assert messages[3] == {"role": "tool", "tool_call_id": "b", "content": "Error: no"}
    assert messages[4]["content"][1]["image_url"] == {"url": "data:image/png;base64,AAAA"}
    assert messages[5] == {"role": "user", "content": "Hello"}


def test_tools_that_may_not_be_called_are_not_shown_where_there_is_no_word_for_it() -> None:
    tools = (Tool(name="a"), Tool(name="b"))
    choice = ToolChoice("required", ("b",))
    shown = asked("openai", tools=tools, tool_choice=choice)
    assert len(shown["tools"]) == 2
    assert shown["tool_choice"]["allowed_tools"]["tools"] == [{"type": "function", "function": {"name": "b"}}]
    hidden = asked("groq", tools=tools, tool_choice=choice)
    assert [tool["function"]["name"] for tool in hidden["tools"]] == ["b"]
    assert hidden["tool_choice"] == "required"


def test_mistral_is_asked_in_its_own_words() -> None:
    paper = FilePart(media=Media("url", "https://example.com/a.pdf"))
    body = asked("mistral", paper, seed=7, user="ann", tools=(Tool(name="a"),), tool_choice=ToolChoice("required"))
    assert body["random_seed"] == 7
    assert body["tool_choice"] == "any"
    assert body["metadata"] == {"user": "ann"}
    assert body["messages"][0]["content"] == [{"type": "document_url", "document_url": "https://example.com/a.pdf"}]


def test_a_plain_text_of_a_document_is_text_everywhere() -> None:
    note = FilePart(media=Media("text", "It rains."), title="News", context="of today")
    content = asked("cerebras", note, TextPart(text="So?"))["messages"][0]["content"]
    assert content[0] == {"type": "text", "text": "News\nof today\n\nIt rains."}


def test_a_marked_part_keeps_its_mark_only_where_there_are_marks() -> None:
    parts = (TextPart(text="long", cache="1h"),)
    marked = asked("openrouter", *parts)["messages"][0]["content"][0]
    assert marked["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert asked("openai", *parts)["messages"][0]["content"] == "long"


def test_what_the_provider_cannot_do_is_lost_in_the_callers_words() -> None:
    losses = Losses(drop=True, target="it")
    shot = ImagePart(media=Media("url", "https://example.com/a.png"))
    body = asked("ollama", shot, losses=losses, stop=("x",), top_k=3, n=2, extras={"fast": Raw(b"true")})
    assert losses.dropped == ["messages.0.content.0", "top_k", "n", "fast"]
    assert body["stop"] == ["x"]
    assert not {"top_k", "n", "fast"} & body.keys()


def test_who_does_not_heed_the_choice_of_tools_is_shown_only_those_that_may_be_called() -> None:
    tools = (Tool(name="a"), Tool(name="b"))

    def chosen(choice: ToolChoice) -> tuple[list[str], list[str]]:
        losses = Losses(drop=True, target="it")
        body = asked("ollama", TextPart(text="hi"), losses=losses, tools=tools, tool_choice=choice)
        assert "tool_choice" not in body
        return [tool["function"]["name"] for tool in body.get("tools", ())], losses.dropped

    assert chosen(ToolChoice("none")) == ([], [])
    assert chosen(ToolChoice("auto")) == (["a", "b"], [])
    assert chosen(ToolChoice("auto", ("b",))) == (["b"], [])
    assert chosen(ToolChoice("tool", ("b",))) == (["b"], ["tool_choice"])
    assert chosen(ToolChoice("required")) == (["a", "b"], ["tool_choice"])


# --- what a provider says -------------------------------------------------------------------------------


def test_calls_that_are_streamed_between_each_other_are_told_apart() -> None:
    def piece(index: int, **function: str) -> dict[str, Any]:
        return delta(
            tool_calls=[{"index": index, "function": function} | ({"id": f"c{index}"} if "name" in function else {})]
        )

    events = heard(
        piece(0, name="a", arguments=""),
        piece(1, name="b", arguments='{"x":'),
        piece(0, arguments="{}"),
        piece(1, arguments="1}"),
        delta("tool_calls"),
    )
    (choice,) = collect(events).choices
    assert choice.parts == (
        ToolCallPart(id="c0", name="a", arguments="{}"),
        ToolCallPart(id="c1", name="b", arguments='{"x":1}'),
    )
    assert choice.stop is Stop.TOOL_CALLS


def test_calls_of_one_index_or_none_are_told_apart_by_their_ids() -> None:
    for index in ({"index": 0}, {}):
        calls = [
            delta(tool_calls=[index | {"id": f"c{n}", "function": {"name": "f", "arguments": f"{{{n}}}"}}])
            for n in range(2)
        ]
        (choice,) = collect(heard(*calls, delta("tool_calls"))).choices
        assert [part.arguments for part in choice.parts if isinstance(part, ToolCallPart)] == ["{0}", "{1}"]


def test_a_call_without_an_id_gets_one_and_waits_for_its_name() -> None:
    events = heard(
        delta(tool_calls=[{"index": 0, "function": {"arguments": "{"}}]),
        delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "}"}}]),
        delta("tool_calls"),
    )
    (part,) = collect(events).choices[0].parts
    assert isinstance(part, ToolCallPart)
    assert (part.name, part.arguments) == ("f", "{}")
    assert part.id


def test_a_signed_call_keeps_its_signature() -> None:
    signed = {"extra_content": {"google": {"thought_signature": "sig"}}}
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}} | signed
    (part,) = collect(heard(delta("tool_calls", tool_calls=[call]))).choices[0].parts
    assert part == ToolCallPart(id="c", name="f", arguments="{}", signature="sig", source=GEMINI)


def test_details_of_thoughts_are_told_once() -> None:
    detail = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    events = heard(
        delta(reasoning="Hm", reasoning_details=[detail | {"text": "Hm"}]),
        delta(reasoning_details=[detail | {"signature": "s"}]),
        delta("stop", content="Yes."),
    )
    assert sum(isinstance(event, SignatureDelta) for event in events) == 1
    assert collect(events).choices[0].parts == (
        ThinkingPart(text="Hm", signature="s", source=ANTHROPIC),
        TextPart(text="Yes."),
    )


def test_only_the_last_count_is_of_the_whole_answer() -> None:
    usage = {"usage": {"prompt_tokens": 5, "completion_tokens": 1}}
    events = heard(delta(content="a") | usage, delta("stop", content="b") | usage, provider="perplexity")
    assert [event.whole for event in events if isinstance(event, Counted)] == [False, True]
    never_ended = heard(delta(content="a"), delta(content="b") | usage)
    assert [event.whole for event in never_ended if isinstance(event, Counted)] == [False, True]


def test_a_stream_without_an_end_mark_is_whole_when_its_answers_are() -> None:
    assert heard(delta("stop", content="a"), end=b"")
    parser = OPENAI_WIRE.stream_parser(spec=REGISTRY["openai_compatible"])
    parser.feed(b"data: " + json.dumps(delta(content="a")).encode() + b"\n\n")
    parser.finish()
    assert not parser.done


@pytest.mark.parametrize("error", [{"message": "no luck", "code": 502}, "no luck"])
def test_an_error_inside_the_stream_breaks_it(error: object) -> None:
    parser = OPENAI_WIRE.stream_parser(spec=REGISTRY["openrouter"])
    (broke,) = parser.feed(b"data: " + json.dumps({"error": error, "choices": []}).encode() + b"\n\n")
    assert isinstance(broke, Broke)
    assert broke.message == "no luck"
    assert parser.feed(b"data: [DONE]\n\n") == []
    assert not parser.done


def test_pages_that_a_whole_answer_relies_on_are_its_citations() -> None:
    pages = {"citations": ["https://a.example"], "search_results": [{"title": "A", "url": "https://a.example"}]}
    (part,) = collect(heard(delta(content="x") | pages, delta("stop") | pages, provider="perplexity")).choices[0].parts
    assert part == TextPart(text="x", citations=(Citation("url", title="A", url="https://a.example"),))
    bare = {"citations": ["https://a.example"], "search_results": "odd"}
    (part,) = collect(heard(delta(content="x"), delta("stop") | bare, provider="xai")).choices[0].parts
    assert part == TextPart(text="x", citations=(Citation("url", url="https://a.example"),))


def test_old_function_calls_are_tool_calls() -> None:
    events = heard(
        delta(function_call={"name": "f", "arguments": ""}), delta("function_call", function_call={"arguments": "{}"})
    )
    (begun,) = [event for event in events if isinstance(event, PartBegun)]
    assert isinstance(begun.part, ToolCallPart)
    assert collect(events).choices[0].stop is Stop.TOOL_CALLS


def test_what_azure_finds_in_the_prompt_is_no_beginning() -> None:
    verdict = {"choices": [], "id": "", "model": "", "prompt_filter_results": [{"prompt_index": 0}]}
    begun, *_ = heard(verdict, delta("stop", content="a") | {"id": "x", "model": "gpt"}, provider="azure")
    assert isinstance(begun, Begun)
    assert (begun.id, begun.model) == ("x", "gpt")


def test_azures_filter_is_a_failure_of_its_own() -> None:
    body = {
        "error": {
            "message": "The prompt triggered Azure OpenAI's content management policy.",
            "code": "content_filter",
            "innererror": {"code": "ResponsibleAIPolicyViolation"},
        }
    }
    failure = OPENAI_WIRE.classify_failure(400, (), json.dumps(body).encode())
    assert failure.kind is FailureKind.FILTERED
