"""What Gemini is asked: every member of a request at its place, or named as lost."""

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
    OpaquePart,
    Part,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.chat.request import ChatRequest, ProviderTool, Reasoning, ResponseFormat, Tool, ToolChoice
from tollway.errors import UnsupportedFieldError
from tollway.providers.adapter import UpstreamRequest
from tollway.providers.gemini.contents import UNSIGNED
from tollway.providers.gemini.wire import GeminiWire
from tollway.providers.registry import REGISTRY
from tollway.routing.catalog import Deployment

HELLO = Message("user", (TextPart(text="hello"),))
CALL = ToolCallPart(id="call_1", name="weather", arguments='{"city": "Oslo", "id": 12345678901234567890}')
RESULT = ToolResultPart(call_id="call_1", parts=(TextPart(text="rain"),))
DEPLOYMENT = Deployment("g", "gemini", "https://generativelanguage.googleapis.com/v1beta", "key-1", "google")


def build(model: str = "gemini-2.5-flash", *messages: Message, drop: bool = False, **fields: Any) -> UpstreamRequest:
    chat = ChatRequest(source=fields.pop("source", "openai"), messages=messages or (HELLO,), **fields)
    losses = Losses(drop=drop, target="it")
    return GeminiWire().build_request(chat, deployment=DEPLOYMENT, spec=REGISTRY["gemini"], model=model, losses=losses)


def asked(*messages: Message, model: str = "gemini-2.5-flash", **fields: Any) -> dict[str, Any]:
    return dict(json.loads(build(model, *messages, **fields).body))


def parts_of(*parts: Part, **fields: Any) -> list[dict[str, Any]]:
    return list(asked(Message("user", parts), **fields)["contents"][0]["parts"])


def lost(**fields: Any) -> str | None:
    with pytest.raises(UnsupportedFieldError) as refused:
        asked(**fields)
    return refused.value.param


def test_the_model_stands_in_the_address_and_the_key_in_its_header() -> None:
    plain, stream = build("gemini-2.5-pro"), build("gemini-2.5-pro", stream=True)
    assert plain.url == DEPLOYMENT.base_url + "/models/gemini-2.5-pro:generateContent"
    assert stream.url == DEPLOYMENT.base_url + "/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    assert plain.headers["x-goog-api-key"] == "key-1"
    assert build("tunedModels/mine").url == DEPLOYMENT.base_url + "/tunedModels/mine:generateContent"
    assert build("../evil?x").url == DEPLOYMENT.base_url + "/models/..%2Fevil%3Fx:generateContent"


def test_system_messages_are_the_system_instruction_wherever_they_stand() -> None:
    body = asked(Message("system", (TextPart(text="a"),)), HELLO, Message("developer", (TextPart(text="b"),)))
    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "hello"}]}]


def test_a_request_of_system_messages_alone_is_what_the_user_says() -> None:
    body = asked(Message("system", (TextPart(text="a"),)))
    assert body == {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}


def test_results_of_parallel_calls_stand_together_and_name_their_tools() -> None:
    calls = Message("assistant", (CALL, ToolCallPart(id="call_2", name="clock", arguments="")))
    failed = ToolResultPart(call_id="call_2", parts=(TextPart(text="broken"),), failed=True)
    body = asked(HELLO, calls, Message("tool", (RESULT,)), Message("tool", (failed,)))
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user"]
    first, second = body["contents"][1]["parts"]
    assert first == {
        "functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Oslo", "id": 12345678901234567890}}
    }
    assert second["functionCall"]["args"] == {}
    assert body["contents"][2]["parts"] == [
        {"functionResponse": {"id": "call_1", "name": "weather", "response": {"output": "rain"}}},
        {"functionResponse": {"id": "call_2", "name": "clock", "response": {"error": "broken"}}},
    ]


def test_arguments_that_are_no_object_are_kept_as_text() -> None:
    for arguments in ("not json", "[1]", '{"a":'):
        call = ToolCallPart(id="c", name="f", arguments=arguments)
        body = asked(HELLO, Message("assistant", (call,)))
        assert body["contents"][1]["parts"][0]["functionCall"]["args"] == {"input": arguments}


