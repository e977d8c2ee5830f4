"""Reading a stream of an answer."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tollway.cli.conversation import Turn, events

CHUNK = {"choices": [{"index": 0, "delta": {"content": "Hä\n"}, "finish_reason": None}]}


def test_the_cost_comes_from_the_comment_before_the_end() -> None:
    turn = Turn()
    stream = [b": x-tollway-cost 0.000123", b"", b"data: [DONE]", b""]
    assert list(events(stream, turn)) == []
    assert turn.cost_usd == "0.000123"


def test_an_event_of_several_data_lines_is_one() -> None:
    assert list(events([b'data: {"a":', b"data: 1}", b""], Turn())) == [{"a": 1}]


def test_comments_and_other_fields_are_passed_over() -> None:
    stream = [b": ping", b"event: chunk", b"id: 7", b"retry: 5", b'data:{"a": 1}', b""]
    assert list(events(stream, Turn())) == [{"a": 1}]


def test_an_event_that_was_cut_off_is_none() -> None:
    assert list(events([b'data: {"a": 1}'], Turn())) == []


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers()), max_size=20))
def test_every_event_that_was_sent_is_read(sent: list[dict[str, object]]) -> None:
    stream = [line for event in sent for line in (b"data: " + json.dumps(event).encode(), b"")]
    assert list(events(stream, Turn())) == sent
