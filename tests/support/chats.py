"""Strategies for answers in the internal form: what round trips through dialects and wire formats begin with."""

from hypothesis import strategies as st
from msgspec import Raw
from msgspec.json import encode
from msgspec.structs import replace

from tollway.api.dialects.openai import OpenAIDialect, parse
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
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.chat.reply import ChatReply, Choice, Stop
from tollway.chat.request import ChatRequest, ProviderTool, Reasoning, ResponseFormat, Tool, ToolChoice
from tollway.ledger.usage import Usage
from tollway.providers.chat_form import ALL_FIELDS, IMAGES, ChatForm
from tollway.providers.openai_compatible.chat_messages import UNNAMED, raw_or_empty
from tollway.providers.openai_compatible.wire import OPENAI_WIRE
from tollway.providers.registry import OPENAI_COMPATIBLE
from tollway.routing.catalog import Deployment

AT = Deployment(
    name="at", spec="openai_compatible", base_url="https://provider.example/v1", credential="k", price_provider=""
)
"""A provider to build requests for."""
FULL_SPEC = replace(
    OPENAI_COMPATIBLE,
    form=ChatForm(
        fields=ALL_FIELDS | {"top_k", "min_p"},
        media=IMAGES | {"audio", "file", "file_id", "file_url"},
        custom_tools=True,
        developer=True,
        thoughts="reasoning_details",
        reasoning="reasoning",
        efforts=("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        cache_marks=True,
        signed_calls=True,
    ),
)
"""A server of the OpenAI format that takes all there is."""


def sent_again(chat: ChatRequest) -> ChatRequest:
    """A request written by the OpenAI wire format for such a server, and read by the OpenAI dialect."""
    nothing = Losses(drop=False, target="it")
    written = OPENAI_WIRE.build_request(chat, deployment=AT, spec=FULL_SPEC, model="m", losses=nothing)
    return OpenAIDialect().to_chat(parse(written.body, surface="chat", required=("messages",)), nothing)


def normal(chat: ChatRequest) -> ChatRequest:
    """The same with what is filled in where a caller left it out: the name of a file, the schema of no arguments."""
    tools = tuple(
        replace(tool, parameters=raw_or_empty(tool.parameters)) if isinstance(tool, Tool) and not tool.custom else tool
        for tool in chat.tools
    )
    messages = tuple(replace(message, parts=tuple(map(_named, message.parts))) for message in chat.messages)
    return replace(chat, tools=tools, messages=messages)


def _named(part: Part) -> Part:
    if isinstance(part, FilePart) and part.media.kind != "file_id":
        return replace(part, name=part.name or UNNAMED)
    return part


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
names = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
base64 = st.sampled_from(["aGVsbG8=", "AAAA", "UklGRg=="])
objects = st.dictionaries(names, st.one_of(texts, st.integers(-9, 9), st.booleans(), st.none()), max_size=3)
citations = st.builds(
    Citation, kind=st.just("url"), text=texts, title=texts, url=texts, unit=st.just("answer"),
    start=st.integers(0, 9), end=st.integers(9, 20),
)  # fmt: skip
usages = st.builds(Usage, **dict.fromkeys(("input", "cache_read", "output", "reasoning"), st.integers(0, 10**6)))
thinking = st.builds(ThinkingPart, text=texts, signature=st.one_of(st.just(""), texts), source=st.just("openai"))
tool_calls = st.builds(
    ToolCallPart, id=st.uuids().map(str), name=names, arguments=objects.map(lambda value: encode(value).decode())
)
besides = st.dictionaries(
    names, st.lists(objects.map(lambda value: Raw(encode(value))), min_size=1, max_size=2), max_size=1
)
answer_parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(TextPart, text=texts, citations=st.lists(citations, max_size=2).map(tuple)),
    st.builds(RefusalPart, text=texts),
    thinking,
    tool_calls,
    st.builds(
        AudioPart, media=st.builds(Media, kind=st.just("base64"), value=base64), transcript=texts, id=names,
        expires_at_s=st.integers(0, 2**40),
    ),
    st.builds(OpaquePart, source=names, kind=names, raw=objects.map(lambda value: Raw(encode(value)))),
)  # fmt: skip


def _one_sound(parts: list[Part]) -> bool:
    """No dialect has an answer speak twice."""
    return sum(isinstance(part, AudioPart) for part in parts) <= 1


def replies(parts: st.SearchStrategy[Part] = answer_parts) -> st.SearchStrategy[ChatReply]:
    """Whole answers out of such parts."""
    some = st.lists(parts, max_size=4).filter(_one_sound)
    return st.builds(
        ChatReply,
        id=texts,
        model=texts,
        created_s=st.integers(1, 2**33),
        choices=st.lists(
            st.builds(Choice, parts=some.map(tuple), stop=st.sampled_from(Stop), beside=besides), min_size=1, max_size=2
        ).map(tuple),
        usage=st.one_of(st.none(), usages),
    )


_marks = st.sampled_from(["", "", "5m", "1h"])
_urls = st.sampled_from(["https://example.com/a.png", "http://example.com/b"])
_pictures = st.one_of(
    st.builds(Media, kind=st.just("url"), value=_urls),
    st.builds(Media, kind=st.just("base64"), value=base64, mime=st.sampled_from(["image/png", "image/webp"])),
)
_asked_parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(TextPart, text=texts, cache=_marks),
    st.builds(ImagePart, media=_pictures, detail=st.sampled_from(["", "low", "high"]), cache=_marks),
    st.builds(
        AudioPart, media=st.builds(Media, kind=st.just("base64"), value=base64, mime=st.just("audio/wav")),
        format=st.just("wav"), cache=_marks,
    ),
    st.builds(
        FilePart, media=st.builds(Media, kind=st.just("base64"), value=base64, mime=st.just("application/pdf")),
        name=names, cache=_marks,
    ),
    st.builds(FilePart, media=st.builds(Media, kind=st.just("file_id"), value=names)),
)  # fmt: skip
_raws = objects.map(lambda value: Raw(encode(value)))


