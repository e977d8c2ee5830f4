"""Streams of generateContent mean what whole replies mean, however they are told; and what goes back is what came."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.recordings import PATH, available, name_of, rows_of
from support.replies import recut
from tollway.chat.collect import collect
from tollway.chat.events import Begun, Broke, Counted, Ended, Event
from tollway.chat.losses import Losses
from tollway.chat.message import Citation, ImagePart, Message, TextPart, ThinkingPart, ToolCallPart
from tollway.chat.reply import ChatReply, Stop
from tollway.chat.request import ChatRequest
from tollway.providers.gemini.contents import ContentWriter
from tollway.providers.gemini.reply import parse_reply
from tollway.providers.gemini.stream import GeminiStream


def sse(*chunks: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)


def read(body: bytes, seed: int = 0) -> tuple[list[Event], GeminiStream]:
    parser = GeminiStream()
    events = [event for piece in recut(body, seed) for event in parser.feed(piece)]
    return [*events, *parser.finish()], parser


def whole(reply: dict[str, Any]) -> ChatReply:
    found = parse_reply(json.dumps(reply).encode())
    assert found is not None
    return found


def candidate(*parts: dict[str, Any], finish: str | int | None = "STOP", index: int = 0, **more: Any) -> dict[str, Any]:
    ended = {} if finish is None else {"finishReason": finish}
    return {"content": {"role": "model", "parts": list(parts)}, "index": index} | ended | more


def streamed(reply: dict[str, Any], chance: random.Random) -> Iterator[dict[str, Any]]:
    """A whole reply of one candidate as the events of a stream: a piece of text or a part at a time."""
    (answer,) = reply["candidates"]
    rest = {name: value for name, value in answer.items() if name != "content"}
    shared = {name: reply[name] for name in ("responseId", "modelVersion", "createTime") if name in reply}
    for part in (answer.get("content") or {}).get("parts") or ():
        for piece in _pieces(part, chance):
            yield shared | {"candidates": [{"content": {"parts": [piece], "role": "model"}, "index": 0}]}
    last = {name: value for name, value in reply.items() if name not in shared}
    yield shared | last | {"candidates": [rest]}


def _pieces(part: dict[str, Any], chance: random.Random) -> Iterator[dict[str, Any]]:
    text = part.get("text")
    if not text:
        yield part
        return
    cut = chance.randrange(len(text) + 1)
    plain = {name: value for name, value in part.items() if name != "thoughtSignature"}
    yield plain | {"text": text[:cut]}
    yield part | {"text": text[cut:]}


@pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")
def test_a_recorded_reply_means_the_same_as_a_stream() -> None:
    chance = random.Random(1)
    compared = 0
    for row in rows_of("google-gemini", "google-vertex"):
        if row["endpoint"].endswith(":generateContent") and row["status"] == 200:
            reply = json.loads(row["response_body"])
            events, parser = read(sse(*streamed(reply, chance)), compared)
            assert collect(events) == whole(reply), name_of(row)
            assert parser.done, name_of(row)
            compared += 1
    assert compared > 300


@pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")
def test_a_recorded_answer_goes_back_as_it_came() -> None:
    for row in rows_of("google-gemini", "google-vertex"):
        if not row["endpoint"].endswith(":generateContent") or row["status"] != 200:
            continue
        reply = json.loads(row["response_body"])
        came = (reply["candidates"][0].get("content") or {}).get("parts") or []
        parts = whole(reply).choices[0].parts
        losses = Losses(drop=False, target="it")
        writer = ContentWriter(model="gemini-2.5-flash", base_url="https://g.example", losses=losses)
        ask = Message("user", (TextPart(text="a"),))
        written = writer.write(ChatRequest(source="gemini", messages=(ask, Message("assistant", parts))))
        went = json.loads(json.dumps(written, default=lambda raw: json.loads(bytes(raw))))["contents"]
        assert _said(went[1]["parts"] if len(went) > 1 else []) == _said(came), name_of(row)


def _said(parts: list[dict[str, Any]]) -> list[object]:
    """Calls, thoughts, signatures and what is opaque in their order, and all text together."""
    found: list[object] = []
    for part in parts:
        call = part.get("functionCall")
        if call is not None:
            found.append((call["name"], call.get("args", {}), part.get("thoughtSignature")))
        elif "text" not in part:
            found.append(part)
        elif part.get("thoughtSignature"):
            found.append(part["thoughtSignature"])
    texts = [part.get("text", "") for part in parts if not part.get("thought")]
    thoughts = [part.get("text", "") for part in parts if part.get("thought")]
    return [*found, "".join(texts), "".join(thoughts)]


def test_several_answers_come_mixed_and_end_when_all_have() -> None:
    body = sse(
        {"candidates": [candidate({"text": "a"}, finish=None), candidate({"text": "x"}, index=1, finish=None)]},
        {"candidates": [candidate({"text": "b"})]},
        {
            "candidates": [candidate({"text": "y"}, index=1, finish="MAX_TOKENS")],
            "usageMetadata": {"promptTokenCount": 1},
        },
    )
    events, parser = read(body)
    reply = collect(events)
    assert [choice.stop for choice in reply.choices] == [Stop.END, Stop.LENGTH]
    assert [choice.parts for choice in reply.choices] == [(TextPart(text="ab"),), (TextPart(text="xy"),)]
    assert parser.done
    half, unfinished = read(body[: body.index(b'"y"')])
    assert not unfinished.done
    assert sum(isinstance(event, Ended) for event in half) == 1


def test_a_stream_is_not_whole_before_its_connection_has_ended() -> None:
    parser = GeminiStream()
    parser.feed(sse({"candidates": [candidate({"text": "a"})]}))
    assert not parser.done
    parser.finish()
    assert parser.done


def test_every_event_counts_and_only_the_last_count_is_of_the_whole() -> None:
    counts = [{"promptTokenCount": 15}, {"promptTokenCount": 13, "candidatesTokenCount": 8, "thoughtsTokenCount": 2}]
    events, _ = read(
        sse(
            {"candidates": [candidate({"text": "a"}, finish=None)], "usageMetadata": counts[0]},
            {"candidates": [candidate({"text": "b"})], "usageMetadata": counts[1]},
        )
    )
    first, last = (event for event in events if isinstance(event, Counted))
    assert (first.usage.input, first.whole) == (15, False)
    assert (last.usage.input, last.usage.output, last.usage.reasoning, last.whole) == (13, 8, 2, True)


def test_a_blocked_prompt_is_an_answer_that_was_filtered() -> None:
    reply = whole({"promptFeedback": {"blockReason": "SAFETY", "safetyRatings": [{"category": "X"}]}})
    assert [choice.stop for choice in reply.choices] == [Stop.FILTER]
    assert bytes(reply.choices[0].safety or b"") == b'[{"category": "X"}]'


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", Stop.END),
        (1, Stop.END),
        ("MAX_TOKENS", Stop.LENGTH),
        ("RECITATION", Stop.FILTER),
        ("MODEL_ARMOR", Stop.FILTER),
        ("MALFORMED_FUNCTION_CALL", Stop.OTHER),
        ("SOMETHING_NEW", Stop.OTHER),
        (99, Stop.OTHER),
    ],
)
def test_reasons_for_the_end(reason: str | int, stop: Stop) -> None:
    assert whole({"candidates": [candidate({"text": "a"}, finish=reason)]}).choices[0].stop is stop


def test_an_answer_with_calls_ends_for_them() -> None:
    reply = whole({"candidates": [candidate({"functionCall": {"name": "f"}})], "responseId": "r"})
    (call,) = reply.choices[0].parts
    assert isinstance(call, ToolCallPart)
    assert (call.name, call.arguments, reply.choices[0].stop) == ("f", "{}", Stop.TOOL_CALLS)


def test_calls_without_ids_get_ones_that_do_not_change_and_do_not_collide() -> None:
    parts = [{"functionCall": {"name": "f", "args": {"a": 1}}}] * 3
    replies = [whole({"candidates": [candidate(*parts)], "responseId": name}) for name in ("r1", "r1", "r2")]
    ids = [[getattr(part, "id", "") for part in reply.choices[0].parts] for reply in replies]
    assert ids[0] == ids[1]
    assert len({*ids[0], *ids[2]}) == 6
    assert all(len(each) <= 40 for each in ids[0])


def test_places_in_bytes_become_places_in_characters() -> None:
    text = "Zürich “is” nice. Really."
    segment = {"endIndex": len("Zürich “is” nice.".encode()), "text": "Zürich “is” nice."}
    elsewhere = {"startIndex": 900, "endIndex": 999, "text": "Really."}
    grounding = {
        "groundingChunks": [
            {"web": {"uri": "https://a.example", "title": "A"}},
            {"retrievedContext": {"uri": "gs://b", "title": "B", "text": "passage"}},
        ],
        "groundingSupports": [
            {"segment": segment, "groundingChunkIndices": [0, 7]},
            {"segment": elsewhere, "groundingChunkIndices": [1]},
        ],
        "webSearchQueries": ["weather", "weather", "snow", " "],
    }
    usage = {"promptTokenCount": 3, "toolUsePromptTokenCount": 4}
    reply = whole(
        {
            "candidates": [candidate({"text": text}, groundingMetadata=grounding)],
            "usageMetadata": usage,
            "modelVersion": "gemini-3-pro",
        }
    )
    (part,) = reply.choices[0].parts
    assert isinstance(part, TextPart)
    first, second = part.citations
    assert first == Citation(
        "url", text=segment["text"], title="A", url="https://a.example", unit="answer", start=0, end=17
    )
    assert (second.kind, second.start, second.end) == ("search_result", 18, 25)
    assert reply.usage is not None
    assert (reply.usage.input, reply.usage.web_searches) == (7, 2)
    events, _ = read(
        sse(
            {"candidates": [candidate({"text": text[:9]}, finish=None)]},
            {"candidates": [candidate({"text": text[9:]}, groundingMetadata=grounding)], "usageMetadata": usage},
        )
    )
    assert collect(events).choices[0].parts == (part,)


def test_what_is_quoted_word_for_word_is_cited_once() -> None:
    quote = {"startIndex": 0, "endIndex": 3, "uri": "https://a.example", "license": "MIT"}
    chunk = {"citationMetadata": {"citations": [quote]}}
    events, _ = read(
        sse(
            {"candidates": [candidate({"text": "abc"}, finish=None, **chunk)]},
            {"candidates": [candidate({"text": "d"}, **chunk)]},
        )
    )
    (part,) = collect(events).choices[0].parts
    assert isinstance(part, TextPart)
    (citation,) = part.citations
    assert (citation.url, citation.start, citation.end) == ("https://a.example", 0, 3)
    assert bytes(citation.extra["license"]) == b'"MIT"'


def test_probabilities_are_told_in_openais_form() -> None:
    result = {
        "chosenCandidates": [{"token": "é", "tokenId": 1, "logProbability": -0.5}],
        "topCandidates": [
            {"candidates": [{"token": "é", "logProbability": -0.5}, {"token": "x", "logProbability": -2}]}
        ],
    }
    raw = whole({"candidates": [candidate({"text": "é"}, logprobsResult=result)]}).choices[0].logprobs
    assert raw is not None
    (entry,) = json.loads(bytes(raw))["content"]
    assert entry["bytes"] == list("é".encode())
    assert [each["token"] for each in entry["top_logprobs"]] == ["é", "x"]
    assert entry["top_logprobs"][1]["bytes"] == [120]


def test_pictures_come_as_pictures_and_their_tokens_are_counted_apart() -> None:
    usage = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 1_300,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1_290}],
    }
    picture = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0K"}, "thoughtSignature": "s"}
    reply = whole({"candidates": [candidate({"text": "here"}, picture)], "usageMetadata": usage})
    text, image, signature = reply.choices[0].parts
    assert isinstance(text, TextPart)
    assert isinstance(image, ImagePart)
    assert image.media.value == "iVBORw0K"
    assert signature == ThinkingPart(signature="s", source="gemini")
    assert reply.usage is not None
    assert (reply.usage.output, reply.usage.image_output) == (10, 1_290)


def test_bytes_that_are_no_text_are_no_reply_wherever_they_stand() -> None:
    for part in (b'{"functionCall":{"name":"f","args":{"a":"\xff"}}}', b'{"executableCode":{"code":"\xff"}}'):
        body = b'{"candidates":[{"content":{"parts":[' + part + b']},"finishReason":"STOP"}]}'
        assert parse_reply(body) is None
        assert read(b"data: " + body + b"\n\n")[0] == []
        assert parse_reply(body.replace(b"\xff", b"x")) is not None


def test_an_error_inside_a_stream_breaks_it() -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    events, parser = read(sse({"candidates": [candidate({"text": "a"}, finish=None)]}, error))
    assert events[-1] == Broke("The model is overloaded.", "UNAVAILABLE")
    assert not parser.done


def test_a_last_event_without_its_empty_line_counts_only_if_it_is_whole() -> None:
    body = sse({"candidates": [candidate({"text": "a"})]}).rstrip()
    events, parser = read(body)
    assert parser.done
    assert isinstance(events[0], Begun)
    _, cut = read(body[:-4])
    assert cut.torn
    assert not cut.done


texts = st.text(min_size=1, max_size=8)
members = st.one_of(
    st.builds(lambda text: {"text": text}, texts),
    st.builds(lambda text: {"text": text, "thought": True}, texts),
    st.builds(lambda text, sig: {"text": text, "thoughtSignature": sig}, st.text(max_size=4), texts),
    st.builds(lambda text, sig: {"text": text, "thought": True, "thoughtSignature": sig}, texts, texts),
    st.builds(lambda name, sig: {"functionCall": {"name": name}, "thoughtSignature": sig}, texts, texts),
    st.just({"executableCode": {"language": "PYTHON", "code": "1"}}),
    st.just({"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAAA"}}),
)


@given(st.lists(members, max_size=6), st.integers(0, 99))
def test_any_reply_means_the_same_as_a_stream(parts: list[dict[str, Any]], seed: int) -> None:
    reply = {"candidates": [candidate(*parts)], "responseId": "r", "usageMetadata": {"promptTokenCount": 1}}
    events, parser = read(sse(*streamed(reply, random.Random(seed))), seed)
    assert collect(events) == whole(reply)
    assert parser.done
