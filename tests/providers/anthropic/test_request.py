"""Requests written for Anthropic's models: what each model takes, and the rules that stand in for what none has."""

import json
from typing import Any

import pytest
from msgspec import Raw

from tollway.chat.losses import Losses
from tollway.chat.message import (
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
from tollway.chat.request import ChatRequest, Reasoning, ResponseFormat, Tool, ToolChoice
from tollway.providers.anthropic.models import abilities
from tollway.providers.anthropic.request import messages_body
from tollway.providers.anthropic.wire import AnthropicWire
from tollway.providers.registry import REGISTRY
from tollway.routing.catalog import Deployment

SONNET, OPUS = "claude-sonnet-4-5", "claude-opus-5"
USER = Message("user", (TextPart(text="a"),))
TOOL = Tool(name="f", parameters=Raw(b'{"type":"object"}'))


def chat(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(source="openai", messages=messages or (USER,), **fields)


def body_of(request: ChatRequest, model: str = SONNET, *, drop: bool = False) -> dict[str, Any]:
    losses = Losses(drop=drop, target="it")
    at = Deployment(name="c", spec="anthropic", base_url="https://x/v1", credential="k", price_provider="")
    made = AnthropicWire().build_request(request, deployment=at, spec=REGISTRY["anthropic"], model=model, losses=losses)
    body: dict[str, Any] = json.loads(made.body)
    return body | {"lost": losses.dropped} if losses.dropped else body


def said(role: Any, *parts: Part) -> Message:
    return Message(role, parts)


def test_a_prompt_of_instructions_only_is_the_users() -> None:
    body = body_of(chat(Message("system", (TextPart(text="Say hi."),)), Message("developer", (TextPart(text="Now."),))))
    assert "system" not in body
    texts = [{"type": "text", "text": "Say hi."}, {"type": "text", "text": "Now."}]
    assert body["messages"] == [{"role": "user", "content": texts}]


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("claude-3-haiku-20240307", 4_096),
        ("claude-3-5-sonnet-latest", 8_192),
        ("claude-sonnet-4-20250514", 8_192),
        ("claude-haiku-4-5-20251001", 64_000),
        ("anthropic.claude-opus-4-5-20251101-v1:0", 64_000),
        ("claude-opus-4-6@20260205", 128_000),
        ("anthropic/claude-opus-4.7", 128_000),
        ("some-model", 128_000),
    ],
)
def test_an_answer_without_a_bound_may_be_as_long_as_the_model_writes(model: str, tokens: int) -> None:
    assert body_of(chat(), model)["max_tokens"] == tokens
    assert body_of(chat(max_output_tokens=7), model)["max_tokens"] == 7


def test_leading_instructions_are_the_system_prompt_and_later_ones_join_it() -> None:
    later = said("developer", TextPart(text="later"))
    request = chat(
        said("system", TextPart(text="one", cache="1h")), said("developer", TextPart(text="two")), USER, later
    )
    body = body_of(request)
    assert [block["text"] for block in body["system"]] == ["one", "two", "later"]
    assert body["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert [turn["role"] for turn in body["messages"]] == ["user"]
    assert [turn["role"] for turn in body_of(request, OPUS)["messages"]] == ["user", "system"]


def test_turns_of_one_role_are_one_and_empty_texts_none() -> None:
    call = ToolCallPart(id="call:1", name="f", arguments='{"a": 1}')
    result = ToolResultPart(call_id="call:1", parts=(TextPart(text="r"),))
    body = body_of(
        chat(USER, said("assistant", TextPart(text=""), call), said("tool", result), said("user", TextPart(text="b")))
    )
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"] == [{"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}}]
    assert body["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1", "content": "r"},
        {"type": "text", "text": "b"},
    ]


@pytest.mark.parametrize("arguments", ["no JSON", "[1]", '{"a"'])
def test_arguments_that_are_no_object_stand_in_one(arguments: str) -> None:
    body = body_of(chat(USER, said("assistant", ToolCallPart(id="c", name="f", arguments=arguments))))
    assert body["messages"][1]["content"][0]["input"] == {"arguments": arguments}


