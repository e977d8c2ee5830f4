"""What Cohere is asked: every member of a request at its place, or named as lost."""

import json
from typing import Any

import pytest
from msgspec import Raw

from tollway.chat.losses import Losses
from tollway.chat.message import (
    AudioPart,
    FilePart,
    ImagePart,
    Media,
    Message,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.chat.request import ChatRequest, Reasoning, ResponseFormat, Tool, ToolChoice
from tollway.errors import UnsupportedFieldError
from tollway.providers.cohere.wire import CohereWire
from tollway.providers.registry import REGISTRY
from tollway.routing.catalog import Deployment

HELLO = Message("user", (TextPart(text="hello"),))
CALL = ToolCallPart(id="call_1", name="weather", arguments='{"city":"Oslo"}')
DEPLOYMENT = Deployment("c", "cohere", "https://api.cohere.com/v2", "key-1", "cohere")


def asked(*messages: Message, **fields: Any) -> dict[str, Any]:
    chat = ChatRequest(source=fields.pop("source", "openai"), messages=messages or (HELLO,), **fields)
    losses = Losses(drop=False, target="it")
    request = CohereWire().build_request(
        chat, deployment=DEPLOYMENT, spec=REGISTRY["cohere"], model="command-a", losses=losses
    )
    assert request.url == "https://api.cohere.com/v2/chat"
    assert request.headers["authorization"] == "Bearer key-1"
    return dict(json.loads(request.body))


def lost(*messages: Message, **fields: Any) -> str | None:
    with pytest.raises(UnsupportedFieldError) as refused:
        asked(*messages, **fields)
    return refused.value.param


def test_a_plain_request_is_plain() -> None:
    body = asked(Message("developer", (TextPart(text="rule"),)), HELLO, stream=True)
    assert body == {
        "model": "command-a",
        "messages": [{"role": "system", "content": "rule"}, {"role": "user", "content": "hello"}],
        "stream": True,
    }


def test_a_turn_with_calls_has_a_plan_and_results_are_messages_of_their_own() -> None:
    turn = Message("assistant", (ThinkingPart(text="hm", signature="s", source="x"), TextPart(text="I look."), CALL))
    results = Message(
        "tool",
        (
            ToolResultPart(call_id="call_1", parts=(TextPart(text="rain"), TextPart(text="wind"))),
            ToolResultPart(call_id="call_2", parts=(TextPart(text='no "net"'),), failed=True),
        ),
    )
    assistant, first, second = asked(HELLO, turn, results)["messages"][1:]
    assert assistant == {
        "role": "assistant",
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
        ],
        "tool_plan": "I look.",
        "content": [{"type": "thinking", "thinking": "hm"}],
    }
    assert first == {"role": "tool", "tool_call_id": "call_1", "content": "rain\nwind"}
    assert json.loads(second["content"]) == {"error": 'no "net"'}


def test_a_turn_without_calls_keeps_its_words() -> None:
    turn = Message("assistant", (TextPart(text="a"), RefusalPart(text="b")))
    assert asked(HELLO, turn)["messages"][1] == {
        "role": "assistant",
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
    }


def test_images_are_addresses_also_those_in_base64() -> None:
    picture = ImagePart(media=Media("base64", "AAAA", "image/webp"), detail="low")
    linked = ImagePart(media=Media("url", "https://x.example/a.png"))
    blocks = asked(Message("user", (TextPart(text="a"), picture, linked)))["messages"][0]["content"]
    assert blocks == [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:image/webp;base64,AAAA", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
    ]


def test_texts_that_are_to_be_cited_are_documents() -> None:
    cited = FilePart(media=Media("text", "words"), title="T", cites=True)
    plain = FilePart(media=Media("text", "more"), context="C")
    body = asked(Message("user", (cited, plain, TextPart(text="ask"))))
    assert body["documents"] == [{"id": "document-0", "data": {"title": "T", "text": "words"}}]
    assert [block["text"] for block in body["messages"][0]["content"]] == ["C\nmore", "ask"]
    own = {"documents": Raw(b'["mine"]')}
    assert lost(Message("user", (cited,)), extras=own) == "messages.0.content.0.citations"
    assert asked(extras=own)["documents"] == ["mine"]


