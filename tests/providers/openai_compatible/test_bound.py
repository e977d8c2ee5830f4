"""What a request can make a provider count at the most."""

import json
import unicodedata
from typing import Any, Literal

import msgspec
import pytest
import toktok
from hypothesis import given
from hypothesis import strategies as st

from tollway.api.dialects import openai
from tollway.errors import InvalidRequestError
from tollway.providers.openai_compatible.bound import TEMPLATE_TOKENS, TOOL_TEMPLATE_TOKENS, RequestBound, request_bound
from tollway.providers.openai_compatible.count import counted
from tollway.providers.openai_compatible.media import (
    AUDIO_BYTES_PER_TOKEN,
    DENSE_IMAGE_TOKENS_MAX,
    IMAGE_TOKENS_MAX,
    PAST_AUDIO_TOKENS_MAX,
)
from tollway.providers.openai_compatible.request import build_body
from tollway.routing.call import Call

CONTEXT = 1_000_000
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300)
DATA = "A" * 40_000


def call_of(surface: str = "chat", **fields: Any) -> Call:
    required: dict[str, Any] = {"chat": {"messages": []}, "completions": {"prompt": ""}, "embeddings": {"input": ""}}
    body = json.dumps({"model": "stub/plain"} | required[surface] | fields).encode()
    return openai.parse(body, surface=surface, required=())


def bound_of(call: Call, *, model: str = "plain", limits: tuple[str, ...] = ("max_tokens",)) -> RequestBound:
    return request_bound(call, model=model, limits=limits, context_tokens=CONTEXT)


def asking(*parts: dict[str, Any], text: str = "What is this?") -> Call:
    """A chat whose one message has these parts."""
    return call_of(messages=[{"role": "user", "content": [{"type": "text", "text": text}, *parts]}])


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def audio(data: str, kind: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, "format": kind}}


@given(st.lists(TEXTS, max_size=5), st.booleans())
def test_no_text_has_more_tokens_than_the_bound(texts: list[str], ascii_only: bool) -> None:  # noqa: FBT001
    messages = [{"role": "user", "content": text} for text in texts]
    body = json.dumps({"model": "m", "messages": messages}, ensure_ascii=ascii_only).encode()
    call = openai.parse(body, surface="chat", required=())
    bound = bound_of(call)
    assert bound.text_only
    for encoding in ("o200k_base", "cl100k_base"):
        tokens = sum(toktok.batch_count(texts, encoding, threads=1))
        in_bytes, in_tokens = (
            bound.input_tokens,
            counted(call, bound, model="gpt-4o" if "o200k" in encoding else "gpt-4"),
        )
        assert tokens + TEMPLATE_TOKENS <= in_bytes
        assert in_tokens is None or tokens + TEMPLATE_TOKENS <= in_tokens.input_tokens <= in_bytes


@pytest.mark.parametrize(("model", "encoding"), [("gpt-5", "o200k_base"), ("gpt-4", "cl100k_base")])
def test_what_json_writes_in_fewer_tokens_than_the_text_has_counts_as_the_text(model: str, encoding: str) -> None:
    text = "\forall" * 2_000  # the escape of a form feed reads like LaTeX, for which there is a token
    call = call_of(messages=[{"role": "user", "content": text}])
    found = counted(call, bound_of(call), model=model)
    assert found is not None
    assert found.input_tokens >= toktok.batch_count([text], encoding, threads=1)[0] + TEMPLATE_TOKENS
    assert found.input_tokens < bound_of(call).input_tokens


def test_an_image_counts_by_the_documented_maximum_however_many_bytes_it_has() -> None:
    plain = bound_of(asking()).input_tokens
    linked, inline = (
        bound_of(asking(image("https://e.x/i.png"))),
        bound_of(asking(image(f"data:image/png;base64,{DATA}"))),
    )
    for bound in (linked, inline):
        assert bound.image_input
        assert not bound.text_only
        assert plain + IMAGE_TOKENS_MAX <= bound.input_tokens <= plain + IMAGE_TOKENS_MAX + 100
    dense = bound_of(asking(image("https://e.x/i.png")), model="gpt-4o-mini-2024-07-18")
    assert dense.input_tokens - linked.input_tokens == DENSE_IMAGE_TOKENS_MAX - IMAGE_TOKENS_MAX


def test_a_part_is_what_its_members_say_whatever_its_type_says() -> None:
    sly = bound_of(asking({"type": "text", "text": "x", "image_url": {"url": "https://e.x/i.png"}}))
    assert sly.image_input
    escaped = b'{"model":"m","messages":[{"role":"user","\\u0063ontent":[{"im\\u0061ge_url":{"url":"https://e.x"}}]}]}'
    assert bound_of(openai.parse(escaped, surface="chat", required=())).image_input


