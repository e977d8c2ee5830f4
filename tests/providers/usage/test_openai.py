"""Usage of the OpenAI dialect, in each provider's convention."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from tollway.ledger.usage import Usage
from tollway.providers.registry import REGISTRY
from tollway.providers.usage.conventions import CONVENTIONS, DEFAULT, UsageConvention, convention_for
from tollway.providers.usage.openai import ParsedUsage, parse_usage
from tollway.providers.usage.wire import MAX_COUNT, WireUsage

FIELDS = [
    *WireUsage.__struct_fields__,
    "audio_tokens",
    "cache_write_tokens",
    "image_tokens",
    "total_cost",
    "total_tokens",
]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**3), 10**3),
    st.sampled_from([-1, MAX_COUNT, MAX_COUNT + 1, 2**63, 2**64, 10**40]),
    st.floats(),
    st.text(max_size=5),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6)),
    max_leaves=20,
)
conventions = st.one_of(st.sampled_from(sorted(CONVENTIONS)).map(convention_for), st.just(DEFAULT))


def parse(usage: dict[str, Any] | bytes, provider: str = "openai") -> ParsedUsage | None:
    raw = usage if isinstance(usage, bytes) else json.dumps(usage).encode()
    return parse_usage(raw, convention=convention_for(provider))


def usage_of(usage: dict[str, Any], provider: str = "openai") -> Usage:
    parsed = parse(usage, provider)
    assert parsed is not None
    return parsed.usage


@given(st.one_of(values, st.dictionaries(st.sampled_from(FIELDS), values)), conventions)
@example({"prompt_tokens": 1, "completion_tokens": 2, "cost": {"total_cost": "NaN"}}, convention_for("perplexity"))
@example({"prompt_tokens": 1, "cost": float("inf")}, convention_for("openrouter"))
def test_no_json_whatever_makes_it_raise_and_what_it_returns_is_sound(value: Any, convention: UsageConvention) -> None:
    parsed = parse_usage(json.dumps(value).encode(), convention=convention)
    if parsed is None:
        return
    assert all(type(count) is int and 0 <= count <= 4 * MAX_COUNT for count in astuple(parsed.usage))
    assert parsed.usage.requests == 1
    assert parsed.provider_cost is None or parsed.provider_cost >= 0


@given(st.binary(max_size=60), conventions)
@example(b"", DEFAULT)
@example(b'{"prompt_tokens":1', DEFAULT)
@example(b'{"prompt_tokens":1,"a":"\xff"}', DEFAULT)
@example(b'{"prompt_tokens":1,"\xff":1}', DEFAULT)
@example(b'{"prompt_tokens":1,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", DEFAULT)
@example(b'{"prompt_tokens":"1","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", DEFAULT)
@example(b'{"prompt_tokens":1,"cost":' + b"9" * 10_000 + b"}", convention_for("openrouter"))
@example(b'{"prompt_tokens":1,"cost":1e999999999999999999}', convention_for("openrouter"))
def test_no_bytes_whatever_make_it_raise(raw: bytes, convention: UsageConvention) -> None:
    parse_usage(raw, convention=convention)


@given(
    st.fixed_dictionaries(
        {"prompt_tokens": st.integers(0, 100), "completion_tokens": st.integers(0, 100)},
        optional={
            "prompt_tokens_details": st.dictionaries(
                st.sampled_from(["cached_tokens", "audio_tokens", "image_tokens", "cache_write_tokens"]),
                st.integers(0, 200),
            ),
            "completion_tokens_details": st.dictionaries(
                st.sampled_from(["reasoning_tokens", "audio_tokens", "image_tokens"]), st.integers(0, 200)
            ),
        },
    )
)
def test_parts_are_disjoint_and_add_up_to_what_the_provider_counted(usage: dict[str, Any]) -> None:
    counted = usage_of(usage)
    assert counted.input_total == usage["prompt_tokens"]
    assert counted.output_total == usage["completion_tokens"]
    assert all(count >= 0 for count in astuple(counted))


def test_a_chat_reply_with_all_its_details() -> None:
    assert usage_of(
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {
                "cached_tokens": 40, "cache_write_tokens": 5, "audio_tokens": 10, "image_tokens": 2,
            },
            "completion_tokens_details": {
                "reasoning_tokens": 20, "audio_tokens": 7, "image_tokens": 1, "accepted_prediction_tokens": 3,
            },
        }
    ) == Usage(
        input=43, cache_read=40, cache_write_5m=5, audio_input=10, image_input=2,
        output=22, reasoning=20, audio_output=7, image_output=1,
    )  # fmt: skip


def test_a_responses_reply_counts_by_its_own_names() -> None:
    assert usage_of(
        {
            "input_tokens": 75,
            "input_tokens_details": {"cached_tokens": 32},
            "output_tokens": 1186,
            "output_tokens_details": {"reasoning_tokens": 1024},
            "total_tokens": 1261,
        }
    ) == Usage(input=43, cache_read=32, output=162, reasoning=1024)


def test_an_embeddings_reply_has_no_output() -> None:
    assert usage_of({"prompt_tokens": 8, "total_tokens": 8}) == Usage(input=8)


def test_null_details_and_unknown_fields_do_not_matter() -> None:
    assert usage_of(
        {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": None, "queue_time": 0.1, "x": {"y": [1]}}
    ) == Usage(input=3, output=4)


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"total_tokens": 5},
        {"prompt_tokens": None, "completion_tokens": 5},
        {"prompt_tokens": 5, "completion_tokens": -1},
        {"prompt_tokens": -5, "completion_tokens": 1},
        {"prompt_tokens": MAX_COUNT + 1},
        {"prompt_tokens": 10**30},
        {"prompt_tokens": 5.0},
        {"prompt_tokens": 5, "completion_tokens": "7"},
        {"prompt_tokens": True},
        {"prompt_tokens": [5]},
        {"completion_tokens": 5},
    ],
)
def test_without_sound_whole_counts_there_is_no_usage(usage: dict[str, Any]) -> None:
    assert parse(usage) is None


@pytest.mark.parametrize("part", [-1, MAX_COUNT + 1, 2**70, 1.5, "7", True, [], {}, None])
def test_a_part_that_is_no_count_is_zero(part: object) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 6, "prompt_tokens_details": {"cached_tokens": part}}
    assert usage_of(usage | {"completion_tokens_details": {"reasoning_tokens": part}}) == Usage(input=5, output=6)


def test_a_part_greater_than_its_whole_is_cut_to_the_whole() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 6, "prompt_tokens_details": {"cached_tokens": 50}}
    assert usage_of(usage | {"completion_tokens_details": {"reasoning_tokens": 60}}) == Usage(cache_read=5, reasoning=6)


def test_cached_tokens_are_text_as_far_as_the_text_goes_and_then_audio() -> None:
    usage = {"prompt_tokens": 30, "prompt_tokens_details": {"audio_tokens": 20, "cached_tokens": 15}}
    assert usage_of(usage) == Usage(cache_read=10, audio_input=15, audio_cache_read=5)


def test_reasoning_comes_on_top_of_the_output_where_the_provider_counts_so() -> None:
    usage = {
        "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 130,
        "completion_tokens_details": {"reasoning_tokens": 100},
    }  # fmt: skip
    assert usage_of(usage, "xai") == Usage(input=10, output=20, reasoning=100)
    assert usage_of(usage, "openai") == Usage(input=10, reasoning=20)


def test_deepseek_names_cached_tokens_in_its_own_way_too() -> None:
    hit = {"prompt_tokens": 563, "completion_tokens": 1, "prompt_cache_hit_tokens": 512, "prompt_cache_miss_tokens": 51}
    assert usage_of(hit, "deepseek") == Usage(input=51, cache_read=512, output=1)
    assert usage_of(hit, "openai") == Usage(input=563, output=1)
    both = hit | {"prompt_tokens_details": {"cached_tokens": 512}}
    assert usage_of(both, "deepseek") == Usage(input=51, cache_read=512, output=1)


def test_mistral_bills_cached_tokens_by_the_details_only() -> None:
    usage = {"prompt_tokens": 70, "completion_tokens": 12, "num_cached_tokens": 69}
    assert usage_of(usage, "mistral") == Usage(input=70, output=12)


def test_perplexity_counts_reasoning_citations_and_searches_beside_the_output() -> None:
    parsed = parse(
        {
            "prompt_tokens": 20, "completion_tokens": 300, "reasoning_tokens": 5_000, "citation_tokens": 800,
            "num_search_queries": 12, "cost": {"total_cost": 0.1234, "input_tokens_cost": 0.1},
        },
        "perplexity",
    )  # fmt: skip
    usage = Usage(input=20, output=300, reasoning=5_000, citation=800, web_searches=12)
    assert parsed == ParsedUsage(usage, 123_400_000_000)


def test_tokens_outside_the_input_are_added_to_it() -> None:
    outside = replace(DEFAULT, cached_outside_input=True)
    raw = b'{"prompt_tokens":10,"prompt_tokens_details":{"cached_tokens":70,"cache_write_tokens":20}}'
    parsed = parse_usage(raw, convention=outside)
    assert parsed is not None
    assert parsed.usage == Usage(input=10, cache_read=70, cache_write_5m=20)


@pytest.mark.parametrize(
    ("written", "pico"),
    [
        (b"0.00355825", 3_558_250_000),
        (b"0.1", 100_000_000_000),
        (b"9.78e-05", 97_800_000),
        (b"0", 0),
        (b"1e-13", 0),
        (b"0.0000000000015", 2),
        (b"-1", None),
        (b"1000001", None),
        (b"1e400", None),
        (b"null", None),
        (b'"0.1"', None),
        (b"{}", None),
        (b"true", None),
        (b"0." + b"1" * 100, None),
    ],
)
def test_a_cost_that_the_provider_states_is_read_as_a_decimal(written: bytes, pico: int | None) -> None:
    parsed = parse(b'{"prompt_tokens":1,"completion_tokens":2,"cost":' + written + b"}", "openrouter")
    assert parsed == ParsedUsage(Usage(input=1, output=2), pico)


def test_a_cost_is_not_believed_of_a_provider_that_does_not_state_one() -> None:
    assert parse({"prompt_tokens": 1, "cost": 5}) == ParsedUsage(Usage(input=1), None)


@given(st.decimals(0, 1_000, places=12))
def test_no_digit_of_a_stated_cost_is_lost(cost: Decimal) -> None:
    parsed = parse(b'{"prompt_tokens":1,"cost":%s}' % f"{cost:f}".encode(), "openrouter")
    assert parsed is not None
    assert parsed.provider_cost == int(cost.scaleb(12))


def test_a_raw_value_of_a_reply_is_read_as_it_is() -> None:
    top = msgspec.json.decode(b'{"usage": {"prompt_tokens": 4, "completion_tokens": 2}}', type=dict[str, msgspec.Raw])
    assert parse_usage(top["usage"], convention=DEFAULT) == ParsedUsage(Usage(input=4, output=2), None)


def test_every_convention_names_its_source() -> None:
    assert all(each.source for each in CONVENTIONS.values())


def test_an_unknown_server_counts_as_openai_does() -> None:
    assert convention_for("no-such-provider") is DEFAULT
    assert {row.usage.source for row in REGISTRY.values()} <= {each.source for each in CONVENTIONS.values()}