def test_thoughts_go_back_to_who_signed_them_only() -> None:
    own = ThinkingPart(text="t", signature="s", source="anthropic")
    hidden = ThinkingPart(redacted="r", source="anthropic")
    foreign = ThinkingPart(text="x", signature="s", source="gemini")
    body = body_of(chat(USER, said("assistant", own, hidden, foreign, TextPart(text="b"))))
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "redacted_thinking", "data": "r"},
        {"type": "text", "text": "b"},
    ]


@pytest.mark.parametrize(
    ("media", "source"),
    [
        (Media("url", "https://x/a.png"), {"type": "url", "url": "https://x/a.png"}),
        (Media("base64", "AA", "image/webp"), {"type": "base64", "media_type": "image/webp", "data": "AA"}),
        (Media("base64", "/9j/AA"), {"type": "base64", "media_type": "image/jpeg", "data": "/9j/AA"}),
    ],
)
def test_images_by_address_and_in_base64(media: Media, source: dict[str, str]) -> None:
    body = body_of(chat(said("user", ImagePart(media=media, detail="high"))))
    assert body["messages"][0]["content"] == [{"type": "image", "source": source}]


@pytest.mark.parametrize(
    ("media", "source"),
    [
        (Media("base64", "AA", "application/pdf"), {"type": "base64", "media_type": "application/pdf", "data": "AA"}),
        (Media("base64", "aGk=", "text/markdown"), {"type": "text", "media_type": "text/plain", "data": "hi"}),
        (Media("text", "hi"), {"type": "text", "media_type": "text/plain", "data": "hi"}),
        (Media("url", "https://x/a.pdf"), {"type": "url", "url": "https://x/a.pdf"}),
    ],
)
def test_documents_of_every_kind_it_takes(media: Media, source: dict[str, str]) -> None:
    body = body_of(chat(said("user", FilePart(media=media, name="n", context="c", cites=True))))
    assert body["messages"][0]["content"] == [
        {"type": "document", "source": source, "title": "n", "context": "c", "citations": {"enabled": True}}
    ]


@pytest.mark.parametrize("media", [Media("file_id", "file-1"), Media("base64", "AA", "application/zip")])
def test_files_that_it_cannot_know_are_lost_by_name(media: Media) -> None:
    body = body_of(chat(said("user", TextPart(text="a"), FilePart(media=media))), drop=True)
    assert body["lost"] == ["messages.0.content.1"]


@pytest.mark.parametrize(
    ("model", "reasoning", "thinking", "effort"),
    [
        ("claude-3-5-sonnet-latest", Reasoning(effort="high"), None, None),
        (SONNET, Reasoning(effort="low"), {"type": "enabled", "budget_tokens": 2_048}, None),
        (SONNET, Reasoning(effort="max"), {"type": "enabled", "budget_tokens": 32_000}, None),
        (SONNET, Reasoning(effort="none"), {"type": "disabled"}, None),
        (SONNET, Reasoning(enabled=True, budget_tokens=5_000), {"type": "enabled", "budget_tokens": 5_000}, None),
        ("claude-opus-4-5", Reasoning(effort="xhigh"), {"type": "enabled", "budget_tokens": 32_000}, "high"),
        ("claude-opus-4-6", Reasoning(effort="xhigh"), {"type": "adaptive"}, "high"),
        (OPUS, Reasoning(effort="xhigh"), {"type": "adaptive"}, "xhigh"),
        (OPUS, Reasoning(effort="minimal"), {"type": "adaptive"}, "low"),
        (OPUS, Reasoning(enabled=True, budget_tokens=8_000), {"type": "adaptive"}, "medium"),
        (OPUS, Reasoning(enabled=True, summary="auto"), {"type": "adaptive", "display": "summarized"}, None),
        ("claude-sonnet-5-5", Reasoning(enabled=False), {"type": "between_tools"}, None),
        ("claude-fable-5", Reasoning(enabled=False), None, None),
    ],
)
def test_how_much_to_think_is_told_as_the_model_takes_it(
    model: str, reasoning: Reasoning, thinking: dict[str, Any] | None, effort: str | None
) -> None:
    body = body_of(chat(reasoning=reasoning, max_output_tokens=64_000), model)
    assert (body.get("thinking"), body.get("output_config", {}).get("effort")) == (thinking, effort)


