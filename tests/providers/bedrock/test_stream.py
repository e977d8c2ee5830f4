"""Streams of ConverseStream beyond what was recorded."""

import json
from base64 import b64encode
from typing import Any

import pytest

from support.recordings import PATH, available, rows_of
from support.speakers.bedrock import message
from tollway.chat.collect import collect
from tollway.chat.events import Begun, Broke, Counted, Ended, Event
from tollway.chat.message import ImagePart, OpaquePart, Part, TextPart, ThinkingPart, ToolCallPart
from tollway.chat.reply import Stop
from tollway.providers.bedrock.reply import parse_reply
from tollway.providers.bedrock.stream import ConverseStream

END = [("messageStop", {"stopReason": "end_turn"}), ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2}})]


def start(index: int, **what: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockStart", {"contentBlockIndex": index, "start": what}


def delta(index: int, **what: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": what}


def stop(index: int) -> tuple[str, dict[str, Any]]:
    return "contentBlockStop", {"contentBlockIndex": index}


def read(*events: tuple[str, dict[str, Any]]) -> tuple[list[Event], ConverseStream]:
    stream = ConverseStream()
    found = list(stream.feed(b"".join(message(*event) for event in events)))
    return [*found, *stream.finish()], stream


def said(part: Part) -> object:
    """A part, with what is opaque decoded: its blanks are not the point."""
    return json.loads(bytes(part.raw)) if isinstance(part, OpaquePart) else part


def test_what_is_no_text_comes_whole_and_equal_to_what_a_whole_reply_says() -> None:
    blob = b64encode(b"RXU4RUNrZ0lCeEFC").decode()
    call = {"toolUseId": "a", "name": "nova_code_interpreter", "type": "server_tool_use"}
    result = {"toolUseId": "a", "type": "nova_code_interpreter_result", "status": "success"}
    output = [{"json": {"exitCode": 0}}]
    events, stream = read(
        ("messageStart", {"role": "assistant"}),
        delta(0, reasoningContent={"redactedContent": blob}),
        stop(0),
        start(1, toolUse=call),
        delta(1, toolUse={"input": '{"snippet":'}),
        delta(1, toolUse={"input": '"1+1"}'}),
        stop(1),
        start(2, toolResult=result),
        delta(2, toolResult=output),
        stop(2),
        start(3, image={"format": "png"}),
        delta(3, image={"source": {"bytes": "iVBO"}}),
        delta(3, image={"source": {"bytes": "Rw0K"}}),
        stop(3),
        *END,
    )
    content = [
        {"reasoningContent": {"redactedContent": blob}},
        {"toolUse": call | {"input": {"snippet": "1+1"}}},
        {"toolResult": result | {"content": output}},
        {"image": {"format": "png", "source": {"bytes": "iVBORw0K"}}},
    ]
    whole = parse_reply(json.dumps({"output": {"message": {"content": content}}}, separators=(",", ":")).encode())
    assert whole is not None
    parts = collect(events).choices[0].parts
    assert [type(part) for part in parts] == [ThinkingPart, OpaquePart, OpaquePart, ImagePart]
    assert [said(part) for part in parts] == [said(part) for part in whole.choices[0].parts]
    assert isinstance(parts[0], ThinkingPart)
    assert parts[0].redacted == "RXU4RUNrZ0lCeEFC"
    assert stream.done


def test_parts_overlap_and_blocks_that_are_never_ended_end_with_the_answer() -> None:
    events, stream = read(
        ("messageStart", {}),
        start(0, toolUse={"toolUseId": "a", "name": "x"}),
        start(1, toolUse={"toolUseId": "b", "name": "y"}),
        delta(1, toolUse={"input": "{}"}),
        delta(0, toolUse={"input": '{"k":1}'}),
        stop(1),
        ("messageStop", {"stopReason": "tool_use"}),
        END[1],
    )
    choice = collect(events).choices[0]
    assert choice.parts == (
        ToolCallPart(id="a", name="x", arguments='{"k":1}'),
        ToolCallPart(id="b", name="y", arguments="{}"),
    )
    assert choice.stop is Stop.TOOL_CALLS
    assert stream.done


@pytest.mark.parametrize("kind", ["throttlingException", "modelStreamErrorException", "internalServerException"])
def test_an_exception_in_the_stream_breaks_it(kind: str) -> None:
    stream = ConverseStream()
    events = stream.feed(
        message("messageStart", {}) + message(kind, {"message": "not now"}, kind="exception") + message(*END[0])
    )
    assert list(events) == [Begun(), Broke("not now", kind)]
    assert not stream.finish()
    assert not stream.done


def test_a_wrong_checksum_breaks_the_stream_once() -> None:
    stream = ConverseStream()
    flawed = message("messageStart", {})[:-1] + b"\x00"
    (broke,) = stream.feed(flawed)
    assert isinstance(broke, Broke)
    assert "checksum" in broke.message
    assert not stream.feed(flawed)


def test_an_answer_that_was_ended_but_not_counted_is_whole() -> None:
    events, stream = read(("messageStart", {}), delta(0, text="hi"), stop(0), END[0])
    assert stream.done
    assert not any(isinstance(event, Counted) for event in events)
    assert isinstance(events[-1], Ended)


def test_what_a_guardrail_found_comes_with_the_end_of_the_answer() -> None:
    events, _ = read(
        ("messageStart", {}),
        delta(0, text="{ADDRESS}"),
        stop(0),
        ("messageStop", {"stopReason": "guardrail_intervened"}),
        ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2}, "trace": {"guardrail": {"actionReason": "x"}}}),
    )
    (ended,) = [event for event in events if isinstance(event, Ended)]
    assert ended.stop is Stop.FILTER
    assert ended.safety is not None
    assert json.loads(bytes(ended.safety)) == {"actionReason": "x"}


@pytest.mark.parametrize("fields", [{"stop_sequence": "END"}, {"delta": {"stop_sequence": "END"}}])
def test_the_sequence_that_ended_the_answer_is_told(fields: dict[str, Any]) -> None:
    told = {"stopReason": "stop_sequence", "additionalModelResponseFields": fields}
    events, _ = read(("messageStart", {}), delta(0, text="a"), stop(0), ("messageStop", told), END[1])
    assert [event.stop_sequence for event in events if isinstance(event, Ended)] == ["END"]
    whole = parse_reply(json.dumps({"output": {"message": {"content": []}}, **told}).encode())
    assert whole is not None
    assert whole.choices[0].stop_sequence == "END"


def test_half_a_surrogate_pair_does_not_hide_an_event() -> None:
    raw = message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "\ud83d"}})
    assert b"ud83d" in raw
    stream = ConverseStream()
    assert "".join(getattr(event, "text", "") for event in stream.feed(raw)) == "\ufffd"


@pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")
def test_recorded_citations_stand_with_their_text() -> None:
    cited = 0
    for row in rows_of("bedrock"):
        if row["status"] == 200 and row["endpoint"].endswith("converse") and "citationsContent" in row["response_body"]:
            reply = parse_reply(row["response_body"].encode())
            assert reply is not None
            for part in reply.choices[0].parts:
                assert isinstance(part, TextPart)
                for citation in part.citations:
                    assert citation.document == 0
                    assert citation.unit in {"char", "page", "block"}
                    assert citation.start is not None
                    cited += 1
    assert cited == 3