@st.composite
def _answers(draw: st.DrawFn) -> tuple[Message, ...]:
    """An answer with the results of its calls."""
    thoughts = draw(st.lists(st.builds(
        ThinkingPart, text=texts, signature=texts, id=names, source=st.sampled_from(["openai", "anthropic", "gemini"]),
    ), max_size=2))  # fmt: skip
    said = draw(st.lists(st.builds(TextPart, text=texts, cache=_marks), max_size=2))
    refused = draw(st.lists(st.builds(RefusalPart, text=texts), max_size=1))
    signed = st.sampled_from([{}, {"signature": "c2ln", "source": "gemini"}])
    calls = [
        ToolCallPart(id=f"call_{index}", name=draw(names), arguments=draw(objects.map(lambda o: encode(o).decode())),
                     custom=False, **draw(signed))
        for index in range(draw(st.integers(0, 2)))
    ]  # fmt: skip
    if draw(st.booleans()):
        calls.append(ToolCallPart(id="call_free", name=draw(names), arguments=draw(texts), custom=True))
    results = [
        Message("tool", (ToolResultPart(call_id=call.id, parts=(TextPart(text=draw(texts)),), custom=call.custom),))
        for call in calls
    ]
    parts = (*thoughts, *said, *refused, *calls)
    return (Message("assistant", parts or (TextPart(text="yes"),)), *results)


@st.composite
def _talks(draw: st.DrawFn) -> tuple[Message, ...]:
    messages = [
        Message(role, (TextPart(text=draw(texts)),))
        for role in draw(st.lists(st.sampled_from(["system", "developer"]), max_size=2))
    ]
    for _ in range(draw(st.integers(1, 2))):
        parts = draw(st.lists(_asked_parts, min_size=1, max_size=3))
        messages.append(Message("user", tuple(parts), draw(st.sampled_from(["", "ann"]))))
        messages += draw(_answers())
    return tuple(messages)


_tools = st.one_of(
    st.builds(
        Tool, name=names, description=st.one_of(st.none(), texts), parameters=_raws,
        strict=st.sampled_from([None, True, False]), cache=_marks,
    ),
    st.builds(Tool, name=names, custom=st.just(value=True), format=st.one_of(st.none(), _raws)),
    st.builds(ProviderTool, source=st.just("openai"), kind=st.just("web"), raw=st.just(Raw(b'{"type":"web","a":1}'))),
)  # fmt: skip
_numbers = st.one_of(st.none(), st.floats(0, 2, allow_nan=False))
_choices = st.one_of(
    st.builds(ToolChoice, mode=st.sampled_from(["auto", "none", "required"])),
    st.just(ToolChoice("tool", ("one",))),
    st.just(ToolChoice("required", ("one", "other"))),
)
_thinks = st.one_of(
    st.builds(Reasoning, effort=st.sampled_from(["none", "low", "xhigh"])),
    st.builds(Reasoning, enabled=st.just(value=True), budget_tokens=st.integers(1, 9_999)),
    st.builds(Reasoning, enabled=st.booleans(), summary=st.sampled_from(["", "none"])),
)
_schemas = st.builds(
    ResponseFormat, kind=st.just("json_schema"), name=names, schema=_raws, strict=st.sampled_from([None, True])
)


@st.composite
def chats(draw: st.DrawFn) -> ChatRequest:
    """Whole requests, of all that the OpenAI dialect can say."""
    tools = tuple(draw(st.lists(_tools, max_size=3)))
    spoken = draw(st.booleans())
    return ChatRequest(
        source="openai",
        messages=draw(_talks()),
        tools=tools,
        tool_choice=draw(st.one_of(st.none(), _choices)) if tools else None,
        parallel_tool_calls=draw(st.sampled_from([None, True, False])) if tools else None,
        max_output_tokens=draw(st.one_of(st.none(), st.integers(1, 10**6))),
        temperature=draw(_numbers),
        top_p=draw(_numbers),
        top_k=draw(st.one_of(st.none(), st.integers(1, 99))),
        min_p=draw(_numbers),
        stop=tuple(draw(st.lists(texts, max_size=3))),
        seed=draw(st.one_of(st.none(), st.integers(-(2**31), 2**31))),
        presence_penalty=draw(_numbers),
        frequency_penalty=draw(_numbers),
        logit_bias=draw(st.sampled_from([None, {"50256": -100.0}])),
        n=draw(st.sampled_from([None, 2])),
        logprobs=draw(st.sampled_from([None, True])),
        response_format=draw(st.one_of(st.none(), st.just(ResponseFormat(kind="json_object")), _schemas)),
        reasoning=draw(st.one_of(st.none(), _thinks)),
        verbosity=draw(st.sampled_from(["", "low"])),
        service_tier=draw(st.sampled_from(["", "auto", "default", "flex"])),
        user=draw(st.sampled_from(["", "ann"])),
        modalities=("text", "audio") if spoken else (),
        audio=Raw(b'{"voice":"alloy","format":"wav"}') if spoken else None,
        prediction=draw(st.sampled_from([None, Raw(b'{"type":"content","content":"x"}')])),
        stream=draw(st.booleans()),
        extras=draw(st.dictionaries(names.map(lambda name: f"x_{name}"), _raws, max_size=2)),
    )