def test_audio_counts_by_its_length_if_its_format_bounds_that() -> None:
    plain = bound_of(asking()).input_tokens
    lean = bound_of(asking(audio(DATA, "mp3")))
    assert lean.audio_input
    assert lean.input_tokens <= plain + len(DATA) // AUDIO_BYTES_PER_TOKEN + 100
    assert bound_of(asking(audio(DATA, "flac"))).input_tokens == CONTEXT
    spoken = call_of(messages=[{"role": "assistant", "audio": {"id": "audio_1"}}])
    assert bound_of(spoken).input_tokens >= PAST_AUDIO_TOKENS_MAX


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"file_data": DATA}},
        {"type": "video_url", "video_url": {"url": "https://e.x/v.mp4"}},
        {"type": "document_url", "document_url": "https://e.x/d.pdf"},
    ],
)
def test_what_only_the_context_bounds_counts_as_all_of_it(part: dict[str, Any]) -> None:
    assert bound_of(asking(part)).input_tokens == CONTEXT


@pytest.mark.parametrize("field", ["web_search_options", "search_parameters", "plugins", "enable_search", "images"])
def test_a_provider_that_searches_or_fetches_may_fill_the_context(field: str) -> None:
    assert bound_of(call_of(**{field: {}})).input_tokens == CONTEXT
    assert bound_of(call_of(), model="gpt-5-search-api").input_tokens == CONTEXT


def test_nothing_is_held_for_a_search_that_nobody_makes() -> None:
    assert bound_of(call_of()).searches == 0
    assert bound_of(call_of(web_search_options={})).searches == 1
    perplexing = request_bound(call_of(), model="sonar", limits=("max_tokens",), context_tokens=CONTEXT, searches=True)
    assert perplexing.searches == 1
    assert bound_of(call_of(), model="sonar-deep-research").searches > 1


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": {"type": "image_url", "image_url": {"url": "https://e.x/i.png"}}},
        {"role": "user", "Content": [{"type": "image_url", "image_url": {"url": "https://e.x/i.png"}}]},
        {"role": "user", "content": "x", "images": ["https://e.x/i.png"]},
        {"role": "user", "content": [[{"type": "image_url", "image_url": {"url": "https://e.x/i.png"}}]]},
        [{"role": "user", "content": "x"}],
    ],
)
def test_a_message_of_another_form_may_be_anything(message: object) -> None:
    assert bound_of(call_of(messages=[{"role": "user", "content": "x"}, message])).input_tokens == CONTEXT


def test_a_message_with_an_unknown_plain_value_is_text() -> None:
    bound = bound_of(call_of(messages=[{"role": "user", "content": "x", "id": "message-1", "weight": 1}]))
    assert bound.text_only
    pictured = call_of(messages=[{"role": "user", "id": "1", "content": [image("https://e.x/i.png")]}])
    assert bound_of(pictured).image_input


@pytest.mark.parametrize(("surface", "form"), [("chat", "NFC"), ("embeddings", "NFKC")])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_text_that_a_tokenizer_makes_longer_counts_as_long_as_that(
    surface: str,
    form: Literal["NFC", "NFKC"],
    ascii_only: bool,  # noqa: FBT001
) -> None:
    text = "\U0001d160\u0958\ufdfa" * 1_000
    body = json.dumps({"model": "m", "input": text, "messages": [{"content": text}]}, ensure_ascii=ascii_only)
    call = openai.parse(body.encode(), surface=surface, required=())
    assert bound_of(call).input_tokens >= 2 * len(unicodedata.normalize(form, text).encode())


