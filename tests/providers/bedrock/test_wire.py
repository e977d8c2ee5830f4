"""The conformance suite over Bedrock's own recorded replies, and their usage and price against the price library's."""

import datetime as dt
import gzip
import json
from base64 import b64decode
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import calc_price, extract_usage

from support.prices import price_base
from support.recordings import PATH, available, name_of, rows_of
from tollway.chat.collect import collect
from tollway.chat.message import OpaquePart, TextPart, ThinkingPart, ToolCallPart
from tollway.chat.reply import ChatReply
from tollway.conformance.suite import ProviderConformance, Recording
from tollway.ledger.price_book import PriceBook
from tollway.ledger.rating import rate
from tollway.providers.bedrock.wire import BedrockWire
from tollway.providers.registry import REGISTRY
from tollway.routing.failure import FailureKind

ORACLE = PATH.parents[1] / "prices" / "usage_oracle.jsonl.gz"
PICO_PER_USD = 10**12
LEFT_OUT = {
    "/invoke": "the older API with a form for each model: Converse is spoken instead",
    "/invoke-with-response-stream": "as /invoke",
}
"""Endpoints that are not spoken, and why."""
UNPRICED = {
    "ai21.jamba-1-5-mini-v1:0",
    "anthropic.claude-v2",
    "arn",
    "cohere.command-r-v1:0",
    "minimax.minimax-m2",
    "nvidia.nemotron-nano-12b-v2",
    "zai.glm-4.7-flash",
}
"""Recorded models that the price library does not know."""
WHEN = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
NOON = WHEN.timestamp()
WIRE = BedrockWire()
SPEC = REGISTRY["bedrock"]


def exchanges() -> list[dict[str, Any]]:
    found = rows_of("bedrock") if available() else ()
    return [row for row in found if not row["endpoint"].endswith(tuple(LEFT_OUT))]


def body_of(row: dict[str, Any]) -> bytes:
    body = row["response_body"]
    return b64decode(body) if row["response_body_encoding"] == "base64" else body.encode()


def wire_usage(row: dict[str, Any]) -> dict[str, Any] | None:
    """The usage object of a reply or of its stream, read without our code."""
    if row["streaming"]:
        return next(
            (event["payload"]["usage"] for event in row["response_events"] if event["type"] == "metadata"), None
        )
    found: dict[str, Any] | None = json.loads(row["response_body"]).get("usage")
    return found


class TestBedrock(ProviderConformance):
    spec = SPEC
    wire = WIRE
    recordings = tuple(
        Recording(
            name=name_of(row),
            body=body_of(row),
            status=row["status"],
            streamed=row["streaming"],
            counted=row["status"] == 200 and wire_usage(row) is not None,
        )
        for row in exchanges()
    )
    model = "anthropic.claude-sonnet-4-6"


def reply_of(row: dict[str, Any]) -> ChatReply:
    if row["streaming"]:
        parser = WIRE.stream_parser(spec=SPEC)
        return collect([*parser.feed(body_of(row)), *parser.finish()])
    reply = WIRE.parse_reply(body_of(row), spec=SPEC)
    assert reply is not None, name_of(row)
    return reply


def blocks_of(row: dict[str, Any]) -> Counter[str]:
    """How many blocks of each kind a whole reply has, read without our code."""
    return Counter(next(iter(block)) for block in json.loads(row["response_body"])["output"]["message"]["content"])


def words_of(row: dict[str, Any]) -> str:
    if row["streaming"]:
        deltas = [event["payload"].get("delta", {}) for event in row["response_events"]]
        return "".join(delta.get("text", "") for delta in deltas)
    content = json.loads(row["response_body"])["output"]["message"]["content"]
    pieces = [piece for block in content for piece in block.get("citationsContent", {"content": [block]})["content"]]
    return "".join(piece.get("text", "") for piece in pieces)


@pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")
def test_every_recorded_answer_has_its_words_calls_and_thoughts() -> None:
    tally: Counter[str] = Counter()
    for row in exchanges():
        if row["status"] != 200:
            tally["refusals"] += 1
            continue
        parts = [part for choice in reply_of(row).choices for part in choice.parts]
        assert "".join(part.text for part in parts if isinstance(part, TextPart)) == words_of(row), name_of(row)
        if not row["streaming"]:
            blocks, kinds = blocks_of(row), Counter(type(part) for part in parts)
            opaque = kinds[OpaquePart]
            assert kinds[ThinkingPart] == blocks["reasoningContent"], name_of(row)
            assert kinds[ToolCallPart] + opaque == blocks["toolUse"] + blocks["toolResult"], name_of(row)
        tally["streams" if row["streaming"] else "whole replies"] += 1
    assert tally == {"whole replies": 141, "streams": 25, "refusals": 8}


@pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")
def test_every_recorded_refusal_means_what_it_says() -> None:
    kinds = Counter(
        WIRE.classify_failure(row["status"], (), body_of(row)).kind for row in exchanges() if row["status"] != 200
    )
    assert kinds == {FailureKind.NOT_FOUND: 2, FailureKind.INVALID: 6}


@pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")
def test_every_recorded_count_and_charge_is_that_of_the_price_library() -> None:
    book = PriceBook(price_base())
    tally: Counter[str] = Counter()
    for row in exchanges():
        told = wire_usage(row) if row["status"] == 200 else None
        if told is None:
            continue
        usage = reply_of(row).usage
        assert usage is not None, name_of(row)
        try:
            expected = extract_usage({"model": row["model"], "usage": told}, provider_id="aws").usage
        except LookupError:
            tally[row["model"]] += 1
            continue
        assert usage.input_total == expected.input_tokens, name_of(row)
        assert usage.output_total == expected.output_tokens, name_of(row)
        assert usage.cache_read == (expected.cache_read_tokens or 0), name_of(row)
        assert usage.cache_write_5m + usage.cache_write_1h == (expected.cache_write_tokens or 0), name_of(row)
        sheet = book.sheet("aws", row["model"], organization_id="", provider_name="aws", at=NOON)
        assert sheet is not None, row["model"]
        price = calc_price(expected, row["model"], provider_id="aws", genai_request_timestamp=WHEN).total_price
        charge = rate(usage, sheet)
        assert abs(charge.total - Decimal(price) * PICO_PER_USD) <= len(charge.lines), name_of(row)
        tally["priced"] += 1
    assert tally.pop("priced") == 156
    assert set(tally) == UNPRICED


@pytest.mark.skipif(not ORACLE.exists(), reason=f"the oracle is not at {ORACLE}")
def test_usage_agrees_with_the_price_librarys_own_cases() -> None:
    seen = 0
    with gzip.open(ORACLE, "rt", encoding="utf-8") as lines:
        for case in map(json.loads, lines):
            told = case["body"].get("usage") or {}
            found = [each for each in case["extracted"] if any(e["provider_id"] == "aws" for e in each["extractors"])]
            if "inputTokens" not in told or not found:
                continue
            body = json.dumps({"output": {"message": {"content": []}}, "usage": told}).encode()
            reply = WIRE.parse_reply(body, spec=SPEC)
            assert reply is not None
            assert reply.usage is not None
            expected = found[0]["usage"]
            assert reply.usage.input_total == expected["input_tokens"]
            assert reply.usage.output_total == expected["output_tokens"]
            assert reply.usage.cache_read == expected.get("cache_read_tokens", 0)
            seen += 1
    assert seen == 131