def test_images_of_a_result_are_parts_of_it_where_the_model_knows_that() -> None:
    shown = ToolResultPart(call_id="call_1", parts=(ImagePart(media=Media("base64", "aGk=", "image/png")),))
    messages = (HELLO, Message("assistant", (CALL,)), Message("tool", (shown,)))
    image = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    new = asked(*messages, model="gemini-3-flash-preview")["contents"][2]["parts"]
    assert new[0]["functionResponse"]["parts"] == [image]
    old = asked(*messages)["contents"][2]["parts"]
    assert old[1] == image
    assert "parts" not in old[0]["functionResponse"]


def test_only_geminis_own_signatures_go_back() -> None:
    turn = Message(
        "assistant",
        (
            ThinkingPart(text="hm", signature="x", source="anthropic"),
            ThinkingPart(text="so", signature="s1", source="gemini"),
            TextPart(text="say"),
            ThinkingPart(signature="s2", source="gemini"),
            ThinkingPart(signature="s3", source="anthropic"),
            ToolCallPart(id="c", name="f", arguments="{}", signature="s4", source="gemini"),
        ),
    )
    assert asked(HELLO, turn)["contents"][1]["parts"] == [
        {"text": "hm", "thought": True},
        {"text": "so", "thought": True, "thoughtSignature": "s1"},
        {"text": "say"},
        {"text": "", "thoughtSignature": "s2"},
        {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "s4"},
    ]


@pytest.mark.parametrize(
    ("model", "signs"),
    [("gemini-3.1-pro-preview", True), ("gemini-flash-latest", True), ("gemini-2.5-pro", False)],
)
def test_calls_of_other_providers_get_the_documented_signature_where_one_is_wanted(model: str, *, signs: bool) -> None:
    turn = Message("assistant", (CALL, ToolCallPart(id="c2", name="f", arguments="{}")))
    first, second = asked(HELLO, turn, Message("tool", (RESULT,)), model=model)["contents"][1]["parts"]
    assert first.get("thoughtSignature") == (UNSIGNED if signs else None)
    assert "thoughtSignature" not in second


def test_media_are_inline_or_by_address_with_their_type() -> None:
    assert parts_of(ImagePart(media=Media("base64", "iVBORw0K"))) == [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0K"}}
    ]
    assert parts_of(ImagePart(media=Media("url", "https://x.example/a.webp?b=c"))) == [
        {"fileData": {"mimeType": "image/webp", "fileUri": "https://x.example/a.webp?b=c"}}
    ]
    assert parts_of(AudioPart(media=Media("base64", "AAAA"), format="mp3")) == [
        {"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}}
    ]
    file = FilePart(media=Media("base64", "AAAA"), name="a.pdf", title="T", context="C")
    assert parts_of(file) == [
        {"text": "T"},
        {"text": "C"},
        {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
    ]
    assert parts_of(FilePart(media=Media("file_id", "files/abc"))) == [
        {"fileData": {"fileUri": DEPLOYMENT.base_url + "/files/abc"}}
    ]
    assert parts_of(FilePart(media=Media("text", "words"))) == [{"text": "words"}]


def test_a_video_is_no_image_and_no_sound() -> None:
    for part in (
        ImagePart(media=Media("base64", "AAAA", "video/mp4")),
        ImagePart(media=Media("url", "https://x.example/a.mp4")),
        AudioPart(media=Media("base64", "AAAA", "video/mp4"), format="wav"),
    ):
        with pytest.raises(UnsupportedFieldError, match="as a file"):
            parts_of(part)
    assert parts_of(FilePart(media=Media("base64", "AAAA", "video/mp4"))) == [
        {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}
    ]
    assert parts_of(ImagePart(media=Media("url", "https://youtu.be/x"))) == [
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://youtu.be/x"}}
    ]


def test_a_file_of_another_provider_is_lost_by_name() -> None:
    turn = Message("user", (TextPart(text="a"), FilePart(media=Media("file_id", "file-123"))))
    with pytest.raises(UnsupportedFieldError) as refused:
        asked(turn)
    assert refused.value.param == "messages.0.content.1"


def test_what_only_another_format_knows_is_lost_and_what_is_geminis_own_goes_back() -> None:
    own = OpaquePart(source="gemini", kind="executableCode", raw=Raw(b'{"executableCode":{"code":"1"}}'))
    assert parts_of(own) == [{"executableCode": {"code": "1"}}]
    with pytest.raises(UnsupportedFieldError):
        parts_of(OpaquePart(source="anthropic", kind="x", raw=Raw(b"{}")))


def test_tools_keep_their_schemas_untouched() -> None:
    schema = Raw(b'{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":["null","string"]}}}')
    search = ProviderTool(source="gemini", kind="googleSearch", raw=Raw(b'{"googleSearch":{}}'))
    body = asked(tools=(Tool(name="f", description="d", parameters=schema), Tool(name="g"), search))
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "d", "parametersJsonSchema": json.loads(bytes(schema))},
                {"name": "g"},
            ]
        },
        {"googleSearch": {}},
    ]
    assert "toolConfig" not in body


