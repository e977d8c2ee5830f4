"""What a dialect has no form for is told besides, in each dialect, whole and streamed; see also tests/recordings."""

import json
from typing import Any

import pytest
from msgspec import Raw

from support.told import events_of
from tollway.api.inference.surfaces import DIALECTS, SURFACES
from tollway.chat.beside import MEMBER, Gathered, read_beside
from tollway.chat.message import AudioPart, Citation, FilePart, Media, OpaquePart, TextPart
from tollway.chat.reply import ChatReply, Choice, Stop
from tollway.providers.cohere.stream import CohereStream
from tollway.providers.openai_compatible.wire import OPENAI_WIRE
from tollway.providers.registry import OPENAI_COMPATIBLE
from tollway.providers.sse import EventSplitter
from tollway.routing.call import Call

BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "a"}]},
    "/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": "a"}]},
    "/v1/responses": {"input": "a"},
}
CELL = OpaquePart(source="gemini", kind="executableCode", raw=Raw(b'{"executableCode":{"code":"1"}}'))
SOUND = AudioPart(media=Media("base64", "AAAA", "audio/wav"), format="wav", transcript="hm")
FILE = FilePart(media=Media("base64", "AAAA", "application/pdf"), name="a.pdf")
SEALED = Citation("url", text="b", url="https://a.example", extra={"encrypted_index": Raw(b'"e"')})
INSIDE = Citation("document", text="b", title="t", unit="answer", start=0, end=1)
REPLY = ChatReply(
    id="1",
    model="m",
    choices=(
        Choice(
            parts=(TextPart(text="b", citations=(SEALED, INSIDE)), CELL, SOUND, FILE),
            stop=Stop.END,
            safety=Raw(b'{"rating":1}'),
            beside={"grounding": [Raw(b'{"a":1}'), Raw(b"[2]")]},
        ),
    ),
)
NO_PLACE = {
    "/v1/chat/completions": {"files", "citations"},
    "/v1/messages": {"files", "audio", "citations", "safety"},
    "/v1/responses": {"files", "audio", "citations", "safety"},
}
"""What else a dialect lacks; chat has a place for one sound and for ratings."""


def call_of(path: str, *, stream: bool) -> Call:
    surface = SURFACES[path]
    body = json.dumps(BODIES[path] | {"model": "m", "stream": stream}).encode()
    return DIALECTS[surface.dialect].parse(body, surface=surface, headers={})


def beside(value: Any) -> dict[str, list[Any]]:
    """All members of that name in an object, lists of one name joined."""
    found: dict[str, list[Any]] = {}
    inner = list(value.items()) if isinstance(value, dict) else [("", each) for each in value]
    for name, each in inner:
        told = each if name == MEMBER else beside(each) if isinstance(each, dict | list) else {}
        for kind, values in told.items():
            found.setdefault(kind, []).extend(values)
    return found


@pytest.mark.parametrize("path", BODIES)
def test_whole_and_streamed_tell_the_same_besides(path: str) -> None:
    dialect: Any = DIALECTS[SURFACES[path].dialect]
    whole = beside(json.loads(dialect.render_reply(REPLY, call_of(path, stream=False))))
    renderer = dialect.renderer(call_of(path, stream=True))
    stream = b"".join([renderer.feed([event]) for event in events_of(REPLY)]) + renderer.end()
    events = [json.loads(data) for _, data in EventSplitter().feed(stream) if data != b"[DONE]"]
    assert beside(events) == whole
    assert whole["grounding"] == [{"a": 1}, [2]]
    assert whole["executableCode"] == [{"executableCode": {"code": "1"}}]
    assert whole.keys() - {"grounding", "executableCode"} == NO_PLACE[path]
    if "audio" in whole:
        assert whole["audio"][0].items() >= {"base64": "AAAA", "mime_type": "audio/wav", "format": "wav"}.items()


def test_pages_and_unknown_parts_of_an_openai_reply_are_kept_as_they_came() -> None:
    message = {
        "content": [{"type": "text", "text": "a"}, {"type": "reference", "reference_ids": [1]}],
        "annotations": [{"type": "file", "file": {"hash": "h"}}],
    }
    pages = [{"url": "https://a.example", "title": "t", "date": "2026-01-01"}]
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "search_results": pages}
    plain = OPENAI_WIRE.parse_reply(json.dumps(body).encode(), spec=OPENAI_COMPATIBLE)
    assert plain is not None
    told = {name: [json.loads(bytes(raw)) for raw in values] for name, values in plain.choices[0].beside.items()}
    assert told == {"search_results": pages, "content": [message["content"][1]], "annotations": message["annotations"]}
    part = plain.choices[0].parts[0]
    assert isinstance(part, TextPart)
    assert [citation.url for citation in part.citations] == ["https://a.example"]


def test_citations_of_thoughts_are_not_lost() -> None:
    start = {"type": "content-start", "delta": {"message": {"content": {"type": "thinking", "thinking": "hm"}}}}
    cited = {"type": "citation-start", "delta": {"message": {"citations": {"text": "hm", "sources": [{"id": "1"}]}}}}
    data = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in (start, cited))
    assert any(getattr(event, "name", "") == "citations" for event in CohereStream().feed(data))


def test_a_member_of_another_gateway_is_read_and_never_raises() -> None:
    assert read_beside(Raw(b'{"a":[1,2],"b":{"c":1}}')) == {"a": [Raw(b"1"), Raw(b"2")], "b": [Raw(b'{"c":1}')]}
    for odd in (b"null", b"[]", b'"x"', b"[1", b"{"):
        assert read_beside(Raw(odd)) == {}
    gathered = Gathered()
    gathered.note("torn", Raw(b"[1"))
    assert gathered.told == {"torn": [Raw(b"[1")]}
