"""Usage and price of real replies, against what genai-prices' own test data expects of them."""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.prices import price_base
from tollway.ledger.money import pico_from_usd
from tollway.ledger.price_book import PriceBook
from tollway.ledger.rating import Charge, rate
from tollway.ledger.usage import INPUT_KINDS, Usage
from tollway.providers.registry import REGISTRY
from tollway.providers.usage.conventions import DEFAULT, UsageConvention
from tollway.providers.usage.openai import parse_usage

ORACLE = Path(__file__).parents[2].parent / "shared" / "data" / "prices" / "usage_oracle.jsonl.gz"
PRICED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
"""The oracle's prices are those of that time: any day from September 2024 to February 2026 gives the same."""

OPENAI_DIALECT = {"chat", "embeddings", "responses"}
OPENAI_DIALECT_UNDER_ANOTHER_NAME = {("groq", "default"), ("mistral", "default"), ("perplexity", "default")}

EQUAL = "equal in usage and price"
WRITES_ARE_REPORTED_BY = {"openai", "openrouter"}


def cache_writes_of_another_provider(provider: str, _model: str, raw: dict[str, Any]) -> bool:
    details = raw.get("prompt_tokens_details") or raw.get("input_tokens_details") or {}
    return provider not in WRITES_ARE_REPORTED_BY and bool(details.get("cache_write_tokens"))


def cached_tokens_at_cerebras(provider: str, _model: str, raw: dict[str, Any]) -> bool:
    return provider == "cerebras" and bool((raw.get("prompt_tokens_details") or {}).get("cached_tokens"))


def model_without_any_price(provider: str, model: str, _raw: dict[str, Any]) -> bool:
    sheet = price_base().sheet(provider, model, at=PRICED_AT)
    return sheet is not None and not sheet.rates


LISTED: dict[Callable[[str, str, dict[str, Any]], bool], str] = {
    cache_writes_of_another_provider: "cache_write_tokens in OpenAI's or OpenRouter's reply, read as one of a provider "
    "that does not send the field; for Azure the installed genai-prices reads it as we do, the oracle is older",
    cached_tokens_at_cerebras: "we count cached tokens there, genai-prices does not; the price is the same",
    model_without_any_price: "genai-prices lists the model without a price and takes it for free; we do not",
}
"""Where we differ from the oracle, and why. Whatever is not here must be equal."""


def conventions() -> dict[str, UsageConvention]:
    """Price provider → convention, of the registry's rows and of Azure, which is added as a compatible server."""
    rows = (row for row in REGISTRY.values() if row.price_provider and row.dialect == "openai")
    return {"azure": DEFAULT} | {row.price_provider: row.usage for row in rows}


def rows() -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, int]]]:
    """Each reply with each reading of it: (row, extractor, expected usage)."""
    with gzip.open(ORACLE, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            for extracted in row["extracted"]:
                for extractor in extracted["extractors"]:
                    yield row, extractor, extracted["usage"]


def is_openai_dialect(provider: str, flavour: str) -> bool:
    if provider == "cohere":
        return False
    return flavour in OPENAI_DIALECT or (provider, flavour) in OPENAI_DIALECT_UNDER_ANOTHER_NAME


def counted(usage: Usage) -> dict[str, int]:
    """Our disjoint counts as the oracle's overlapping ones."""
    totals = {
        "input_tokens": usage.input_total,
        "cache_read_tokens": usage.cache_read + usage.audio_cache_read,
        "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "input_audio_tokens": usage.audio_input + usage.audio_cache_read,
        "output_tokens": usage.output_total,
        "output_reasoning_tokens": usage.reasoning,
        "output_audio_tokens": usage.audio_output,
        "output_citation_tokens": usage.citation,
        "web_searches": usage.web_searches,
    }
    return {name: count for name, count in totals.items() if count}


def differences(charge: Charge, extractor: dict[str, Any]) -> list[str]:
    """Where the charge is not the oracle's price, to the pico-dollar."""
    ours = {
        "input_price": sum(line.amount for line in charge.lines if line.kind in INPUT_KINDS),
        "output_price": sum(
            line.amount for line in charge.lines if line.kind not in {*INPUT_KINDS, "web_searches", "requests"}
        ),
        "total_price": charge.total,
    }
    theirs = {name: pico_from_usd(Decimal(extractor[name])) for name in ours if name in extractor}
    theirs.setdefault("total_price", theirs["input_price"] + theirs["output_price"])
    return [f"{name}: ours {ours[name]}, theirs {usd}" for name, usd in theirs.items() if ours[name] != usd]


def compare(
    row: dict[str, Any], extractor: dict[str, Any], expected: dict[str, int], convention: UsageConvention
) -> list[str]:
    """Where the oracle and we differ in usage or price."""
    provider = extractor["provider_id"]
    parsed = parse_usage(msgspec.json.encode(row["body"]["usage"]), convention=convention)
    if parsed is None:
        return ["no usage"]
    usage = [] if counted(parsed.usage) == expected else [f"usage: {counted(parsed.usage)} is not {expected}"]
    if "input_price" not in extractor:
        return usage
    book = PriceBook(price_base())
    sheet = book.sheet(provider, row["model"], organization_id="", provider_name=provider, at=PRICED_AT)
    return [*usage, *(["no price"] if sheet is None else differences(rate(parsed.usage, sheet), extractor))]


@pytest.mark.skipif(not ORACLE.exists(), reason=f"the usage oracle is not beside the project ({ORACLE.name})")
def test_every_row_of_a_dialect_we_speak_has_the_oracles_usage_and_price(capsys: pytest.CaptureFixture[str]) -> None:
    known = conventions()
    tally: Counter[str] = Counter()
    other: Counter[str] = Counter()
    wrong: list[str] = []
    for row, extractor, expected in rows():
        provider, flavour = extractor["provider_id"], extractor["api_flavor"]
        raw, model = row["body"].get("usage"), row.get("model", "")
        if not is_openai_dialect(provider, flavour):
            other[f"dialect of {provider}"] += 1
        elif provider not in known:
            other["provider without a row"] += 1
        elif flavour == "embeddings" and "completion_tokens" in raw:
            other["chat reply read as one of embeddings"] += 1
        elif not (found := compare(row, extractor, expected, known[provider])):
            tally[
                "equal in usage and price" if "input_price" in extractor else "equal in usage, no price expected"
            ] += 1
        else:
            reason = next((why for applies, why in LISTED.items() if applies(provider, model, raw)), None)
            if reason is None:
                wrong.append(f"{provider}/{flavour} {model}: {'; '.join(found)}; {raw}")
            else:
                tally[f"listed: {reason}"] += 1
    with capsys.disabled():
        print("\noracle:", *(f"{count} {what}" for what, count in tally.items()), sep="\n  ")
        print(" not compared:", *(f"{count} {what}" for what, count in other.items()), sep="\n  ")
    assert not wrong, "\n".join(wrong[:20])
    assert all(tally[f"listed: {why}"] for why in LISTED.values()), "a listed difference is gone: take it off the list"
    assert tally[EQUAL] > 300