@pytest.mark.parametrize(
    "part",
    [
        AudioPart(media=Media("base64", "AAAA"), format="wav"),
        FilePart(media=Media("base64", "AAAA", "application/pdf")),
        ImagePart(media=Media("file_id", "file-1")),
    ],
)
def test_other_media_are_lost_by_name(part: AudioPart | FilePart | ImagePart) -> None:
    assert lost(Message("user", (TextPart(text="a"), part))) == "messages.0.content.1"


def test_an_image_in_a_result_is_lost_by_name() -> None:
    shown = ToolResultPart(call_id="c", parts=(ImagePart(media=Media("base64", "AAAA")),))
    assert lost(HELLO, Message("tool", (shown,))) == "messages.1.content.0.content.0"


@pytest.mark.parametrize(
    ("choice", "told", "names"),
    [
        (None, None, ["f", "g"]),
        (ToolChoice("auto"), None, ["f", "g"]),
        (ToolChoice("none"), "NONE", ["f", "g"]),
        (ToolChoice("required"), "REQUIRED", ["f", "g"]),
        (ToolChoice("tool", ("g",)), "REQUIRED", ["g"]),
    ],
)
def test_a_choice_of_tools(choice: ToolChoice | None, told: str | None, names: list[str]) -> None:
    schema = Raw(b'{"type":"object","properties":{"a":{}}}')
    body = asked(tools=(Tool(name="f", parameters=schema, strict=True), Tool(name="g")), tool_choice=choice)
    assert body.get("tool_choice") == told
    assert [tool["function"]["name"] for tool in body["tools"]] == names
    assert body["strict_tools"] is True
    if "f" in names:
        assert body["tools"][0]["function"]["parameters"] == json.loads(bytes(schema))


def test_sampling_has_coheres_names() -> None:
    body = asked(
        max_output_tokens=9, temperature=0.5, top_p=1.0, top_k=3, seed=7, stop=("x",), logprobs=True,
        presence_penalty=0.5, frequency_penalty=0.0, n=1, modalities=("text",),
    )  # fmt: skip
    del body["messages"], body["model"], body["stream"]
    assert body == {
        "max_tokens": 9, "temperature": 0.5, "p": 0.99, "k": 3, "seed": 7, "stop_sequences": ["x"], "logprobs": True,
        "presence_penalty": 0.5, "frequency_penalty": 0.0,
    }  # fmt: skip


def test_forms_of_the_answer() -> None:
    assert "response_format" not in asked(response_format=ResponseFormat(kind="text"))
    assert asked(response_format=ResponseFormat(kind="json_object"))["response_format"] == {"type": "json_object"}
    schema = ResponseFormat(kind="json_schema", name="n", schema=Raw(b'{"type":"object"}'))
    assert asked(response_format=schema)["response_format"] == {
        "type": "json_object",
        "json_schema": {"type": "object"},
    }


@pytest.mark.parametrize(
    ("reasoning", "thinking"),
    [
        (Reasoning(effort="low"), {"type": "enabled", "token_budget": 2_048}),
        (Reasoning(effort="none"), {"type": "disabled"}),
        (Reasoning(enabled=False), {"type": "disabled"}),
        (Reasoning(enabled=True, budget_tokens=77), {"type": "enabled", "token_budget": 77}),
        (Reasoning(enabled=True), {"type": "enabled"}),
        (Reasoning(summary="auto"), None),
    ],
)
def test_reasoning_is_a_budget(reasoning: Reasoning, thinking: dict[str, Any] | None) -> None:
    assert asked(reasoning=reasoning).get("thinking") == thinking


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"n": 2}, "n"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"logprobs": True, "top_logprobs": 2}, "top_logprobs"),
        ({"presence_penalty": -1.0}, "presence_penalty"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"modalities": ("text", "audio")}, "modalities"),
        ({"extras": {"new": Raw(b"1")}}, "new"),
        ({"tools": (Tool(name="f", custom=True),)}, "tools.0"),
    ],
)
def test_what_cohere_has_no_words_for_is_lost_by_name(fields: dict[str, Any], name: str) -> None:
    assert lost(**fields) == name
