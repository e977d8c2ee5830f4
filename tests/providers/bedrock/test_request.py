"""What Converse is asked. That it is a request of Converse at all, botocore's own validator says."""

import json
from base64 import b64decode
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from msgspec import Raw

from tollway.chat.losses import Losses
from tollway.chat.message import (
    AudioPart,
    Citation,
    FilePart,
    ImagePart,
    Media,
    Message,
    OpaquePart,
    Part,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.chat.request import ChatRequest, ProviderTool, Reasoning, ResponseFormat, Tool, ToolChoice
from tollway.errors import UnsupportedFieldError
from tollway.providers.bedrock.wire import BedrockWire
from tollway.providers.registry import REGISTRY
from tollway.routing.catalog import Deployment

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ADAPTIVE = "eu.anthropic.claude-sonnet-4-6"
NEWEST = "anthropic.claude-opus-4-7"
NOVA = "amazon.nova-2-lite-v1:0"
OTHER = "meta.llama4-scout-17b-instruct-v1:0"
PIXEL = "iVBORw0KGgo="
SCHEMA = Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}')
WEATHER = Tool(name="weather", description="of a city", parameters=SCHEMA, strict=True)
CLOCK = Tool(name="clock")
CALL = Message("assistant", (ToolCallPart(id="call_1", name="weather", arguments='{"city":"Oslo"}'),))
RESULT = Message("tool", (ToolResultPart(call_id="call_1", parts=(TextPart(text="rain"),)),))


def ask(*parts: Part, **fields: Any) -> ChatRequest:
    return ChatRequest(source="openai", **{"messages": (Message("user", parts or (TextPart(text="hi"),)),)} | fields)


def build(
    chat: ChatRequest, model: str = CLAUDE, *, drop: bool = False, options: dict[str, str] | None = None
) -> tuple[dict[str, Any], str, Losses]:
    """Body, address, losses."""
    losses = Losses(drop=drop, target="it")
    deployment = Deployment("b", "bedrock", "https://bedrock.example", "", "aws", options=options or {})
    request = BedrockWire().build_request(
        chat, deployment=deployment, spec=REGISTRY["bedrock"], model=model, losses=losses
    )
    body = json.loads(request.body)
    validate(body)
    return body, request.url, losses


def body_of(chat: ChatRequest, model: str = CLAUDE, **options: str) -> dict[str, Any]:
    return build(chat, model, options=options)[0]


def content(*parts: Part, model: str = CLAUDE) -> list[Any]:
    found: list[Any] = body_of(ask(*parts), model)["messages"][0]["content"]
    return found


def validate(body: dict[str, Any]) -> None:
    """By the description of the API that botocore brings."""
    shape = (
        botocore.session.Session().get_service_model("bedrock-runtime").operation_model("ConverseStream").input_shape
    )
    report = ParamValidator().validate(_blobs(body) | {"modelId": "m"}, shape)
    assert not report.has_errors(), report.generate_report()


@cache
def _shape() -> Any:
    return botocore.session.Session().get_service_model("bedrock-runtime").operation_model("ConverseStream").input_shape


def _blobs(value: Any) -> Any:
    """The same with bytes where the API has them; botocore writes them as base64."""
    if isinstance(value, dict):
        return {
            name: b64decode(inner) if name in {"bytes", "redactedContent"} else _blobs(inner)
            for name, inner in value.items()
        }
    return [_blobs(inner) for inner in value] if isinstance(value, list) else value


def lost(chat: ChatRequest, model: str = CLAUDE) -> list[str]:
    """What is dropped; refused by the same name where nothing may be."""
    _, _, losses = build(chat, model, drop=True)
    if losses.dropped:
        with pytest.raises(UnsupportedFieldError) as refused:
            build(chat, model)
        assert refused.value.param == losses.dropped[0]
    return losses.dropped


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        (CLAUDE, False, "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"),
        ("arn:aws:bedrock:a:1:prompt/x", True, "arn%3Aaws%3Abedrock%3Aa%3A1%3Aprompt%2Fx/converse-stream"),
    ],
)
def test_the_model_is_a_part_of_the_address(model: str, stream: bool, path: str) -> None:  # noqa: FBT001
    assert build(ask(stream=stream), model)[1] == f"https://bedrock.example/model/{path}"


