"""Strategies for answers in the internal form: what round trips through dialects and wire formats begin with."""

from hypothesis import strategies as st
from msgspec import Raw
from msgspec.json import encode

from tollway.chat.message import (
    AudioPart,
    Citation,
    Media,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from tollway.chat.reply import ChatReply, Choice, Stop
from tollway.ledger.usage import Usage

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
