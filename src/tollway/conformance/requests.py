"""Requests of every kind, each with marks that must reach the provider: or be reported as lost, by name."""

import msgspec
from msgspec import Raw

from tollway.chat.message import (
    AudioPart,
    FilePart,
    ImagePart,
    Media,
    Message,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.chat.request import ChatRequest, ProviderTool, Reasoning, ResponseFormat, Tool, ToolChoice

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
"""A PNG of one pixel, base64."""
SECOND_OF_SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
"""An empty WAV file, base64."""
PAGE = "JVBERi0xLjEKJcKlwrHDqwoKMSAwIG9iago8PCAvVHlwZSAvQ2F0YWxvZyA+PgplbmRvYmoKCg=="
"""The beginning of a PDF file, base64."""
SCHEMA = Raw(
    b'{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'
)
_OWN = "conformance"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One request.

    Attributes:
        name: what it is about.
        chat: the request.
        marks: texts that stand in the provider's request, if nothing was lost.
        essential: whether every provider must be able to take it, so that a loss is a failure of the suite.
    """

    name: str
    chat: ChatRequest
    marks: tuple[str, ...] = ()
    essential: bool = False


def _ask(*parts: Part, role: str = "user", **fields: object) -> ChatRequest:
    shown = parts or (TextPart(text="ask-mark"),)
    return ChatRequest(source=_OWN, messages=(Message(role, shown),), **fields)  # type: ignore[arg-type]


_USER = Message("user", (TextPart(text="ask-mark"),))
_WEATHER = Tool(name="weather_mark", description="describe-mark", parameters=SCHEMA)
_CLOCK = Tool(name="clock_mark", parameters=Raw(b'{"type":"object","properties":{}}'))
_CALLS = Message(
    "assistant",
    (
        TextPart(text="before-mark"),
        ToolCallPart(id="call_1", name="weather_mark", arguments='{"city":"oslo-mark"}'),
        ToolCallPart(id="call_2", name="clock_mark", arguments="{}"),
    ),
)
_RESULTS = Message(
    "tool",
    (
        ToolResultPart(call_id="call_1", parts=(TextPart(text="rain-mark"),)),
        ToolResultPart(call_id="call_2", parts=(TextPart(text="noon-mark"),), failed=True),
    ),
)
_THOUGHT = Message(
    "assistant", (ThinkingPart(text="think-mark", source=_OWN, signature="s"), TextPart(text="say-mark"))
)

CASES: tuple[Case, ...] = (
    Case(name="text", chat=_ask(), marks=("ask-mark",), essential=True),
    Case(
        name="system",
        chat=ChatRequest(source=_OWN, messages=(Message("system", (TextPart(text="rule-mark"),)), _USER)),
        marks=("rule-mark", "ask-mark"),
        essential=True,
    ),
    Case(
        name="developer",
        chat=ChatRequest(source=_OWN, messages=(Message("developer", (TextPart(text="rule-mark"),)), _USER)),
        marks=("rule-mark", "ask-mark"),
        essential=True,
    ),
    Case(
        name="several turns",
        chat=ChatRequest(
            source=_OWN,
            messages=(_USER, Message("assistant", (TextPart(text="said-mark"),)), _USER),
        ),
        marks=("said-mark", "ask-mark"),
        essential=True,
    ),
    Case(name="stream", chat=_ask(stream=True), marks=("ask-mark",), essential=True),
    Case(name="max_output_tokens", chat=_ask(max_output_tokens=4_321), marks=("4321",), essential=True),
    Case(name="temperature", chat=_ask(temperature=0.25), marks=("0.25",)),
    Case(name="top_p", chat=_ask(top_p=0.375), marks=("0.375",)),
    Case(name="top_k", chat=_ask(top_k=4_711), marks=("4711",)),
    Case(name="min_p", chat=_ask(min_p=0.0625), marks=("0.0625",)),
    Case(name="stop", chat=_ask(stop=("halt-mark",)), marks=("halt-mark",)),
    Case(name="seed", chat=_ask(seed=987_654), marks=("987654",)),
    Case(name="presence_penalty", chat=_ask(presence_penalty=0.125), marks=("0.125",)),
    Case(name="frequency_penalty", chat=_ask(frequency_penalty=0.625), marks=("0.625",)),
    Case(name="logit_bias", chat=_ask(logit_bias={"50256": -12.5}), marks=("50256",)),
    Case(name="n", chat=_ask(n=3), marks=("3",)),
    Case(name="logprobs", chat=_ask(logprobs=True, top_logprobs=7), marks=("7",)),
    Case(name="user", chat=_ask(user="user-mark")),
    Case(name="service_tier", chat=_ask(service_tier="priority"), marks=("priority",)),
    Case(name="verbosity", chat=_ask(verbosity="low"), marks=("low",)),
    Case(
        name="image in base64",
        chat=_ask(TextPart(text="ask-mark"), ImagePart(media=Media("base64", PIXEL, "image/png"))),
        marks=(PIXEL, "ask-mark"),
    ),
    Case(
        name="image by URL",
        chat=_ask(ImagePart(media=Media("url", "https://example.com/image-mark.png"))),
        marks=("image-mark.png",),
    ),
    Case(
        name="audio",
        chat=_ask(AudioPart(media=Media("base64", SECOND_OF_SILENCE, "audio/wav"), format="wav")),
        marks=(SECOND_OF_SILENCE,),
    ),
    Case(
        name="file in base64",
        chat=_ask(FilePart(media=Media("base64", PAGE, "application/pdf"), name="page-mark.pdf"), TextPart(text="a")),
        marks=(PAGE,),
    ),
    Case(name="file by id", chat=_ask(FilePart(media=Media("file_id", "file-id-mark"))), marks=("file-id-mark",)),
    Case(name="tools", chat=_ask(tools=(_WEATHER, _CLOCK)), marks=("weather_mark", "describe-mark", "clock_mark")),
    Case(
        name="tool results",
        chat=ChatRequest(source=_OWN, messages=(_USER, _CALLS, _RESULTS), tools=(_WEATHER, _CLOCK)),
        marks=("before-mark", "oslo-mark", "rain-mark", "noon-mark"),
    ),
    Case(
        name="tool result with an image",
        chat=ChatRequest(
            source=_OWN,
            messages=(
                _USER,
                Message("assistant", (ToolCallPart(id="call_1", name="clock_mark", arguments="{}"),)),
                Message(
                    "tool",
                    (
                        ToolResultPart(
                            call_id="call_1",
                            parts=(
                                TextPart(text="shown-mark"),
                                ImagePart(media=Media("base64", PIXEL, "image/png")),
                            ),
                        ),
                    ),
                ),
            ),
            tools=(_CLOCK,),
        ),
        marks=("shown-mark", PIXEL),
    ),
    *(
        Case(
            name=f"tool choice: {choice.mode}",
            chat=_ask(tools=(_WEATHER, _CLOCK), tool_choice=choice),
            marks=() if choice.mode == "none" else ("weather_mark",),  # what may not be called need not be sent
        )
        for choice in (
            ToolChoice("auto"),
            ToolChoice("none"),
            ToolChoice("required"),
            ToolChoice("tool", ("weather_mark",)),
        )
    ),
    Case(name="one tool call at a time", chat=_ask(tools=(_WEATHER,), parallel_tool_calls=False)),
    Case(
        name="custom tool",
        chat=_ask(tools=(Tool(name="free_mark", custom=True, description="d"),)),
        marks=("free_mark",),
    ),
    Case(
        name="tool of a provider",
        chat=_ask(tools=(ProviderTool(source=_OWN, kind="web_search", raw=Raw(b'{"type":"web_search"}')),)),
        marks=("web_search",),
    ),
    Case(name="JSON", chat=_ask(response_format=ResponseFormat(kind="json_object"))),
    Case(
        name="JSON by a schema",
        chat=_ask(response_format=ResponseFormat(kind="json_schema", name="place", schema=SCHEMA, strict=True)),
        marks=("city",),
    ),
    Case(name="effort of reasoning", chat=_ask(reasoning=Reasoning(effort="high"))),
    Case(name="budget of reasoning", chat=_ask(reasoning=Reasoning(enabled=True, budget_tokens=2_048))),
    Case(
        name="thoughts of another format",
        chat=ChatRequest(source=_OWN, messages=(_USER, _THOUGHT, _USER)),
        marks=("say-mark",),
    ),
    Case(
        name="refusal in the history",
        chat=ChatRequest(
            source=_OWN, messages=(_USER, Message("assistant", (RefusalPart(text="refuse-mark"),)), _USER)
        ),
        marks=("refuse-mark",),
    ),
    Case(
        name="cache marks",
        chat=_ask(TextPart(text="ask-mark", cache="1h")),
        marks=("ask-mark",),
    ),
    Case(
        name="what only another format knows",
        chat=_ask(OpaquePart(source=_OWN, kind="search_call", raw=Raw(b'{"id":"opaque-mark"}'))),
        marks=("opaque-mark",),
    ),
    Case(name="unknown field", chat=_ask(extras={"new_field": Raw(b'"extra-mark"')}), marks=("extra-mark",)),
)
"""The catalogue."""