def test_speakers_alternate_and_instructions_stand_apart() -> None:
    messages = (
        Message("system", (TextPart(text="be brief", cache="1h"),)),
        Message("user", (TextPart(text="a"),)),
        Message("developer", (TextPart(text="be kind"),)),
        Message("user", (TextPart(text="b"), TextPart(text=" "))),
        CALL,
        RESULT,
        Message("user", (TextPart(text="c"),)),
    )
    body = body_of(ask(messages=messages, tools=(WEATHER,)))
    assert body["system"] == [
        {"text": "be brief"},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
        {"text": "be kind"},
    ]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][0]["content"] == [{"text": "a"}, {"text": "b"}]
    assert [next(iter(block)) for block in body["messages"][2]["content"]] == ["toolResult", "text"]


def test_media_is_bytes_or_lies_in_s3() -> None:
    assert content(
        ImagePart(media=Media("base64", PIXEL), cache="5m"),
        ImagePart(media=Media("url", "s3://bucket/cat.webp"), detail="low"),
        FilePart(media=Media("base64", "JVBERi0="), name="Q3 plan (v2)_final.pdf", title="", context="c", cites=True),
        FilePart(media=Media("text", "words")),
        FilePart(media=Media("base64", "AAAA", "video/3gpp")),
        AudioPart(media=Media("base64", "AAAA"), format="wav"),
    ) == [
        {"image": {"format": "png", "source": {"bytes": PIXEL}}},
        {"cachePoint": {"type": "default"}},
        {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://bucket/cat.webp"}}}},
        {
            "document": {
                "format": "pdf",
                "source": {"bytes": "JVBERi0="},
                "name": "Q3 plan (v2)-final-pdf",
                "context": "c",
                "citations": {"enabled": True},
            }
        },
        {"document": {"format": "txt", "source": {"text": "words"}, "name": "document-2"}},
        {"video": {"format": "three_gp", "source": {"bytes": "AAAA"}}},
        {"audio": {"format": "wav", "source": {"bytes": "AAAA"}}},
    ]


@pytest.mark.parametrize(
    "part",
    [
        ImagePart(media=Media("url", "https://example.com/cat.png")),
        ImagePart(media=Media("base64", "AAAA", "image/tiff")),
        FilePart(media=Media("file_id", "file-1")),
        FilePart(media=Media("base64", "AAAA", "application/zip")),
        OpaquePart(source="openai", kind="x", raw=Raw(b"{}")),
        ToolCallPart(id="a", name="b", arguments="free", custom=True),
    ],
    ids=lambda part: type(part).__name__,
)
def test_a_part_that_cannot_be_carried_is_named(part: Part) -> None:
    assert lost(ask(TextPart(text="hi"), part)) == ["messages.0.content.1"]


def test_calls_and_results_find_each_other_whatever_their_ids_are() -> None:
    strange = "call|" + "x" * 80
    messages = (
        Message("assistant", (ToolCallPart(id=strange, name="weather"),)),
        Message(
            "tool",
            (ToolResultPart(call_id=strange, failed=True, parts=(ImagePart(media=Media("base64", PIXEL)),)),),
        ),
    )
    body = body_of(ask(messages=messages, tools=(WEATHER,)))
    (call,), (result,) = (message["content"] for message in body["messages"])
    assert call["toolUse"]["input"] == {}
    assert result["toolResult"]["status"] == "error"
    assert call["toolUse"]["toolUseId"] == result["toolResult"]["toolUseId"]
    assert result["toolResult"]["content"] == [{"image": {"format": "png", "source": {"bytes": PIXEL}}}]


def test_thoughts_go_back_to_claude_with_their_signature_whoever_served_it() -> None:
    thoughts = [ThinkingPart(text="hm", signature="c2ln", source=source) for source in ("bedrock", "anthropic")]
    signed = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}}
    assert content(*thoughts) == [signed, signed]
    (redacted,) = content(ThinkingPart(redacted="RXU4", source="anthropic"))
    assert b64decode(redacted["reasoningContent"]["redactedContent"]) == b"RXU4"
    theirs = ThinkingPart(text="hm", source="gemini", signature="s")
    assert content(theirs, ThinkingPart(redacted="x", source="openai"), TextPart(text="a")) == [{"text": "a"}]
    assert content(theirs, model=OTHER) == [{"reasoningContent": {"reasoningText": {"text": "hm"}}}]


