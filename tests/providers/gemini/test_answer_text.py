"""Places of citations: right in any text, and found by work that grows with the input and not with its square."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tollway.chat.events import Cited
from tollway.providers.gemini.answer_text import _STEP_BYTES, AnswerText
from tollway.providers.gemini.stream import _CITED_MAX, _CITED_MAX_CHARS, GeminiStream

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(st.lists(texts, max_size=8), st.integers(0, 3_000), st.data())
def test_bytes_become_characters(pieces: list[str], filler: int, data: st.DataObject) -> None:
    pieces = ["é" * filler, *pieces]
    text = "".join(pieces)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    answer = AnswerText()
    for piece in pieces:
        answer.add(piece)
        answer.place(0, 0, None)  # in between
    first, last = len(text[:start].encode()), len(text[:end].encode())
    assert answer.place(first, last, None) == (start, end)
    assert answer.place(first, last, text[start:end]) == (start, end)


def test_words_that_are_elsewhere_are_looked_for() -> None:
    answer = AnswerText("é" * 2_000 + "here")
    assert answer.place(0, 4, "here") == (2_000, 2_004)
    assert answer.place(0, 4, "there") is None
    assert answer.place(0, 10_000, None) is None


def work(supports: int) -> int:
    """Bytes looked at for as many citations of a text that grows with them."""
    answer = AnswerText()
    for number in range(supports):
        answer.add("é" * 50)
        answer.place(number * 100, number * 100 + 100, "é" * 50)
    return answer.counted_bytes


def test_twice_as_many_citations_in_twice_as_long_a_text_are_twice_the_work() -> None:
    assert work(4_000) <= 2.1 * work(2_000) <= 2.1 * 2_000 * (3 * _STEP_BYTES)


def test_searching_ends_at_a_bound() -> None:
    answer = AnswerText("x" * (1 << 20))
    for number in range(100):
        answer.place(0, 9, f"absent {number}")
    assert answer.searched_bytes <= 18 << 20


def test_an_answer_has_a_bounded_number_of_citations_and_of_their_words() -> None:
    chunks = [{"web": {"uri": f"https://{number}.example", "title": "t"}} for number in range(_CITED_MAX)]
    text = "word " * 100_000
    support = {"segment": {"endIndex": len(text), "text": text}, "groundingChunkIndices": list(range(_CITED_MAX))}
    grounding = {"groundingChunks": chunks, "groundingSupports": [support, support | {"segment": {"endIndex": 4}}]}
    content = {"parts": [{"text": text}], "role": "model"}
    body = {"candidates": [{"content": content, "groundingMetadata": grounding, "finishReason": "STOP"}]}
    parser = GeminiStream()
    events = [*parser.feed(b"data: " + json.dumps(body).encode() + b"\n\n"), *parser.finish()]
    cited = [event.citation for event in events if isinstance(event, Cited)]
    assert len(cited) == _CITED_MAX
    assert 0 < sum(len(citation.text) for citation in cited) <= _CITED_MAX_CHARS
    assert parser.done
