"""Anthropic's usage objects: what is told at the start of a stream, at its end, and in a reply."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.anthropic_recordings import messages, name_of, needs_recordings, told_usage
from support.prices import price_base
from tollway.ledger.money import pico_from_usd
from tollway.ledger.price_book import PriceBook
from tollway.ledger.rating import rate
from tollway.ledger.usage import Usage
from tollway.providers.usage.anthropic import merge, read_usage, tier_of, usage_object, usage_of

ORACLE = Path(__file__).parents[3].parent / "shared" / "data" / "prices" / "usage_oracle.jsonl.gz"
PRICED_AT = 1_767_268_800.0
"""1 January 2026, noon: the oracle's prices are those of that time."""
READINGS = {("anthropic", "default"), ("google", "anthropic"), ("aws", "anthropic"), ("azure", "anthropic")}
"""Provider and form in which the oracle reads a usage object as this module does."""

counts = st.integers(0, 10**6)


def parsed(**fields: Any) -> Usage | None:
    return usage_of(read_usage(json.dumps(fields).encode()))


def test_what_was_cached_is_outside_the_input() -> None:
    assert parsed(input_tokens=10, cache_read_input_tokens=200, output_tokens=5) == Usage(10, cache_read=200, output=5)


def test_writes_are_split_by_how_long_they_are_kept() -> None:
    split = {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}
    usage = parsed(input_tokens=1, cache_creation_input_tokens=7, cache_creation=split, output_tokens=2)
    assert usage == Usage(1, cache_write_5m=3, cache_write_1h=4, output=2)


def test_writes_that_are_not_in_the_split_are_kept_for_five_minutes() -> None:
    split = {"ephemeral_1h_input_tokens": 4}
    usage = parsed(input_tokens=1, cache_creation_input_tokens=9, cache_creation=split, output_tokens=2)
    assert usage == Usage(1, cache_write_5m=5, cache_write_1h=4, output=2)


def test_thoughts_are_inside_the_output() -> None:
    usage = parsed(input_tokens=1, output_tokens=90, output_tokens_details={"thinking_tokens": 70})
    assert usage == Usage(1, output=20, reasoning=70)


def test_searches_are_counted() -> None:
    usage = parsed(input_tokens=1, output_tokens=2, server_tool_use={"web_search_requests": 3, "web_fetch_requests": 9})
    assert usage == Usage(1, output=2, web_searches=3)


def test_compactions_are_added_and_other_models_are_not() -> None:
    iterations = [
        {"type": "message", "input_tokens": 1, "output_tokens": 2},
        {"type": "compaction", "input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 7},
        {"type": "advisor_message", "input_tokens": 999, "output_tokens": 999},
    ]
    usage = parsed(input_tokens=1, output_tokens=2, iterations=iterations)
    assert usage == Usage(101, cache_read=7, output=22)


def test_the_end_of_a_stream_replaces_what_its_start_told() -> None:
    start = read_usage(
        b'{"input_tokens":9,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_1h_input_tokens":4},'
        b'"output_tokens":1,"service_tier":"priority"}'
    )
    whole = merge(start, read_usage(b'{"output_tokens":30,"input_tokens":12,"cache_read_input_tokens":null}'))
    assert usage_of(whole) == Usage(12, cache_write_1h=4, output=30)
    assert tier_of(whole) == "priority"
    assert usage_of(merge(None, None)) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b"[]",
        b"{}",
        b'{"input_tokens":1}',
        b'{"input_tokens":-1,"output_tokens":1}',
        b'{"input_tokens":1.5,"output_tokens":1}',
        b'{"input_tokens":1,"output_tokens":99999999999}',
        b"{",
        b"\xff",
    ],
)
def test_what_does_not_add_up_is_no_usage(raw: bytes) -> None:
    assert usage_of(read_usage(raw)) is None


def test_a_member_of_another_type_costs_only_itself() -> None:
    usage = parsed(input_tokens=4, output_tokens=5, cache_read_input_tokens="many", server_tool_use=[1])
    assert usage == Usage(4, output=5)


@given(st.builds(Usage, **dict.fromkeys(
    ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning", "web_searches"), counts
)))  # fmt: skip
def test_a_usage_told_and_read_is_the_same(usage: Usage) -> None:
    assert usage_of(read_usage(msgspec.json.encode(usage_object(usage)))) == usage


def test_the_faster_mode_has_prices_of_its_own() -> None:
    assert (
        tier_of(read_usage(b'{"input_tokens":1,"output_tokens":1,"speed":"fast","service_tier":"standard"}')) == "fast"
    )


@needs_recordings
def test_every_recorded_reply_tells_its_usage() -> None:
    for row in messages(status=200):
        usage = parsed(**told_usage(row))
        assert usage is not None, name_of(row)
        assert usage.input_total + usage.output_total > 0, name_of(row)


def readings() -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Each reply that the oracle reads as this module does: (row, extractor, expected usage)."""
    with gzip.open(ORACLE, "rt") as lines:
        for row in map(json.loads, lines):
            for extracted in row["extracted"]:
                for extractor in extracted["extractors"]:
                    if (extractor["provider_id"], extractor["api_flavor"]) in READINGS:
                        yield row, extractor, extracted["usage"]


@pytest.mark.skipif(not ORACLE.exists(), reason=f"the usage oracle is not beside the project ({ORACLE.name})")
def test_usage_and_price_are_the_oracles() -> None:
    book = PriceBook(price_base())
    tally: Counter[str] = Counter()
    for row, extractor, expected in readings():
        usage = parsed(**row["body"]["usage"])
        assert usage is not None
        assert usage.input_total == expected.get("input_tokens", 0), row
        assert usage.output_total == expected.get("output_tokens", 0), row
        tally["usage"] += 1
        if extractor["provider_id"] != "anthropic" or "input_price" not in extractor:
            continue  # what clouds ask for the same models is theirs to say: their rows are tested with their prices
        assert usage.reasoning == expected.get("output_reasoning_tokens", 0), row
        assert usage.web_searches == expected.get("web_searches", 0), row
        sheet = book.sheet("anthropic", row["model"], organization_id="", provider_name="a", at=PRICED_AT)
        assert sheet is not None
        parts = Decimal(extractor["input_price"]) + Decimal(extractor["output_price"])
        assert rate(usage, sheet).total == pico_from_usd(Decimal(extractor.get("total_price", parts))), row
        tally["price"] += 1
    assert tally["usage"] > 1_000, tally
    assert tally["price"] > 120, tally