def test_citations_go_back_as_they_came() -> None:
    cited = TextPart(
        text="20 days",
        citations=(
            Citation("document", text="Employees get 20 days", title="t", document=0, unit="char", start=0, end=9),
            Citation("url", url="https://example.com"),
        ),
    )
    assert content(cited)[0]["citationsContent"] == {
        "content": [{"text": "20 days"}],
        "citations": [
            {
                "title": "t",
                "sourceContent": [{"text": "Employees get 20 days"}],
                "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 9}},
            },
            {"location": {"web": {"url": "https://example.com"}}},
        ],
    }


def test_tools_are_declared_with_their_schemas_and_what_runs_at_the_provider_as_it_came() -> None:
    own = ProviderTool(source="bedrock", kind="systemTool", raw=Raw(b'{"systemTool":{"name":"nova_code_interpreter"}}'))
    config = body_of(ask(tools=(Tool(name="clock", cache="5m"), WEATHER, own)), NOVA)["toolConfig"]
    assert config == {
        "tools": [
            {"toolSpec": {"name": "clock", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
            {"cachePoint": {"type": "default"}},
            {
                "toolSpec": {
                    "name": "weather",
                    "description": "of a city",
                    "inputSchema": {"json": json.loads(bytes(SCHEMA))},
                    "strict": True,
                }
            },
            {"systemTool": {"name": "nova_code_interpreter"}},
        ]
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice("auto"), None),
        (ToolChoice("required"), {"any": {}}),
        (ToolChoice("tool", ("clock",)), {"tool": {"name": "clock"}}),
    ],
)
def test_which_tools_may_be_called(choice: ToolChoice, expected: dict[str, Any] | None) -> None:
    config = body_of(ask(tools=(WEATHER, CLOCK), tool_choice=choice))["toolConfig"]
    assert config.get("toolChoice") == expected
    assert len(config["tools"]) == 2


def test_only_the_tools_that_are_allowed_are_declared() -> None:
    config = body_of(ask(tools=(WEATHER, CLOCK), tool_choice=ToolChoice("required", ("clock",))))["toolConfig"]
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["clock"]


def test_what_converse_cannot_say_of_tools_claude_is_told_in_its_own_words() -> None:
    history = (Message("user", (TextPart(text="hi"),)), CALL, RESULT)
    none = ask(messages=history, tools=(WEATHER,), tool_choice=ToolChoice("none"))
    single = ask(tools=(WEATHER,), tool_choice=ToolChoice("required"), parallel_tool_calls=False)
    assert body_of(none)["additionalModelRequestFields"] == {"tool_choice": {"type": "none"}}
    assert body_of(single)["additionalModelRequestFields"] == {
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True}
    }
    assert "toolChoice" not in body_of(single)["toolConfig"]
    assert lost(none, OTHER) == ["tool_choice"]
    assert lost(single, OTHER) == ["parallel_tool_calls"]
    assert "toolConfig" not in body_of(ask(tools=(WEATHER,), tool_choice=ToolChoice("none")), OTHER)


def test_a_prompt_of_instructions_only_is_the_users() -> None:
    body = body_of(ask(messages=(Message("system", (TextPart(text="Say hi."),)),)))
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": [{"text": "Say hi."}]}]


