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
    Media,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from tollway.chat.reply import ChatReply, Choice, Stop
from tollway.chat.request import ChatRequest, Tool
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


def replies(parts: st.SearchStrategy[Part] = answer_parts) -> st.SearchStrategy[ChatReply]:
    """Whole answers out of such parts."""
    return st.builds(
        ChatReply,
        id=texts,
        model=texts,
        created_s=st.integers(1, 2**33),
        choices=st.lists(
            st.builds(Choice, parts=st.lists(parts, max_size=4).map(tuple), stop=st.sampled_from(Stop)),
            min_size=1,
            max_size=2,
        ).map(tuple),
        usage=st.one_of(st.none(), usages),
    )