def test_an_effort_of_the_own_dialect_says_nothing_of_thinking() -> None:
    request = ChatRequest(source="anthropic", messages=(USER,), reasoning=Reasoning(effort="high"))
    body = body_of(request, OPUS)
    assert "thinking" not in body
    assert body["output_config"] == {"effort": "high"}


def test_a_short_answer_or_a_forced_call_leaves_no_room_for_thoughts() -> None:
    assert "thinking" not in body_of(chat(reasoning=Reasoning(effort="high"), max_output_tokens=1_500))
    forced = chat(reasoning=Reasoning(effort="high"), tools=(TOOL,), tool_choice=ToolChoice("required"))
    assert "thinking" not in body_of(forced)
    assert body_of(forced, OPUS)["thinking"] == {"type": "adaptive"}


@pytest.mark.parametrize(
    ("model", "fields", "kept", "lost"),
    [
        (SONNET, {"temperature": 0.5, "top_p": 0.9, "top_k": 3}, {"temperature", "top_p", "top_k"}, []),
        (SONNET, {"temperature": 1.5}, set(), ["temperature"]),
        (OPUS, {"temperature": 0.5, "top_p": 0.9, "top_k": 3}, set(), ["temperature", "top_p", "top_k"]),
        (OPUS, {"temperature": 1.0, "top_p": 1.0}, set(), []),
        (SONNET, {"temperature": 0.5, "reasoning": Reasoning(effort="high")}, set(), ["temperature"]),
    ],
)
def test_sampling_is_told_to_models_that_take_it(model: str, fields: Any, kept: set[str], lost: list[str]) -> None:
    body = body_of(chat(**fields), model, drop=True)
    assert {"temperature", "top_p", "top_k"} & body.keys() == kept
    assert body.get("lost", []) == lost


def test_choices_of_tools() -> None:
    tools = (TOOL, Tool(name="g"))
    assert body_of(chat(tools=tools, tool_choice=ToolChoice("required")))["tool_choice"] == {"type": "any"}
    forced = body_of(chat(tools=tools, tool_choice=ToolChoice("tool", ("g",)), parallel_tool_calls=False))
    assert forced["tool_choice"] == {"type": "tool", "name": "g", "disable_parallel_tool_use": True}
    some = body_of(chat(tools=tools, tool_choice=ToolChoice("auto", ("g",))))
    assert [tool["name"] for tool in some["tools"]] == ["g"]
    one = body_of(chat(tools=tools, parallel_tool_calls=False))
    assert one["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_forms_of_the_answer() -> None:
    schema = Raw(b'{"type":"object"}')
    wanted = ResponseFormat(kind="json_schema", name="n", description="d", schema=schema)
    made = body_of(chat(response_format=wanted))["output_config"]["format"]
    assert made == {"type": "json_schema", "schema": {"type": "object", "description": "d"}}
    assert body_of(chat(response_format=wanted), "claude-3-5-haiku", drop=True)["lost"] == ["response_format"]
    assert "JSON" in body_of(chat(response_format=ResponseFormat(kind="json_object")))["system"][-1]["text"]


def test_what_it_has_no_words_for_is_lost_by_name() -> None:
    fields: dict[str, Any] = {
        "n": 2, "logprobs": True, "seed": 1, "min_p": 0.1, "presence_penalty": 0.5, "logit_bias": {"1": 1.0},
        "verbosity": "low", "service_tier": "flex", "modalities": ("text", "audio"), "extras": {"new": Raw(b"1")},
    }  # fmt: skip
    lost = body_of(chat(**fields), drop=True)["lost"]
    assert set(lost) == (fields.keys() - {"extras"}) | {"new"}
    neutral: dict[str, Any] = {"n": 1, "logprobs": False, "presence_penalty": 0.0, "modalities": ("text",)}
    assert "lost" not in body_of(chat(**neutral))


def test_the_body_can_be_built_for_other_places() -> None:
    body = messages_body(chat(stream=True), model=SONNET, losses=Losses(drop=False, target="it"))
    assert not {"model", "stream"} & body.keys()


def test_names_without_a_version_are_of_the_newest_model() -> None:
    assert abilities("arn:aws:bedrock:x:profile/abc") == abilities("claude-haiku-6-0")