@pytest.mark.parametrize("model", [CLAUDE, OTHER])
def test_tools_that_are_offered_no_more_are_declared_as_converse_wants_those_of_the_history(model: str) -> None:
    body = body_of(ask(messages=(Message("user", (TextPart(text="hi"),)), CALL, RESULT, CALL, RESULT)), model)
    (tool,) = body["toolConfig"]["tools"]
    assert tool["toolSpec"]["name"] == "weather"
    assert "cannot be called" in tool["toolSpec"]["description"]
    told = {"tool_choice": {"type": "none"}} if model == CLAUDE else None
    assert body.get("additionalModelRequestFields") == told


def test_the_form_of_the_answer_is_a_schema() -> None:
    wanted = ResponseFormat(kind="json_schema", name="place", description="d", schema=SCHEMA)
    assert body_of(ask(response_format=wanted))["outputConfig"] == {
        "textFormat": {
            "type": "json_schema",
            "structure": {"jsonSchema": {"schema": bytes(SCHEMA).decode(), "name": "place", "description": "d"}},
        }
    }
    (system,) = body_of(ask(response_format=ResponseFormat(kind="json_object")))["system"]
    assert "JSON" in system["text"]


def test_sampling_labels_and_tier_are_carried() -> None:
    chat = ask(
        max_output_tokens=9, temperature=0.5, top_p=0.25, stop=("x",), service_tier="flex", user="u-1",
        metadata={"team": "a", "city": "Zürich"}, presence_penalty=0, n=1, logprobs=False, modalities=("text",),
    )  # fmt: skip
    body = body_of(chat)
    assert body["inferenceConfig"] == {"maxTokens": 9, "temperature": 0.5, "topP": 0.25, "stopSequences": ["x"]}
    assert body["serviceTier"] == {"type": "flex"}
    assert body["requestMetadata"] == {"team": "a", "user": "u-1"}
    assert body["additionalModelResponseFieldPaths"] == ["/stop_sequence", "/delta/stop_sequence"]


def test_what_converse_has_no_word_for_is_named_in_the_callers_words() -> None:
    chat = ask(
        seed=1, n=2, logprobs=True, top_logprobs=3, logit_bias={"1": 2.0}, presence_penalty=1.0, min_p=0.1,
        frequency_penalty=1.0, verbosity="low", modalities=("text", "audio"), audio=Raw(b"{}"), prediction=Raw(b"{}"),
        service_tier="scale",
        extras={"web_search_options": Raw(b"{}"), "store": Raw(b"true"), "safety": Raw(b"null")},
    )  # fmt: skip
    assert set(lost(chat)) == {
        "seed", "n", "logprobs", "top_logprobs", "logit_bias", "presence_penalty", "min_p", "frequency_penalty",
        "verbosity", "modalities", "audio", "prediction", "service_tier", "store", "web_search_options",
    }  # fmt: skip