@pytest.mark.parametrize(
    "kind", ["web_search", "web_search_preview", "web_search_20250305", "web_search_preview_2025_03_11"]
)
def test_a_search_of_the_web_is_googles(kind: str) -> None:
    def search(**options: object) -> ProviderTool:
        raw = json.dumps({"type": kind, "name": "web_search"} | options).encode()
        return ProviderTool(source="responses", kind=kind, raw=Raw(raw))

    assert asked(tools=(search(user_location=None),))["tools"] == [{"googleSearch": {}}]
    assert lost(tools=(Tool(name="f"), search(allowed_domains=["a.example"]))) == "tools.1.allowed_domains"
    other = ProviderTool(source="responses", kind="computer_use", raw=Raw(b'{"type":"computer_use"}'))
    assert lost(tools=(other,)) == "tools.0"


def test_a_search_beside_the_callers_tools_is_announced_where_google_wants_that() -> None:
    fields = {"tools": (Tool(name="f"),), "extras": {"web_search_options": Raw(b"{}")}}
    assert asked(model="gemini-3-flash-preview", **fields)["toolConfig"] == {"includeServerSideToolInvocations": True}
    assert "toolConfig" not in asked(model="gemini-2.5-flash", **fields)
    assert "toolConfig" not in asked(model="gemini-3-flash-preview", extras=fields["extras"])


def test_options_of_a_search_ask_for_one() -> None:
    assert asked(extras={"web_search_options": Raw(b"{}")})["tools"] == [{"googleSearch": {}}]
    sized = Raw(b'{"search_context_size":"low"}')
    assert lost(extras={"web_search_options": sized}) == "web_search_options.search_context_size"
    assert lost(extras={"web_search_options": Raw(b"7")}) == "web_search_options"


