"""Server-sent events come out the same, wherever the bytes were cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.providers import sse
from tollway.providers.sse import EVENT_MAX_BYTES, EventSplitter, ServerEvent

_LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
_VALUES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12).map(str.encode)


@st.composite
def _streams(draw: st.DrawFn) -> tuple[bytes, list[ServerEvent]]:
    """A stream, and the events it holds."""
    end = draw(_LINE_ENDS)
    stream = [draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))]
    events = []
    for _ in range(draw(st.integers(0, 5))):
        name = draw(st.sampled_from([b"", b"message_start", b"ping"]))
        data = draw(st.lists(_VALUES, max_size=3))
        lines = [b"event: " + name] if name else []
        lines += [b"data: " + value for value in data]
        lines += draw(st.lists(st.sampled_from([b": hello", b"id: 3", b"retry: 10"]), max_size=2))
        if lines:
            stream += [line + end for line in lines] + [end]
        if data:
            events.append((name, b"\n".join(data)))
    return b"".join(stream), events


def _cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[a:b] for a, b in itertools.pairwise(places)]


@given(_streams(), st.lists(st.integers(0, 1 << 16), max_size=20))
def test_events_do_not_depend_on_where_the_bytes_were_cut(
    made: tuple[bytes, list[ServerEvent]], cuts: list[int]
) -> None:
    stream, events = made
    splitter = EventSplitter()
    found = [event for chunk in _cut(stream, cuts) for event in splitter.feed(chunk)]
    assert found + splitter.finish() == events
    assert not splitter.torn


@pytest.mark.parametrize("stream", [b"data:a\n\n", b"data: a\r\n\r\n", b"data:a\r\r", b"\n\ndata: a\n\n", b"data: a\n"])
def test_every_way_to_write_an_event_is_read(stream: bytes) -> None:
    splitter = EventSplitter()
    assert splitter.feed(stream) + splitter.finish() == [(b"", b"a")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events_come_out_of_single_bytes(end: bytes) -> None:
    splitter = EventSplitter()
    stream = b"data: a" + end + end + b"event: b" + end + b"data: c" + end + end
    found = [event for byte in stream for event in splitter.feed(bytes([byte]))]
    assert found == [(b"", b"a"), (b"b", b"c")]


def test_a_stream_that_ends_inside_an_event_is_torn() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: a\n\ndata: b") == [(b"", b"a")]
    assert splitter.torn


def test_an_endless_event_is_not_kept() -> None:
    splitter = EventSplitter()
    for _ in range(EVENT_MAX_BYTES // (1 << 20) + 2):
        assert splitter.feed(b"data: " + b"x" * (1 << 20)) == []
    assert splitter.torn
    assert splitter.feed(b"\n\ndata: a\n\n") == []
    assert splitter.finish() == []


def test_many_lines_of_one_event_are_copied_once_and_not_with_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    blocks = sse._blocks
    monkeypatch.setattr(sse, "_blocks", lambda data, start: seen.append(len(data)) or blocks(data, start))
    splitter = EventSplitter()
    events = [event for _ in range(2_000) for event in splitter.feed(b"data: line\n")]
    events += splitter.feed(b"\n")
    assert events == [(b"", b"\n".join([b"line"] * 2_000))]
    assert sum(seen) < 3 * 2_000 * len(b"data: line\n")