REASONING = [
    (CLAUDE, Reasoning(effort="high"), {"thinking": {"type": "enabled", "budget_tokens": 2_000}}),
    (CLAUDE, Reasoning(effort="minimal", summary="auto"), {"thinking": {"type": "enabled", "budget_tokens": 1_024}}),
    (CLAUDE, Reasoning(budget_tokens=3_000), {"thinking": {"type": "enabled", "budget_tokens": 3_000}}),
    (CLAUDE, Reasoning(enabled=False), {"thinking": {"type": "disabled"}}),
    (ADAPTIVE, Reasoning(effort="minimal"), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
    (NEWEST, Reasoning(budget_tokens=3), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
    (ADAPTIVE, Reasoning(enabled=True), {"thinking": {"type": "adaptive"}}),
    (ADAPTIVE, Reasoning(effort="none"), {"thinking": {"type": "disabled"}}),
    (NOVA, Reasoning(effort="xhigh"), {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
    ("openai.gpt-oss-120b-1:0", Reasoning(effort="minimal"), {"reasoning_effort": "low"}),
    ("qwen.qwen3-32b-v1:0", Reasoning(effort="none"), {"reasoning_config": "none"}),
    (OTHER, Reasoning(effort="none"), None),
]  # fmt: skip


@pytest.mark.parametrize(("model", "reasoning", "expected"), REASONING)
def test_each_family_is_told_how_much_to_think_in_its_own_way(
    model: str, reasoning: Reasoning, expected: dict[str, Any] | None
) -> None:
    body = body_of(ask(reasoning=reasoning, max_output_tokens=4_000), model)
    assert body.get("additionalModelRequestFields") == expected


@pytest.mark.parametrize(
    ("model", "reasoning"),
    [
        (OTHER, Reasoning(effort="high")),
        (OTHER, Reasoning(enabled=True)),
        ("openai.gpt-oss-20b-1:0", Reasoning(effort="none")),
        (NOVA, Reasoning(effort="immense")),
        ("anthropic.claude-3-haiku-20240307-v1:0", Reasoning(enabled=True)),
    ],
)
def test_thinking_that_a_family_cannot_be_asked_for_is_named(model: str, reasoning: Reasoning) -> None:
    assert lost(ask(reasoning=reasoning), model) == ["reasoning_effort"]


def test_a_temperature_beyond_the_scale_is_named() -> None:
    assert lost(ask(temperature=1.5)) == ["temperature"]


def test_models_that_take_no_sampling_are_asked_for_none() -> None:
    chat = ask(temperature=0.5, top_p=1, top_k=7, max_output_tokens=9)
    body, _, losses = build(chat, NEWEST, drop=True)
    assert body["inferenceConfig"] == {"maxTokens": 9}
    assert losses.dropped == ["temperature", "top_k"]


def test_top_k_goes_where_each_family_has_it() -> None:
    assert body_of(ask(top_k=7))["additionalModelRequestFields"] == {"top_k": 7}
    assert body_of(ask(top_k=7), NOVA)["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 7}}
    assert lost(ask(top_k=7), OTHER) == ["top_k"]


def test_converses_own_fields_pass_from_any_caller() -> None:
    guardrail = Raw(b'{"guardrailIdentifier":"abc","guardrailVersion":"1"}')
    extras = {
        "guardrailConfig": guardrail,
        "additionalModelRequestFields": Raw(b'{"anthropic_beta":["x"]}'),
        "performanceConfig": Raw(b'{"latency":"standard"}'),
    }
    body = body_of(ask(extras=extras))
    assert body["guardrailConfig"] == json.loads(bytes(guardrail))
    assert body["additionalModelRequestFields"] == {"anthropic_beta": ["x"]}
    assert body["performanceConfig"] == {"latency": "standard"}


@pytest.mark.parametrize(
    ("extras", "name"),
    [
        ({"additionalModelRequestFields": b'{"max_tokens":9}'}, "additionalModelRequestFields.max_tokens"),
        ({"additionalModelRequestFields": b'{"conf":{"maxTokens":9}}'}, "additionalModelRequestFields.conf"),
        ({"additionalModelRequestFields": b"7"}, "additionalModelRequestFields"),
        ({"performanceConfig": b'{"latency":"optimized"}'}, "performanceConfig"),
        ({"inferenceConfig": b'{"maxTokens":9}'}, "inferenceConfig"),
        ({"modelId": b'"other"'}, "modelId"),
    ],
)  # fmt: skip
def test_no_field_of_converses_own_goes_around_a_bound_or_a_price(extras: dict[str, bytes], name: str) -> None:
    assert lost(ask(extras={key: Raw(value) for key, value in extras.items()})) == [name]


def test_a_guardrail_of_the_providers_holds_for_every_request_and_cannot_be_replaced() -> None:
    own = {"guardrailConfig": Raw(b'{"guardrailIdentifier":"lax","guardrailVersion":"1"}')}
    body, _, losses = build(ask(extras=own, stream=True), options={"guardrail": "strict"}, drop=True)
    assert body["guardrailConfig"] == {
        "guardrailIdentifier": "strict",
        "guardrailVersion": "DRAFT",
        "streamProcessingMode": "sync",
    }
    assert losses.dropped == ["guardrailConfig"]
