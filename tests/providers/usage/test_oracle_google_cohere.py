"""Usage and price of real replies of Google and Cohere, against what genai-prices' own test data expects of them."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.prices import price_base
from tollway.ledger.money import pico_from_usd
from tollway.ledger.price_book import PriceBook
from tollway.ledger.rating import rate
from tollway.ledger.usage import Usage
from tollway.providers.usage import cohere, gemini

ORACLE = Path(__file__).parents[3].parent / "shared" / "data" / "prices" / "usage_oracle.jsonl.gz"
PRICED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
"""The oracle's prices are those of that time."""
OF_BILLED_UNITS = "default"
"""The extractor that reads what Cohere bills; ``tokens`` reads what it saw."""

pytestmark = pytest.mark.skipif(
    not ORACLE.exists(), reason=f"the usage oracle is not beside the project ({ORACLE.name})"
)


def rows(provider: str) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, int]]]:
    """Each reply in the provider's own format: (body, extractor, expected usage)."""
    with gzip.open(ORACLE, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            for extracted in row["extracted"]:
                for extractor in extracted["extractors"]:
                    if (extractor["provider_id"], extractor["api_flavor"]) == (provider, OF_BILLED_UNITS):
                        yield row["body"] | {"model": row.get("model")}, extractor, extracted["usage"]


def counted(usage: Usage) -> dict[str, int]:
    """Our disjoint counts as the oracle's overlapping ones."""
    totals = {
        "input_tokens": usage.input_total,
        "cache_read_tokens": usage.cache_read + usage.audio_cache_read,
        "input_audio_tokens": usage.audio_input + usage.audio_cache_read,
        "output_tokens": usage.output_total,
        "output_reasoning_tokens": usage.reasoning,
        "output_audio_tokens": usage.audio_output,
        "output_image_tokens": usage.image_output,
    }
    return {name: count for name, count in totals.items() if count}


def test_every_reply_of_googles_has_the_oracles_usage_and_price() -> None:
    tally: Counter[str] = Counter()
    book = PriceBook(price_base())
    for body, extractor, expected in rows("google"):
        found = gemini.parse_usage(json.dumps(body["usageMetadata"]).encode())
        assert found is not None, body
        ours = counted(found.usage)
        assert ours == {name: expected[name] for name in ours}, body
        assert {"input_tokens", "output_tokens"} & expected.keys() <= ours.keys() | {"output_tokens"}
        tally["usage"] += 1
        if "input_price" in extractor:
            sheet = book.sheet("google", body["model"], organization_id="", provider_name="google", at=PRICED_AT)
            assert sheet is not None, body
            charge = rate(found.usage, sheet)
            price = pico_from_usd(Decimal(extractor["input_price"]) + Decimal(extractor["output_price"]))
            assert charge.total == price, body
            tally["price"] += 1
    assert tally == {"usage": 269, "price": 257}


def test_every_reply_of_coheres_has_the_oracles_usage() -> None:
    compared = 0
    for body, _, expected in rows("cohere"):
        usage = cohere.parse_usage(json.dumps(body["usage"]).encode())
        assert usage is not None, body
        assert counted(usage) == expected
        compared += 1
    assert compared == 10