@pytest.mark.parametrize(
    ("choice", "strict", "config"),
    [
        (ToolChoice("auto"), None, {"mode": "AUTO"}),
        (ToolChoice("auto"), True, {"mode": "VALIDATED"}),
        (ToolChoice("none"), True, {"mode": "NONE"}),
        (ToolChoice("required"), None, {"mode": "ANY"}),
        (ToolChoice("tool", ("f",)), None, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice("auto", ("f",)), None, {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        (None, True, {"mode": "VALIDATED"}),
    ],
)
def test_a_choice_of_tools_is_a_mode(choice: ToolChoice | None, *, strict: bool | None, config: dict[str, Any]) -> None:
    body = asked(tools=(Tool(name="f", strict=strict),), tool_choice=choice)
    assert body["toolConfig"] == {"functionCallingConfig": config}


def test_sampling_and_formats_are_the_generation_config() -> None:
    schema = ResponseFormat(kind="json_schema", name="n", schema=Raw(b'{"type":"object"}'), strict=True)
    body = asked(
        max_output_tokens=9, temperature=0.5, top_p=0.25, top_k=3, n=2, seed=7, presence_penalty=1.0,
        frequency_penalty=-1.0, stop=("x",), logprobs=True, top_logprobs=4, response_format=schema,
        modalities=("text", "image"),
    )  # fmt: skip
    assert body["generationConfig"] == {
        "maxOutputTokens": 9, "temperature": 0.5, "topP": 0.25, "topK": 3, "candidateCount": 2, "seed": 7,
        "presencePenalty": 1.0, "frequencyPenalty": -1.0, "stopSequences": ["x"], "responseLogprobs": True,
        "logprobs": 4, "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
        "responseModalities": ["TEXT", "IMAGE"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "reasoning", "config"),
    [
        ("gemini-3-pro-preview", Reasoning(effort="medium"), {"thinkingLevel": "MEDIUM"}),
        ("gemini-3-pro-preview", Reasoning(effort="none"), {"thinkingLevel": "MINIMAL"}),
        ("gemini-2.5-flash", Reasoning(effort="low"), {"thinkingBudget": 2_048}),
        ("gemini-2.5-flash", Reasoning(effort="max"), {"thinkingBudget": 24_576}),
        ("gemini-2.5-pro", Reasoning(effort="max"), {"thinkingBudget": 32_768}),
        ("gemini-3-flash", Reasoning(budget_tokens=2_000), {"thinkingLevel": "LOW"}),
        ("gemini-2.5-flash", Reasoning(effort="none"), {"thinkingBudget": 0}),
        ("gemini-2.5-pro", Reasoning(enabled=False), {"thinkingBudget": 128}),
        (
            "gemini-2.5-pro",
            Reasoning(enabled=True, budget_tokens=999),
            {"thinkingBudget": 999, "includeThoughts": True},
        ),
        ("gemini-2.5-flash", Reasoning(enabled=True), {"thinkingBudget": -1, "includeThoughts": True}),
        (
            "gemini-3-flash",
            Reasoning(effort="high", summary="auto"),
            {"thinkingLevel": "HIGH", "includeThoughts": True},
        ),
        ("gemini-3-flash", Reasoning(summary="none"), {"includeThoughts": False}),
        ("gemini-3-flash", Reasoning(), None),
    ],
)
def test_reasoning_is_a_level_or_a_budget(model: str, reasoning: Reasoning, config: dict[str, Any] | None) -> None:
    body = asked(model=model, reasoning=reasoning)
    assert body.get("generationConfig", {}).get("thinkingConfig") == config


def test_the_detail_of_images_is_the_resolution_of_all_of_them() -> None:
    low = ImagePart(media=Media("url", "https://x.example/a.png"), detail="low")
    high = ImagePart(media=Media("url", "https://x.example/a.png"), detail="high")
    body = asked(Message("user", (low, low)))
    assert body["generationConfig"] == {"mediaResolution": "MEDIA_RESOLUTION_LOW"}
    with pytest.raises(UnsupportedFieldError) as refused:
        asked(Message("user", (low, high)))
    assert refused.value.param == "messages.0.content.1.detail"


def test_fields_that_are_geminis_by_name_pass_and_others_are_lost() -> None:
    body = asked(extras={"safety_settings": Raw(b'[{"category":"c"}]'), "cachedContent": Raw(b'"cachedContents/1"')})
    assert body["safetySettings"] == [{"category": "c"}]
    assert body["cachedContent"] == "cachedContents/1"
    assert asked(source="gemini", extras={"newField": Raw(b"1")})["newField"] == 1
    assert lost(extras={"new_field": Raw(b"1")}) == "new_field"


def test_a_service_tier_is_a_field_of_the_gemini_api() -> None:
    assert asked(service_tier="flex")["serviceTier"] == "flex"
    assert "serviceTier" not in asked(service_tier="default")
    assert lost(service_tier="scale") == "service_tier"


def test_a_voice_is_a_speech_config() -> None:
    body = asked(modalities=("audio",), audio=Raw(b'{"voice":"Kore","format":"pcm16"}'))
    voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
    assert body["generationConfig"] == {"responseModalities": ["AUDIO"], "speechConfig": voice}
    assert lost(audio=Raw(b'{"voice":"Kore","format":"mp3"}')) == "audio.format"
    assert lost(audio=Raw(b"7")) == "audio"