@pytest.mark.parametrize(
    ("fields", "boundless"),
    [
        ({}, ""),
        ({"temperature": 1, "topK": 3, "Trace": True}, ""),
        ({"max_tokens": 1, "Max_Tokens": 100_000}, "Max_Tokens"),
        ({"max_to\u212aens": 100_000}, "max_to\u212aens"),
        ({"N": 100}, "N"),
        ({"Model": "dear"}, "Model"),
        ({"models": ["dear"]}, "models"),
        ({"models": None}, ""),
        ({"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "custom"}]}, ""),
        ({"tools": [{"function": {"name": "f"}}]}, ""),
        ({"tools": None}, ""),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tools": [{"google_search": {}}]}, "tools"),
        ({"tools": {"type": "browser_search"}}, "tools"),
    ],
)
def test_what_no_bound_covers_is_named(fields: dict[str, Any], boundless: str) -> None:
    assert bound_of(call_of(**fields)).boundless == boundless


def test_embeddings_of_objects_may_be_anything() -> None:
    assert bound_of(call_of("embeddings", input=[{"image": "https://e.x/i.png"}])).input_tokens == CONTEXT
    assert bound_of(call_of("embeddings", input=["a", "b"])).text_only


def test_tools_have_a_larger_template() -> None:
    bound = bound_of(call_of(tools=[]))
    assert bound.input_tokens == bound.text_bytes + TOOL_TEMPLATE_TOKENS


@pytest.mark.parametrize(
    ("fields", "output_tokens", "heeded"),
    [
        ({}, None, False),
        ({"max_tokens": None}, None, False),
        ({"max_tokens": -1}, None, False),
        ({"max_tokens": 5}, 5, True),
        ({"max_tokens": 5.0}, 5, True),
        ({"max_completion_tokens": 7}, 7, False),
        ({"max_completion_tokens": 7, "max_tokens": 5}, 7, True),
        ({"max_completion_tokens": -1, "max_tokens": 5}, 5, False),
        ({"max_completion_tokens": None, "max_tokens": 5}, 5, True),
        ({"n_predict": 9_000, "max_tokens": 5}, 9_000, True),
    ],
)
def test_the_output_is_bounded_by_what_the_request_says(
    fields: dict[str, Any],
    output_tokens: int | None,
    heeded: bool,  # noqa: FBT001
) -> None:
    bound = bound_of(call_of(**fields))
    assert (bound.output_tokens, bound.heeded) == (output_tokens, heeded)


@pytest.mark.parametrize("value", ["5", 1.5, True, [], {}, 10**10, 1e300])
def test_a_bound_that_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(InvalidRequestError):
        bound_of(call_of(max_tokens=value))


@pytest.mark.parametrize(
    ("surface", "fields", "answers"),
    [
        ("chat", {}, 1),
        ("chat", {"n": 3}, 3),
        ("chat", {"n": None}, 1),
        ("chat", {"n": 2, "n_cmpl": 3}, 3),
        ("completions", {"prompt": "one"}, 1),
        ("completions", {"prompt": ["one", "two"], "n": 2}, 4),
        ("completions", {"prompt": ["one", "two"], "n": 2, "best_of": 5}, 10),
        ("completions", {"prompt": [1, 2, 3]}, 1),
        ("completions", {"prompt": [[1, 2], [3]]}, 2),
        ("completions", {"prompt": []}, 1),
    ],
)
def test_every_answer_counts(surface: str, fields: dict[str, Any], answers: int) -> None:
    assert bound_of(call_of(surface, **fields)).answers == answers


def test_embeddings_have_no_output_and_get_no_bound() -> None:
    bound = bound_of(call_of("embeddings"))
    assert (bound.output_tokens, bound.heeded) == (0, True)


def test_a_prediction_may_be_billed_as_output() -> None:
    prediction = {"type": "content", "content": "x" * 500}
    assert bound_of(call_of(prediction=prediction)).extra_output_tokens >= 500


def test_only_public_tokenizers_count_and_only_text() -> None:
    call = asking(text="word " * 200)
    bound = bound_of(call)
    assert counted(call, bound, model="llama-4") is None
    found = counted(call, bound, model="openai/gpt-5-mini")
    assert found is not None
    assert found.input_tokens < bound.input_tokens // 3
    pictured = asking(image("https://e.x/i.png"))
    assert counted(pictured, bound_of(pictured), model="gpt-5") is None


def test_the_bound_is_written_into_every_field_that_claims_one_and_into_the_providers_own() -> None:
    call = call_of(max_completion_tokens=900, max_tokens=800)
    sent = json.loads(build_body(call, model="m", ask_for_usage=False, limits=("max_tokens",), limit=50))
    assert (sent["max_completion_tokens"], sent["max_tokens"]) == (50, 50)
    sent = json.loads(build_body(call_of(), model="m", ask_for_usage=False, limits=("max_tokens",), limit=50))
    assert sent["max_tokens"] == 50
    assert "max_completion_tokens" not in sent


@pytest.mark.parametrize("model", ["plain", "gpt-4o", "sonar-deep-research", "gemini-image", "gpt-4o-search"])
@pytest.mark.parametrize(
    "limits",
    [
        {"max_tokens": 7},
        {"max_completion_tokens": 7},
        {"max_tokens": 7, "max_completion_tokens": 9},
        {"max_tokens": 0},
        {"max_tokens": None},
        {"max_tokens": 10**9},
    ],
)
def test_the_bound_of_usual_requests_is_what_all_others_get_too(model: str, limits: dict[str, int | None]) -> None:
    usual, other = (call_of(messages=[{"role": "user", "content": "hi"}], **limits, **more) for more in ({}, {"n": 1}))
    grown = len(other.body) - len(usual.body)
    expected, bound = bound_of(other, model=model), bound_of(usual, model=model)
    text_bytes = expected.text_bytes - grown
    tokens = expected.input_tokens - (grown if expected.input_tokens != CONTEXT else 0)
    assert bound == msgspec.structs.replace(expected, input_tokens=tokens, text_bytes=text_bytes)
