"""A stream is read while it passes: however it is cut, the same bytes go on and the same things are found in it."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollway.providers.openai_compatible import stream as module
from tollway.providers.openai_compatible.stream import StreamParser, event_data, split_events

LONGEST = 400
EVENT_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
DONE = b"data: [DONE]"
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def chunk(**fields: object) -> bytes:
    return b"data: " + json.dumps({"id": "x", "model": "m-1", **fields}).encode()


def delta(text: str) -> bytes:
    return chunk(choices=[{"index": 0, "delta": {"content": text}}], usage=None)


USAGE_CHUNK = chunk(choices=[], usage=USAGE)
EVENTS = {
    "text": delta("a “naïve” 🚏"),
    "text about the protocol": delta('data: [DONE] "usage" "error"'),
    "usage beside text": chunk(choices=[{"index": 0, "delta": {}}], usage=USAGE | {"total_tokens": 8}),
    "comment": b": keep-alive",
    "two lines": b'event: ping\ndata: {"id":\ndata: 1}\nid: 7',
    "no space": b'data:{"id":1}',
    "no data": b"retry: 10",
    "nothing": b"",
    "not json": b"data: <html>",
    "not utf-8": b'data: {"model": "\xff\xfe"}',
    "deep": b"data: " + b"[" * 150,
    "too long": b"data: " + b"x" * (2 * LONGEST),
    "error": chunk(error={"message": "broke"}),
}
LINE_ENDS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r"}


@pytest.fixture(autouse=True)
def _shorter_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SSE_EVENT_MAX_BYTES", LONGEST)


def rendered(events: list[bytes], line_end: bytes) -> bytes:
    return b"".join(event.replace(b"\n", line_end) + line_end * 2 for event in events)


def fed(body: bytes, cuts: set[int], *, remove_usage: bool = False) -> tuple[StreamParser, bytes]:
    """The parser after all pieces, and the bytes that it passed; checks that no whole event is held back."""
    parser = StreamParser(remove_usage=remove_usage)
    passed = b""
    edges = [0, *sorted(cut for cut in cuts if 0 < cut < len(body)), len(body)]
    for start, end in pairwise(edges):
        passed += parser.feed(body[start:end])
        if not remove_usage and not parser.done:
            assert body.startswith(passed)
            assert not EVENT_END.search(body[len(passed) : end])
    return parser, passed


streams = st.lists(st.sampled_from(sorted(EVENTS)), max_size=6)
cuts = st.sets(st.integers(1, 3_000), max_size=40) | st.just(set(range(3_000)))


@given(streams, st.integers(0, 1), st.integers(0, 1), st.sampled_from(sorted(LINE_ENDS)), cuts)
@example(["text", "too long"], 1, 1, "LF", set(range(3_000)))
@example(["too long"], 1, 1, "CRLF", set(range(3_000)))
def test_where_a_stream_is_cut_changes_nothing(
    names: list[str], usage: int, done: int, line_end: str, where: set[int]
) -> None:
    end = LINE_ENDS[line_end]
    events = [EVENTS[name] for name in names] + [USAGE_CHUNK] * usage + [DONE] * done
    body = rendered(events, end)
    parser, passed = fed(body, where)
    rest = parser.take_end()
    assert passed + rest == body
    assert parser.done == done
    assert rest.strip() == (DONE if done else b"")
    assert parser.failed == ("error" in names)
    assert parser.model == ("m-1" if usage or any(b"m-1" in EVENTS[name] for name in names) else "")
    told = [8] * ("usage beside text" in names) + [7] * usage
    assert (json.loads(bytes(parser.usage))["total_tokens"] if parser.usage else None) == (told or [None])[-1]


@given(streams, st.sampled_from(sorted(LINE_ENDS)), cuts)
def test_the_usage_chunk_that_only_we_asked_for_is_taken_out_and_nothing_else(
    names: list[str], line_end: str, where: set[int]
) -> None:
    before = [EVENTS[name] for name in names]
    parser, passed = fed(rendered([*before, USAGE_CHUNK, DONE], LINE_ENDS[line_end]), where, remove_usage=True)
    expected = rendered([*before, DONE], LINE_ENDS[line_end])
    received = passed + parser.take_end()
    if line_end == "CRLF":  # one that was cut in two may leave, or take along, its line feed
        received, expected = (re.sub(rb"[\r\n]+", b"\n", each).strip() for each in (received, expected))
    assert received == expected
    assert parser.usage is not None


@given(st.binary(max_size=400), cuts)
def test_any_bytes_pass_unchanged(body: bytes, where: set[int]) -> None:
    parser, passed = fed(body, where)
    assert passed + parser.take_end() == body


@given(st.sampled_from(sorted(LINE_ENDS)), st.binary(max_size=50), cuts)
def test_what_follows_the_end_mark_waits_with_it(line_end: str, after: bytes, where: set[int]) -> None:
    end = LINE_ENDS[line_end]
    body = rendered([EVENTS["text"], DONE], end)
    parser, passed = fed(body + after, where)
    assert parser.done
    assert passed.rstrip() == EVENTS["text"]
    assert passed + parser.take_end() == body + after


def test_an_end_mark_cut_in_its_last_line_end_is_passed_on_whole() -> None:
    parser = StreamParser(remove_usage=False)
    assert parser.feed(b"data: [DONE]\r\n\r") == b""
    assert parser.done
    assert parser.take_end() == b"data: [DONE]\r\n\r\n"


def test_an_end_mark_with_blanks_around_it_is_one() -> None:
    parser = StreamParser(remove_usage=False)
    assert parser.feed(b"data:  [DONE] \n\n") == b""
    assert parser.done


def test_an_unfinished_event_goes_on_at_the_end() -> None:
    parser = StreamParser(remove_usage=True)
    assert parser.feed(b"data: {}\n\ndata: {") == b"data: {}\n\n"
    assert parser.take_end() == b"data: {"


@pytest.mark.parametrize(
    ("end", "torn"),
    [(b"", False), (b"data: {}", False), (b": word", False), (b"data: {", True), (b"data: " + b"x" * 2_000_000, True)],
)
def test_an_event_of_which_a_part_is_missing_is_told_from_one_without_its_empty_line(end: bytes, *, torn: bool) -> None:
    parser = StreamParser(remove_usage=True)
    passed = parser.feed(b"data: {}\n\n" + end)
    parser.finish()
    assert parser.torn is torn
    assert (passed + parser.take_break()).endswith(b"\n\n")
    assert parser.take_end() == b""


@given(streams, st.sampled_from(sorted(LINE_ENDS)))
def test_events_are_the_block_they_were_split_from(names: list[str], line_end: str) -> None:
    body = rendered([EVENTS[name] for name in names], LINE_ENDS[line_end])
    assert b"".join(split_events(body)) == body


@pytest.mark.parametrize("end", LINE_ENDS.values(), ids=LINE_ENDS)
def test_the_data_lines_of_an_event_are_joined(end: bytes) -> None:
    assert event_data(b"event: x" + end + b"data: a" + end + b"data:  b" + end + b"data" + end + end) == b"a\n b"


@pytest.mark.parametrize(
    ("event", "several", "counted"),
    [
        (USAGE_CHUNK, True, True),
        (chunk(choices=[{"index": 0, "delta": {"content": "a"}, "finish_reason": None}], usage=USAGE), False, False),
        (chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], usage=USAGE), False, True),
        (chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], usage=USAGE), True, False),
        (chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], x_groq={"usage": USAGE}), False, True),
    ],
)
def test_a_count_of_a_part_is_told_from_that_of_the_whole_answer(event: bytes, *, several: bool, counted: bool) -> None:
    parser = StreamParser(remove_usage=True, several=several)
    parser.feed(event + b"\n\n")
    assert parser.usage is not None
    assert parser.counted is counted


def test_the_delivered_text_is_kept_for_an_estimate() -> None:
    parser = StreamParser(remove_usage=True)
    for text in ("one ", "two ", "three"):
        parser.feed(delta(text) + b"\n\n")
    assert parser.delivered_texts() == ["one ", "two ", "three"]


def test_text_beyond_what_is_kept_still_counts_by_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DELIVERED_KEPT_MAX", 1_000)
    parser = StreamParser(remove_usage=True)
    event = delta("x" * 100) + b"\n\n"
    for _ in range(100):
        parser.feed(event)
    assert sum(map(len, parser.delivered_texts())) == pytest.approx(100 * len(event), rel=0.2)


def test_an_end_mark_without_its_empty_line_ends_the_stream_all_the_same() -> None:
    parser = StreamParser(remove_usage=False)
    assert parser.feed(b'data: {"model":"m","choices":[]}\n\ndata: [DONE]\n') == b'data: {"model":"m","choices":[]}\n\n'
    assert not parser.done
    parser.finish()
    assert parser.done
    assert parser.take_end() == b"data: [DONE]\n"
