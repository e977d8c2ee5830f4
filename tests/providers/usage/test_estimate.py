"""Estimates of tokens, for replies that nobody counted."""

import pytest
import toktok
from hypothesis import example, given
from hypothesis import strategies as st

from tollway.ledger.usage import Usage
from tollway.providers.usage.estimate import (
    COUNTED_MAX_CHARS,
    ENCODING,
    estimate_all,
    estimate_tokens,
    estimate_usage,
)


def test_a_text_has_the_tokens_of_openais_tokenizer() -> None:
    assert estimate_tokens("hello world") == 2
    assert estimate_tokens("日本語のテキスト".encode()) == toktok.batch_count(["日本語のテキスト"], ENCODING)[0]


def test_nothing_has_no_tokens() -> None:
    assert (estimate_tokens(""), estimate_tokens(b""), estimate_all([])) == (0, 0, 0)
    assert estimate_usage([], []) == Usage()


def test_what_was_sent_is_input_and_what_came_back_is_output() -> None:
    assert estimate_usage(["hello", " world"], ["yes"]) == Usage(input=2, output=1)


@given(st.one_of(st.text(alphabet=st.characters(exclude_categories=[]), max_size=200), st.binary(max_size=200)))
@example("half a pair: \ud800")
def test_any_text_can_be_estimated_even_half_a_character(text: str | bytes) -> None:
    assert 0 <= estimate_tokens(text) <= 4 * len(text)


@pytest.mark.parametrize("text", ["word ", "字", "0123456789"])
def test_beyond_the_bound_the_rest_is_taken_to_be_as_dense(text: str) -> None:
    bound = text * (COUNTED_MAX_CHARS // len(text))
    exact = estimate_tokens(bound)
    assert estimate_tokens(bound * 3) == pytest.approx(3 * exact, rel=0.001)
    assert estimate_all([bound, bound, bound]) == pytest.approx(3 * exact, rel=0.001)


@given(st.lists(st.text(max_size=20), max_size=5))
def test_texts_together_have_the_tokens_of_each(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    assert estimate_all(texts) == sum(estimate_tokens(text) for text in texts)


def test_no_more_than_the_bound_is_ever_counted() -> None:
    head, tail = "word " * (COUNTED_MAX_CHARS // 5) + " " * (COUNTED_MAX_CHARS % 5), "字" * COUNTED_MAX_CHARS
    assert estimate_tokens(head + tail) == 2 * estimate_tokens(head)
