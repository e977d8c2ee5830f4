"""Google's usage metadata as disjoint counts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.ledger.usage import Usage
from tollway.providers.usage.gemini import charged_searches, parse_usage


def usage(**metadata: Any) -> Usage:
    found = parse_usage(json.dumps(metadata).encode())
    assert found is not None
    return found.usage


def details(**counts: int) -> list[dict[str, Any]]:
    return [{"modality": name, "tokenCount": count} for name, count in counts.items()]


def test_cached_tokens_are_inside_and_thoughts_and_tool_results_outside() -> None:
    found = usage(
        promptTokenCount=100,
        cachedContentTokenCount=40,
        toolUsePromptTokenCount=7,
        candidatesTokenCount=20,
        thoughtsTokenCount=5,
    )
    assert found == Usage(input=67, cache_read=40, output=20, reasoning=5)


def test_cached_tokens_are_of_what_the_details_say() -> None:
    found = usage(
        promptTokenCount=100,
        promptTokensDetails=details(TEXT=10, AUDIO=60, IMAGE=20, VIDEO=10),
        cachedContentTokenCount=50,
        cacheTokensDetails=details(AUDIO=30, VIDEO=20),
    )
    assert found == Usage(input=10, cache_read=20, audio_input=30, audio_cache_read=30, image_input=10)


def test_cached_tokens_without_details_are_text_as_far_as_it_goes() -> None:
    found = usage(
        promptTokenCount=100, promptTokensDetails=details(TEXT=10, AUDIO=60, IMAGE=30), cachedContentTokenCount=80
    )
    assert found == Usage(input=0, cache_read=40, audio_input=20, audio_cache_read=40, image_input=0)


def test_a_count_of_nothing_is_left_out_on_the_wire() -> None:
    assert usage(promptTokenCount=3) == Usage(input=3)


def test_without_a_prompt_count_there_is_no_usage() -> None:
    for raw in (
        b"{}",
        b'{"promptTokenCount":-1}',
        b'{"promptTokenCount":true}',
        b"[]",
        b"\xff",
        b'{"promptTokenCount":1.5}',
    ):
        assert parse_usage(raw) is None


@pytest.mark.parametrize(
    ("metadata", "tier"),
    [
        ({"serviceTier": "standard"}, "standard"),
        ({"trafficType": "ON_DEMAND"}, ""),
        ({"trafficType": "ON_DEMAND_FLEX"}, "flex"),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, "priority"),
        ({"trafficType": 1}, ""),
    ],
)
def test_the_tier_that_served_is_told(metadata: dict[str, Any], tier: str) -> None:
    found = parse_usage(json.dumps({"promptTokenCount": 1} | metadata).encode())
    assert found is not None
    assert found.service_tier == tier


@pytest.mark.parametrize(("model", "charged"), [("gemini-2.5-pro", 1), ("gemini-3-pro-preview", 2), ("", 2)])
def test_searches_are_charged_one_by_one_from_gemini_3_on(model: str, charged: int) -> None:
    assert charged_searches(["a", "b", "a", " "], model=model) == charged
    assert charged_searches(["  "], model=model) == 0


counts = st.one_of(st.integers(-5, 10**4), st.none(), st.text(max_size=2), st.booleans())
modalities = st.lists(
    st.fixed_dictionaries({"modality": st.sampled_from(["TEXT", "AUDIO", "IMAGE", 4, None]), "tokenCount": counts}),
    max_size=4,
)
wholes = ("promptTokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount")
parts = ("promptTokensDetails", "cacheTokensDetails", "candidatesTokensDetails", "toolUsePromptTokensDetails")


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(wholes, counts) | dict.fromkeys(parts, modalities | counts)),
    st.integers(0, 10**6),
)
def test_no_token_is_counted_twice_or_lost(metadata: dict[str, Any], thoughts: int) -> None:
    found = parse_usage(json.dumps(metadata | {"thoughtsTokenCount": thoughts}).encode())
    if found is None:
        return

    def count(name: str) -> int:
        value = metadata.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0

    entered = count("promptTokenCount") + count("toolUsePromptTokenCount")
    assert found.usage.input_total == entered
    assert found.usage.output_total == count("candidatesTokenCount") + thoughts
    assert found.usage.cache_read + found.usage.audio_cache_read == min(count("cachedContentTokenCount"), entered)
    assert all(kind >= 0 for kind in (found.usage.input, found.usage.image_input, found.usage.output))
